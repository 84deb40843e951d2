"""DICOM files opened with bounds: what is in a file decides neither memory nor depth."""

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import pydicom
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from converters.errors import CaseError
from converters.files import Root

FILE_BYTES = 4 << 30
INFLATED_BYTES = 1 << 30
HEADER_BYTES = (
    128 << 20
)  # read before the pixels; what is larger than a deferred element is skipped
_DEFERRED_BYTES = 8 << 20
_META_BYTES = 1 << 20
_PREAMBLE = 128
_LONG_LENGTH = (b"OB", b"OW", b"OF", b"OD", b"OL", b"OV", b"SQ", b"UC", b"UN", b"UR", b"UT")

# What pydicom and its decoders raise on a file that is not what it says.
BROKEN = (InvalidDicomError, BytesLengthException, AttributeError, ValueError, TypeError,
          KeyError, IndexError,
          NotImplementedError, EOFError, OverflowError, RecursionError, MemoryError,
          RuntimeError, AssertionError, ZeroDivisionError, struct.error, zlib.error)  # fmt: skip


class _Bounded(io.RawIOBase):
    """A file that refuses to give more than so many bytes; what is skipped does not count."""

    def __init__(self, file: BinaryIO, limit: int, name: str) -> None:
        self._file, self._left, self._limit, self._name = file, limit, limit, name

    def read(self, size: int | None = -1) -> bytes:
        given = self._file.read(self._left + 1 if size is None or size < 0 else size)
        self._left -= len(given)
        if self._left < 0:
            raise CaseError(
                "file_too_large", f"{self._name}: a header of more than {self._limit:,} bytes"
            )
        return given

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True


@contextmanager
def quiet() -> Iterator[None]:
    """Without the warnings of pydicom: what matters in them is refused here, or on record."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def broken(name: str, error: BaseException) -> CaseError:
    """The rejection for a file that pydicom cannot read."""
    # Only the first line: pydicom adds tracebacks, with paths of this machine.
    text = f"{type(error).__name__}: {error}".partition("\n")[0][:160]
    return CaseError("file_unreadable", f"{name} is cut, broken or no DICOM file: {text}")


def open_dataset(root: Root, relative: str, *, with_pixels: bool) -> pydicom.FileDataset:
    """Read a DICOM file, with or without its pixels.

    A file without preamble or meta information is read where it begins like a data set and
    names its SOP class; its transfer syntax is then told from its encoding.

    Raises:
        CaseError: ``file_unreadable`` or ``file_too_large``, or what
            :meth:`converters.files.Root.checked` raises.
        SourceError: The disk did not give the file; running again may help.
    """
    path = root.checked(relative, FILE_BYTES)
    try:
        with quiet():
            dataset = _read(path, relative, with_pixels=with_pixels)
    except OSError as error:
        if error.errno is None:  # raised by pydicom for what it finds, not by the disk
            raise broken(relative, error) from error
        raise root.unreadable(relative, error) from error
    except BROKEN as error:
        raise broken(relative, error) from error
    dataset.filename = relative  # for messages; never the path on this machine
    return dataset


def _read(path: Path, name: str, *, with_pixels: bool) -> pydicom.FileDataset:
    with path.open("rb") as file:
        has_meta, syntax, end = _transfer_syntax(file, name)
        if not has_meta:
            _require_data_set(file, name)
        file.seek(0)
        stream: BinaryIO = file
        if syntax == DeflatedExplicitVRLittleEndian:
            stream = _inflated(file, end, name)
        if with_pixels:
            dataset = pydicom.dcmread(stream, force=not has_meta)
        else:
            dataset = pydicom.dcmread(
                cast(BinaryIO, _Bounded(stream, HEADER_BYTES, name)),
                force=not has_meta,
                stop_before_pixels=True,
                defer_size=_DEFERRED_BYTES,
            )
    if not str(dataset.file_meta.get("TransferSyntaxUID", "")):
        _name_encoding(dataset, name)
    return dataset


def _transfer_syntax(file: BinaryIO, name: str) -> tuple[bool, str, int]:
    """Whether there is a meta group, the transfer syntax in it, and where it ends (PS3.10, 7.1)."""
    file.seek(_PREAMBLE)
    if file.read(4) != b"DICM":
        return False, "", 0
    syntax = ""
    while True:
        at = file.tell()
        head = file.read(8)
        if len(head) < 8 or head[:2] != b"\x02\x00":
            return True, syntax, at
        if head[4:6] in _LONG_LENGTH:
            (length,) = struct.unpack("<L", file.read(4))
        else:
            (length,) = struct.unpack("<H", head[6:])
        if length > _META_BYTES:
            raise CaseError("file_unreadable", f"{name}: an element of {length:,} bytes in group 2")
        value = file.read(length)
        if head[2:4] == b"\x10\x00":
            syntax = value.rstrip(b"\0 ").decode("ascii", "replace")


def _require_data_set(file: BinaryIO, name: str) -> None:
    """Without a preamble, only what begins with group 2 or 8 is tried."""
    file.seek(0)
    if file.read(2) not in (b"\x02\x00", b"\x08\x00", b"\x00\x08"):
        raise CaseError("file_unreadable", f"{name} does not begin like a DICOM file")


def _name_encoding(dataset: pydicom.FileDataset, name: str) -> None:
    if not str(dataset.get("SOPClassUID", "")).startswith("1.2.840.10008."):
        raise CaseError("file_unreadable", f"{name} names neither transfer syntax nor SOP class")
    is_implicit, is_little = dataset.original_encoding
    native = ImplicitVRLittleEndian if is_implicit else ExplicitVRLittleEndian
    dataset.file_meta.TransferSyntaxUID = native if is_little else ExplicitVRBigEndian


def _inflated(file: BinaryIO, end: int, name: str) -> BinaryIO:
    """The file with its data set inflated (PS3.5, A.5), up to a limit.

    pydicom itself would inflate to any size.
    """
    file.seek(end)
    packed = zlib.decompressobj(-zlib.MAX_WBITS)
    data = packed.decompress(file.read(), INFLATED_BYTES)
    if packed.unconsumed_tail:
        raise CaseError("file_too_large", f"{name} inflates to more than {INFLATED_BYTES:,} bytes")
    if not packed.eof:
        raise CaseError("file_unreadable", f"{name} ends within its deflated data set")
    uid = ExplicitVRLittleEndian.encode() + b"\0"
    meta = b"\x02\x00\x10\x00UI" + struct.pack("<H", len(uid)) + uid
    return io.BytesIO(bytes(_PREAMBLE) + b"DICM" + meta + data)
