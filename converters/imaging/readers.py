"""Outlines of several readers as one: what lies inside of them, what is the same, who agrees."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from converters.imaging.outlines import fill_polygon

Pixels: TypeAlias = npt.NDArray[np.int64]  # shape (n, 2): column and row
Voxels: TypeAlias = npt.NDArray[np.int64]  # places in a volume as one number each, sorted


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """One thing as one reader has drawn it."""

    reader: int
    voxels: Voxels


def inside_border(points: Pixels) -> Pixels:
    """Pixels that a closed chain of pixels goes around, itself not among them.

    The chain is the first pixel outside of what it goes around.
    """
    low = points.min(axis=0)
    mask = _filled(points - low) & ~_border(points - low)
    return _pixels(mask, low)


def with_border(points: Pixels) -> Pixels:
    """Pixels that a closed chain of pixels goes around, and itself."""
    low = points.min(axis=0)
    mask = _filled(points - low) | _border(points - low)
    return _pixels(mask, low)


def _filled(points: Pixels) -> npt.NDArray[np.bool_]:
    width, height = (int(value) + 1 for value in points.max(axis=0))
    return fill_polygon(points.astype(np.float64) + 0.5, (width, height))


def _border(points: Pixels) -> npt.NDArray[np.bool_]:
    width, height = (int(value) + 1 for value in points.max(axis=0))
    mask = np.zeros((height, width), dtype=bool)
    for start, end in zip(points, np.roll(points, -1, axis=0), strict=True):
        steps = int(np.abs(end - start).max()) + 1
        line = np.rint(np.linspace(start, end, steps)).astype(np.int64)
        mask[line[:, 1], line[:, 0]] = True
    return mask


def _pixels(mask: npt.NDArray[np.bool_], low: Pixels) -> Pixels:
    return np.argwhere(mask)[:, ::-1] + low


def same_things(readings: Sequence[Reading]) -> list[list[Reading]]:
    """Readings put together that share a voxel, directly or by another one; in their order."""
    group = list(range(len(readings)))

    def root(at: int) -> int:
        while group[at] != at:
            at = group[at]
        return at

    for later, reading in enumerate(readings):
        for earlier in range(later):
            other = readings[earlier]
            if np.intersect1d(reading.voxels, other.voxels, assume_unique=True).size:
                group[root(later)] = root(earlier)
    found: dict[int, list[Reading]] = {}
    for at, reading in enumerate(readings):
        found.setdefault(root(at), []).append(reading)
    return list(found.values())


def agreed_voxels(readings: Sequence[Reading], *, agreement: float, readers: int) -> Voxels:
    """Voxels that at least a share of all readers have inside.

    Args:
        readings: Of one thing; what a reader has drawn in several pieces counts once.
        agreement: The share, above 0.
        readers: How many readers there were, also those who have not drawn it.
    """
    needed = max(1, math.ceil(agreement * readers - 1e-9))
    by_reader: dict[int, list[Voxels]] = {}
    for reading in readings:
        by_reader.setdefault(reading.reader, []).append(reading.voxels)
    each = [np.unique(np.concatenate(own)) for own in by_reader.values()]
    places, votes = np.unique(np.concatenate(each), return_counts=True)
    return places[votes >= needed]
