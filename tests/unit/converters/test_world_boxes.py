"""Places in millimetres: which voxels they mean, however the volume is stored."""

import math
from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its usual name
from hypothesis import given
from hypothesis import strategies as st
from nibabel.orientations import apply_orientation, inv_ornt_aff

from converters.annotations import world_boxes
from converters.annotations.contract import Block, ImageName
from converters.annotations.structures import Marked, VolumeQuestion
from converters.errors import CaseError, SourceError
from converters.files import Root
from converters.imaging.planes import Grid, raster_of, to_canonical
from converters.imaging.volumes import Volume
from converters.layouts.slicing import Said3D, describe_slice
from converters.specs.shapes import WorldBoxes

SHAPE = (30, 34, 20)
AFFINE = np.array([[1.5, 0, 0, -70], [0, 2, 0, 12], [0, 0, 2.5, -400], [0, 0, 0, 1]])
ORIENTATIONS = [
    np.array(list(zip(axes, signs, strict=True)), dtype=float)
    for axes in permutations(range(3))
    for signs in product((1, -1), repeat=3)
]


def grid_of(affine: np.ndarray = AFFINE, shape: tuple[int, ...] = SHAPE) -> Grid:
    return to_canonical(Volume(values=np.zeros(shape, np.uint8), affine=affine), "v.mhd").grid


def spec_of(**more: Any) -> WorldBoxes:
    content = {
        "kind": "world_boxes", "completeness": "partial", "table": {"path": "nodules.csv"},
        "key": "{uid}", "match": "{name}", "center": ["x", "y", "z"], "frame": "RAS",
        "size": ["d"], "labels": {"nodule": "lung nodule"},
    }  # fmt: skip
    return WorldBoxes.model_validate({**content, **more})


def read(spec: WorldBoxes, folder: Path, *rows: str, header: str = "uid,x,y,z,d") -> Marked:
    """What the block says of the volume v."""
    (folder / "nodules.csv").write_text("\n".join([header, *rows]) + "\n")
    root = Root(source="toy", folder=folder)
    image = ImageName(path="v.mhd", fields={"path": "v.mhd", "name": "v"})
    block = Block(source="toy", root=root, listing=root.listing(), images=(image,))
    entry = world_boxes.index(spec, block).entries["v.mhd"]
    question = VolumeQuestion(
        root=root, path="v.mhd", fields=image.fields, entry=entry, grid=grid_of()
    )
    return world_boxes.read_structures(spec, question)


def world(*voxel: float) -> list[float]:
    """Millimetres in RAS of a canonical voxel."""
    return (AFFINE @ [*voxel, 1])[:3].tolist()


def row(center: list[float], *size: float) -> str:
    return ",".join(["v", *map(str, [*center, *size])])


def test_a_ball_lies_around_its_centre(tmp_path: Path) -> None:
    (one,) = read(spec_of(), tmp_path, row(world(10, 12, 6), 10.1)).structures
    # Half a diameter of 5.05 mm reaches 3 voxels of 1.5 mm, 2 of 2 mm, 2 of 2.5 mm.
    assert one.corner == (7, 10, 4)
    assert one.mask.shape == (7, 5, 5)


def test_a_place_without_size_is_its_voxel_and_has_no_box(tmp_path: Path) -> None:
    spec = spec_of(center=["place"], size=[])
    place = " ".join(map(str, world(10.3, 11.8, 6.2)))
    (one,) = read(spec, tmp_path, f"v,{place}", header="uid,place").structures
    assert (one.corner, one.mask.shape) == ((10, 12, 6), (1, 1, 1))
    raster = raster_of(grid_of(), "axial")
    said = [Said3D(structure=one, is_known=False)]
    (found,), absent = describe_slice(
        said, "axial", 6, grid=grid_of(), raster=raster, min_area_px=1
    )
    assert (found.box, found.area_px, found.volume_ml, absent) == (None, None, None, ())
    assert found.position


@pytest.mark.parametrize("place", ["1 2", "1 2 3 4", "left of it", ""])
def test_a_cell_that_is_no_place_is_a_reason(tmp_path: Path, place: str) -> None:
    spec = spec_of(center=["place"], size=[])
    with pytest.raises(CaseError) as caught:
        read(spec, tmp_path, f"v,{place}", header="uid,place")
    assert caught.value.reason == "value_invalid"


