"""Arrays read row by row: each row of the first axis is a picture, a mask or a label.

Arrays of NumPy are never in memory as a whole: a set of pictures may be larger than it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
import numpy.typing as npt

from converters.errors import CaseError
from converters.imaging.arrays import npy_header, open_member, read_array
from converters.imaging.streams import fill_array, native
from converters.imaging.volumes import DEFLATE_RATIO, require_size

Array: TypeAlias = npt.NDArray[Any]


def array_rows(path: Path, name: str, variable: str | None, *, is_one: bool) -> Iterator[Array]:
    """Yield the rows of an array in order, or (`is_one`) the whole array alone.

    Args:
        path: The file: `.npy`, `.npz`, `.h5`, `.hdf5` or `.mat`.
        name: For messages.
        variable: The array in it; None for `.npy`.
        is_one: Whether the array is one picture.

    Raises:
        CaseError: ``file_unsupported``, ``file_unreadable`` or ``file_too_large``.
        OSError: The disk did not give it.
    """
    suffix = path.suffix.lower()
    if is_one or suffix not in (".npy", ".npz"):
        whole = read_array(path, name, variable)
        yield from [whole] if is_one else whole
    elif suffix == ".npy":
        with path.open("rb") as stream:
            yield from _streamed(stream, path.stat().st_size, name)
    else:
        with open_member(path, name, variable or "") as (stream, held, is_packed):
            yield from _streamed(stream, held * (DEFLATE_RATIO if is_packed else 1), name)


def _streamed(stream: BinaryIO, held_bytes: int, name: str) -> Iterator[Array]:
    shape, is_fortran, dtype = npy_header(stream, name)
    if is_fortran or not shape:
        raise CaseError("file_unsupported", f"{name} is not stored row by row")
    row = shape[1:]
    require_size((1, *row), dtype.itemsize, held_bytes, name, is_packed=False)
    if int(np.prod(shape, dtype=object)) * dtype.itemsize > held_bytes:
        raise CaseError("file_unreadable", f"{name} is cut: it cannot hold shape {shape}")
    for _ in range(shape[0]):
        yield native(fill_array(stream, dtype, int(np.prod(row)), name)).reshape(row)
