"""Planes: one frame whatever the storage, radiological convention, square pixels."""

from itertools import permutations, product

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from converters.errors import CaseError
from converters.imaging.planes import (
    MAX_SIDE_PX,
    Grid,
    raster_of,
    require_same_grid,
    resample,
    said_plane,
    slice_of,
    to_canonical,
)
from converters.imaging.volumes import Volume
from tests.fakes.reference import resample_mask

SHAPE = (6, 5, 4)
VALUES = np.arange(120, dtype=np.int16).reshape(SHAPE)
AFFINE = np.array([[2.0, 0, 0, -40], [0, 2.5, 0, -30], [0, 0, 3.0, -20], [0, 0, 0, 1]])
ORIENTATIONS = [
    np.array(list(zip(axes, signs, strict=True)), dtype=float)
    for axes in permutations(range(3))
    for signs in product((1, -1), repeat=3)
]


def stored(orientation: np.ndarray, affine: np.ndarray = AFFINE) -> Volume:
    """The same volume, stored another way."""
    values = nib.orientations.apply_orientation(VALUES, orientation)
    turned = affine @ nib.orientations.inv_ornt_aff(orientation, SHAPE)
    return Volume(values=values, affine=turned)


def rotation(degrees: float) -> np.ndarray:
    """A turn about the axis from foot to head."""
    angle = np.radians(degrees)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return turn


