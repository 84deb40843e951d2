"""MHA and MHD files through SimpleITK; its LPS frame is turned into RAS.

Headers are always SimpleITK's to understand. Voxels that are not packed, and fill their file to the
byte, are read here, in half the time.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from posixpath import dirname, join
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk  # noqa: N813 - as its documentation writes it

from converters.errors import CaseError
from converters.files import Root
from converters.imaging.streams import fill_array, native
from converters.imaging.volumes import (
    Affine,
    Volume,
    Wanted,
    require_geometry,
    require_size,
    selected,
    squeeze_shape,
    voxel_names,
)

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_HEADER_BYTES = 64 << 10
_DATA_FILE = re.compile(rb"^ElementDataFile\s*=\s*(.+?)\s*$", re.MULTILINE)
_META_FRAME = re.compile(rb"^(TransformMatrix|Orientation|Rotation)\s*=", re.MULTILINE)
_HEADER_END = re.compile(rb"^ElementDataFile[ \t]*=[^\n]*\n", re.MULTILINE)
_META_LINE = re.compile(r"([A-Za-z][A-Za-z0-9_]*)\s*=\s*([\x20-\x7e]{0,4096})")
_META_NUMBERS = {
    "TransformMatrix": "matrix", "Rotation": "matrix", "Orientation": "matrix",
    "Offset": "vector", "Position": "vector", "Origin": "vector", "CenterOfRotation": "vector",
    "ElementSpacing": "vector", "ElementSize": "vector", "DimSize": "vector",
}  # fmt: skip
_NUMBER = re.compile(r"[-+]?(\d{1,12}(\.\d{0,20})?|\.\d{1,20})([eE][-+]?\d{1,3})?")
_TYPES = {
    sitk.sitkInt8: "i1", sitk.sitkUInt8: "u1", sitk.sitkInt16: "i2", sitk.sitkUInt16: "u2",
    sitk.sitkInt32: "i4", sitk.sitkUInt32: "u4", sitk.sitkFloat32: "f4", sitk.sitkInt64: "i8",
    sitk.sitkUInt64: "u8", sitk.sitkFloat64: "f8",
}  # fmt: skip
_BYTE_ORDERS = ("ElementByteOrderMSB", "BinaryDataByteOrderMSB")
sitk.ProcessObject.SetGlobalWarningDisplay(False)  # noqa: FBT003 - SimpleITK's signature


def read_itk(path: Path, name: str, root: Root, wanted: Wanted) -> list[Volume]:
    """Read one MHA or MHD file.

    Args:
        path: Where it lies.
        name: Relative to the root; for messages, and for the voxel file that a header names.
        root: The source's folder.
        wanted: Which of its volumes.

    Raises:
        CaseError: See :func:`converters.imaging.volumes.read_volume`.
        OSError: The disk did not give it.
    """
    with path.open("rb") as file:
        head = file.read(_HEADER_BYTES)
    data_path, fields = _meta_data(head, path, name, root)
    is_packed = _is_true(fields, "CompressedData")
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        total = _require_plain(reader, data_path.stat().st_size, name, is_packed=is_packed)
        indices = wanted.of(total, name)
        affine = _affine_of(reader)
        require_geometry(affine, name)
        start = None if is_packed else _plain_start(reader, fields, head, data_path, path)
        values = (
            np.asarray(_Voxels(reader.Execute()))
            if start is None
            else _read_plain(reader, fields, data_path, start, name)
        )
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1][:160].replace(str(path), name)
        raise CaseError("file_unreadable", f"{name} is cut or broken: {reason}") from error
    stack = values.reshape(total, *values.shape[-3:])
    return [
        Volume(values=stack[index].transpose(2, 1, 0), affine=affine, steps=selected(index, total))
        for index in indices
    ]


def _plain_start(
    reader: sitk.ImageFileReader, fields: Mapping[str, str], head: bytes, data: Path, path: Path
) -> int | None:
    """Where voxels begin that are all that is in their file; None where there is more to it."""
    end = _HEADER_END.search(head)
    start = end.end() if end and data == path else 0
    expected = int(np.prod(reader.GetSize())) * _dtype(reader).itemsize
    orders = {_is_true(fields, key) for key in _BYTE_ORDERS if key in fields}
    is_plain = all(
        (
            end is not None,
            _is_true(fields, "BinaryData"),
            "HeaderSize" not in fields,
            len(orders) < 2,
            data.stat().st_size == start + expected,
        )
    )
    return start if is_plain else None


def _read_plain(
    reader: sitk.ImageFileReader, fields: Mapping[str, str], data: Path, start: int, name: str
) -> npt.NDArray[Any]:
    """Voxels as SimpleITK would give them, its last axis first."""
    is_big = any(_is_true(fields, key) for key in _BYTE_ORDERS)
    dtype = _dtype(reader).newbyteorder(">" if is_big else "<")
    size = [int(n) for n in reader.GetSize()]
    with data.open("rb") as stream:
        stream.seek(start)
        values = native(fill_array(stream, dtype, int(np.prod(size)), name))
    return values.reshape(size[::-1])


def _dtype(reader: sitk.ImageFileReader) -> np.dtype[np.generic]:
    return np.dtype(_TYPES[reader.GetPixelID()])


def _is_true(fields: Mapping[str, str], key: str) -> bool:
    return fields.get(key, "").strip().lower() == "true"


class _Voxels:
    """The voxels of an ITK image, not copied: the array made of this keeps the image."""

    def __init__(self, image: sitk.Image) -> None:
        self.image = image
        self.__array_interface__ = sitk.GetArrayViewFromImage(image).__array_interface__


def _meta_data(head: bytes, path: Path, name: str, root: Root) -> tuple[Path, dict[str, str]]:
    """The file of the voxels (a header may name none but one beside it), and what a header says."""
    found = _DATA_FILE.search(head.replace(b"\r", b""))
    if not found:
        raise CaseError("file_unreadable", f"{name} has no ElementDataFile")
    text = head[: found.end()].replace(b"\r", b"")
    fields = _meta_header(text, name)
    if not _META_FRAME.search(text):
        raise CaseError("geometry_invalid", f"{name} has no TransformMatrix: its left is not known")
    beside = found.group(1).decode("utf-8", "replace")
    if beside.upper() == "LOCAL":
        return path, fields
    if beside not in voxel_names(name):
        raise CaseError("file_unsupported", f"{name} keeps its voxels in {beside[:60]!r}")
    if not (path.parent / beside).exists():
        raise CaseError("file_unreadable", f"{name}: its voxels in {beside} are not there")
    return root.checked(join(dirname(name), beside)), fields


def _meta_header(text: bytes, name: str) -> dict[str, str]:
    """What a header says; one that is none of a volume is refused: ITK ends the process on some.

    Every line is "Key = value", each key stands once, and the numbers fit `NDims`, which is 3
    or 4.
    """
    fields: dict[str, str] = {}
    for line in text.decode("latin-1").splitlines():
        found = _META_LINE.fullmatch(line)
        if not found or found[1] in fields:
            raise CaseError("file_unreadable", f"{name}: {line[:60]!r} is no line of a header")
        fields[found[1]] = found[2]
    if fields.get("NDims") not in ("3", "4"):
        raise CaseError("file_unsupported", f"{name} has NDims {fields.get('NDims', 'none')[:20]}")
    dimensions = int(fields["NDims"])
    for key, count in _META_NUMBERS.items():
        numbers = fields.get(key, "").split()
        wanted = dimensions**2 if count == "matrix" else dimensions
        is_fit = len(numbers) == wanted and all(map(_NUMBER.fullmatch, numbers))
        if key in fields and not is_fit:
            raise CaseError("file_unreadable", f"{name}: {key} is not {wanted} numbers")
    _require_plain_values(fields, name)
    if "DimSize" not in fields or "ElementType" not in fields:
        raise CaseError("file_unreadable", f"{name} has no DimSize or no ElementType")
    return fields


def _require_plain_values(fields: dict[str, str], name: str) -> None:
    """Refuse values that stand for others: ITK passes over their slope and offset."""
    for key, value in (("Slope", 1), ("Offset", 0)):
        said = fields.get(f"ElementToIntensityFunction{key}", str(value)).strip()
        if not _NUMBER.fullmatch(said) or float(said) != value:
            raise CaseError("file_unsupported", f"{name}: its values have {key} {said[:20]!r}")


def _require_plain(
    reader: sitk.ImageFileReader, file_bytes: int, name: str, *, is_packed: bool
) -> int:
    """How many volumes the file holds."""
    shape = tuple(int(n) for n in reader.GetSize())
    _, total = squeeze_shape(shape, name)
    kind = reader.GetPixelID()
    if reader.GetNumberOfComponents() != 1 or kind not in _TYPES:
        raise CaseError("file_unsupported", f"{name} holds more than one plain number a voxel")
    require_size(shape, _dtype(reader).itemsize, file_bytes, name, is_packed=is_packed)
    return total


def _affine_of(image: sitk.ImageFileReader) -> Affine:
    size = image.GetDimension()
    direction = np.array(image.GetDirection(), dtype=np.float64).reshape(size, size)[:3, :3]
    affine = np.eye(4)
    affine[:3, :3] = direction * np.array(image.GetSpacing()[:3])
    affine[:3, 3] = image.GetOrigin()[:3]
    return np.asarray(_LPS_TO_RAS @ affine)
