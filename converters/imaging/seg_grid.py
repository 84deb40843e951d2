"""Frames of a segmentation put on the voxels of an image, by where they lie."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from converters.errors import CaseError
from converters.imaging.planes import Canonical, Grid, to_canonical
from converters.imaging.seg_frames import Frame, Pixels
from converters.imaging.volumes import MAX_VOXELS, Affine, Volume

Corner: TypeAlias = tuple[int, int, int]
Read: TypeAlias = Callable[[Frame], Pixels]

_FAR = 1e6  # voxels
# Of a voxel. Positions are rounded, and slices of a series may be a tenth of their distance or a
# fifth of a pixel off their even places; a grid of another convention is half a voxel off.
OFF_GRID = 0.2


@dataclass(frozen=True, kw_only=True, slots=True)
class Spot:
    """Where a frame lies on a grid of voxels.

    Attributes:
        corner: Index of the voxel of its first pixel; it may lie outside the grid.
        column_axis, row_axis: Axis along which its columns, and its rows, follow each other.
        column_sign, row_sign: 1 or -1: which way.
    """

    corner: Corner
    column_axis: int
    column_sign: int
    row_axis: int
    row_sign: int

    @property
    def slice_axis(self) -> int:
        """The axis that it is flat along."""
        return 3 - self.column_axis - self.row_axis

    @property
    def level(self) -> int:
        """Index of its slice."""
        return self.corner[self.slice_axis]


def spot_of(frame: Frame, shape: tuple[int, int], affine: Affine) -> tuple[Spot | None, float]:
    """Where a frame of (rows, columns) lies on the grid of an affine.

    Returns:
        The spot, or None where its axes are not those of the grid; and how far off the voxels
        its pixels are at most, in voxels.
    """
    to_index = np.linalg.inv(affine) @ frame.affine
    if np.abs(to_index).max() > _FAR:
        return None, np.inf
    steps = np.rint(to_index[:3, :2]).astype(int)
    corner = np.rint(to_index[:3, 3]).astype(int)
    rows, columns = shape
    ends = np.array([[0, 0], [columns - 1, 0], [0, rows - 1], [columns - 1, rows - 1]]).T
    found = to_index[:3, :2] @ ends + to_index[:3, 3:]
    off = float(np.abs(found - (steps @ ends + corner[:, None])).max())
    off = max(off, float(np.abs(to_index[:3, :2] - steps).max()))
    if (np.abs(steps).sum(axis=0) != 1).any() or np.abs(steps).sum(axis=1).max() != 1:
        return None, off
    (column_axis, row_axis) = (int(np.argmax(np.abs(steps[:, at]))) for at in range(2))
    spot = Spot(
        corner=(int(corner[0]), int(corner[1]), int(corner[2])),
        column_axis=column_axis,
        column_sign=int(steps[column_axis, 0]),
        row_axis=row_axis,
        row_sign=int(steps[row_axis, 1]),
    )
    return spot, off


def spots_of(frames: Sequence[Frame], shape: tuple[int, int], grid: Grid, name: str) -> list[Spot]:
    """Where frames lie on the voxels of an image.

    Raises:
        CaseError: ``geometry_invalid``, with how far off they are.
    """
    spots = []
    for frame in frames:
        spot, off = spot_of(frame, shape, grid.affine)
        if spot is None or off > OFF_GRID:
            how = "its axes are not the image's" if spot is None else f"{off:.3g} voxels off"
            raise CaseError(
                "geometry_invalid",
                f"{name}, frame {frame.number + 1} does not lie on the image's voxels: {how}",
            )
        spots.append(spot)
    return spots


def place_frames(
    frames: Sequence[Frame],
    spots: Sequence[Spot],
    read: Read,
    shape: tuple[int, int, int],
    dtype: npt.DTypeLike,
    name: str,
) -> tuple[npt.NDArray[Any], Corner]:
    """Put frames into an array that reaches over all of them, cut to a volume of `shape`.

    Frames that mark nothing may lie outside.

    Returns:
        The array, 0 where no frame is, and the index of its first voxel.

    Raises:
        CaseError: ``shape_mismatch`` where a marked pixel lies outside the volume;
            ``labels_contradict`` where two frames lie on one slice; what `read` raises.
    """
    levels = [spot.level for spot in spots]
    if len(set(levels)) < len(levels):
        twice = next(level for level in levels if levels.count(level) > 1)
        raise CaseError("labels_contradict", f"{name} has two frames on slice {twice}")
    values: npt.NDArray[Any] = np.zeros((0, 0, 0), dtype)
    corner: Corner = (0, 0, 0)
    if not frames:
        return values, corner
    axis = spots[0].slice_axis
    if any(spot.slice_axis != axis for spot in spots):
        raise CaseError("geometry_invalid", f"{name} has frames in more than one plane")
    inside = [level for level in levels if 0 <= level < shape[axis]]
    low, high = (min(inside), max(inside) + 1) if inside else (0, 0)
    # Held as frames are: pixels that follow each other are written so.
    held = (axis, spots[0].row_axis, spots[0].column_axis)
    extents = tuple(high - low if at == axis else shape[at] for at in held)
    values = np.zeros(extents, dtype).transpose(np.argsort(held))
    outside = 0
    for frame, spot in zip(frames, spots, strict=True):
        pixels = read(frame)
        marked = int(np.count_nonzero(pixels))
        slab, where = _slab(pixels, spot, shape)
        if slab is not None:
            values[tuple(_shifted(w, low if a == axis else 0) for a, w in enumerate(where))] = slab
            marked -= int(np.count_nonzero(slab))
        outside += marked
    if outside:
        raise CaseError(
            "shape_mismatch", f"{name} marks {outside:,} pixels outside the image's voxels"
        )
    return values, (low if axis == 0 else 0, low if axis == 1 else 0, low if axis == 2 else 0)


def _shifted(where: slice, by: int) -> slice:
    return slice(where.start - by, where.stop - by)


def _slab(
    pixels: Pixels, spot: Spot, shape: tuple[int, int, int]
) -> tuple[Pixels | None, tuple[slice, slice, slice]]:
    """A frame as a slab along the axes of the volume, cut to it, and the slab's place."""
    turned = pixels[:: spot.row_sign, :: spot.column_sign]
    if spot.row_axis > spot.column_axis:
        turned = turned.T
    slab = np.expand_dims(turned, spot.slice_axis)
    signs = {spot.row_axis: spot.row_sign, spot.column_axis: spot.column_sign}
    where, cut = [], []
    for axis, (start, extent) in enumerate(zip(spot.corner, slab.shape, strict=True)):
        first = start - extent + 1 if signs.get(axis, 1) < 0 else start
        low, high = max(first, 0), min(first + extent, shape[axis])
        where.append(slice(low, max(low, high)))
        cut.append(slice(low - first, max(low, high) - first))
    place = (where[0], where[1], where[2])
    if any(one.stop <= one.start for one in where):
        return None, place
    return slab[tuple(cut)], place