def grid_of(shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> Grid:
    """A canonical grid."""
    affine = np.diag([*spacing, 1.0])
    return to_canonical(Volume(values=np.zeros(shape, np.uint8), affine=affine), "x").grid


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_every_storage_order_gives_the_same_canonical_volume(orientation: np.ndarray) -> None:
    found = to_canonical(stored(orientation), "x")
    np.testing.assert_array_equal(found.values, VALUES)
    np.testing.assert_allclose(found.grid.affine, AFFINE)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_stored_index_leads_back_to_the_slice(orientation: np.ndarray, plane: str) -> None:
    volume = stored(orientation)
    canonical = to_canonical(volume, "x")
    axis = {"sagittal": 0, "coronal": 1, "axial": 2}[plane]
    own_axis = int(np.flatnonzero(nib.io_orientation(volume.affine)[:, 0] == axis)[0])
    cut = volume.values.take(canonical.grid.stored_index(plane, 1), axis=own_axis)
    assert sorted(cut.ravel()) == sorted(slice_of(canonical.values, plane, 1).ravel())


@pytest.mark.parametrize(
    ("plane", "corner", "expected"),
    [
        ("axial", (5, 4, 2), (0, 0)),  # right and front: top left
        ("axial", (0, 4, 2), (0, 5)),  # left and front: top right
        ("axial", (5, 0, 2), (4, 0)),  # right and back: bottom left
        ("coronal", (5, 2, 3), (0, 0)),  # right and head: top left
        ("coronal", (0, 2, 0), (3, 5)),  # left and foot: bottom right
        ("sagittal", (2, 4, 3), (0, 0)),  # front and head: top left
        ("sagittal", (2, 0, 0), (3, 4)),  # back and foot: bottom right
    ],
)
def test_slices_follow_the_radiological_convention(
    plane: str, corner: tuple[int, int, int], expected: tuple[int, int]
) -> None:
    mark = np.zeros(SHAPE, dtype=bool)
    mark[corner] = True
    index = corner[{"sagittal": 0, "coronal": 1, "axial": 2}[plane]]
    assert np.argwhere(slice_of(mark, plane, index)).tolist() == [list(expected)]


@given(degrees=st.floats(-39, 39))
def test_oblique_volumes_keep_their_nearest_axes(degrees: float) -> None:
    found = to_canonical(Volume(values=VALUES, affine=rotation(degrees) @ AFFINE), "x")
    np.testing.assert_array_equal(found.values, VALUES)
    assert found.grid.obliquity_degrees == pytest.approx(abs(degrees), abs=0.1)


@pytest.mark.parametrize("degrees", [41, 45, 49])
def test_between_two_axes_no_plane_is_named(degrees: float) -> None:
    with pytest.raises(CaseError, match=r"geometry_invalid.*oblique"):
        to_canonical(Volume(values=VALUES, affine=rotation(degrees) @ AFFINE), "x")


@given(
    shape=st.tuples(*[st.integers(2, 3000)] * 3),
    spacing=st.tuples(*[st.floats(0.1, 8.0)] * 3),
    plane=st.sampled_from(["axial", "coronal", "sagittal"]),
)
def test_pictures_have_square_pixels_and_fit(
    shape: tuple[int, int, int], spacing: tuple[float, float, float], plane: str
) -> None:
    across, up = {"axial": (0, 1), "coronal": (0, 2), "sagittal": (1, 2)}[plane]
    size = [1, 1, 1]
    size[across], size[up] = shape[across], shape[up]
    grid = grid_of((size[0], size[1], size[2]), spacing)
    raster = raster_of(grid, plane)
    assert max(raster.size) <= MAX_SIDE_PX
    row_mm, column_mm = raster.spacing_mm
    assert raster.size[1] * row_mm == pytest.approx(shape[up] * grid.spacing_mm[up], rel=1e-3)
    # A side of n pixels cannot be square to better than half a pixel of its length.
    wide, high = (0.5 / side for side in raster.size)
    assert abs(row_mm / column_mm - 1) <= (wide + high) / (1 - wide) + 1e-4


def test_the_smaller_spacing_is_kept() -> None:
    raster = raster_of(grid_of((40, 36, 30), (2.0, 2.0, 3.0)), "coronal")
    assert raster.size == (40, 45)
    assert raster.spacing_mm == (2.0, 2.0)


def test_a_slice_that_fits_is_not_resampled() -> None:
    raster = raster_of(grid_of((6, 5, 4), (2.0, 2.0, 3.0)), "axial")
    pixels = slice_of(VALUES, "axial", 1)
    np.testing.assert_array_equal(resample(pixels, raster), pixels)


@given(factor=st.integers(2, 5))
def test_a_mask_repeats_whole_voxels(factor: int) -> None:
    grid = grid_of((6, 5, 4), (1.0, 1.0, float(factor)))
    mask = slice_of(VALUES % 3 == 0, "coronal", 2)
    found = resample_mask(mask, raster_of(grid, "coronal"))
    np.testing.assert_array_equal(found, np.repeat(mask, factor, axis=0))


def test_resampling_never_leaves_the_range_of_values() -> None:
    raster = raster_of(grid_of((6, 5, 4), (1.0, 1.0, 2.7)), "coronal")
    pixels = slice_of(VALUES, "coronal", 2)
    found = resample(pixels, raster)
    assert found.shape == (11, 6)
    assert pixels.min() <= found.min() <= found.max() <= pixels.max()


def test_another_shape_is_another_grid() -> None:
    with pytest.raises(CaseError, match="shape_mismatch"):
        require_same_grid(grid_of((6, 5, 4), (1, 1, 1)), grid_of((6, 5, 3), (1, 1, 1)), "x")


def test_another_spacing_is_another_grid() -> None:
    with pytest.raises(CaseError, match="geometry_invalid"):
        require_same_grid(grid_of((6, 5, 4), (1, 1, 1)), grid_of((6, 5, 4), (1, 1, 1.01)), "x")


@pytest.mark.parametrize(("degrees", "expected"), [(19, "axial"), (21, "oblique axial")])
def test_a_plane_well_off_the_body_s_is_oblique(degrees: float, expected: str) -> None:
    turn = np.radians(degrees)
    across, tilted = np.array([1.0, 0, 0]), np.array([0, np.cos(turn), np.sin(turn)])
    assert said_plane("axial", across, tilted) == expected
    assert said_plane("axial", -3 * across, 0.5 * tilted) == expected
