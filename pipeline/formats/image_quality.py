"""How good the image itself is, of sources that rate it; what is seen in it is another matter."""

from collections.abc import Iterator

from converters.vocabulary import term
from pipeline.formats.single_choice import Choice
from pipeline.phrasing import digest_order, draw_number
from pipeline.view import LETTERS, Draft, View, image_words, named

ROLE = "quality"


def drafts(view: View) -> list[Draft]:
    """An open question; and where other ratings surely do not hold, a choice or a judgement."""
    rated = sorted({f.label for f in view.sample.findings if f.role == ROLE})
    if len(rated) != 1:
        return []
    return list(_drafts(view, rated[0]))


def _drafts(view: View, label: str) -> Iterator[Draft]:
    variables = {**image_words(view.sample), "name": named(term(label))}
    yield Draft(
        template="image_quality/image.en.j2", variables=variables, labels=(label,), is_open=True
    )
    wrong = [name for name in view.sample.absent if term(name).role == ROLE]
    if not wrong:
        return
    seed = f"{view.sample.sample_id}/quality"
    if draw_number(seed.encode(), 0) % 2:
        yield _choice(seed, label, wrong, variables)
    else:
        yield _judgement(seed, label, wrong, variables)


def _choice(seed: str, label: str, wrong: list[str], variables: dict[str, object]) -> Draft:
    shown = digest_order(f"{seed}/choice", [label, *wrong])
    choices = [Choice(letter=a, text=name) for a, name in zip(LETTERS, shown, strict=False)]
    letter = choices[shown.index(label)].letter
    return Draft(
        template="image_quality/choice.en.j2",
        variables={**variables, "choices": choices, "letter": letter},
        labels=(label,),
        options=tuple(shown),
        right=label,
    )


def _judgement(seed: str, label: str, wrong: list[str], variables: dict[str, object]) -> Draft:
    is_there = draw_number(seed.encode(), 1) % 2 == 0
    asked = label if is_there else digest_order(f"{seed}/asked", wrong)[0]
    return Draft(
        template="image_quality/judgement.en.j2",
        variables={**variables, "asked": named(term(asked)), "is_there": is_there},
        labels=(label,) if is_there else (),
        denied=() if is_there else (asked,),
    )
