"""2-D pictures in MetaImage files (`.mha`), as some challenges publish single frames.

A picture of three planes is one in color, its planes red, green and blue.
"""

import re
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from converters.errors import CaseError

_HEADER_BYTES = 64 << 10
_HEADER_END = re.compile(rb"^ElementDataFile[ \t]*=[ \t]*LOCAL[ \t]*\r?\n", re.MULTILINE)
_LINE = re.compile(r"^([A-Za-z][A-Za-z0-9_]*)[ \t]*=[ \t]*(.*?)[ \t]*\r?$", re.MULTILINE)
_TYPES = {"MET_UCHAR": np.uint8, "MET_USHORT": np.uint16, "MET_SHORT": np.int16}
_COLORS = 3
_MAX_PIXELS = 200_000_000


def meta_picture(data: bytes, name: str) -> Image.Image:
    """Decode the bytes of a file.

    Raises:
        CaseError: ``file_unsupported`` (a volume, big-endian, or a type that is not read),
            ``file_unreadable`` (cut or broken) or ``file_too_large``.
    """
    found = _HEADER_END.search(data[:_HEADER_BYTES])
    if found is None:
        raise CaseError("file_unreadable", f"{name} has no header of a MetaImage with its pixels")
    fields = dict(_LINE.findall(data[: found.end()].decode("latin-1")))
    width, height, planes, channels = _shape(fields, name)
    dtype = _TYPES.get(fields.get("ElementType", ""))
    is_big = "true" in (fields.get("BinaryDataByteOrderMSB", ""), fields.get("ElementByteOrderMSB"))
    if dtype is None or is_big or planes * channels not in (1, _COLORS):
        raise CaseError(
            "file_unsupported",
            f"{name}: {planes} planes of {channels} channels of {fields.get('ElementType')}",
        )
    count = width * height * planes * channels
    if not 0 < count <= _MAX_PIXELS:
        raise CaseError("file_too_large", f"{name} has {width}x{height} pixels")
    wanted = count * np.dtype(dtype).itemsize
    stored = data[found.end() :]
    if fields.get("CompressedData", "").lower() == "true":
        stored = _unpacked(stored, wanted, name)
    if len(stored) != wanted:
        raise CaseError("file_unreadable", f"{name} holds {len(stored)} bytes of {wanted}")
    values = np.frombuffer(stored, dtype=np.dtype(dtype).newbyteorder("<"))
    return _image(values, (height, width), planes, channels, name)


def _shape(fields: dict[str, str], name: str) -> tuple[int, int, int, int]:
    """Width, height, planes and channels."""
    try:
        sizes = [int(size) for size in fields["DimSize"].split()]
        channels = int(fields.get("ElementNumberOfChannels", "1"))
    except (KeyError, ValueError) as error:
        raise CaseError("file_unreadable", f"{name} does not say its size") from error
    width, height, *planes = [*sizes, 1] if len(sizes) == len(("x", "y")) else sizes
    if len(planes) != 1:
        raise CaseError("file_unsupported", f"{name} has size {sizes}, which is no picture")
    return width, height, planes[0], channels


def _unpacked(data: bytes, wanted: int, name: str) -> bytes:
    """Zlib's stream, never more of it than is wanted and one byte."""
    try:
        return zlib.decompressobj().decompress(data, wanted + 1)
    except zlib.error as error:
        raise CaseError("file_unreadable", f"{name} is cut or broken: {error}") from error


def _image(
    values: npt.NDArray[Any], size: tuple[int, int], planes: int, channels: int, name: str
) -> Image.Image:
    if planes == channels == 1:
        shown = values.reshape(size)
        return Image.fromarray(shown if shown.dtype == np.uint8 else shown.astype(np.int32))
    if values.dtype != np.uint8:
        raise CaseError("file_unsupported", f"{name}: colors of {values.dtype}")
    color = (
        values.reshape(*size, channels)
        if channels == _COLORS
        else np.moveaxis(values.reshape(planes, *size), 0, -1)
    )
    return Image.fromarray(np.ascontiguousarray(color))
