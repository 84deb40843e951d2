"""Volume files: what is read, and that nothing broken, huge or unplaced is."""

import gzip
import struct
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its own name for itself
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from converters.errors import CaseError
from converters.files import Root
from converters.imaging.volumes import MAX_VOXELS, Volume, read_volume
from converters.specs.volume_files import VolumeFiles
from converters.vocabulary import words

VALUES = np.arange(6 * 5 * 4, dtype=np.int16).reshape(6, 5, 4) - 30
AFFINE = np.array([[-2.0, 0, 0, 10], [0, 2.0, 0, -20], [0, 0, 3.0, 5], [0, 0, 0, 1]])
FUZZ = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def nifti(values: np.ndarray = VALUES, affine: np.ndarray = AFFINE, **fields: object) -> bytes:
    """A NIfTI-1 file whose header fields are then set as given."""
    image = nib.Nifti1Image(values, affine)
    image.set_sform(affine, 1)
    image.set_qform(affine, 0, strip_shears=True)
    return patched(image.to_bytes(), **fields)


def patched(data: bytes, **fields: object) -> bytes:
    """The same file with other header fields."""
    header = nib.Nifti1Header(data[:348], check=False)
    for name, value in fields.items():
        header[name] = value
    return header.binaryblock + data[348:]


def read(folder: Path, name: str, data: bytes) -> Volume:
    """What is read from a file of that name and content."""
    (folder / name).write_bytes(data)
    return read_volume(Root(source="toy", folder=folder), name)


def reason(folder: Path, name: str, data: bytes) -> str:
    """Why a file is refused."""
    with pytest.raises(CaseError) as caught:
        read(folder, name, data)
    return caught.value.reason


def reason_or_none(folder: Path, name: str, data: bytes) -> str | None:
    """Why a file is refused, or None where it is read."""
    (folder / name).write_bytes(data)
    try:
        read_volume(Root(source="toy", folder=folder), name)
    except CaseError as error:
        return error.reason
    return None


def itk_bytes(folder: Path, name: str, *, is_packed: bool = False) -> bytes:
    """An NRRD or MHA file of the same volume as :func:`nifti`."""
    image = sitk.GetImageFromArray(VALUES.transpose(2, 1, 0))
    image.SetSpacing([2.0, 2.0, 3.0])
    image.SetDirection([1, 0, 0, 0, -1, 0, 0, 0, 1])  # LPS: the same as AFFINE in RAS
    image.SetOrigin([-10, 20, 5])
    sitk.WriteImage(image, str(folder / name), useCompression=is_packed)
    return (folder / name).read_bytes()


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_nifti_gives_its_values_and_place(tmp_path: Path, name: str) -> None:
    data = nifti()
    volume = read(tmp_path, name, gzip.compress(data) if name.endswith("gz") else data)
    np.testing.assert_array_equal(volume.values, VALUES)
    np.testing.assert_allclose(volume.affine, AFFINE)


def test_rescale_is_applied(tmp_path: Path) -> None:
    volume = read(tmp_path, "a.nii", nifti(scl_slope=2.0, scl_inter=-1000.0))
    np.testing.assert_array_equal(volume.values, VALUES * 2.0 - 1000.0)


def test_big_endian_file_reads_the_same(tmp_path: Path) -> None:
    header = nib.Nifti1Header(endianness=">")
    header.set_data_dtype(">i2")
    image = nib.Nifti1Image(VALUES, AFFINE, header)
    np.testing.assert_array_equal(read(tmp_path, "a.nii", image.to_bytes()).values, VALUES)


def test_nifti_2_reads_the_same(tmp_path: Path) -> None:
    volume = read(tmp_path, "a.nii", nib.Nifti2Image(VALUES, AFFINE).to_bytes())
    np.testing.assert_array_equal(volume.values, VALUES)


