"""The step of a scale, with what the scale is and what the step means."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from converters.vocabulary import term, vocabulary, wholes_of
from pipeline.view import Draft, View, image_words, named


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """A scale of grades, as ``[scale]`` of the vocabulary explains it.

    Attributes:
        name: What it is called.
        about: What it grades.
        first: Its lowest step and what that means.
        last: Its highest step and what that means.
        steps: What each canonical term of role "grade" means.
    """

    name: str
    about: str
    first: str
    last: str
    steps: dict[str, str]


def drafts(view: View) -> list[Draft]:
    """One question, where the image has one grade on a scale that can be explained."""
    return list(_graded(view))


def _graded(view: View) -> Iterator[Draft]:
    grades = [group for group in view.groups() if group.role == "grade"]
    if len(grades) != 1 or grades[0].is_region or grades[0].count != 1:
        return
    label = grades[0].name.term
    scale = next((one for one in _scales() if label in one.steps), None)
    if scale and _is_used(scale, label, view):
        yield Draft(
            template="grading/image.en.j2",
            variables={
                **image_words(view.sample),
                "name": named(term(label)),
                "scale": scale,
                "meaning": scale.steps[label],
            },
            labels=(label,),
            is_open=True,
        )


def _is_used(scale: Scale, label: str, view: View) -> bool:
    """Whether the source grades by this scale: one with further grades of the kind has another."""
    alike = {
        name
        for name in view.block_of(label)
        if term(name).role == "grade" and wholes_of(name) & wholes_of(label)
    }
    return alike <= set(scale.steps)


@cache
def _scales() -> tuple[Scale, ...]:
    return tuple(
        Scale(name=name, **entry)
        for name, entry in vocabulary()["scale"].items()
        if isinstance(entry, dict)
    )
