"""Voxels from a stream of bytes: into memory that is taken once, or passed over."""

import io
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from converters.errors import CaseError

_CHUNK = 4 << 20


def fill_array(
    stream: BinaryIO, dtype: np.dtype[np.generic], count: int, name: str
) -> npt.NDArray[Any]:
    """The next `count` values, one-dimensional and in the stream's byte order.

    Raises:
        CaseError: ``file_unreadable``, where the stream ends before.
    """
    values = np.empty(count, dtype=dtype)
    room = memoryview(values.view(np.uint8))  # type: ignore[arg-type]
    done = 0
    while done < len(room):
        read = cast(io.BufferedIOBase, stream).readinto(room[done : done + _CHUNK])
        if not read:
            raise CaseError(
                "file_unreadable", f"{name} is cut: {done:,} of {len(room):,} bytes of voxels"
            )
        done += read
    return values


def fill_scaled(
    stream: BinaryIO,
    dtype: np.dtype[np.generic],
    count: int,
    line: tuple[float, float],
    name: str,
) -> npt.NDArray[np.float32]:
    """The next `count` values on a line, as floats; never all of the stored ones are held.

    Args:
        stream: Where they come from.
        dtype: As they are stored.
        count: How many.
        line: Slope and intercept.
        name: For messages.

    Raises:
        CaseError: ``file_unreadable``, where the stream ends before.
    """
    slope, intercept = (np.float32(number) for number in line)
    scaled = np.empty(count, dtype=np.float32)
    step = _CHUNK // dtype.itemsize
    for start in range(0, count, step):
        part = scaled[start : start + step]
        stored = native(fill_array(stream, dtype, part.size, name))
        np.multiply(stored, slope, out=part, dtype=np.float32, casting="unsafe")
        if intercept:
            part += intercept
    return scaled


def native(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same values in this machine's byte order; the array given is used up."""
    if values.dtype.isnative:
        return values
    return values.byteswap(inplace=True).view(values.dtype.newbyteorder("="))


def pass_over(stream: BinaryIO, count: int, name: str) -> None:
    """Read `count` bytes and forget them.

    Raises:
        CaseError: ``file_unreadable``, where the stream ends before.
    """
    left = count
    while left:
        read = len(stream.read(min(left, _CHUNK)))
        if not read:
            raise CaseError("file_unreadable", f"{name} is cut: {left:,} bytes are missing")
        left -= read
