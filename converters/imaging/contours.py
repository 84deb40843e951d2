"""Contours drawn on the slices of a volume, made masks: voxel centres inside, holes left out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from converters.errors import CaseError
from converters.facts import Mask
from converters.imaging.outlines import fill_polygon
from converters.imaging.planes import Grid

Contour: TypeAlias = npt.NDArray[np.float64]  # shape (n, 3): millimetres in RAS
Corner: TypeAlias = tuple[int, int, int]

# Of the distance of slices: further off, a contour is on no slice. A series may have slices that
# are a tenth of it off their even places.
OFF_PLANE = 0.15
_NESTED = 0.95  # so much of a contour inside another one: a hole
_APART = 0.05  # so little: a neighbour
_FAR = 1e6  # voxels
# Of the contours of one region on one slice: beyond it, nobody drew them, and each is held against
# the others.
_MAX_CONTOURS = 10_000
_MAX_PAIRS = 20_000  # that overlap by their bounds
_MAX_COVER = 100  # times the slice that their bounds cover together
_DIGITS = 6  # of a voxel: what the arithmetic of affines leaves


@dataclass(frozen=True, kw_only=True, slots=True)
class Filled:
    """What contours enclose.

    Attributes:
        mask: Voxels, cut to about their bounds, along the canonical axes.
        corner: Canonical index of the mask's first voxel.
        is_all_seen: False where a contour reaches out of the image, the contours of a slice
            enclose no voxel centre, or a slice between two others has no contour.
        off_mm: Largest distance of a contour's point from the centre of its slice.
    """

    mask: npt.NDArray[np.bool_]
    corner: Corner
    is_all_seen: bool
    off_mm: float


@dataclass(frozen=True, kw_only=True, slots=True)
class _Area:
    """What one contour encloses on its slice: a mask, and the index of its first pixel."""

    mask: Mask
    low: tuple[int, int]

    def where(self, low: npt.NDArray[np.int64]) -> tuple[slice, slice]:
        """Its place in an array that begins at `low`."""
        row, column = (int(own - first) for own, first in zip(self.low, low, strict=True))
        rows, columns = self.mask.shape
        return slice(row, row + rows), slice(column, column + columns)


def fill_contours(contours: Sequence[Contour], grid: Grid, name: str) -> Filled:
    """Fill closed planar contours of one region on the slices of a volume.

    A voxel belongs where its centre lies inside an odd number of contours of its slice: a
    contour in another one is a hole, and a keyhole (a hole joined with the border by a line
    that is drawn twice) is left out as well. A contour that is given twice counts once.

    Args:
        contours: At least one, each of three points or more.
        grid: The canonical grid of the image.
        name: Of the region, for messages.

    Raises:
        CaseError: ``geometry_invalid`` where a contour is not in the plane of a slice, or the
            slices between are left out; ``labels_contradict`` where two contours cross;
            ``value_invalid`` where a slice has more of them than anybody draws.
    """
    placed = [_indices(contour, grid, name) for contour in contours]
    axis = _slice_axis(placed, grid, name)
    by_slice, off = _group(placed, axis, grid, name)
    levels = sorted(by_slice)
    is_all_seen = _require_dense(levels, name)
    inside = [level for level in levels if 0 <= level < grid.shape[axis]]
    areas: dict[int, _Area] = {}
    for level in inside:
        found, is_seen = _combine(by_slice[level], axis, grid, f"{name} on slice {level}")
        is_all_seen &= is_seen
        if found is not None:
            areas[level] = found
    mask, corner = _stack(areas, axis)
    return Filled(
        mask=mask,
        corner=corner,
        is_all_seen=is_all_seen and len(inside) == len(levels),
        off_mm=round(off * grid.spacing_mm[axis], 4),
    )


def _indices(contour: Contour, grid: Grid, name: str) -> Contour:
    """Points as canonical indices of voxels."""
    to_index = np.linalg.inv(grid.affine)
    indices = np.round(contour @ to_index[:3, :3].T + to_index[:3, 3], _DIGITS)
    if not (np.abs(indices) < _FAR).all():  # NaN as well
        raise CaseError("geometry_invalid", f"{name}: a contour's point is no place in a patient")
    return np.asarray(indices)


def _slice_axis(placed: list[Contour], grid: Grid, name: str) -> int:
    """The axis that every contour is flat along."""
    spreads = np.max([np.ptp(contour, axis=0) for contour in placed], axis=0)
    # A line encloses nothing and is flat along two axes: the one that it is on a slice of.
    offs = np.max([_off_slice(contour).max(axis=0) for contour in placed], axis=0)
    axis = int(np.argmin(np.where(spreads > 2 * OFF_PLANE, np.inf, offs)))
    if spreads[axis] > 2 * OFF_PLANE:
        seen = " x ".join(f"{n * s:.2f}" for n, s in zip(spreads, grid.spacing_mm, strict=True))
        raise CaseError(
            "geometry_invalid",
            f"{name}: a contour is not in the plane of a slice (it spans {seen} mm along the "
            "axes of the image)",
        )
    return axis


def _off_slice(contour: Contour) -> Contour:
    """By axis, how far each point is from the slice that the contour is nearest to."""
    return np.asarray(np.abs(contour - np.round(contour.mean(axis=0))))


def _group(
    placed: list[Contour], axis: int, grid: Grid, name: str
) -> tuple[dict[int, list[Contour]], float]:
    """Contours by index of their slice, each once, and how far off its centre one lies."""
    groups: dict[int, dict[bytes, Contour]] = {}
    worst = 0.0
    for contour in placed:
        level = round(float(contour[:, axis].mean()))
        off = float(_off_slice(contour)[:, axis].max())
        if off > OFF_PLANE:
            raise CaseError(
                "geometry_invalid",
                f"{name}: a contour lies {off * grid.spacing_mm[axis]:.2f} mm off slice {level}; "
                f"slices are {grid.spacing_mm[axis]:.2f} mm apart",
            )
        worst = max(worst, off)
        # Zero has two signs, and they are equal.
        groups.setdefault(level, {}).setdefault((contour + 0.0).tobytes(), contour)
    return {level: list(own.values()) for level, own in groups.items()}, worst


def _require_dense(levels: list[int], name: str) -> bool:
    """Whether no slice is left out between two that have contours.

    Raises:
        CaseError: ``geometry_invalid``, where no two neighbours have: what lies between them
            was not drawn.
    """
    steps = np.diff(levels)
    if steps.size and steps.min() > 1:
        raise CaseError(
            "geometry_invalid",
            f"{name}: contours on {len(levels)} slices, no two of them neighbours (at least "
            f"{steps.min()} apart): what lies between is not known",
        )
    return bool((steps == 1).all())


def _combine(
    contours: list[Contour], axis: int, grid: Grid, name: str
) -> tuple[_Area | None, bool]:
    """What the contours of one slice enclose, and whether the image shows it.

    Drawing tools leave specks that enclose no voxel centre: they count for nothing beside others.
    """
    _require_drawn(contours, axis, grid, name)
    filled = [_fill(contour, axis, grid) for contour in contours]
    areas = [area for area in filled if area is not None]
    for one, other in _overlapping(areas, name):
        _require_clear(areas[one], areas[other], name)
    if not areas:
        return None, False
    edge = np.array(grid.shape) - 0.5
    is_seen = all(((c >= -0.5) & (c <= edge)).all() for c in contours)
    low = np.min([area.low for area in areas], axis=0)
    high = np.max([np.add(area.low, area.mask.shape) for area in areas], axis=0)
    mask = np.zeros(high - low, dtype=bool)
    for area in areas:
        mask[area.where(low)] ^= area.mask
    return _Area(mask=mask, low=(int(low[0]), int(low[1]))), is_seen


def _require_drawn(contours: list[Contour], axis: int, grid: Grid, name: str) -> None:
    """Refuse what costs more to fill than all that is drawn does."""
    if len(contours) > _MAX_CONTOURS:
        raise CaseError("value_invalid", f"{name}: {len(contours):,} contours on one slice")
    extent = np.delete(np.array(grid.shape), axis)
    cover = 0.0
    for contour in contours:
        low, high = _bounds(np.delete(contour, axis, axis=1), extent)
        cover += float(np.prod(np.maximum(high - low, 0)))
    if cover > _MAX_COVER * float(np.prod(extent)):
        raise CaseError(
            "value_invalid",
            f"{name}: {len(contours):,} contours cover the slice {cover / np.prod(extent):,.0f} "
            "times",
        )


def _overlapping(areas: list[_Area], name: str) -> list[tuple[int, int]]:
    """Pairs of areas whose bounds overlap."""
    if not areas:
        return []
    low = np.array([area.low for area in areas])
    high = low + np.array([area.mask.shape for area in areas])
    pairs: list[tuple[int, int]] = []
    for at in range(1, len(areas)):
        meets = ((low[:at] < high[at]) & (low[at] < high[:at])).all(axis=1)
        pairs += [(at, int(other)) for other in np.flatnonzero(meets)]
        if len(pairs) > _MAX_PAIRS:
            raise CaseError(
                "value_invalid", f"{name}: more than {_MAX_PAIRS:,} pairs of contours that overlap"
            )
    return pairs


def _bounds(
    plane: Contour, extent: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """First pixel of a contour's bounds, and the one after the last, cut to the slice."""
    low = np.clip(np.floor(plane.min(axis=0)), 0, extent).astype(np.int64)
    high = np.clip(np.ceil(plane.max(axis=0)) + 1, 0, extent).astype(np.int64)
    return low, high


