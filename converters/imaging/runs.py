"""Run-length codes of masks: pairs of start and length, as competitions write them."""

from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from converters.errors import CaseError
from converters.facts import Mask

Starts: TypeAlias = Literal["from_0", "from_1", "relative"]
Order: TypeAlias = Literal["rows", "columns"]

MAX_RUNS = 4_000_000


def decode_runs(
    text: str, size: tuple[int, int], *, starts: Starts, order: Order, where: str
) -> Mask:
    """A mask of shape (rows, columns) from "start length start length ...".

    Args:
        text: Whole numbers with blanks between them.
        size: Width and height of the picture.
        starts: Pixels are counted from 0 or from 1; or a start is the distance from the end of
            the run before it (of the first: from the first pixel).
        order: Pixels are counted row after row, or column after column.
        where: For messages.

    Raises:
        CaseError: ``value_invalid``, where it is no such code: a number is missing or not whole,
            a length is not positive, runs go back or overlap; ``box_outside``, where a run
            reaches out of the picture; ``box_empty``, where there is no run.
    """
    numbers = _numbers(text, where)
    begin, length = numbers[0::2], numbers[1::2]
    if int(length.min()) < 1:
        raise CaseError("value_invalid", f"{where}: a run of {int(length.min())} pixels")
    begin = _absolute(begin, length, starts)
    end = begin + length
    if (begin[1:] < end[:-1]).any():
        at = int(np.flatnonzero(begin[1:] < end[:-1])[0]) + 1
        raise CaseError("value_invalid", f"{where}: run {at + 1} begins before run {at} ends")
    width, height = size
    if begin[0] < 0 or end[-1] > width * height:
        raise CaseError(
            "box_outside",
            f"{where}: pixels {begin[0]:,} to {end[-1]:,} of a picture with {width}x{height}",
        )
    return _mask(begin, end, size, order)


def _numbers(text: str, where: str) -> npt.NDArray[np.int64]:
    words = text.split()
    if not words:
        raise CaseError("box_empty", f"{where}: no runs")
    if len(words) % 2 or len(words) > 2 * MAX_RUNS:
        raise CaseError("value_invalid", f"{where}: {len(words):,} numbers are no pairs")
    for word in words:
        # int() also takes "1_0" and digits of other scripts; a long one would not fit.
        if not word.removeprefix("-").isascii() or not word.removeprefix("-").isdigit():
            raise CaseError("value_invalid", f"{where}: {word[:40]!r} is no whole number")
        if len(word) > 12:
            raise CaseError("value_invalid", f"{where}: {word[:40]} is no place in a picture")
    return np.array(words, dtype=np.int64)


def _absolute(
    begin: npt.NDArray[np.int64], length: npt.NDArray[np.int64], starts: Starts
) -> npt.NDArray[np.int64]:
    """Starts counted from 0."""
    if starts == "relative":
        before = np.concatenate([[0], np.cumsum(length)[:-1]])
        return np.asarray(np.cumsum(begin) + before)
    return begin - (1 if starts == "from_1" else 0)


def _mask(
    begin: npt.NDArray[np.int64], end: npt.NDArray[np.int64], size: tuple[int, int], order: Order
) -> Mask:
    width, height = size
    # One step up where a run begins, one down where it ends: touching runs cancel.
    steps = np.zeros(width * height + 1, dtype=np.int8)
    np.add.at(steps, begin, 1)
    np.add.at(steps, end, -1)
    flat = np.cumsum(steps[:-1], dtype=np.int8).astype(bool)
    return flat.reshape(height, width) if order == "rows" else flat.reshape(width, height).T


def encode_runs(mask: Mask, *, starts: Starts, order: Order) -> str:
    """The code of a mask of shape (rows, columns); "" for an empty one."""
    flat = mask.ravel(order="C" if order == "rows" else "F").astype(np.int8)
    edges = np.flatnonzero(np.diff(flat, prepend=0, append=0))
    begin, end = edges[0::2], edges[1::2]
    if starts == "relative":
        first = begin - np.concatenate([[0], end[:-1]])
    else:
        first = begin + (1 if starts == "from_1" else 0)
    pairs = np.stack([first, end - begin], axis=1).ravel()
    return " ".join(map(str, pairs.tolist()))
