"""Slices of a DICOM series told apart into the volumes that they are."""

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt

from converters.imaging.dicom_geometry import MAX_TURN, SAME_MM, depth_along, plane_of
from converters.imaging.dicom_marks import MARKS
from converters.imaging.dicom_slices import Slice

_MARKS_TOGETHER = 3  # attributes that may be needed to tell the volumes of a series apart


def split_slices(slices: Sequence[Slice]) -> Iterator[tuple[dict[str, str], list[Slice]]]:
    """The volumes among the slices of a series, each with what tells it from the others.

    First by size, directions, pixel spacing, stack and frame of reference; then, where several
    slices lie at one place, by attributes.
    """
    stacks = _stacks(slices)
    for stack, told in zip(stacks, _told_apart(stacks), strict=True):
        for part, own in _split_by_marks(stack):
            yield {**told, **part}, own


def _stacks(slices: Sequence[Slice]) -> list[list[Slice]]:
    """Slices that could be one volume by their size and directions, largest stack first."""
    stacks: list[list[Slice]] = []
    for one in sorted(slices, key=_shape_key):
        for stack in stacks:
            if _fits(stack[0], one):
                stack.append(one)
                break
        else:
            stacks.append([one])
    return stacks


def _shape_key(one: Slice) -> tuple[object, ...]:
    place = (one.directions or (), one.spacing_mm or ())
    return (one.columns, one.rows, one.frame_of_reference_uid, one.stack, *place)


def _fits(first: Slice, one: Slice) -> bool:
    if first.trouble or one.trouble:  # told when the volume is read, if it is ever asked for
        return (first.columns, first.rows) == (one.columns, one.rows)
    alike = all(
        getattr(first, name) == getattr(one, name)
        for name in ("columns", "rows", "frame_of_reference_uid", "stack")
    )
    if not (alike and first.directions and one.directions):
        return False
    turn = np.abs(np.subtract(first.directions, one.directions)).max()
    spread = np.abs(np.subtract(first.spacing_mm or 0, one.spacing_mm or 0)).max()
    return bool(turn <= MAX_TURN and spread <= SAME_MM)


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
