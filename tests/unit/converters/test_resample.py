"""Masks on another grid: laws of nearest neighbour, and SimpleITK as a second opinion."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its own name for itself
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from converters.annotations import label_map, structure_files
from converters.annotations.structures import Marked, VolumeQuestion
from converters.errors import CaseError
from converters.files import Root
from converters.imaging import resample
from converters.imaging.planes import Canonical, Grid, to_canonical
from converters.imaging.resample import resample_nearest
from converters.imaging.volumes import Volume
from converters.records import Entry
from converters.specs.annotations import LabelMap, StructureFiles

SHAPE = (8, 7, 6)
AFFINE = np.array([[1.5, 0, 0, -10], [0, 2.0, 0, 4], [0, 0, 3.0, 7], [0, 0, 0, 1.0]])
LABELS = hnp.arrays(np.uint16, SHAPE, elements=st.sampled_from([0, 1, 2, 65535]))
ORIENTATIONS = st.tuples(
    st.permutations([0.0, 1.0, 2.0]), st.lists(st.sampled_from([1.0, -1.0]), min_size=3, max_size=3)
).map(lambda pair: np.array(list(zip(*pair, strict=True))))
MAP = LabelMap(
    kind="label_map", completeness="complete", files="{case}.nii", labels={1: "liver"},
    ignore=[0, 2, 65535], if_grid_differs="resample",
)  # fmt: skip


def canonical(values: np.ndarray, affine: np.ndarray = AFFINE) -> Canonical:
    """A volume in the canonical frame."""
    return to_canonical(Volume(values=values, affine=affine), "mask")


def grid_of(shape: tuple[int, int, int], affine: np.ndarray) -> Grid:
    """The grid of an image."""
    return canonical(np.zeros(shape, np.uint8), affine).grid


def moved(affine: np.ndarray, *voxels: float) -> np.ndarray:
    """An affine whose first voxel is another one of the same lattice."""
    shift = np.eye(4)
    shift[:3, 3] = voxels
    return affine @ shift


def rotated(degrees: float, about: int, affine: np.ndarray = AFFINE) -> np.ndarray:
    """An affine turned about a patient axis."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.eye(4)
    one, two = (axis for axis in range(3) if axis != about)
    turn[[one, one, two, two], [one, two, one, two]] = cosine, -sine, sine, cosine
    return turn @ affine


def itk(values: np.ndarray, affine: np.ndarray) -> sitk.Image:
    """The same volume as SimpleITK has it."""
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    image = sitk.GetImageFromArray(np.ascontiguousarray(values.transpose(2, 1, 0)))
    spacing = np.sqrt((lps[:3, :3] ** 2).sum(axis=0))
    image.SetSpacing(spacing.tolist())
    image.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    return image


