"""Several turns about one image: from what is seen to what follows from it.

Every turn is a question and an answer of its own, and is checked as such.
"""

from collections.abc import Iterator, Mapping

from converters.vocabulary import term
from pipeline.formats import distractors
from pipeline.formats.measurement import is_the_only_one
from pipeline.formats.position import is_spread
from pipeline.formats.recognition import sure_anatomy, sure_modality
from pipeline.measures import Measure, longest_diameter
from pipeline.phrasing import digest_order, draw_number
from pipeline.view import Draft, Group, Named, View, image_words, named

TEMPLATE = "conversation/image.en.j2"
MIN_TURNS, MAX_NAMED, MAX_CONCLUSIONS = 3, 4, 6
_NOT_LOOKED_FOR = ("normal", "grade", "phase")  # one does not see a step of a scale
_SEEN_TOO = ("lesion", "sign")
_CONCLUDING = ("diagnosis", "grade", "lesion", "sign", "normal", "phase")


def drafts(view: View) -> list[Draft]:
    """One conversation, where three turns at least can be had."""
    groups = view.groups()
    if not groups:
        return []
    variables = _variables(view, groups)
    turns = list(_turns(view, groups, variables))
    if len(turns) < MIN_TURNS:
        return []
    return [
        Draft(
            template=TEMPLATE,
            variables=variables,
            labels=tuple(dict.fromkeys(label for turn in turns for label in turn.labels)),
            boxes=tuple(dict.fromkeys(box for turn in turns for box in turn.boxes)),
            turns=tuple(turns),
        )
    ]


def _variables(view: View, groups: list[Group]) -> dict[str, object]:
    """What all turns may speak of."""
    seen = _seen(view, groups)
    about = seen or [group for group in groups if group.is_region]
    placed = [g for g in about if g.count == 1 and len(g.positions) == 1 and not is_spread(g, view)]
    subject = _first(view, "subject", placed)
    measure, box = _measure(view, subject), _box(view, subject)
    return {
        **image_words(view.sample),
        "seen": seen,
        "is_selection": len(_news(view, groups)) > len(seen),
        "subject": subject,
        "measure": measure,
        "box": box,
        **_judged(view, groups),
        "ending": _ending(groups),
        "is_part": len(_concluded(groups)) > MAX_CONCLUSIONS,
    }


def _news(view: View, groups: list[Group]) -> list[Group]:
    """What is seen in the image, and is neither what the image is of nor a conclusion.

    Where one abnormality has a place, those without one are seen beside it: who lists the
    nodule alone would deny the effusion.
    """
    has_region = any(group.is_region and group.role in _SEEN_TOO for group in groups)
    found = [
        g
        for g in groups
        if g.is_region or g.role not in _CONCLUDING or (has_region and g.role in _SEEN_TOO)
    ]
    named_first = sorted(found, key=lambda g: not g.is_region)
    return [g for g in named_first if g.name.term not in view.sample.anatomy]


def _seen(view: View, groups: list[Group]) -> list[Group]:
    return _news(view, groups)[:MAX_NAMED]


def _ending(groups: list[Group]) -> list[Group]:
    """What is concluded: what has been seen and named goes before what has not."""
    return sorted(_concluded(groups), key=lambda g: not g.is_region)[:MAX_CONCLUSIONS]


def _concluded(groups: list[Group]) -> list[Group]:
    """What is abnormal, and what is judged of the whole image."""
    return [g for g in groups if g.role in _CONCLUDING]


def _first(view: View, seed: str, groups: list[Group]) -> Group | None:
    """One of some groups, drawn by digest."""
    by_name = {group.name.term: group for group in groups}
    order = digest_order(f"{view.sample.sample_id}/conversation/{seed}", sorted(by_name))
    return by_name[order[0]] if order else None


def _measure(view: View, subject: Group | None) -> Measure | None:
    found = [f for f in view.boxed if subject and f.label == subject.name.term]
    return longest_diameter(found[0], view.sample) if len(found) == 1 else None


def _box(view: View, subject: Group | None) -> tuple[str, str, str, str] | None:
    """The box of the only thing of its name."""
    found = [f for f in view.local if subject and f.label == subject.name.term]
    if len(found) != 1 or not found[0].box or not is_the_only_one(found[0], view):
        return None
    return view.numbers(found[0].box)


def _judged(view: View, groups: list[Group]) -> dict[str, object]:
    """Something to look for, which is there or surely is not; None where absence is not known."""
    absent = [n for n in distractors.absent(view) if term(n).role not in _NOT_LOOKED_FOR]
    if view.is_one_sided or not absent:
        return {"judged": None, "is_there": False}
    seed = f"{view.sample.sample_id}/conversation/judged"
    present = sorted(g.name.term for g in groups if g.role not in _NOT_LOOKED_FOR)
    is_there = bool(present) and draw_number(seed.encode(), 0) % 2 == 0
    name = digest_order(seed, present if is_there else absent)[0]
    return {"judged": named(term(name)), "is_there": is_there}


def _turns(view: View, groups: list[Group], variables: Mapping[str, object]) -> Iterator[Draft]:
    """The turns in their order: the image, what is seen in it, one thing closer, the end."""
    told = list(_perception(view, groups, variables))
    ending = _ending(groups)
    yield from told
    if ending:
        yield _turn("conclusion", variables, labels=tuple(group.name.term for group in ending))
    elif any(turn.labels for turn in told):
        labels = tuple(group.name.term for group in _seen(view, groups))
        yield _turn("summary", variables, labels=labels)


def _perception(
    view: View, groups: list[Group], variables: Mapping[str, object]
) -> Iterator[Draft]:
    if sure_modality(view.sample):
        yield _turn("modality", variables)
    if sure_anatomy(view.sample):
        yield _turn("anatomy", variables)
    seen = _seen(view, groups)
    judged = variables["judged"]
    if isinstance(judged, Named):
        said = "labels" if variables["is_there"] else "denied"
        yield _turn("judged", variables, **{said: (judged.term,)})
    # After "Is the spleen visible? Yes." the spleen alone is no answer worth a turn.
    is_told = isinstance(judged, Named) and [one.name.term for one in seen] == [judged.term]
    if seen and not is_told:
        yield _turn("seen", variables, labels=tuple(group.name.term for group in seen))
    yield from _closer(view, variables)


def _closer(view: View, variables: Mapping[str, object]) -> Iterator[Draft]:
    """Where the one thing is, its box, its size."""
    subject = variables["subject"]
    if not isinstance(subject, Group):
        return
    label = (subject.name.term,)
    yield _turn("where", variables, labels=label)
    finding = next((f for f in view.local if f.label == subject.name.term), None)
    if variables["box"] and finding and finding.box:
        yield _turn("box", variables, labels=label, boxes=((finding.label, finding.box),))
    if variables["measure"]:
        yield _turn("size", variables, labels=label)


def _turn(block: str, variables: Mapping[str, object], **known: object) -> Draft:
    return Draft(
        template=TEMPLATE,
        variables=variables,
        block=f"_{block}",
        **known,  # type: ignore[arg-type]
    )
