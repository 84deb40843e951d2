"""Which slices of a volume become pictures: for what they show, and always the same ones."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from converters.imaging.planes import Plane

_GOOD_SHARE = 0.9  # so much of its largest area shows a label as well as the largest does


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
    """The slices that one label asks for, best first, and those that show it well."""

    plane: Plane
    indices: tuple[int, ...]
    good: frozenset[int]


def choose_slices(
    extents: Sequence[Extent], *, per_finding: int, per_volume: int, min_area_px: float
) -> list[tuple[Plane, int]]:
    """Choose slices so that every label is shown, its largest area first.

    Each label asks, in each plane, for the slice with its largest area, then for others spread
    over its extent. In rounds, the slice that serves most labels that have been shown less
    often than the round's number is taken; ties go to the plane that comes first, then to the
    lower index.

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
    for turn in range(per_finding):
        while len(chosen) < per_volume:
            best = _best(wishes, shown, turn, planes, chosen)
            if best is None:
                break
            chosen.add(best)
            for number, wish in enumerate(wishes):
                shown[number] += wish.plane == best[0] and best[1] in wish.good
    return sorted(chosen, key=lambda one: (planes.index(one[0]), one[1]))


def _best(
    wishes: Sequence[_Wish],
    shown: Sequence[int],
    turn: int,
    planes: Sequence[Plane],
    chosen: set[tuple[Plane, int]],
) -> tuple[Plane, int] | None:
    """The wished slice that serves most of the labels still to be shown in this round."""
    pending = [
        wish for wish, count in zip(wishes, shown, strict=True)
        if count <= turn < len(wish.indices)
    ]  # fmt: skip
    candidates = {(wish.plane, wish.indices[turn]) for wish in pending} - chosen
    if not candidates:
        return None
    served = {
        (plane, index): sum(wish.plane == plane and index in wish.good for wish in pending)
        for plane, index in candidates
    }
    return min(candidates, key=lambda one: (-served[one], planes.index(one[0]), one[1]))


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
    good = set(np.flatnonzero(extent.areas >= _GOOD_SHARE * extent.areas[largest]).tolist())
    good = {index for index in good if extent.areas[index] >= min_area_px} | set(wished)
    return _Wish(
        plane=extent.plane,
        indices=tuple(extent.start + index for index in wished),
        good=frozenset(extent.start + index for index in good),
    )