def test_two_columns_of_a_place_are_no_manifest() -> None:
    with pytest.raises(ValueError, match="center is one column or three"):
        spec_of(center=["x", "y"])


def test_lps_counts_to_the_left_and_to_the_back(tmp_path: Path) -> None:
    x, y, z = world(10, 12, 6)
    (ras,) = read(spec_of(), tmp_path, row([x, y, z], 6)).structures
    (lps,) = read(spec_of(frame="LPS"), tmp_path, row([-x, -y, z], 6)).structures
    assert ras.corner == lps.corner
    assert np.array_equal(ras.mask, lps.mask)


def test_a_place_in_the_wrong_frame_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CaseError) as caught:
        read(spec_of(frame="LPS"), tmp_path, row(world(10, 12, 6), 6))
    assert caught.value.reason == "box_outside"


def test_lps_is_the_frame_of_itk() -> None:
    """A point that ITK finds in a voxel of an image is found in the same voxel here."""
    image = sitk.Image(*SHAPE, sitk.sitkUInt8)
    image.SetSpacing((1.5, 2.0, 2.5))
    image.SetOrigin((40.0, -55.0, -300.0))
    image.SetDirection((-1, 0, 0, 0, 1, 0, 0, 0, 1))
    point = image.TransformContinuousIndexToPhysicalPoint((4.2, 20.7, 3.1))
    direction = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = direction, image.GetOrigin()
    grid = grid_of(np.diag([-1.0, -1, 1, 1]) @ affine)
    mask, corner = world_boxes.place_mask(
        grid, np.array(point) * (-1, -1, 1), np.array([0.1]), "toy"
    )
    assert mask.all()
    stored = tuple(
        n - 1 - at if is_flipped else at
        for at, n, is_flipped in zip(corner, SHAPE, grid.flips, strict=True)
    )
    assert stored == image.TransformPhysicalPointToIndex(point)


def test_published_rows_lie_where_readers_have_outlined_the_same_nodules() -> None:
    """Two rows of LUNA16, and where LIDC-IDRI's readers see these nodules in the same scan.

    The first nodule fixes the origin, which LUNA16 does not give; the second one then lies on
    its column, row and slice only if x counts to the patient's left and y to the back.
    """
    pixel_mm, slice_mm = 0.64453125, 2.0
    rows = np.array(
        [(-128.6994211, -175.3192718, -298.3875064), (103.7836509, -211.9251487, -227.12125)]
    )
    seen = [(45.0, 211.6, -298.2), (405.6, 154.9, -226.9)]  # column, row, z in mm
    columns = depth = 512
    origin = rows[0][:2] - np.array(seen[0][:2]) * pixel_mm
    lps = np.diag([pixel_mm, pixel_mm, slice_mm, 1.0])
    lps[:3, 3] = [*origin, -438.4]
    grid = grid_of(np.diag([-1.0, -1, 1, 1]) @ lps, (columns, depth, 194))
    for (x, y, z), (column, row_, z_mm) in zip(rows, seen, strict=True):
        mask, corner = world_boxes.place_mask(grid, np.array([-x, -y, z]), np.array([5.0]), "luna")
        low, high = np.array(corner), np.array(corner) + mask.shape
        assert low[0] <= columns - 1 - column < high[0]
        assert low[1] <= depth - 1 - row_ < high[1]
        assert low[2] <= (z_mm + 438.4) / slice_mm < high[2]


@given(
    orientation=st.sampled_from(ORIENTATIONS),
    voxel=st.tuples(st.floats(0, 29), st.floats(0, 33), st.floats(0, 19)),
    diameter=st.floats(0.5, 25),
)
def test_storage_order_changes_no_voxel(
    orientation: np.ndarray, voxel: tuple[float, ...], diameter: float
) -> None:
    turned = apply_orientation(np.zeros(SHAPE, np.uint8), orientation)
    other = grid_of(AFFINE @ inv_ornt_aff(orientation, SHAPE), turned.shape)
    # A place right between two voxels may fall to either; a hair away it may not.
    center, size = np.array(world(*voxel)) + 1e-4, np.array([diameter + 1e-5])
    mask, corner = world_boxes.place_mask(grid_of(), center, size, "toy")
    again, place = world_boxes.place_mask(other, center, size, "toy")
    assert corner == place
    assert np.array_equal(mask, again)