def test_metres_become_millimetres(tmp_path: Path) -> None:
    affine = AFFINE / 1000
    affine[3, 3] = 1
    volume = read(tmp_path, "a.nii", nifti(affine=affine, xyzt_units=1))
    np.testing.assert_allclose(volume.affine, AFFINE, atol=1e-4)


def test_one_volume_in_four_dimensions_is_squeezed(tmp_path: Path) -> None:
    assert read(tmp_path, "a.nii", nifti(VALUES[..., None])).values.shape == VALUES.shape


@pytest.mark.parametrize("shape", [(6, 5, 4, 2), (6, 5), (6, 5, 4, 1, 3)])
def test_anything_but_one_volume_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    data = nifti(np.zeros(shape, np.int16))
    assert reason(tmp_path, "a.nii", data) == "file_unsupported"


def test_colours_are_no_values(tmp_path: Path) -> None:
    colours = np.zeros((4, 4, 4), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    assert reason(tmp_path, "a.nii", nifti(colours)) == "file_unsupported"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"sform_code": 0}, "geometry_invalid"),
        ({"srow_x": [np.nan, 0, 0, 0]}, "geometry_invalid"),
        ({"srow_y": [0, 0, 0, 0]}, "geometry_invalid"),
        ({"srow_x": [2000.0, 0, 0, 0]}, "geometry_invalid"),
        ({"srow_x": [2.0, 1.0, 0, 0]}, "geometry_invalid"),
        ({"qform_code": 1, "pixdim": [1, 2, 2, 3.2, 1, 1, 1, 1]}, "geometry_invalid"),
        ({"qform_code": 1, "quatern_b": 3.0}, "geometry_invalid"),
        ({"xyzt_units": 7}, "geometry_invalid"),
        ({"dim": [3, 32000, 32000, 32000, 1, 1, 1, 1]}, "file_too_large"),
        ({"dim": [3, 600, 600, 600, 1, 1, 1, 1]}, "file_unreadable"),
        ({"dim": [3, 0, 5, 4, 1, 1, 1, 1]}, "file_unreadable"),
        ({"dim": [3, -6, 5, 4, 1, 1, 1, 1]}, "file_unreadable"),
        ({"datatype": 4096}, "file_unreadable"),
        ({"magic": b"ni1"}, "file_unsupported"),
        ({"vox_offset": 9e9}, "file_unreadable"),
        ({"vox_offset": np.nan}, "file_unreadable"),
        ({"vox_offset": -np.inf}, "file_unreadable"),
        ({"scl_slope": 1.0, "scl_inter": np.inf}, "file_unreadable"),
    ],
)
def test_a_header_that_cannot_be_true_is_refused(
    tmp_path: Path, fields: dict[str, object], expected: str
) -> None:
    assert reason(tmp_path, "a.nii", nifti(**fields)) == expected


def test_sform_and_qform_that_agree_are_taken(tmp_path: Path) -> None:
    image = nib.Nifti1Image(VALUES, AFFINE)
    image.set_sform(AFFINE, 1)
    image.set_qform(AFFINE, 1)
    np.testing.assert_allclose(read(tmp_path, "a.nii", image.to_bytes()).affine, AFFINE)


def test_qform_alone_is_taken(tmp_path: Path) -> None:
    image = nib.Nifti1Image(VALUES, AFFINE)
    image.set_qform(AFFINE, 1)
    image.set_sform(None, 0)
    np.testing.assert_allclose(read(tmp_path, "a.nii", image.to_bytes()).affine, AFFINE)


def test_a_small_gzip_that_claims_gigabytes_takes_no_memory(tmp_path: Path) -> None:
    assert MAX_VOXELS > 1280**3
    bomb = gzip.compress(nifti(dim=[3, 1280, 1280, 1280, 1, 1, 1, 1]))
    assert reason(tmp_path, "a.nii.gz", bomb) == "file_unreadable"


@FUZZ
@given(cut=st.integers(min_value=1, max_value=400))
def test_every_truncation_of_a_gzip_is_refused(tmp_path: Path, cut: int) -> None:
    packed = gzip.compress(nifti())
    assert reason(tmp_path, "a.nii.gz", packed[: -min(cut, len(packed) - 1)]) == "file_unreadable"


