"""From a volume to pictures: one frame for every volume, and slices as a radiologist sees them.

The canonical frame is RAS: axis 0 runs to the patient's right, axis 1 to the front, axis 2
to the head. Pictures follow the radiological convention: the patient's right is on the
left of axial and coronal slices, the front is on the left of sagittal ones, and up is the
front (axial) or the head (coronal, sagittal).
"""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from nibabel.orientations import (
    aff2axcodes,
    apply_orientation,
    inv_ornt_aff,
    io_orientation,
)
from PIL import Image

from converters.errors import CaseError
from converters.imaging.volumes import Affine, Values, Volume, spacing_of

Plane: TypeAlias = Literal["axial", "coronal", "sagittal"]
AXIS: dict[str, int] = {"sagittal": 0, "coronal": 1, "axial": 2}
OBLIQUE_DEGREES = 20.0  # beyond it, a slice is only roughly what its plane says
MAX_OBLIQUE_DEGREES = 40.0  # beyond it, the name of a plane would be a guess
MAX_SIDE_PX = 1024
GRID_TOLERANCE = 1e-3


@dataclass(frozen=True, kw_only=True, slots=True)
class Grid:
    """Where the voxels of a canonical volume lie.

    Attributes:
        shape: Extents to the right, to the front, to the head.
        affine: Canonical voxel index to millimetres in RAS.
        spacing_mm: Voxel size along the three axes.
        stored_as: Axis codes of the file, such as "LPS".
        flips: By canonical axis: whether the file stores it the other way round.
        obliquity_degrees: Largest angle between an axis and the direction it is named after.
    """

    shape: tuple[int, int, int]
    affine: Affine
    spacing_mm: tuple[float, float, float]
    stored_as: str
    flips: tuple[bool, bool, bool]
    obliquity_degrees: float

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel in millilitres."""
        return float(np.prod(self.spacing_mm)) / 1000.0

    def said_plane(self, plane: Plane) -> str:
        """The name of a plane as texts say it: see :func:`said_plane`."""
        first, second = (self.affine[:3, axis] for axis in range(3) if axis != AXIS[plane])
        return said_plane(plane, first, second)

    def stored_index(self, plane: Plane, index: int) -> int:
        """Index of a slice along its axis in the file's own order."""
        axis = AXIS[plane]
        return self.shape[axis] - 1 - index if self.flips[axis] else index


@dataclass(frozen=True, kw_only=True, slots=True)
class Canonical:
    """A volume in the canonical frame: a view, no voxel is copied or resampled."""

    values: Values
    grid: Grid


@dataclass(frozen=True, kw_only=True, slots=True)
class Raster:
    """Pixels of the pictures of one plane.

    Attributes:
        size: Width and height of the picture.
        spacing_mm: Row and column spacing of the picture.
        native_mm: Row and column spacing of the slice.
    """

    size: tuple[int, int]
    spacing_mm: tuple[float, float]
    native_mm: tuple[float, float]


def said_plane(plane: str, first: npt.NDArray[Any], second: npt.NDArray[Any]) -> str:
    """The name of a plane, or "oblique axial" where its slices lie well off that of the body.

    Args:
        plane: The nearest plane of the body.
        first: A direction within the slices, in the patient's axes, of any length.
        second: Another one.
    """
    normal = np.cross(first, second)
    cosine = min(abs(normal[AXIS[plane]]) / np.linalg.norm(normal), 1.0)
    return f"oblique {plane}" if np.degrees(np.arccos(cosine)) > OBLIQUE_DEGREES else plane


def to_canonical(volume: Volume, name: str) -> Canonical:
    """Turn and mirror a volume so that its axes run to the right, the front and the head.

    Raises:
        CaseError: ``geometry_invalid``, where an axis lies more than 40 degrees off.
    """
    spacing = np.sqrt((volume.affine[:3, :3] ** 2).sum(axis=0))
    cosines = np.abs(volume.affine[:3, :3] / spacing).max(axis=0)
    obliquity = round(float(np.degrees(np.arccos(np.clip(cosines.min(), 0, 1)))), 2)
    if obliquity > MAX_OBLIQUE_DEGREES:
        raise CaseError("geometry_invalid", f"{name} lies {obliquity:.1f} degrees oblique")
    orientation = io_orientation(volume.affine)
    shape = volume.values.shape
    values = apply_orientation(volume.values, orientation)
    affine = volume.affine @ inv_ornt_aff(orientation, shape)
    flips = [False, False, False]
    for axis, direction in orientation:
        flips[int(axis)] = direction < 0
    grid = Grid(
        shape=values.shape,
        affine=affine,
        spacing_mm=spacing_of(affine),
        stored_as="".join(aff2axcodes(volume.affine)),
        flips=(flips[0], flips[1], flips[2]),
        obliquity_degrees=obliquity,
    )
    return Canonical(values=values, grid=grid)


def is_same_grid(grid: Grid, other: Grid) -> bool:
    """Whether the voxels of two canonical volumes are the same ones."""
    off = np.abs(grid.affine - other.affine).max()
    return grid.shape == other.shape and bool(off <= GRID_TOLERANCE)


def require_same_grid(grid: Grid, other: Grid, name: str) -> None:
    """Refuse an annotation whose voxels are not those of the image.

    Raises:
        CaseError: ``shape_mismatch`` or ``geometry_invalid``.
    """
    if grid.shape != other.shape:
        raise CaseError("shape_mismatch", f"{name} has {other.shape} voxels, image {grid.shape}")
    off = float(np.abs(grid.affine - other.affine).max())
    if off > GRID_TOLERANCE:
        raise CaseError("geometry_invalid", f"{name} lies {off:.4g} mm off the image's grid")


def slice_of(values: npt.NDArray[Any], plane: Plane, index: int) -> npt.NDArray[Any]:
    """One slice of a canonical array, as it is seen: shape (rows, columns). A view."""
    where: list[slice | int] = [slice(None)] * 3
    where[AXIS[plane]] = index
    # The first axis that is left runs to the right (or the front), the second to the front
    # (or the head): both run the other way in the picture, and the second one is the rows.
    return values[tuple(where)][::-1, ::-1].T


def raster_of(grid: Grid, plane: Plane) -> Raster:
    """Square pixels of the smaller spacing, or larger ones where a side is beyond 1024 pixels."""
    across, up = (axis for axis in range(3) if axis != AXIS[plane])
    native = (grid.spacing_mm[up], grid.spacing_mm[across])
    extent = (grid.shape[up] * native[0], grid.shape[across] * native[1])
    pixel = max(min(native), max(extent) / MAX_SIDE_PX)
    rows, columns = (max(1, round(length / pixel)) for length in extent)
    return Raster(
        size=(columns, rows),
        spacing_mm=(round(extent[0] / rows, 6), round(extent[1] / columns, 6)),
        native_mm=native,
    )


def resample(pixels: npt.NDArray[Any], raster: Raster) -> npt.NDArray[np.float32]:
    """Linear resampling of a slice; a smaller picture averages (no value is overshot)."""
    image = np.ascontiguousarray(pixels, dtype=np.float32)
    rows, columns = image.shape
    if (columns, rows) == raster.size:
        return image
    resized = Image.fromarray(image).resize(raster.size, Image.Resampling.BILINEAR)
    return np.asarray(resized)


def nearest_places(extent: int, pixels: int) -> npt.NDArray[np.intp]:
    """For each of so many pixels along a side, the place of `extent` that its centre lies in."""
    places = ((np.arange(pixels) + 0.5) * (extent / pixels)).astype(np.intp)
    return np.minimum(places, extent - 1)