@pytest.mark.parametrize("spacing", [(0.7, 0.7, 1.25), (0.5, 0.9, 3.0), (1.0, 1.0, 1.0)])
def test_volume_of_a_ball_is_that_of_its_diameter(spacing: tuple[float, ...]) -> None:
    grid = grid_of(np.diag([*spacing, 1.0]), (120, 120, 90))
    diameter = 30.3
    center = grid.affine[:3, :3] @ [59.4, 60.2, 44.7] if spacing[2] < 2 else np.array([30, 54, 130])
    mask, _ = world_boxes.place_mask(grid, np.asarray(center), np.array([diameter]), "toy")
    found = mask.sum() * np.prod(spacing)
    wanted = math.pi / 6 * diameter**3
    rim = math.pi * diameter**2 * max(spacing) / 2
    assert abs(found - wanted) < rim / 2


def test_a_tiny_thing_is_the_voxel_that_holds_it() -> None:
    mask, corner = world_boxes.place_mask(
        grid_of(), np.array(world(10.4, 12.4, 5.6)), np.array([0.01]), "toy"
    )
    assert corner == (10, 12, 6)
    assert mask.shape == (1, 1, 1)


def test_a_box_has_its_sides_along_x_y_and_z(tmp_path: Path) -> None:
    spec = spec_of(size=["a", "b", "c"])
    (one,) = read(
        spec, tmp_path, row(world(10, 12, 6), 4.6, 8.1, 5.1), header="uid,x,y,z,a,b,c"
    ).structures
    assert one.mask.shape == (3, 5, 3)
    assert one.corner == (9, 10, 5)
    assert one.mask.all()


def test_two_things_of_a_term_stay_two_and_a_row_twice_is_one(tmp_path: Path) -> None:
    first, second = row(world(8, 8, 6), 6), row(world(20, 24, 6), 9)
    structures = read(spec_of(), tmp_path, first, second, first).structures
    assert [one.attributes for one in structures] == [
        (("diameter of the lung nodule", "6.0 mm"),),
        (("diameter of the lung nodule", "9.0 mm"),),
    ]


def test_a_slice_shows_a_place_without_measures(tmp_path: Path) -> None:
    structures = read(
        spec_of(), tmp_path, row(world(8, 8, 6), 8), row(world(20, 24, 6), 8)
    ).structures
    said = [Said3D(structure=one, is_known=False) for one in structures]
    grid = grid_of()
    raster = raster_of(grid, "axial")
    findings, absent = describe_slice(said, "axial", 6, grid=grid, raster=raster, min_area_px=1)
    assert len(findings) == 2
    assert absent == ()
    for finding in findings:
        assert finding.is_instance
        assert finding.box is not None
        assert finding.area_px is finding.area_mm2 is finding.volume_ml is None
        assert finding.longest_diameter_px is finding.longest_diameter_mm is None


def test_the_right_of_the_patient_is_on_the_left_of_the_picture(tmp_path: Path) -> None:
    (one,) = read(spec_of(), tmp_path, row(world(26, 30, 6), 6)).structures
    grid = grid_of()
    said = [Said3D(structure=one, is_known=False)]
    raster = raster_of(grid, "axial")
    (finding,), _ = describe_slice(said, "axial", 6, grid=grid, raster=raster, min_area_px=1)
    assert finding.position == "upper left"


@pytest.mark.parametrize("cells", ["a,1,1,3", "1,1,1,0", "1,1,1,-3", "1,1,1,1e9", "1,1,nan,3"])
def test_what_is_no_place_is_refused(cells: str, tmp_path: Path) -> None:
    with pytest.raises(CaseError) as caught:
        read(spec_of(), tmp_path, f"v,{cells}")
    assert caught.value.reason == "value_invalid"


def test_an_unknown_code_stops_the_source(tmp_path: Path) -> None:
    spec = spec_of(label_column="c")
    with pytest.raises(SourceError, match="'k' is not known"):
        read(spec, tmp_path, "v,1,1,1,3,k", header="uid,x,y,z,d,c")
