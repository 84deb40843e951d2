"""The header of an NRRD file: what it says of its axes, held to the format before it is used.

Format: http://teem.sourceforge.net/nrrd/format.html, versions 1 to 5.
"""

import re
from dataclasses import dataclass

import numpy as np

from converters.errors import CaseError
from converters.imaging.volumes import Affine

HEADER_BYTES = 4 << 20  # a segmentation names each of its segments here
_MAX_AXES = 16
_TYPES = {
    "i1": "signed char, int8, int8_t",
    "u1": "uchar, unsigned char, uint8, uint8_t",
    "i2": "short, short int, signed short, signed short int, int16, int16_t",
    "u2": "ushort, unsigned short, unsigned short int, uint16, uint16_t",
    "i4": "int, signed int, int32, int32_t",
    "u4": "uint, unsigned int, uint32, uint32_t",
    "i8": "longlong, long long, long long int, signed long long, signed long long int, int64, "
    "int64_t",
    "u8": "ulonglong, unsigned long long, unsigned long long int, uint64, uint64_t",
    "f4": "float",
    "f8": "double",
}
_DTYPE = {word: kind for kind, words in _TYPES.items() for word in words.split(", ")}
_TO_RAS = {
    "right-anterior-superior": (1, 1, 1), "ras": (1, 1, 1),
    "left-anterior-superior": (-1, 1, 1), "las": (-1, 1, 1),
    "left-posterior-superior": (-1, -1, 1), "lps": (-1, -1, 1),
}  # fmt: skip
_MM = {
    "m": 1e3, "cm": 10.0, "mm": 1.0, "millimeter": 1.0, "millimeters": 1.0, "um": 1e-3,
    "micron": 1e-3, "microns": 1e-3, "nm": 1e-6,
}  # fmt: skip
_ENCODINGS = {"raw": "raw", "gzip": "gzip", "gz": "gzip"}
_SAME = {"datafile": "data file", "lineskip": "line skip", "byteskip": "byte skip"}
_VOLUMES = {"list", "time", "vector", "none", "???", "stub", "scalar"}  # kinds of a further axis
_SPACE = {"domain", "space", "none", "???"}
_NUMBER = r"\s*([-+]?(?:\d{1,20}(?:\.\d{0,20})?|\.\d{1,20})(?:[eE][-+]?\d{1,3})?)\s*"
_VECTOR = re.compile(rf"\({_NUMBER},{_NUMBER},{_NUMBER}\)")
_FIELD = re.compile(r"([A-Za-z][A-Za-z ]*?): ?(.*)")


@dataclass(frozen=True, kw_only=True, slots=True)
class NrrdHeader:
    """What a header says.

    Attributes:
        sizes: Extents; the index of the first axis runs fastest.
        space_axes: The three axes with a direction in space, in order.
        affine: Index along these to millimetres in RAS.
        dtype: Of the values in the file.
        encoding: "raw" or "gzip".
        data_file: Where the values are; "" where they follow the header.
        line_skip: Lines before them.
        byte_skip: Bytes before them; -1 where they end the file.
    """

    sizes: tuple[int, ...]
    space_axes: tuple[int, int, int]
    affine: Affine
    dtype: np.dtype[np.generic]
    encoding: str
    data_file: str
    line_skip: int
    byte_skip: int


def parse_header(text: bytes, name: str) -> NrrdHeader:
    """Read a header up to, not including, the empty line that ends it.

    Raises:
        CaseError: ``file_unreadable`` where it is none, ``file_unsupported`` where its values
            are no volumes, ``geometry_invalid`` where it does not say how they lie.
    """
    fields = _fields(text, name)
    sizes = tuple(_whole(word, name, "sizes", 1) for word in _need(fields, "sizes", name).split())
    if not 3 <= len(sizes) <= _MAX_AXES or str(len(sizes)) != fields.get("dimension"):
        raise CaseError("file_unsupported", f"{name} has sizes {sizes}, no volume")
    space_axes, affine = _geometry(fields, len(sizes), name)
    _require_kinds(fields, space_axes, len(sizes), name)
    encoding = _ENCODINGS.get(_need(fields, "encoding", name).lower())
    if encoding is None:
        raise CaseError("file_unsupported", f"{name} is encoded as {fields['encoding'][:20]!r}")
    return NrrdHeader(
        sizes=sizes,
        space_axes=space_axes,
        affine=affine,
        dtype=_dtype(fields, name),
        encoding=encoding,
        data_file=fields.get("data file", ""),
        line_skip=_whole(fields.get("line skip", "0"), name, "line skip", 0),
        byte_skip=_whole(fields.get("byte skip", "0"), name, "byte skip", -1),
    )