def _fill(contour: Contour, axis: int, grid: Grid) -> _Area | None:
    """What one contour encloses of the image; None where that is no voxel centre."""
    u, v = (other for other in range(3) if other != axis)
    plane = contour[:, [u, v]]
    low, high = _bounds(plane, np.array([grid.shape[u], grid.shape[v]]))
    rows, columns = (int(n) for n in high - low)
    if rows <= 0 or columns <= 0:
        return None
    # Pixels are counted from their corner there, voxels from their centre here.
    mask = fill_polygon((plane - low + 0.5)[:, ::-1], (columns, rows))
    return _Area(mask=mask, low=(int(low[0]), int(low[1]))) if mask.any() else None


def _require_clear(one: _Area, other: _Area, name: str) -> None:
    """Refuse contours that cross: whether what they share belongs is not known."""
    low = np.maximum(one.low, other.low)
    high = np.minimum(np.add(one.low, one.mask.shape), np.add(other.low, other.mask.shape))
    if (high <= low).any():
        return
    cuts = [
        area.mask[tuple(slice(a - o, b - o) for a, b, o in zip(low, high, area.low, strict=True))]
        for area in (one, other)
    ]
    shared = int(np.count_nonzero(cuts[0] & cuts[1]))
    smaller, larger = sorted(int(np.count_nonzero(area.mask)) for area in (one, other))
    if _APART * smaller < shared < _NESTED * smaller or shared == larger:
        raise CaseError(
            "labels_contradict",
            f"{name}: two contours cross or are the same: {smaller} and {larger} voxels, "
            f"{shared} in both",
        )


def _stack(areas: dict[int, _Area], axis: int) -> tuple[npt.NDArray[np.bool_], Corner]:
    """Slices put together, cut to about their bounds."""
    if not areas:
        return np.zeros((0, 0, 0), dtype=bool), (0, 0, 0)
    first, last = min(areas), max(areas)
    low = np.min([area.low for area in areas.values()], axis=0)
    high = np.max([np.add(area.low, area.mask.shape) for area in areas.values()], axis=0)
    mask = np.zeros((last - first + 1, *(high - low)), dtype=bool)
    for level, area in areas.items():
        mask[level - first][area.where(low)] = area.mask
    corner = [int(low[0]), int(low[1])]
    corner.insert(axis, first)
    return np.moveaxis(mask, 0, axis), (corner[0], corner[1], corner[2])
