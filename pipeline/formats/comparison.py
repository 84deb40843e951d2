"""Which of two things is larger, by a measure that both have in the same unit."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from converters.records import Box, Finding
from converters.vocabulary import term, wholes_of
from pipeline.formats.measurement import is_the_only_one
from pipeline.measures import longest_diameter
from pipeline.phrasing import digest_order, draw_number
from pipeline.view import SAME_PLACE, Draft, Named, View, image_words, named, overlap

CLEAR = 1.25  # the larger one measures at least so many times the smaller one
MAX_COMPARED = 12
_MOST_TIMES = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """One of two things, in the words of a sentence.

    Attributes:
        name: What it is.
        size: Its longest diameter with the unit, or "" where areas are compared.
        box: Its box, from 0 to 1.
        number: 1 for the one that is named first, 2 for the other.
    """

    name: Named
    size: str
    box: tuple[str, str, str, str]
    number: int


def drafts(view: View) -> list[Draft]:
    """At most one comparison."""
    pool = view.ordered("comparison", view.local)[:MAX_COMPARED]
    pairs = {f"{a}/{b}": (pool[a], pool[b]) for a, b in combinations(range(len(pool)), 2)}
    for key in digest_order(f"{view.sample.sample_id}/comparison", list(pairs)):
        for draft in _compared(*pairs[key], view):
            return [draft]
    return []


def _compared(first: Finding, second: Finding, view: View) -> Iterator[Draft]:
    """The comparison of two findings, where their sizes differ clearly."""
    if not (first.box and second.box) or _is_related(first, second):
        return
    if overlap(first.box, second.box) > SAME_PLACE:
        return
    sizes = _in_mm(first, second, view) or _in_pixels(first, second)
    if not sizes or max(sizes) < CLEAR * min(sizes):
        return
    is_named = first.label != second.label and all(
        is_the_only_one(finding, view) for finding in (first, second)
    )
    seed = f"{view.sample.sample_id}/comparison/{first.label}/{second.label}".encode()
    is_larger = draw_number(seed, 0) % 2 == 0
    both = [
        _words(first, first.box, 1, view, with_size=first.longest_diameter_mm in sizes),
        _words(second, second.box, 2, view, with_size=second.longest_diameter_mm in sizes),
    ]
    is_first = (sizes[0] > sizes[1]) == is_larger
    yield Draft(
        template=f"comparison/{'names' if is_named else 'regions'}.en.j2",
        variables={
            **image_words(view.sample),
            "both": both,
            "meant": both[0] if is_first else both[1],
            "other": both[1] if is_first else both[0],
            "is_larger": is_larger,
            "times": _times(max(sizes) / min(sizes)),
            "is_many_times": max(sizes) / min(sizes) >= _MOST_TIMES,
        },
        labels=(first.label, second.label),
        boxes=() if is_named else ((first.label, first.box), (second.label, second.box)),
    )


def _is_related(first: Finding, second: Finding) -> bool:
    """Whether one is part of the other: a whole is larger by its nature."""
    return first.label in wholes_of(second.label) or second.label in wholes_of(first.label)


def _in_mm(first: Finding, second: Finding, view: View) -> tuple[float, float] | None:
    """Longest diameters, where both are whole and measured."""
    sizes = (first.longest_diameter_mm, second.longest_diameter_mm)
    is_known = all(longest_diameter(finding, view.sample) for finding in (first, second))
    return (sizes[0], sizes[1]) if is_known and sizes[0] and sizes[1] else None


def _in_pixels(first: Finding, second: Finding) -> tuple[float, float] | None:
    """Areas in the picture, where both are outlined."""
    sizes = (first.area_px, second.area_px)
    return (sizes[0], sizes[1]) if sizes[0] and sizes[1] else None


def _words(finding: Finding, box: Box, number: int, view: View, *, with_size: bool) -> Compared:
    size = longest_diameter(finding, view.sample) if with_size else None
    return Compared(
        name=named(term(finding.label)),
        size=size.value if size else "",
        box=view.numbers(box),
        number=number,
    )


def _times(ratio: float) -> str:
    """How many times as much, with what can be told of it by eye."""
    return str(_MOST_TIMES) if ratio >= _MOST_TIMES else f"{ratio:.1f}"
