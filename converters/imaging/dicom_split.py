"""Slices of a DICOM series told apart into the volumes that they are."""

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt

from converters.imaging.dicom_geometry import MAX_TURN, SAME_MM, depth_along, plane_of
from converters.imaging.dicom_marks import KINDS, MARKS, kind_of
from converters.imaging.dicom_slices import Slice

_MAX_STACKS = 200  # of one size; a scout of three planes has three
_LIMITS = np.array([MAX_TURN] * 6 + [SAME_MM] * 2)  # within a stack: cosines, spacing
_MARKS_TOGETHER = 3  # attributes that may be needed to tell the volumes of a series apart


def split_slices(slices: Sequence[Slice]) -> Iterator[tuple[dict[str, str], list[Slice]]]:
    """The volumes among the slices of a series, each with what tells it from the others.

    First by size, directions, pixel spacing, stack and frame of reference; then by what no two
    slices of a volume differ in (b-value, echo time, ...), wherever they lie; then, where several
    slices still lie at one place, by other attributes.
    """
    stacks = _stacks(slices)
    for stack, told in zip(stacks, _told_apart(stacks), strict=True):
        for kind, alike in _split_by_kinds(stack):
            for part, own in _split_by_marks(alike):
                yield {**told, **kind, **part}, own


def _stacks(slices: Sequence[Slice]) -> list[list[Slice]]:
    """Slices that could be one volume by their size and directions, by size.

    What cannot be placed goes with others of its size: told when the volume is read, if it is
    ever asked for.
    """
    by_size: dict[tuple[int, int], list[Slice]] = {}
    for one in sorted(slices, key=_shape_key):
        by_size.setdefault((one.columns, one.rows), []).append(one)
    found: list[list[Slice]] = []
    for members in by_size.values():
        found += [members] if members[0].trouble else _by_place(members)
    return found


def _shape_key(one: Slice) -> tuple[object, ...]:
    place = (one.directions or (), one.spacing_mm or ())
    return (one.columns, one.rows, one.frame_of_reference_uid, one.stack, *place)


def _by_place(members: Sequence[Slice]) -> list[list[Slice]]:
    """Slices of one size by frame of reference, stack, directions and pixel spacing.

    Each is compared with the first of every stack, so that their number is bounded: beyond it,
    all go into one, which is refused when it is read.
    """
    stacks: list[list[Slice]] = []
    known: dict[tuple[str, str], list[int]] = {}
    numbers = np.empty((_MAX_STACKS, len(_LIMITS)))
    for one in members:
        if one.trouble:
            stacks[0].append(one)
            continue
        own = known.setdefault((one.frame_of_reference_uid, one.stack), [])
        place = np.concatenate([np.ravel(one.directions or ()), one.spacing_mm or ()])
        off = np.abs(numbers[own] - place)
        fits = np.flatnonzero((off <= _LIMITS).all(axis=1))
        if fits.size:
            stacks[own[fits[0]]].append(one)
        elif len(stacks) < _MAX_STACKS:
            numbers[len(stacks)] = place
            own.append(len(stacks))
            stacks.append([one])
        elif len(stacks) == _MAX_STACKS:
            stacks.append([one])
        else:
            stacks[-1].append(one)
    return stacks


def _told_apart(stacks: Sequence[Sequence[Slice]]) -> list[dict[str, str]]:
    """What tells stacks apart: no more of it than is needed, the plainest first."""
    said = [_described(stack[0]) for stack in stacks]
    names: list[str] = []
    for name in said[0]:
        if len({tuple(one[n] for n in names) for one in said}) == len(said):
            break
        if len({one[name] for one in said}) > 1:
            names.append(name)
    return [{name: one[name] for name in names} for one in said]


def _described(one: Slice) -> dict[str, str]:
    directions = np.ravel(one.directions or ()).tolist()
    return {
        "plane": plane_of(one),
        "size": f"{one.columns}x{one.rows}",
        "stack": one.stack,
        "spacing": "x".join(f"{value:g}" for value in one.spacing_mm or ()),
        "directions": " ".join(f"{value + 0.0:.3f}" for value in directions),
        "frame_of_reference": one.frame_of_reference_uid,
    }


def _split_by_kinds(stack: list[Slice]) -> list[tuple[dict[str, str], list[Slice]]]:
    """A stack by kinds of image; as it is where that would leave each slice on its own.

    Acquisitions that lie between each other or one behind the other share no place, and look
    like one volume. What differs from slice to slice is refused when the volume is read.
    """
    varied = [name for name in KINDS if len({kind_of(one.marks, name) for one in stack}) > 1]
    depths = depth_along(stack)
    if not varied or depths is None:
        return [({}, stack)]
    groups = _by_kinds(stack, varied)
    places = _places(depths)
    if places.any() and all(np.ptp(places[at]) == 0 for at in groups.values()):
        return [({}, stack)]
    names = _fewest(stack, varied, len(groups))
    found = []
    for _, at in sorted(groups.items()):
        own = [stack[n] for n in at]
        found.append(({name: _mark_of(own, name) for name in names}, own))
    return found


def _by_kinds(stack: Sequence[Slice], names: Sequence[str]) -> dict[tuple[str, ...], list[int]]:
    groups: dict[tuple[str, ...], list[int]] = {}
    for at, one in enumerate(stack):
        groups.setdefault(tuple(kind_of(one.marks, name) for name in names), []).append(at)
    return groups


def _fewest(stack: Sequence[Slice], varied: Sequence[str], groups: int) -> tuple[str, ...]:
    """The fewest attributes that tell all the groups apart."""
    return next(
        names
        for count in range(1, len(varied) + 1)
        for names in combinations(varied, count)
        if len(_by_kinds(stack, names)) == groups
    )


def _mark_of(own: Sequence[Slice], name: str) -> str:
    """The attribute as all say it; only what tells the kind where they differ in the rest."""
    said = {one.marks.get(name, "") for one in own}
    return said.pop() if len(said) == 1 else kind_of(own[0].marks, name)


def _split_by_marks(stack: list[Slice]) -> list[tuple[dict[str, str], list[Slice]]]:
    """One volume, or several where slices lie at the same place and marks tell them apart.

    Marks are taken that leave no two slices at one place in a volume, and make no more
    volumes than slices lie at one place. Where none do, all stay together, to be refused.
    """
    depths = depth_along(stack)
    if depths is None:
        return [({}, stack)]
    places = _places(depths)
    deepest = int(np.bincount(places).max())
    if deepest == 1:
        return [({}, stack)]
    varied = [name for name in MARKS if len({one.marks.get(name) for one in stack}) > 1]
    for count in range(1, _MARKS_TOGETHER + 1):
        for names in combinations(varied, count):
            groups: dict[tuple[str, ...], list[int]] = {}
            for at, one in enumerate(stack):
                groups.setdefault(tuple(one.marks.get(n, "") for n in names), []).append(at)
                if len(groups) > deepest:
                    break
            if len(groups) == deepest and all(_is_apart(places[at]) for at in groups.values()):
                return [
                    (dict(zip(names, key, strict=True)), [stack[at] for at in own])
                    for key, own in sorted(groups.items())
                ]
    return [({}, stack)]


def _places(depths: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    """A number for each slice, the same for those that lie at one place."""
    order = np.argsort(depths, kind="stable")
    numbers = np.concatenate([[0], np.cumsum(np.diff(depths[order]) >= SAME_MM)])
    places = np.empty(len(depths), dtype=np.intp)
    places[order] = numbers
    return places


def _is_apart(places: npt.NDArray[np.intp]) -> bool:
    return np.unique(places).size == places.size
