"""What can be offered as a wrong answer: only what is known to be wrong.

What is neither present nor surely absent is unknown, and is never offered.
"""

import re
from collections.abc import Iterable

from converters.records import Box
from converters.terminology import contradicted_by, department_of, implied_by
from converters.vocabulary import term, wholes_of
from pipeline.phrasing import digest_order
from pipeline.view import APART, SAME_PLACE, View, overlap

# Objects of these roles are one thing each: a red blood cell is not also a platelet.
OBJECT_ROLES = ("cell", "instrument", "device")
# Of these each thing is given one name, which may be the wider one: what is called a white blood
# cell may be a neutrophil. Of diseases a source says for each name whether it holds.
_NAMED_ONCE = (*OBJECT_ROLES, "grade")
# A pacemaker is no other answer to "How is this image best described?" than "normal".
_NOT_BESIDE_NORMAL = frozenset({"device", "instrument", "organ", "phase", "structure"})
_ONE_OF_A_SCALE = ("grade",)
_STEPS = re.compile(r"\b([0-9A-E])(?: to ([0-9A-E]))?$")
_LITTLE_WORDS = frozenset({"left", "right", "of", "the", "and", "with", "no"})


def of_image(view: View, label: str) -> list[str]:
    """Terms of the block and role of a label that are surely not in the image, sorted.

    A term of role "normal" goes with what may be abnormal in its block. Other steps of a scale
    that has but one step for an image are surely wrong too.
    """
    role, block = term(label).role, view.block_of(label)
    return [
        name
        for name in sorted({*absent(view), *_other_steps(view, label)})
        if name in block and _go_together(role, term(name).role) and label not in implied_by(name)
    ]


def _go_together(first: str, second: str) -> bool:
    """Whether terms of two roles may be options of one question."""
    if "normal" in (first, second):
        return _NOT_BESIDE_NORMAL.isdisjoint({first, second})
    return first == second


def _other_steps(view: View, label: str) -> set[str]:
    """Grades that contradict a grade: of these an image has but one."""
    present = {finding.label for finding in view.sample.findings}
    if term(label).role not in _ONE_OF_A_SCALE or len(_graded(present)) != 1:
        return set()
    there = present.union(*map(implied_by, present))
    return {name for name in _graded(contradicted_by(label)) if name not in there}


def _graded(names: Iterable[str]) -> set[str]:
    return {name for name in names if term(name).role in _ONE_OF_A_SCALE}


def absent(view: View) -> list[str]:
    """Terms that are absent and are not what is there by another name, sorted.

    A kind of what is there may be what it is: where a white blood cell is, it may be a
    neutrophil; and of two steps of a scale that overlap both may be right.
    """
    present = {finding.label for finding in view.sample.findings}
    grades = [label for label in present if term(label).role == "grade"]
    return [
        name
        for name in view.sample.absent
        if term(name).role not in APART
        and not (term(name).role in _NAMED_ONCE and implied_by(name) & present)
        and not any(_share_a_step(label, name) for label in grades)
    ]


def ranked(seed: str, label: str, wrong: list[str]) -> list[str]:
    """Wrong answers, those most like the right one first.

    That is its other side, then other steps of its scale, then its relatives (of one whole, or
    with a word in common), then what the same department sees; among equals a digest of the seed
    decides.
    """
    return sorted(digest_order(seed, wrong), key=lambda name: _distance(label, name))


def _share_a_step(first: str, second: str) -> bool:
    """Whether two grades may be the same step: "Mayo grade 1" and "Mayo grade 0 to 1"."""
    steps = [_STEPS.search(name) for name in (first, second)]
    if not (steps[0] and steps[1]):
        return False
    if first[: steps[0].start()] != second[: steps[1].start()]:
        return False
    (low, high), (other_low, other_high) = ((s[1], s[2] or s[1]) for s in steps if s)
    return low <= other_high and other_low <= high


def _distance(label: str, name: str) -> int:
    first, second = term(label), term(name)
    if first.base == second.base:
        return 0
    if name in contradicted_by(label):
        return 1
    shared = _words_of(first.base) & _words_of(second.base)
    if shared or wholes_of(label) & wholes_of(name):
        return 2
    return 3 if department_of(label) == department_of(name) else 4


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
    related = implied_by(label) | {label} | {name for name in pool if label in implied_by(name)}
    return sorted(name for name in pool - related if term(name).role == role)


def _touch(first: Box, second: Box) -> bool:
    return not (
        first.x_max <= second.x_min
        or second.x_max <= first.x_min
        or first.y_max <= second.y_min
        or second.y_max <= first.y_min
    )
