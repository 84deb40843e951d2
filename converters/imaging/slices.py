"""Which slices of a volume become pictures: for what they show, and always the same ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from converters.imaging.planes import Plane

_GOOD_SHARE = 0.9  # so much of its largest area shows a label as well as the largest does
_FAIR_SHARE = 0.5  # so much of it shows a label at all


@dataclass(frozen=True, kw_only=True, slots=True)
class Extent:
    """How much of one label each slice of one plane shows.

    Attributes:
        label: Canonical term.
        plane: The plane.
        start: Index of the first slice that `areas` tells of.
        areas: By slice, in pixels of the picture.
    """

    label: str
    plane: Plane
    start: int
    areas: npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Wish:
    """The slices that one label asks for, best first; those that show it well, and fairly."""

    label: str
    plane: Plane
    indices: tuple[int, ...]
    good: frozenset[int]
    fair: frozenset[int]


def choose_slices(
    extents: Sequence[Extent], *, per_finding: int, per_volume: int, min_area_px: float
) -> list[tuple[Plane, int]]:
    """Choose slices so that every label is shown, its largest area first.

    Each label asks, in each plane, for the slice with its largest area, then for others spread
    over its extent. In rounds, the wished slice is taken that shows most labels that no chosen
    slice shows yet; then the one that serves most wishes of the round; then the one whose
    plane comes first, and whose index is lower.

    Args:
        extents: One a label and plane, planes in the manifest's order.
        per_finding: How often a label is to be shown in each plane.
        per_volume: At most so many slices in all.
        min_area_px: A label of a smaller area does not count as shown.

    Returns:
        Plane and canonical index of each slice, by plane and index.
    """
    planes = list(dict.fromkeys(extent.plane for extent in extents))
    wishes = [wish for extent in extents if (wish := _wish(extent, per_finding, min_area_px))]
    shown = [0] * len(wishes)
    chosen: set[tuple[Plane, int]] = set()
    seen: set[str] = set()
    for turn in range(per_finding):
        while len(chosen) < per_volume:
            pending = [
                wish
                for wish, count in zip(wishes, shown, strict=True)
                if count <= turn < len(wish.indices)
            ]
            candidates = {(wish.plane, wish.indices[turn]) for wish in pending} - chosen
            if not candidates:
                break
            best = min(candidates, key=_preference(wishes, pending, seen, planes))
            chosen.add(best)
            seen |= _labels_on(best, wishes)
            for number, wish in enumerate(wishes):
                shown[number] += wish.plane == best[0] and best[1] in wish.good
    return sorted(chosen, key=lambda one: (planes.index(one[0]), one[1]))


def _labels_on(one: tuple[Plane, int], wishes: Sequence[_Wish]) -> set[str]:
    return {wish.label for wish in wishes if wish.plane == one[0] and one[1] in wish.fair}


def _preference(
    wishes: Sequence[_Wish], pending: Sequence[_Wish], seen: set[str], planes: Sequence[Plane]
) -> Callable[[tuple[Plane, int]], tuple[int, int, int, int]]:
    """What a candidate is ranked by; the smallest goes first."""

    def rank(one: tuple[Plane, int]) -> tuple[int, int, int, int]:
        plane, index = one
        served = sum(wish.plane == plane and index in wish.good for wish in pending)
        return (-len(_labels_on(one, wishes) - seen), -served, planes.index(plane), index)

    return rank


def _wish(extent: Extent, per_finding: int, min_area_px: float) -> _Wish | None:
    visible = np.flatnonzero(extent.areas >= min_area_px)
    if visible.size == 0:
        return None
    widest = np.flatnonzero(extent.areas == extent.areas.max())
    largest = int(widest[widest.size // 2])
    wished = [largest]
    others = visible[visible != largest]
    for number in range(min(per_finding - 1, others.size)):
        share = (number + 0.5) / min(per_finding - 1, others.size)
        wished.append(int(others[int(share * others.size)]))
    most = extent.areas[largest]
    good = visible[extent.areas[visible] >= _GOOD_SHARE * most].tolist()
    fair = visible[extent.areas[visible] >= _FAIR_SHARE * most].tolist()
    return _Wish(
        label=extent.label,
        plane=extent.plane,
        indices=tuple(extent.start + index for index in wished),
        good=frozenset(extent.start + index for index in {*good, *wished}),
        fair=frozenset(extent.start + index for index in fair),
    )
