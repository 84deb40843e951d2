"""Which slices of a volume become pictures: for what they show, and always the same ones."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from converters.imaging.planes import Plane

_GOOD_SHARE = 0.9  # so much of its largest area shows a label as well as the largest does
_FAIR_SHARE = 0.5  # so much of it shows a label at all
SAME_BITS = 4  # of 64: perceptual hashes that differ by no more are of pictures that look the same


@dataclass(frozen=True, kw_only=True, slots=True)
class Extent:
    """How much of one label each slice of one plane shows.

    Attributes:
        label: Canonical term.
        plane: The plane.
        start: Index of the first slice that `areas` tells of.
        areas: By slice, in pixels of the picture.
        number: Tells objects of one label apart, each of which is to be shown.
    """

    label: str
    plane: Plane
    start: int
    areas: npt.NDArray[np.float64]
    number: int = 0

    @property
    def name(self) -> tuple[str, int]:
        """What is to be shown: a label, or one object of it."""
        return (self.label, self.number)


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """A slice that becomes a picture.

    Attributes:
        plane: The plane.
        index: Canonical index along it.
        reason: "largest area", "spread over the extent" or "no finding".
        labels: The labels that asked for it, sorted.
    """

    plane: Plane
    index: int
    reason: str
    labels: tuple[str, ...] = ()

    @property
    def where(self) -> tuple[Plane, int]:
        """Plane and index."""
        return (self.plane, self.index)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Wish:
    """The slices that one label asks for, best first; those that show it well, and fairly."""

    name: tuple[str, int]
    plane: Plane
    indices: tuple[int, ...]
    good: frozenset[int]
    fair: frozenset[int]


Looks = Callable[[Plane, int], int | None]


def choose_slices(
    extents: Sequence[Extent],
    *,
    per_finding: int,
    per_volume: int,
    min_area_px: float,
    looks: Looks | None = None,
) -> list[Choice]:
    """Choose slices so that every label is shown, its largest area first.

    Each label asks, in each plane, for the slice with its largest area, then for others spread
    over its extent. In rounds, the wished slice is taken that shows most labels that no chosen
    slice shows yet; then the one that serves most wishes of the round; then the one whose
    plane comes first, and whose index is lower. A slice that shows no such label and looks like
    one of its plane that is taken is passed over, and its place in the budget is another's.

    Args:
        extents: One a label and plane, planes in the manifest's order.
        per_finding: How often a label is to be shown in each plane.
        per_volume: At most so many slices in all.
        min_area_px: A label of a smaller area does not count as shown.
        looks: The perceptual hash of a slice, or None where it cannot be drawn.

    Returns:
        By plane and index.
    """
    planes = list(dict.fromkeys(extent.plane for extent in extents))
    wishes = [wish for extent in extents if (wish := _wish(extent, per_finding, min_area_px))]
    shown = [0] * len(wishes)
    chosen: dict[tuple[Plane, int], Choice] = {}
    passed: set[tuple[Plane, int]] = set()
    seen: set[tuple[str, int]] = set()
    for turn in range(per_finding):
        while len(chosen) < per_volume:
            pending = [
                wish
                for wish, count in zip(wishes, shown, strict=True)
                if count <= turn < len(wish.indices)
            ]
            wished = {(wish.plane, wish.indices[turn]) for wish in pending}
            candidates = wished - chosen.keys() - passed
            if not candidates:
                break
            best = min(candidates, key=_preference(wishes, pending, seen, planes))
            new = _labels_on(best, wishes) - seen
            if not new and looks and _looks_like_one(best, chosen, looks):
                passed.add(best)
                continue
            chosen[best] = _choice(best, pending, turn)
            seen |= new
            for number, wish in enumerate(wishes):
                shown[number] += wish.plane == best[0] and best[1] in wish.good
    return sorted(chosen.values(), key=lambda one: (planes.index(one.plane), one.index))


def _choice(one: tuple[Plane, int], pending: Sequence[_Wish], turn: int) -> Choice:
    plane, index = one
    asking = {w.name[0] for w in pending if w.plane == plane and w.indices[turn] == index}
    reason = "spread over the extent" if turn else "largest area"
    return Choice(plane=plane, index=index, reason=reason, labels=tuple(sorted(asking)))


def _looks_like_one(
    one: tuple[Plane, int], others: Collection[tuple[Plane, int]], looks: Looks
) -> bool:
    own = looks(*one)
    if own is None:
        return False
    seen = (looks(*other) for other in others if other[0] == one[0])
    return any(other is not None and (own ^ other).bit_count() <= SAME_BITS for other in seen)


def choose_normal(
    free: Mapping[Plane, Sequence[int]], *, count: int, looks: Looks | None = None
) -> list[Choice]:
    """Choose slices without a finding, spread over those that there are.

    Args:
        free: By plane, in the manifest's order: slices that surely show no label, ascending.
        count: At most so many in all planes together.
        looks: The perceptual hash of a slice, or None where it cannot be drawn.
    """
    chosen: list[Choice] = []
    for number, (plane, indices) in enumerate(free.items()):
        share = count // len(free) + (number < count % len(free))
        own: list[tuple[Plane, int]] = []
        # Twice as many are looked at where some look the same.
        for index in dict.fromkeys([*_spread(indices, share), *_spread(indices, 2 * share)]):
            is_wanted = len(own) < share
            if is_wanted and not (looks and _looks_like_one((plane, index), own, looks)):
                own.append((plane, index))
        chosen += [Choice(plane=plane, index=i, reason="no finding") for _, i in sorted(own)]
    return chosen


def _spread(indices: Sequence[int], count: int) -> list[int]:
    """So many of them, in the middles of equal parts."""
    parts = min(count, len(indices))
    return [indices[int((place + 0.5) / parts * len(indices))] for place in range(parts)]


def _labels_on(one: tuple[Plane, int], wishes: Sequence[_Wish]) -> set[tuple[str, int]]:
    return {wish.name for wish in wishes if wish.plane == one[0] and one[1] in wish.fair}


def _preference(
    wishes: Sequence[_Wish],
    pending: Sequence[_Wish],
    seen: set[tuple[str, int]],
    planes: Sequence[Plane],
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
    wished += _spread([int(other) for other in others], per_finding - 1)
    most = extent.areas[largest]
    good = visible[extent.areas[visible] >= _GOOD_SHARE * most].tolist()
    fair = visible[extent.areas[visible] >= _FAIR_SHARE * most].tolist()
    return _Wish(
        name=extent.name,
        plane=extent.plane,
        indices=tuple(extent.start + index for index in wished),
        good=frozenset(extent.start + index for index in {*good, *wished}),
        fair=frozenset(extent.start + index for index in fair),
    )