def test_a_wrong_checksum_is_refused(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(nifti()))
    packed[-8] ^= 1
    assert reason(tmp_path, "a.nii.gz", bytes(packed)) == "file_unreadable"


@FUZZ
@given(cut=st.integers(min_value=1, max_value=590))
def test_every_truncation_of_a_plain_file_is_refused(tmp_path: Path, cut: int) -> None:
    assert reason(tmp_path, "a.nii", nifti()[:-cut]) == "file_unreadable"


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.nrrd", "a.mha", "a.mhd"])
def test_an_empty_file_is_refused(tmp_path: Path, name: str) -> None:
    assert reason(tmp_path, name, b"") == "file_empty"


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.nrrd", "a.mha", "a.mhd"])
def test_a_pointer_is_refused(tmp_path: Path, name: str) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    assert reason(tmp_path, name, pointer) == "file_pointer"


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.nrrd", "a.mha", "a.mhd"])
def test_another_kind_of_file_is_refused(tmp_path: Path, name: str) -> None:
    assert reason(tmp_path, name, b"\x89PNG\r\n\x1a\n" + bytes(2000)) == "file_unreadable"


def test_a_suffix_that_is_not_known_is_refused(tmp_path: Path) -> None:
    assert reason(tmp_path, "a.mgz", b"x" * 2000) == "file_unsupported"


@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize("name", ["a.nrrd", "a.mha"])
def test_nrrd_and_mha_give_the_same_values_and_place(
    tmp_path: Path, name: str, *, is_packed: bool
) -> None:
    volume = read(tmp_path, name, itk_bytes(tmp_path, name, is_packed=is_packed))
    np.testing.assert_array_equal(volume.values, VALUES)
    np.testing.assert_allclose(volume.affine, AFFINE, atol=1e-6)


def test_mhd_reads_the_file_beside_it(tmp_path: Path) -> None:
    volume = read(tmp_path, "a.mhd", itk_bytes(tmp_path, "a.mhd"))
    np.testing.assert_array_equal(volume.values, VALUES)


@pytest.mark.parametrize("elsewhere", ["../a.raw", "/a.raw", "b.raw", "LIST", "a.raw "])
def test_mhd_never_reads_a_file_elsewhere(tmp_path: Path, elsewhere: str) -> None:
    head = itk_bytes(tmp_path, "a.mhd").replace(b"a.raw", elsewhere.encode())
    (tmp_path / "b.raw").write_bytes((tmp_path / "a.raw").read_bytes())
    expected = "file_unsupported" if elsewhere.strip() != "a.raw" else None
    assert reason_or_none(tmp_path, "a.mhd", head) == expected


def test_mhd_without_its_voxels_is_refused(tmp_path: Path) -> None:
    head = itk_bytes(tmp_path, "a.mhd")
    (tmp_path / "a.raw").unlink()
    assert reason(tmp_path, "a.mhd", head) == "file_unreadable"


def test_nrrd_never_reads_a_file_elsewhere(tmp_path: Path) -> None:
    head = itk_bytes(tmp_path, "a.nrrd").replace(
        b"encoding", b"data file: /etc/passwd\nencoding", 1
    )
    assert reason(tmp_path, "a.nrrd", head) == "file_unsupported"


def test_nrrd_without_a_space_is_refused(tmp_path: Path) -> None:
    head = itk_bytes(tmp_path, "a.nrrd").replace(b"space: left-posterior-superior\n", b"", 1)
    assert reason(tmp_path, "a.nrrd", head) == "geometry_invalid"


