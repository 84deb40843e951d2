"""Boxes asked for a name, and a name asked for a box."""

from collections.abc import Iterator

from converters.records import Box, Finding
from converters.vocabulary import term
from pipeline.view import (
    SAME_PLACE,
    Draft,
    View,
    image_words,
    is_in_parts,
    named,
    overlap,
)

MAX_BOXES = 20


def drafts(view: View) -> list[Draft]:
    """At most one search for a name, and one name for a box."""
    return [*_find(view), *_name(view)]


def _find(view: View) -> Iterator[Draft]:
    """All boxes of a term, where all of its objects are marked, or its whole region is."""
    for first in view.ordered("find", view.local):
        found = [finding for finding in view.boxed if finding.label == first.label]
        is_instance = first.label in view.sample.countable
        is_region = len(found) == 1 and not first.is_instance and view.is_complete(first.label)
        if not (is_instance or is_region) or len(found) > MAX_BOXES:
            continue
        boxes = [finding.box for finding in found if finding.box]
        yield Draft(
            template="detection/find.en.j2",
            variables={
                **image_words(view.sample),
                "name": named(term(first.label)),
                "is_instance": is_instance,
                "boxes": [view.numbers(box) for box in boxes],
            },
            labels=(first.label,),
            boxes=tuple((first.label, box) for box in boxes),
        )
        return


def _name(view: View) -> Iterator[Draft]:
    for finding in view.ordered("name", view.local):
        if finding.box and not _is_ambiguous(finding, finding.box, view):
            yield Draft(
                template="detection/name.en.j2",
                variables={
                    **image_words(view.sample),
                    "name": named(term(finding.label)),
                    "role": finding.role,
                    "box": view.numbers(finding.box),
                },
                labels=(finding.label,),
                boxes=((finding.label, finding.box),),
            )
            return


def _is_ambiguous(finding: Finding, box: Box, view: View) -> bool:
    """Whether something else has nearly the same box, or a large part of this one."""
    if is_in_parts(finding):
        return True
    return any(
        other.label != finding.label and other.box and overlap(box, other.box) > SAME_PLACE
        for other in view.boxed
    )
