"""A question answered by yes or no."""

from collections.abc import Iterator

from converters.vocabulary import term
from pipeline.formats import distractors
from pipeline.phrasing import digest_order, draw_number
from pipeline.view import Draft, View, image_words, named


def drafts(view: View) -> list[Draft]:
    """One yes and one no about the image, where absence is known; else one about a box.

    Where nothing is known to be absent, every question about the image would be answered by
    yes, and a model would learn to say it.
    """
    absent = [name for name in distractors.absent(view) if term(name).role != "normal"]
    if view.is_one_sided:
        return []
    return [*_image(view, absent)] if absent else [*_region(view)]


def _image(view: View, absent: list[str]) -> Iterator[Draft]:
    sample = view.sample.sample_id
    groups = {group.name.term: group for group in view.groups() if group.role != "normal"}
    present = sorted(groups)
    for is_there, names in ((True, present), (False, absent)):
        for label in digest_order(f"{sample}/judgement", names)[:1]:
            group = groups.get(label)
            is_placed = group is not None and len(group.positions) == 1 and not group.in_parts
            variables = {
                **image_words(view.sample),
                "name": named(term(label)),
                "is_there": is_there,
                "role": term(label).role,
                "position": group.positions[0] if group and is_placed else None,
            }
            yield Draft(
                template="judgement/image.en.j2",
                variables=variables,
                labels=(label,) if is_there else (),
                denied=() if is_there else (label,),
            )


def _region(view: View) -> Iterator[Draft]:
    for finding in view.ordered("judgement", view.local):
        if not finding.box or finding.role not in distractors.OBJECT_ROLES:
            continue
        wrong = distractors.of_box(view, finding.label, finding.box)
        if not wrong:
            continue
        seed = f"{view.sample.sample_id}/judgement/{finding.label}"
        is_there = draw_number(seed.encode(), 0) % 2 == 0
        asked = finding.label if is_there else digest_order(seed, wrong)[0]
        yield Draft(
            template="judgement/region.en.j2",
            variables={
                **image_words(view.sample),
                "asked": named(term(asked)),
                "name": named(term(finding.label)),
                "is_there": is_there,
                "box": view.numbers(finding.box),
            },
            labels=(finding.label,),
            asked=(asked,),
            boxes=((finding.label, finding.box),),
        )
        return
