"""Arrays in MATLAB files: version 5 is read here, version 7.3 is HDF5.

Only plain numeric arrays are read, and only after their header was held against the bytes
there are: SciPy's reader takes what a header claims.
"""

import struct
import zlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from converters.errors import CaseError
from converters.imaging.streams import fill_array, native, pass_over
from converters.imaging.volumes import DEFLATE_RATIO, require_size

# Types of data elements and classes of arrays: "MAT-File Format", The MathWorks, 2019.
_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8",
          13: "u8"}  # fmt: skip
_MATRIX, _PACKED, _NUMERIC_CLASSES, _COMPLEX = 14, 15, range(6, 16), 0x08
_HEADER_BYTES, _PART_BYTES, _MAX_ELEMENTS = 128, 4096, 10_000
_BROKEN = (struct.error, zlib.error, EOFError, ValueError)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Stream:
    """Bytes of a file or of a packed element of it, and how its numbers are written."""

    source: BinaryIO
    order: str

    def exactly(self, count: int) -> bytes:
        """So many bytes.

        Raises:
            EOFError: There are fewer.
        """
        found = self.source.read(count)
        if len(found) < count:
            raise EOFError("it ends too soon")
        return found

    def tag(self) -> tuple[int, int, bytes | None]:
        """Type and length of an element, and the bytes of a small one, which lie in its tag."""
        first = self.exactly(8)
        kind, length = struct.unpack(self.order + "II", first)
        if kind >> 16:
            return kind & 0xFFFF, kind >> 16, first[4 : 4 + min(4, kind >> 16)]
        return kind, length, None

    def part(self, limit: int = _PART_BYTES) -> tuple[int, bytes]:
        """Type and bytes of a short element, its padding passed over."""
        kind, length, small = self.tag()
        if small is not None:
            return kind, small
        if length > limit:
            raise ValueError(f"a part of a header has {length:,} bytes")
        found = self.exactly(length)
        self.exactly(-length % 8)
        return kind, found


class _Inflated:
    """A packed element read as a stream; no more is unpacked than is asked for."""

    def __init__(self, file: BinaryIO, length: int) -> None:
        self._file, self._left = file, length
        self._unpack = zlib.decompressobj()
        self._ready = b""

    def read(self, count: int = -1) -> bytes:
        """At most `count` bytes, fewer only at the end."""
        out = bytearray()
        while len(out) < count:
            piece = self._piece(count - len(out))
            if not piece:
                break
            out += piece
        return bytes(out)

    def readinto(self, room: memoryview) -> int:
        """Fill a part of `room`; 0 at the end."""
        piece = self._piece(len(room))
        room[: len(piece)] = piece
        return len(piece)

    def _piece(self, most: int) -> bytes:
        while not self._unpack.eof:
            packed = self._unpack.unconsumed_tail
            if not packed:
                packed = self._file.read(min(self._left, 1 << 18))
                self._left -= len(packed)
                if not packed:
                    return b""
            found = self._unpack.decompress(packed, most)
            if found:
                return found
        return b""


def read_mat(path: Path, name: str, variable: str) -> npt.NDArray[Any]:
    """The array of that name, its axes in the order that MATLAB shows.

    Raises:
        CaseError: ``file_unsupported``, ``file_unreadable`` or ``file_too_large``.
        OSError: The disk did not give it.
    """
    with path.open("rb") as file:
        head = file.read(_HEADER_BYTES)
        if head.startswith(b"MATLAB 7.3") or b"\x89HDF\r\n\x1a\n" in head[:16]:
            from converters.imaging.hdf5 import read_matlab73

            return read_matlab73(path, name, variable)
        order = {b"IM": "<", b"MI": ">"}.get(head[126:128])
        if order is None or len(head) < _HEADER_BYTES:
            raise CaseError("file_unreadable", f"{name} does not begin like a MATLAB 5 file")
        try:
            return _find(_Stream(source=file, order=order), path.stat().st_size, name, variable)
        except _BROKEN as error:
            raise CaseError("file_unreadable", f"{name} is cut or broken: {error}") from error


def _find(file: _Stream, file_bytes: int, name: str, variable: str) -> npt.NDArray[Any]:
    seen: list[str] = []
    for _ in range(_MAX_ELEMENTS):
        if not (start := file.source.read(1)):
            break
        file.source.seek(-len(start), 1)
        kind, length, _small = file.tag()
        after = file.source.tell() + length
        inner, held = file, min(length, file_bytes)
        if kind == _PACKED:
            stream = cast(BinaryIO, _Inflated(file.source, length))
            inner, held = _Stream(source=stream, order=file.order), held * DEFLATE_RATIO
            kind, _length, _small = inner.tag()
        if kind == _MATRIX:
            found = _matrix(inner, held, name, variable, seen)
            if found is not None:
                if inner is not file and inner.source.read(1):  # its checksum is looked at here
                    raise ValueError(f"{variable!r} goes on after its last number")
                return found
        file.source.seek(after)
    raise CaseError("file_unsupported", f"{name}: no {variable!r}; it holds {', '.join(seen[:8])}")


def _matrix(
    stream: _Stream, held: int, name: str, variable: str, seen: list[str]
) -> npt.NDArray[Any] | None:
    """The array that begins here where it is the one that is looked for, else None."""
    flags = struct.unpack(stream.order + "II", stream.part()[1])[0]
    kind, extents = stream.part()
    title = stream.part()[1].decode("ascii", "replace")
    seen.append(title)
    if title != variable:
        return None
    if flags & 0xFF not in _NUMERIC_CLASSES or (flags >> 8) & _COMPLEX:
        raise CaseError("file_unsupported", f"{name}: {variable!r} is no plain array of numbers")
    if kind != 5 or len(extents) % 4:
        raise ValueError("the shape is not whole numbers")
    shape = struct.unpack(f"{stream.order}{len(extents) // 4}i", extents)
    return _numbers(stream, shape, held, name)


def _numbers(stream: _Stream, shape: tuple[int, ...], held: int, name: str) -> npt.NDArray[Any]:
    kind, length, small = stream.tag()
    if kind not in _TYPES:
        raise ValueError(f"numbers of type {kind}")
    dtype = np.dtype(stream.order + _TYPES[kind])
    require_size(shape, dtype.itemsize, held, name, is_packed=False)
    count = int(np.prod(shape))
    if length != count * dtype.itemsize:
        raise ValueError(f"{length:,} bytes for shape {shape}")
    source = BytesIO(small) if small is not None else stream.source
    values = fill_array(source, dtype, count, name)
    pass_over(stream.source, 0 if small is not None else -length % 8, name)
    return native(values).reshape(shape, order="F")
