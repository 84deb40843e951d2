"""NIfTI files of several volumes, and files whose two affines differ."""

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from converters.errors import CaseError
from converters.files import Root
from converters.imaging.planes import slice_of, to_canonical
from converters.imaging.volumes import Volume, Wanted, read_volume, read_volumes
from converters.specs.volume_files import VolumeFiles

VALUES = np.arange(6 * 5 * 4 * 3, dtype=np.int16).reshape(6, 5, 4, 3)
AFFINE = np.array([[-2.0, 0, 0, 10], [0, 2.0, 0, -20], [0, 0, 3.0, 5], [0, 0, 0, 1]])
FLAT = VolumeFiles(axes_taken_as="LPS")
ALL = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def write(folder: Path, data: bytes, name: str = "a.nii") -> Root:
    """A root with one file."""
    (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return Root(source="toy", folder=folder)


def series(values: np.ndarray = VALUES) -> bytes:
    """A NIfTI file of several volumes."""
    return nib.Nifti1Image(values, AFFINE).to_bytes()


def forms(sform: np.ndarray, qform: np.ndarray) -> bytes:
    """A NIfTI file with these two affines."""
    image = nib.Nifti1Image(VALUES[..., 0], sform)
    image.set_sform(sform, 1)
    image.set_qform(qform, 1)
    return image.to_bytes()


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("index", [0, 1, 2])
def test_the_volume_that_is_named_is_read(tmp_path: Path, name: str, index: int) -> None:
    root = write(tmp_path, series(), name)
    volume = read_volume(root, name, VolumeFiles(volume=index))
    np.testing.assert_array_equal(volume.values, VALUES[..., index])
    np.testing.assert_allclose(volume.affine, AFFINE)
    assert volume.steps == ({"step": "select_volume", "index": index, "of": 3},)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_all_volumes_are_read_in_order(tmp_path: Path, name: str) -> None:
    found = read_volumes(write(tmp_path, series(), name), name, Wanted(count=3))
    np.testing.assert_array_equal(np.stack([one.values for one in found], axis=-1), VALUES)


@ALL
@given(shape=st.tuples(*[st.integers(1, 4)] * 3, st.integers(2, 5)), data=st.data())
def test_a_volume_of_a_series_is_what_nibabel_reads(
    tmp_path: Path, shape: tuple[int, int, int, int], data: st.DataObject
) -> None:
    values = np.arange(np.prod(shape), dtype=">i2").reshape(shape)
    index = data.draw(st.integers(0, shape[3] - 1))
    root = write(tmp_path, series(values))
    expected = np.asarray(nib.load(tmp_path / "a.nii").dataobj)[..., index]
    found = read_volume(root, "a.nii", VolumeFiles(volume=index)).values
    np.testing.assert_array_equal(found, expected)


def test_several_volumes_without_a_word_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="holds 3 volumes, not one"):
        read_volume(write(tmp_path, series()), "a.nii")


def test_a_number_beyond_the_last_volume_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match=r"shape_mismatch.*no number 3"):
        read_volume(write(tmp_path, series()), "a.nii", VolumeFiles(volume=3))


@pytest.mark.parametrize("count", [1, 2, 4])
def test_another_number_of_volumes_is_refused(tmp_path: Path, count: int) -> None:
    with pytest.raises(CaseError, match="shape_mismatch"):
        read_volumes(write(tmp_path, series()), "a.nii", Wanted(count=count))


def test_a_series_that_is_cut_after_the_wanted_volume_is_refused(tmp_path: Path) -> None:
    root = write(tmp_path, series()[:-1])
    with pytest.raises(CaseError, match="file_unreadable"):
        read_volume(root, "a.nii", VolumeFiles(volume=0))


def read_forms(
    folder: Path, sform: np.ndarray, qform: np.ndarray, trusted: str | None = None
) -> Volume:
    """A file with two affines, read with one of them trusted."""
    root = write(folder, forms(sform, qform))
    return read_volume(root, "a.nii", VolumeFiles(trusted_form=trusted))


MIRRORED = AFFINE @ np.diag([-1.0, -1, 1, 1])


def test_forms_that_differ_are_refused_with_numbers(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match=r"sform and qform differ by .* and 180\.00 degrees"):
        read_forms(tmp_path, AFFINE, MIRRORED)


@pytest.mark.parametrize(("trusted", "expected"), [("sform", AFFINE), ("qform", MIRRORED)])
def test_the_trusted_form_is_taken_and_said(
    tmp_path: Path, trusted: str, expected: np.ndarray
) -> None:
    volume = read_forms(tmp_path, AFFINE, MIRRORED, trusted)
    np.testing.assert_allclose(volume.affine, expected, atol=1e-5)
    (step,) = volume.steps
    assert step["form"] == trusted
    assert step["differ_degrees"] == pytest.approx(180)


