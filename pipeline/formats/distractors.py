"""What can be offered as a wrong answer: only what is known to be wrong.

What is neither present nor surely absent is unknown, and is never offered.
"""

from converters.records import Box
from converters.vocabulary import term, wholes_of
from pipeline.phrasing import digest_order
from pipeline.view import SAME_PLACE, View, overlap

# Objects of these roles are one thing each: a red blood cell is not also a platelet.
OBJECT_ROLES = ("cell", "instrument", "device")
# Where a term of these roles is part of another one, it is a kind of it.
_KIND_ROLES = (*OBJECT_ROLES, "lesion", "diagnosis", "grade", "sign", "phase", "tissue")
_LITTLE_WORDS = frozenset({"left", "right", "of", "the", "and", "with", "no"})


def of_image(view: View, label: str) -> list[str]:
    """Terms of the block and role of a label that are surely not in the image, sorted.

    A term of role "normal" goes with any role of its block. A kind of what is there may be
    what it is: where a white blood cell is, it may be a neutrophil.
    """
    present = {finding.label for finding in view.sample.findings}
    roles = {term(label).role, "normal"}
    block = view.block_of(label)
    is_normal = term(label).role == "normal"
    return [
        name
        for name in view.sample.absent
        if name in block
        and (is_normal or term(name).role in roles)
        and not (term(name).role in _KIND_ROLES and wholes_of(name) & present)
        and label not in wholes_of(name)
    ]


def ranked(seed: str, label: str, wrong: list[str]) -> list[str]:
    """Wrong answers, those most like the right one first: its other side, then its relatives.

    Alike are terms of one base, of one whole, or with a word in common; among equals a digest
    of the seed decides.
    """
    return sorted(digest_order(seed, wrong), key=lambda name: _distance(label, name))


def _distance(label: str, name: str) -> int:
    first, second = term(label), term(name)
    if first.base == second.base:
        return 0
    shared = _words_of(first.base) & _words_of(second.base)
    return 1 if shared or wholes_of(label) & wholes_of(name) else 2


def _words_of(name: str) -> set[str]:
    return {word for word in name.split() if word.isalpha()} - _LITTLE_WORDS


def of_box(view: View, label: str, box: Box) -> list[str]:
    """Terms of the block and role of a label that the box surely does not hold, sorted.

    That is what is absent from the image, what is marked completely and elsewhere, and, for
    objects, every other kind that is not marked there: the marked object is of one kind.
    """
    role = term(label).role
    touching = {f.label for f in view.boxed if f.box and _touch(f.box, box)}
    same_place = {f.label for f in view.boxed if f.box and overlap(f.box, box) > SAME_PLACE}
    pool = set(of_image(view, label)) - touching
    if role in OBJECT_ROLES:
        # The marked object is of one kind, whatever else lies in its box.
        pool |= view.block_of(label) - same_place
    elif view.is_complete(label):
        pool |= ({f.label for f in view.boxed} - touching) & view.block_of(label)
    related = wholes_of(label) | {label} | {name for name in pool if label in wholes_of(name)}
    return sorted(name for name in pool - related if term(name).role == role)


def _touch(first: Box, second: Box) -> bool:
    return not (
        first.x_max <= second.x_min
        or second.x_max <= first.x_min
        or first.y_max <= second.y_min
        or second.y_max <= first.y_min
    )