def test_mha_without_a_matrix_is_refused(tmp_path: Path) -> None:
    head = itk_bytes(tmp_path, "a.mha")
    start = head.index(b"TransformMatrix")
    head = head[:start] + head[head.index(b"\n", start) + 1 :]
    assert reason(tmp_path, "a.mha", head) == "geometry_invalid"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ElementToIntensityFunctionSlope = 1\nElementToIntensityFunctionOffset = 0", None),
        ("ElementToIntensityFunctionSlope = 2", "file_unsupported"),
        ("ElementToIntensityFunctionOffset = -1024", "file_unsupported"),
        ("ElementToIntensityFunctionSlope = one", "file_unsupported"),
    ],
)
def test_mha_whose_numbers_are_not_its_values_is_refused(
    tmp_path: Path, line: str, expected: str | None
) -> None:
    head = itk_bytes(tmp_path, "a.mha").replace(b"ElementType", line.encode() + b"\nElementType", 1)
    assert reason_or_none(tmp_path, "a.mha", head) == expected


@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize("name", ["a.nrrd", "a.mha"])
def test_truncated_nrrd_and_mha_are_refused(tmp_path: Path, name: str, *, is_packed: bool) -> None:
    data = itk_bytes(tmp_path, name, is_packed=is_packed)
    assert reason(tmp_path, name, data[:-30]) == "file_unreadable"


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.nrrd", "a.mha"])
@FUZZ
@given(data=st.data())
def test_mutated_files_give_a_volume_or_a_reason(
    tmp_path: Path, name: str, data: st.DataObject
) -> None:
    good = {"a.nii": nifti, "a.nii.gz": lambda: gzip.compress(nifti())}.get(
        name, lambda: itk_bytes(tmp_path, name)
    )()
    broken = bytearray(good)
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(broken) - 1))
        broken[at] = data.draw(st.integers(0, 255))
    found = reason_or_none(tmp_path, name, bytes(broken))
    assert found is None or found in words("rejection")


def test_a_header_of_terabytes_in_a_sparse_file_is_refused(tmp_path: Path) -> None:
    data = nifti(dim=[3, 20000, 20000, 20000, 1, 1, 1, 1])
    assert struct.unpack("<h", data[42:44])[0] == 20000
    assert reason(tmp_path, "a.nii", data) == "file_too_large"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"NDims = 3", b"NDims =93"),
        (b"NDims = 3", b"NDims =-3"),
        (b"DimSize = ", b"DimSize = 9 "),
        (b"TransformMatrix = 1", b"TransformMatrix = `"),
        (b"ElementSpacing = ", b"ElementSpacing = nan "),
        (b"ObjectType = Image", b"ObjectType  Image"),
        (b"Offset = ", b"Offset = 0 0 0\nOffset = "),
    ],
)
def test_a_meta_header_that_is_none_never_reaches_itk(
    tmp_path: Path, old: bytes, new: bytes
) -> None:
    good = itk_bytes(tmp_path, "a.mha")
    assert old in good
    assert reason(tmp_path, "a.mha", good.replace(old, new, 1)).startswith("file_un")


def test_the_volume_that_is_named_is_read_from_a_meta_image(tmp_path: Path) -> None:
    stack = np.stack([VALUES, VALUES + 100], axis=-1)
    head = (
        "ObjectType = Image\nNDims = 4\nBinaryData = True\nBinaryDataByteOrderMSB = False\n"
        "CompressedData = False\nTransformMatrix = 1 0 0 0 0 -1 0 0 0 0 1 0 0 0 0 1\n"
        "Offset = -10 20 5 0\nElementSpacing = 2 2 3 1\nDimSize = 6 5 4 2\n"
        "ElementType = MET_SHORT\nElementDataFile = LOCAL\n"
    )
    (tmp_path / "a.mha").write_bytes(head.encode() + stack.tobytes(order="F"))
    root = Root(source="toy", folder=tmp_path)
    volume = read_volume(root, "a.mha", VolumeFiles(volume=1))
    np.testing.assert_array_equal(volume.values, VALUES + 100)
    np.testing.assert_allclose(volume.affine, AFFINE, atol=1e-6)
    with pytest.raises(CaseError, match="holds 2 volumes, not one"):
        read_volume(root, "a.mha")
