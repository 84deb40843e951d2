"""Named arrays in files: NumPy's `.npy` and `.npz`; HDF5 and MATLAB have modules of their own.

Nothing is ever unpickled: an array of objects is refused by its header.
"""

import ast
import errno
import gzip
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from converters.errors import CaseError
from converters.imaging.streams import fill_array, native
from converters.imaging.volumes import require_size
from converters.specs.volume_files import Variable

_HEADER_BYTES = 10_000  # as NumPy itself allows where it does not trust a file
_PLAIN_ZIP = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_BROKEN = (
    EOFError, ValueError, KeyError, SyntaxError, MemoryError, RecursionError, TypeError,
    NotImplementedError, RuntimeError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile,
)  # fmt: skip


def read_variable(path: Path, name: str, spec: Variable) -> npt.NDArray[Any]:
    """Read the array of a volume, as :func:`read_array`."""
    return read_array(path, name, spec.variable)


def read_array(path: Path, name: str, variable: str | None) -> npt.NDArray[Any]:
    """Read one array of a file; its suffix tells its kind.

    Raises:
        CaseError: ``file_unsupported``, ``file_unreadable`` or ``file_too_large``.
        OSError: The disk did not give it.
    """
    suffix = path.suffix.lower()
    if suffix == ".npy":
        with path.open("rb") as stream:
            return _read_npy(stream, path.stat().st_size, name, is_packed=False)
    if variable is None:
        raise CaseError("file_unsupported", f"{name}: the manifest names no `variable` in it")
    if suffix == ".npz":
        return _read_npz(path, name, variable)
    if suffix in (".h5", ".hdf5"):
        from converters.imaging.hdf5 import read_hdf5

        return read_hdf5(path, name, variable)
    if suffix == ".mat":
        from converters.imaging.matlab import read_mat

        return read_mat(path, name, variable)
    raise CaseError("file_unsupported", f"{name}: arrays in {suffix!r} files are not read")


def require_plain_type(dtype: np.dtype[Any], name: str) -> None:
    """Refuse what is no number: objects (which NumPy would unpickle), texts, records.

    Raises:
        CaseError: ``file_unsupported``.
    """
    if dtype.hasobject or dtype.kind not in "biuf" or dtype.itemsize > 8:
        raise CaseError("file_unsupported", f"{name} holds values of type {dtype}")


def _read_npz(path: Path, name: str, variable: str) -> npt.NDArray[Any]:
    with open_member(path, name, variable) as (stream, held_bytes, is_packed):
        return _read_npy(stream, held_bytes, name, is_packed=is_packed)


@contextmanager
def open_member(path: Path, name: str, variable: str) -> Iterator[tuple[BinaryIO, int, bool]]:
    """The bytes of one array of an archive: a stream, how many are held, whether packed.

    Raises:
        CaseError: ``file_unsupported`` or ``file_unreadable``, also of what is read within.
        OSError: The disk did not give it.
    """
    member = f"{variable}.npy"
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if entry.filename == member]
            if len(entries) != 1:
                held = ", ".join(entry.filename for entry in archive.infolist()[:8])
                raise CaseError("file_unsupported", f"{name}: no {variable!r}; it holds {held}")
            entry = entries[0]
            if entry.compress_type not in _PLAIN_ZIP:
                raise CaseError("file_unsupported", f"{name}: {member} is packed in a rare way")
            is_packed = entry.compress_type == zipfile.ZIP_DEFLATED
            held_bytes = min(entry.compress_size, path.stat().st_size)
            with archive.open(entry) as stream:
                yield cast(BinaryIO, stream), held_bytes, is_packed
    except _BROKEN as error:
        raise CaseError("file_unreadable", f"{name} is cut or broken: {error}") from error
    except OSError as error:
        if (
            error.errno != errno.EINVAL
        ):  # a place before the file: the archive says so, not the disk
            raise
        raise CaseError("file_unreadable", f"{name} is no whole archive") from error


def _read_npy(stream: BinaryIO, file_bytes: int, name: str, *, is_packed: bool) -> npt.NDArray[Any]:
    """One array; memory is taken only once its header was held against the bytes there are."""
    shape, is_fortran, dtype = npy_header(stream, name)
    require_size(shape, dtype.itemsize, file_bytes, name, is_packed=is_packed)
    values = fill_array(stream, dtype, int(np.prod(shape)), name)
    if stream.read(1):
        raise CaseError("file_unreadable", f"{name} goes on after its last value")
    return native(values).reshape(shape, order="F" if is_fortran else "C")


def npy_header(stream: BinaryIO, name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether the first index grows fastest, and type, which is one of plain numbers.

    Raises:
        CaseError: ``file_unreadable`` or ``file_unsupported``.
    """
    try:
        shape, is_fortran, dtype = _npy_header(stream)
    except _BROKEN as error:
        raise CaseError("file_unreadable", f"{name} is no array of NumPy: {error}") from error
    require_plain_type(dtype, name)
    return shape, is_fortran, dtype


def _npy_header(stream: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and type, as NumPy's format description has them (versions 1 to 3)."""
    start = stream.read(8)
    if start[:6] != b"\x93NUMPY" or start[6:7] not in (b"\x01", b"\x02", b"\x03"):
        raise ValueError("it does not begin like one")
    length = int.from_bytes(stream.read(2 if start[6] == 1 else 4), "little")
    if length > _HEADER_BYTES:
        raise ValueError(f"its header has {length:,} bytes")
    header = ast.literal_eval(stream.read(length).decode("utf-8" if start[6] == 3 else "latin-1"))
    if not isinstance(header, dict) or set(header) != {"descr", "fortran_order", "shape"}:
        raise ValueError("its header is not one of NumPy's")
    shape, descr = header["shape"], header["descr"]
    if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError(f"its shape is {shape!r:.60}")
    if not isinstance(descr, str):
        raise ValueError("it holds records")
    return shape, bool(header["fortran_order"]), np.dtype(descr)
