"""How a box is written: from 0 to 1, or from 0 to 1000 in whole numbers."""

import math
from typing import Literal, TypeAlias

from converters.records import Box

Notation: TypeAlias = Literal["unit", "thousand"]
BoxNumbers: TypeAlias = tuple[str, str, str, str]

# The largest number of each notation.
MOST: dict[Notation, int] = {"unit": 1, "thousand": 1000}


def written(box: Box, size: tuple[int, int], notation: Notation) -> BoxNumbers:
    """The corners of a box, x and y in turn, in a notation.

    Args:
        box: In pixels.
        size: Width and height of the image, in pixels.
        notation: How it is to be written.
    """
    return box_numbers(box, size) if notation == "unit" else thousandths(box, size)


def box_numbers(box: Box, size: tuple[int, int]) -> BoxNumbers:
    """A box from 0 to 1 with two decimals; with more where two would leave it no area."""
    values = _shares(box, size)
    for decimals in (2, 3, 4, 5):
        x_min, y_min, x_max, y_max = (f"{value:.{decimals}f}" for value in values)
        if float(x_min) < float(x_max) and float(y_min) < float(y_max):
            break
    return x_min, y_min, x_max, y_max


def thousandths(box: Box, size: tuple[int, int]) -> BoxNumbers:
    """A box in whole thousandths of the image; a side that rounding would close stays open."""
    x_min, y_min, x_max, y_max = _shares(box, size)
    (left, right), (top, bottom) = _whole(x_min, x_max), _whole(y_min, y_max)
    return str(left), str(top), str(right), str(bottom)


def _shares(box: Box, size: tuple[int, int]) -> tuple[float, float, float, float]:
    width, height = size
    x_min, x_max = box.x_min / width, box.x_max / width
    y_min, y_max = box.y_min / height, box.y_max / height
    return _within(x_min), _within(y_min), _within(x_max), _within(y_max)


def _within(share: float) -> float:
    return min(max(share, 0.0), 1.0)


def _whole(low: float, high: float) -> tuple[int, int]:
    first, last = round(low * 1000), round(high * 1000)
    if first < last:
        return first, last
    first = min(math.floor(low * 1000), 999)
    return first, first + 1
