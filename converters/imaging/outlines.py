"""Outlines drawn as points, made masks: a pixel belongs where its centre lies inside."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from converters.errors import CaseError
from converters.facts import Mask, Region, region_of

Points: TypeAlias = npt.NDArray[np.float64]  # shape (n, 2): x to the right, y down, in pixels

MAX_POINTS = 200_000
_MAX_CROSSINGS = 1 << 24  # of edges and rows; a border of a whole picture of 4,000 rows has 8,000
_BATCH = 1 << 22  # crossings of edges and rows that are held at once


def outline_points(values: Sequence[Sequence[float]], where: str) -> Points:
    """Points of an outline from pairs of numbers.

    Raises:
        CaseError: ``value_invalid``, for too many or values that are no coordinates;
            ``box_empty``, for less than three points.
    """
    if len(values) > MAX_POINTS:
        raise CaseError("value_invalid", f"{where}: an outline of {len(values):,} points")
    if any(len(pair) != 2 for pair in values):
        raise CaseError("value_invalid", f"{where}: a point is not x and y")
    points = np.array(values, dtype=np.float64).reshape(-1, 2)
    if not (np.abs(points) < 1e7).all():  # NaN as well
        raise CaseError("value_invalid", f"{where}: a point is no place in a picture")
    if len(points) < 3:
        raise CaseError("box_empty", f"{where}: an outline of {len(points)} points")
    return points


def overhang(points: Points, size: tuple[int, int]) -> float:
    """How far points reach out of a picture of width and height, in pixels; 0 for inside.

    The picture spans 0 to width and 0 to height: (0, 0) is the corner of its first pixel.
    """
    out = max(float((-points).max()), float((points - np.asarray(size)).max()))
    return max(out, 0.0)


def fill_polygon(points: Points, size: tuple[int, int]) -> Mask:
    """The pixels whose centre lies inside a closed outline, as a mask of shape (rows, columns).

    (0, 0) is the upper left corner of the first pixel, its centre is (0.5, 0.5). A line that
    crosses itself is filled by the even-odd rule. A centre right on a line belongs to the
    region on its right, or below it: outlines that share a line share no pixel and leave none
    out. What lies outside the picture is cut off.

    Raises:
        CaseError: ``value_invalid``, where the outline crosses more rows than anything drawn does.
    """
    width, height = size
    flips = np.zeros((height, width), dtype=np.uint8)
    start, end = points, np.roll(points, -1, axis=0)
    low = np.minimum(start[:, 1], end[:, 1])
    high = np.maximum(start[:, 1], end[:, 1])
    # Rows whose centre y has low <= y < high.
    first = np.clip(np.ceil(low - 0.5), 0, height).astype(np.int64)
    last = np.clip(np.ceil(high - 0.5), 0, height).astype(np.int64)
    crossings = int(np.maximum(last - first, 0).sum())
    if crossings > _MAX_CROSSINGS:
        raise CaseError(
            "value_invalid",
            f"an outline of {len(points):,} points crosses rows {crossings:,} times: no outline",
        )
    for edges in _batches(last - first):
        _flip(flips, start[edges], end[edges], first[edges], last[edges])
    # What a byte counts is even or odd as the whole number is, however often it overflows.
    return np.logical_xor.accumulate((flips & 1).view(np.bool_), axis=1)


def outline_region(
    rings: Sequence[Points], size: tuple[int, int], *, is_even_odd: bool = False
) -> Region | None:
    """What any of several outlines covers of a picture; None where they cover no pixel.

    As :func:`fill_polygon`, but only the bounds of the outlines are looked at. With
    `is_even_odd`, what an even number of them covers is a hole.
    """
    low = np.floor(np.min([ring.min(axis=0) for ring in rings], axis=0))
    high = np.ceil(np.max([ring.max(axis=0) for ring in rings], axis=0))
    low, high = np.clip(low, 0, size), np.clip(high, 0, size)
    width, height = (int(extent) for extent in high - low)
    if not (width and height):
        return None
    masks = [fill_polygon(ring - low, (width, height)) for ring in rings]
    combine = np.logical_xor if is_even_odd else np.logical_or
    region = region_of(combine.reduce(masks))
    if region is None:
        return None
    return replace(region, row=region.row + int(low[1]), column=region.column + int(low[0]))


def _batches(rows: npt.NDArray[np.int64]) -> list[slice]:
    """Cuts of the edges so that each has a bounded number of crossings."""
    cuts, held = [0], 0
    for at, count in enumerate(rows.tolist()):
        if held and held + count > _BATCH:
            cuts.append(at)
            held = 0
        held += count
    cuts.append(len(rows))
    return [slice(a, b) for a, b in pairwise(cuts)]


def _flip(
    flips: npt.NDArray[np.uint8],
    start: Points,
    end: Points,
    first: npt.NDArray[np.int64],
    last: npt.NDArray[np.int64],
) -> None:
    """Count, on each row, at the first pixel whose centre is right of a crossing."""
    counts = np.maximum(last - first, 0)
    edge = np.repeat(np.arange(len(counts)), counts)
    before = np.cumsum(counts) - counts
    row = np.arange(int(counts.sum())) - np.repeat(before, counts) + first[edge]
    (x_a, y_a), (x_b, y_b) = start[edge].T, end[edge].T
    # From the upper end, whichever way it was drawn: neighbours get the same crossing.
    is_down = y_a < y_b
    x_top, y_top = np.where(is_down, x_a, x_b), np.where(is_down, y_a, y_b)
    x_end, y_end = np.where(is_down, x_b, x_a), np.where(is_down, y_b, y_a)
    x = x_top + (row + 0.5 - y_top) / (y_end - y_top) * (x_end - x_top)
    width = flips.shape[1]
    column = np.clip(np.ceil(x - 0.5), 0, width).astype(np.int64)
    inside = column < width
    np.add.at(flips.reshape(-1), row[inside] * width + column[inside], np.uint8(1))