def own_volume(
    frames: Sequence[Frame], shape: tuple[int, int], read: Read, dtype: npt.DTypeLike, name: str
) -> Canonical:
    """Frames as a volume on a grid of their own, for resampling.

    Raises:
        CaseError: ``geometry_invalid``, where the frames are not on one grid; what
            :func:`place_frames` raises.
    """
    affine = frames[0].affine.copy()
    normal = affine[:3, 2].copy()
    heights = np.array([(frame.affine[:3, 3] - affine[:3, 3]) @ normal for frame in frames])
    step = frames[0].step_mm or _smallest_gap(heights, name)
    levels = float(np.rint(np.ptp(heights) / step)) + 1
    if levels * shape[0] * shape[1] > MAX_VOXELS:
        raise CaseError("file_too_large", f"{name} spans {levels:,.0f} slices")
    affine[:3, 2] = normal * step
    affine[:3, 3] += normal * heights.min()
    spots = []
    for frame in frames:
        spot, off = spot_of(frame, shape, affine)
        if spot is None or off > OFF_GRID or spot.corner[:2] != (0, 0):
            raise CaseError(
                "geometry_invalid",
                f"{name}, frame {frame.number + 1} is not on one grid with the others: they "
                f"cannot be resampled ({off:.3g} voxels off)",
            )
        spots.append(spot)
    extent = (shape[1], shape[0], int(levels))
    values, corner = place_frames(frames, spots, read, extent, dtype, name)
    affine[:3, 3] += affine[:3, 2] * corner[2]
    return to_canonical(Volume(values=values, affine=affine), name)


def _smallest_gap(heights: npt.NDArray[np.float64], name: str) -> float:
    """The distance of slices by their positions."""
    gaps = np.diff(np.unique(np.round(heights, 3)))
    if not gaps.size:
        raise CaseError(
            "geometry_invalid", f"{name} has one slice and does not say how thick it is"
        )
    return float(gaps.min())