def by_itk(mask: Canonical, grid: Grid) -> np.ndarray:
    """What SimpleITK makes of it, nearest neighbour."""
    wanted = itk(np.zeros(grid.shape, mask.values.dtype), grid.affine)
    source = itk(mask.values, mask.grid.affine)
    found = sitk.Resample(source, wanted, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    return sitk.GetArrayFromImage(found).transpose(2, 1, 0)


@given(labels=LABELS)
def test_the_same_grid_is_the_identity(labels: np.ndarray) -> None:
    mask = canonical(labels)
    found = resample_nearest(mask, mask.grid, "mask")
    np.testing.assert_array_equal(found.values, labels)
    assert found.is_reached
    assert not found.is_coarse


@given(labels=LABELS, orientation=ORIENTATIONS)
def test_every_storage_order_gives_the_same(labels: np.ndarray, orientation: np.ndarray) -> None:
    turned = nib.orientations.apply_orientation(labels, orientation)
    affine = AFFINE @ nib.orientations.inv_ornt_aff(orientation, labels.shape)
    wanted = grid_of((11, 5, 9), rotated(7, 2, moved(AFFINE * 1.0, -1.3, 0.8, -2.1)))
    plain = resample_nearest(canonical(labels), wanted, "mask")
    other = resample_nearest(canonical(turned, affine), wanted, "mask")
    np.testing.assert_array_equal(plain.values, other.values)


@given(labels=LABELS, shift=st.tuples(*(st.integers(1 - n, n - 1) for n in SHAPE)))
def test_whole_voxels_of_shift_are_exact(labels: np.ndarray, shift: tuple[int, int, int]) -> None:
    found = resample_nearest(canonical(labels), grid_of(SHAPE, moved(AFFINE, *shift)), "mask")
    padded = np.pad(labels, [(n, n) for n in SHAPE])
    where = tuple(slice(n + s, 2 * n + s) for n, s in zip(SHAPE, shift, strict=True))
    np.testing.assert_array_equal(found.values, padded[where])
    assert found.is_reached == (shift == (0, 0, 0))
    assert not found.is_coarse


@given(labels=LABELS, times=st.tuples(*[st.integers(1, 3)] * 3))
def test_a_finer_grid_repeats_voxels_and_loses_none(
    labels: np.ndarray, times: tuple[int, int, int]
) -> None:
    finer = AFFINE @ np.diag([*(1 / n for n in times), 1])
    finer = moved(finer, *((1 - n) / 2 * 1.0 for n in times))
    shape = tuple(n * t for n, t in zip(SHAPE, times, strict=True))
    found = resample_nearest(canonical(labels), grid_of(shape, finer), "mask")
    expected = labels
    for axis, count in enumerate(times):
        expected = expected.repeat(count, axis)
    np.testing.assert_array_equal(found.values, expected)
    assert found.is_reached
    assert not found.is_coarse


@settings(max_examples=60)
@given(
    labels=LABELS,
    degrees=st.floats(-30, 30),
    about=st.integers(0, 2),
    shift=st.tuples(*[st.floats(-3, 3)] * 3),
    zoom=st.floats(0.45, 2.2),
)
def test_simpleitk_agrees_up_to_ties(
    labels: np.ndarray,
    degrees: float,
    about: int,
    shift: tuple[float, float, float],
    zoom: float,
) -> None:
    mask = canonical(labels)
    affine = moved(rotated(degrees, about) @ np.diag([zoom, zoom, zoom, 1]), *shift)
    wanted = grid_of((9, 10, 8), affine)
    to_mask = np.linalg.inv(mask.grid.affine) @ wanted.affine
    at = np.stack(np.meshgrid(*map(np.arange, wanted.shape), indexing="ij"), axis=-1)
    exact = at @ to_mask[:3, :3].T + to_mask[:3, 3]
    is_tie = (np.abs(exact - np.floor(exact) - 0.5) < 1e-3).any(axis=-1)
    theirs = by_itk(mask, wanted)
    try_it = ((exact > -0.5) & (exact < np.array(SHAPE) - 0.5)).all(axis=-1).any()
    if not try_it:
        return
    ours = resample_nearest(mask, wanted, "mask").values
    np.testing.assert_array_equal(ours[~is_tie], theirs[~is_tie])


def test_slabs_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = np.random.default_rng(0).integers(0, 3, SHAPE, dtype=np.uint8)
    wanted = grid_of((9, 10, 8), rotated(20, 0))
    whole = resample_nearest(canonical(labels), wanted, "mask").values
    monkeypatch.setattr(resample, "_SLAB_VOXELS", 100)
    np.testing.assert_array_equal(resample_nearest(canonical(labels), wanted, "mask").values, whole)


def test_grids_without_a_common_voxel_are_refused() -> None:
    far = grid_of(SHAPE, moved(AFFINE, 9, 0, 0))
    with pytest.raises(CaseError, match="grids_apart"):
        resample_nearest(canonical(np.ones(SHAPE, np.uint8)), far, "mask")


def test_a_coarser_grid_passes_voxels_by() -> None:
    coarse = grid_of((4, 4, 3), AFFINE @ np.diag([2.0, 2, 2, 1]))
    assert resample_nearest(canonical(np.ones(SHAPE, np.uint8)), coarse, "mask").is_coarse


def ask(folder: Path, labels: np.ndarray, grid: Grid, spec: LabelMap | StructureFiles) -> Marked:
    """What a block says of an image on a grid, its labels on the grid of AFFINE."""
    name = "liver.nii"
    nib.save(nib.Nifti1Image(labels, AFFINE), folder / name)
    question = VolumeQuestion(
        root=Root(source="toy", folder=folder), path="a.nii", fields={},
        entry=Entry(files=(name,)), grid=grid,
    )  # fmt: skip
    module = label_map if isinstance(spec, LabelMap) else structure_files
    return module.read_structures(spec, question)


BLOCK = np.zeros(SHAPE, np.uint16)
BLOCK[2:5, 2:5, 2:4] = 1


def test_a_label_map_on_another_grid_is_refused_unless_the_manifest_says_so(
    tmp_path: Path,
) -> None:
    spec = MAP.model_copy(update={"if_grid_differs": "reject"})
    with pytest.raises(CaseError, match="geometry_invalid"):
        ask(tmp_path, BLOCK, grid_of(SHAPE, moved(AFFINE, 1, 0, 0)), spec)


def test_a_label_map_that_reaches_the_whole_image_is_measured(tmp_path: Path) -> None:
    finer = moved(AFFINE @ np.diag([0.5, 1, 1, 1]), -0.5, 0, 0)
    marked = ask(tmp_path, BLOCK, grid_of((16, 7, 6), finer), MAP)
    assert marked.structures[0].voxels == 2 * 18
    assert marked.structures[0].is_whole((16, 7, 6))
    assert marked.uncertain == ()
    assert [step["step"] for step in marked.transforms] == ["resample_mask"]


def test_a_label_map_that_reaches_a_part_of_the_image_leaves_absence_open(tmp_path: Path) -> None:
    marked = ask(tmp_path, BLOCK, grid_of(SHAPE, moved(AFFINE, 1, 0, 0)), MAP)
    assert marked.structures[0].voxels == 18
    assert not marked.structures[0].is_whole(SHAPE)
    assert marked.uncertain == ("liver",)


def test_what_is_cut_off_by_its_own_grid_is_placed_and_not_measured(tmp_path: Path) -> None:
    grid = grid_of(SHAPE, moved(AFFINE, 1, 0, 0))
    at_the_rim = BLOCK.copy()
    at_the_rim[7, 2:5, 2:4] = 1
    assert not ask(tmp_path, at_the_rim, grid, MAP).structures[0].is_drawn
    assert ask(tmp_path, BLOCK, grid, MAP).structures[0].is_drawn
    assert ask(tmp_path, at_the_rim, grid_of(SHAPE, AFFINE), MAP).structures[0].is_drawn


def test_a_coarse_image_leaves_absence_open_and_measures_slices(tmp_path: Path) -> None:
    marked = ask(tmp_path, BLOCK, grid_of((4, 4, 3), AFFINE @ np.diag([2.0, 2, 2, 1])), MAP)
    assert marked.structures[0].is_drawn
    assert not marked.structures[0].is_whole((4, 4, 3))
    assert marked.uncertain == ("liver",)


def test_a_label_for_zero_must_reach_the_whole_image(tmp_path: Path) -> None:
    spec = MAP.model_copy(update={"labels": {0: "liver"}, "ignore": [1]})
    with pytest.raises(CaseError, match="has a label for 0"):
        ask(tmp_path, BLOCK, grid_of(SHAPE, moved(AFFINE, 1, 0, 0)), spec)


def test_an_unknown_code_outside_the_image_is_still_refused(tmp_path: Path) -> None:
    labels = BLOCK.copy()
    labels[0, 0, 0] = 9
    with pytest.raises(CaseError, match=r"9 \(1 voxels\)"):
        ask(tmp_path, labels, grid_of(SHAPE, moved(AFFINE, 1, 0, 0)), MAP)


def test_structure_files_are_resampled_too(tmp_path: Path) -> None:
    spec = StructureFiles(
        kind="structure_files", completeness="complete", files="{structure}.nii",
        field="structure", labels={"liver": "liver"}, if_grid_differs="resample",
    )  # fmt: skip
    marked = ask(tmp_path, BLOCK, grid_of(SHAPE, moved(AFFINE, 1, 1, 0)), spec)
    assert marked.structures[0].corner == (1, 1, 2)
    assert marked.transforms[0]["reached"] == pytest.approx(7 * 6 / 56)