def test_a_trusted_form_may_stand_beside_one_that_cannot_be(tmp_path: Path) -> None:
    image = nib.Nifti1Image(VALUES[..., 0], AFFINE)
    image.set_sform(np.diag([0.0, 0, 0, 1]), 1)
    image.set_qform(AFFINE, 1)
    root = write(tmp_path, image.to_bytes())
    volume = read_volume(root, "a.nii", VolumeFiles(trusted_form="qform"))
    np.testing.assert_allclose(volume.affine, AFFINE, atol=1e-5)


def test_forms_that_agree_need_no_word(tmp_path: Path) -> None:
    assert read_forms(tmp_path, AFFINE, AFFINE).steps == ()


@pytest.mark.parametrize("trusted", ["sform", "qform"])
def test_the_only_form_is_taken_whichever_is_trusted(tmp_path: Path, trusted: str) -> None:
    image = nib.Nifti1Image(VALUES[..., 0], AFFINE)
    image.set_sform(AFFINE, 1)
    image.set_qform(None, 0)
    root = write(tmp_path, image.to_bytes())
    volume = read_volume(root, "a.nii", VolumeFiles(trusted_form=trusted))
    np.testing.assert_allclose(volume.affine, AFFINE, atol=1e-5)


OBLIQUE = np.array([[1.0, 0, -3.0, 7], [1.0, 0, 3.0, 8], [0, -2.0, 0, 9], [0, 0, 0, 1]])


def test_axes_are_taken_as_the_manifest_says(tmp_path: Path) -> None:
    root = write(tmp_path, nib.Nifti1Image(VALUES[..., 0], OBLIQUE).to_bytes())
    volume = read_volume(root, "a.nii", VolumeFiles(axes_taken_as="LPS"))
    np.testing.assert_array_equal(volume.values, VALUES[..., 0])
    spacing = np.sqrt((OBLIQUE[:3, :3] ** 2).sum(axis=0))
    np.testing.assert_allclose(volume.affine[:3, :3], np.diag([-1, -1, 1] * spacing), atol=1e-5)
    np.testing.assert_allclose(volume.affine[:3, 3], [7, 8, 9])
    assert volume.steps[-1] == {
        "step": "take_axes",
        "as": "LPS",
        "header_obliquity_degrees": 45.0,
    }


def test_a_stack_is_shown_as_it_is_stored(tmp_path: Path) -> None:
    root = write(tmp_path, nib.Nifti1Image(VALUES[..., 0], OBLIQUE).to_bytes())
    taken = to_canonical(read_volume(root, "a.nii", VolumeFiles(axes_taken_as="LPS")), "a.nii")
    shown = slice_of(taken.values, "axial", 2)
    np.testing.assert_array_equal(shown, VALUES[:, :, 2, 0].T)


@pytest.mark.parametrize("axes", ["LLS", "LP", "*LPS", "lps"])
def test_axes_that_name_no_three_directions_are_no_manifest(axes: str) -> None:
    with pytest.raises(ValidationError):
        VolumeFiles(axes_taken_as=axes)


def test_a_picture_of_two_axes_is_a_slice_where_its_axes_are_said(tmp_path: Path) -> None:
    image = nib.Nifti1Image(VALUES[:, :, 0, 0], None)
    image.header.set_zooms((0.3, 0.2))
    volume = read_volume(write(tmp_path, image.to_bytes()), "a.nii", FLAT)
    np.testing.assert_array_equal(volume.values, VALUES[:, :, :1, 0])
    np.testing.assert_allclose(volume.affine, np.diag([-0.3, -0.2, 1, 1]), atol=1e-6)


def test_a_picture_is_shown_with_its_first_axis_across(tmp_path: Path) -> None:
    root = write(tmp_path, nib.Nifti1Image(VALUES[:, :, 0, 0], None).to_bytes())
    taken = to_canonical(read_volume(root, "a.nii", FLAT), "a.nii")
    np.testing.assert_array_equal(slice_of(taken.values, "axial", 0), VALUES[:, :, 0, 0].T)


def test_a_picture_of_two_axes_is_no_volume_elsewhere(tmp_path: Path) -> None:
    root = write(tmp_path, nib.Nifti1Image(VALUES[:, :, 0, 0], AFFINE).to_bytes())
    with pytest.raises(CaseError, match="not one of volumes"):
        read_volume(root, "a.nii")
