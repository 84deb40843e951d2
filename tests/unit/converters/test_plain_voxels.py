"""Voxels of MHA and MHD that are read here are those that SimpleITK reads."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - as its documentation writes it

from converters.errors import CaseError
from converters.files import Root
from converters.imaging import itk
from converters.imaging.volumes import read_volume

HEADER = """ObjectType = Image
NDims = 3
BinaryData = True
{more}TransformMatrix = 1 0 0 0 1 0 0 0 1
Offset = 1 2 3
ElementSpacing = 1 2 3
DimSize = 5 4 3
ElementType = {kind}
ElementDataFile = {data}
"""
KINDS = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4",
    "MET_UINT": "u4", "MET_FLOAT": "f4", "MET_DOUBLE": "f8",
}  # fmt: skip


def write(folder: Path, kind: str, *, more: str = "", tail: bytes = b"") -> str:
    """A file of numbers from 0, in the byte order that its header says."""
    is_big = "MSB = True" in more
    values = np.arange(60).astype((">" if is_big else "<") + KINDS[kind])
    head = HEADER.format(more=more, kind=kind, data="LOCAL")
    (folder / "a.mha").write_bytes(head.encode() + values.tobytes() + tail)
    return "a.mha"


def is_read_here(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether SimpleITK is not asked for voxels; they are the same in either case."""
    asked = []
    voxels = itk._Voxels
    monkeypatch.setattr(itk, "_Voxels", lambda image: asked.append(image) or voxels(image))
    volume = read_volume(Root(source="toy", folder=folder), name)
    expected = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / name)))
    np.testing.assert_array_equal(volume.values.transpose(2, 1, 0), expected)
    assert volume.values.dtype == expected.dtype
    return not asked


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("order", ["", "ElementByteOrderMSB", "BinaryDataByteOrderMSB"])
@pytest.mark.parametrize("said", ["True", "False"])
def test_every_type_and_order_of_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, order: str, said: str
) -> None:
    name = write(tmp_path, kind, more=f"{order} = {said}\n" if order else "")
    assert is_read_here(tmp_path, name, monkeypatch)


def test_voxels_beside_their_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.mhd").write_text(HEADER.format(more="", kind="MET_SHORT", data="a.raw"))
    (tmp_path / "a.raw").write_bytes(np.arange(60, dtype="<i2").tobytes())
    assert is_read_here(tmp_path, "a.mhd", monkeypatch)


@pytest.mark.parametrize(
    "unusual",
    [
        {"tail": b"more"},
        {"more": "HeaderSize = 0\n"},
        {"more": "ElementByteOrderMSB = True\nBinaryDataByteOrderMSB = False\n"},
    ],
)
def test_what_is_unusual_is_left_to_simpleitk_or_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unusual: dict
) -> None:
    name = write(tmp_path, "MET_SHORT", **unusual)
    assert not is_read_here(tmp_path, name, monkeypatch)


def test_a_file_that_is_cut_is_refused(tmp_path: Path) -> None:
    name = write(tmp_path, "MET_SHORT")
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CaseError, match="file_unreadable"):
        read_volume(Root(source="toy", folder=tmp_path), name)