def _fields(text: bytes, name: str) -> dict[str, str]:
    first, *lines = text.decode("latin-1").replace("\r", "").split("\n")
    if not re.fullmatch(r"NRRD000[1-5]", first):
        raise CaseError("file_unreadable", f"{name} does not begin like an NRRD file")
    fields: dict[str, str] = {}
    for line in lines:
        if not line or line.startswith("#") or ":=" in line:
            continue  # comments, and keys that the format does not know
        found = _FIELD.fullmatch(line)
        key = found[1].lower() if found else ""
        key = _SAME.get(key, key)
        if not found or key in fields:
            raise CaseError("file_unreadable", f"{name}: {line[:60]!r} is no line of a header")
        fields[key] = found[2].strip()
    return fields


def _need(fields: dict[str, str], key: str, name: str) -> str:
    if not fields.get(key):
        raise CaseError("file_unreadable", f"{name} has no {key}")
    return fields[key]


def _whole(word: str, name: str, key: str, least: int) -> int:
    if not re.fullmatch(r"-?\d{1,12}", word) or int(word) < least:
        raise CaseError("file_unreadable", f"{name}: {key} is {word[:20]!r}")
    return int(word)


def _dtype(fields: dict[str, str], name: str) -> np.dtype[np.generic]:
    kind = _DTYPE.get(_need(fields, "type", name).lower())
    if kind is None:
        raise CaseError("file_unsupported", f"{name} holds values of type {fields['type'][:30]!r}")
    order = {"little": "<", "big": ">"}.get(fields.get("endian", "").lower())
    if order is None and kind[1] != "1":
        raise CaseError("file_unreadable", f"{name} does not say which of its bytes come first")
    return np.dtype((order or "<") + kind)


def _geometry(fields: dict[str, str], axes: int, name: str) -> tuple[tuple[int, int, int], Affine]:
    space = fields.get("space", "").lower()
    if not space:
        raise CaseError("geometry_invalid", f"{name} names no space: its left is not known")
    if space not in _TO_RAS:
        raise CaseError("geometry_invalid", f"{name}: space {space[:40]!r} does not say its left")
    words = re.findall(r"none|\([^()]*\)", fields.get("space directions", ""))
    if len(words) != axes:
        raise CaseError("geometry_invalid", f"{name}: {len(words)} space directions, {axes} axes")
    space_axes = [at for at, word in enumerate(words) if word != "none"]
    if len(space_axes) != 3:
        raise CaseError("geometry_invalid", f"{name}: {len(space_axes)} axes lie in space, not 3")
    affine = np.eye(4)
    for column, at in enumerate(space_axes):
        affine[:3, column] = _vector(words[at], name)
    if "space origin" in fields:
        affine[:3, 3] = _vector(fields["space origin"], name)
    i, j, k = space_axes
    scales = np.multiply(_TO_RAS[space], _units_mm(fields.get("space units"), name))
    return (i, j, k), np.diag([*scales, 1.0]) @ affine


def _units_mm(words: str | None, name: str) -> list[float]:
    """Millimetres a unit of each axis of space; where none is named, they are millimetres."""
    if words is None:
        return [1.0, 1.0, 1.0]
    units = re.findall(r'"([^"]*)"', words)
    if len(units) != 3 or not all(unit.lower() in _MM for unit in units):
        raise CaseError("geometry_invalid", f"{name}: space units {words[:60]} are not known")
    return [_MM[unit.lower()] for unit in units]


def _vector(word: str, name: str) -> list[float]:
    found = _VECTOR.fullmatch(word)
    if not found:
        raise CaseError("geometry_invalid", f"{name}: {word[:60]!r} is no vector of space")
    return [float(number) for number in found.groups()]


def _require_kinds(
    fields: dict[str, str], space_axes: tuple[int, int, int], axes: int, name: str
) -> None:
    """Refuse axes of colours, complex numbers and tensors: a voxel is one number."""
    kinds = fields.get("kinds", " ".join(["none"] * axes)).lower().split()
    if len(kinds) != axes:
        raise CaseError("file_unreadable", f"{name}: {len(kinds)} kinds, {axes} axes")
    for at, kind in enumerate(kinds):
        if kind not in (_SPACE if at in space_axes else _VOLUMES):
            raise CaseError("file_unsupported", f"{name}: axis {at} is of kind {kind[:20]!r}")
