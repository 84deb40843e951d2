"""A question with lettered options, exactly one of them right."""

from collections.abc import Iterator
from dataclasses import dataclass

from converters.vocabulary import term
from pipeline.formats import distractors
from pipeline.phrasing import digest_order, draw_number
from pipeline.view import LETTERS, Draft, View, image_words

FEW_OPTIONS, MAX_OPTIONS = 3, 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """An option as it is shown."""

    letter: str
    text: str


def drafts(view: View) -> list[Draft]:
    """At most one question about the image and one about a box."""
    return [*_image(view), *_region(view)]


def _image(view: View) -> Iterator[Draft]:
    if view.is_one_sided:
        return
    labels = sorted({group.name.term for group in view.groups()})
    for label in digest_order(f"{view.sample.sample_id}/choice", labels):
        wrong = distractors.of_image(view, label)
        if wrong:
            variables = _options(view, "image", label, wrong)
            yield _draft(view, "single_choice/image.en.j2", label, variables)
            return


def _region(view: View) -> Iterator[Draft]:
    for finding in view.ordered("choice", view.local):
        wrong = distractors.of_box(view, finding.label, finding.box) if finding.box else []
        if wrong and finding.box:
            variables = _options(view, "region", finding.label, wrong)
            variables["box"] = view.numbers(finding.box)
            yield _draft(
                view,
                "single_choice/region.en.j2",
                finding.label,
                variables,
                boxes=((finding.label, finding.box),),
            )
            return


def _draft(
    view: View, template: str, label: str, variables: dict[str, object], **more: object
) -> Draft:
    choices = variables["choices"]
    assert isinstance(choices, list)
    return Draft(
        template=template,
        variables={**image_words(view.sample), **variables},
        labels=(label,),
        options=tuple(choice.text for choice in choices),
        right=label,
        **more,  # type: ignore[arg-type]
    )


def _options(view: View, kind: str, label: str, wrong: list[str]) -> dict[str, object]:
    """The right option among some wrong ones; its place and their number are drawn."""
    seed = f"{view.sample.sample_id}/{kind}/{label}"
    most = min(MAX_OPTIONS, 1 + len(wrong))
    least = min(FEW_OPTIONS, most)
    count = least + draw_number(seed.encode(), 0) % (most - least + 1)
    shown = distractors.ranked(seed, label, wrong)[: count - 1]
    shown.insert(draw_number(seed.encode(), 1) % count, label)
    choices = [
        Choice(letter=letter, text=text) for letter, text in zip(LETTERS, shown, strict=False)
    ]
    return {
        "choices": choices,
        "letter": choices[shown.index(label)].letter,
        "right": label,
        "role": "normal" if "normal" in {term(name).role for name in shown} else term(label).role,
    }
