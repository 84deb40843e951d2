"""Sizes that a text may state, with how far off they may be."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from converters.records import Finding, Json, Sample
from pipeline.view import diameter, length

_SHARE = 0.05  # two readers who outline the same thing differ by at least so much
_WORST = 0.25  # what may be off by a quarter of itself is not worth saying


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """A size in words.

    Attributes:
        value: The size with its unit, rounded to what a reader can use.
        tolerance: How far off it may be, with its unit: a pixel's diagonal of the image that
            was outlined or a twentieth of the size, whichever is more, rounded up.
    """

    value: str
    tolerance: str


def longest_diameter(finding: Finding, sample: Sample) -> Measure | None:
    """The longest diameter of one whole thing; None where size or spacing is not known."""
    value = diameter(finding, (sample.width, sample.height))
    pixel = _pixel_diagonal_mm(sample)
    size_mm = finding.longest_diameter_mm
    if not value or size_mm is None or pixel is None:
        return None
    off = max(pixel, _SHARE * size_mm)
    return (
        Measure(value=value, tolerance=_rounded_up(off, size_mm))
        if _is_fair(off, size_mm)
        else None
    )


def area(finding: Finding, sample: Sample) -> Measure | None:
    """The area in the image of one whole thing; None where size or spacing is not known.

    Its outline may be off by half a pixel all around.
    """
    size_mm, pixel = finding.longest_diameter_mm, _pixel_diagonal_mm(sample)
    known = longest_diameter(finding, sample)
    if not known or finding.area_mm2 is None or size_mm is None or pixel is None:
        return None
    value = finding.area_mm2
    off = max(_SHARE * value, math.pi * size_mm * pixel / 2)
    if not _is_fair(off, value):
        return None
    scale, decimals, unit = _area_unit(value)
    return Measure(
        value=f"{value * scale:.{decimals}f} {unit}",
        tolerance=f"{_up(off * scale, decimals):.{decimals}f} {unit}",
    )


def _is_fair(off: float, value: float) -> bool:
    return off <= _WORST * value


def _area_unit(value_mm2: float) -> tuple[float, int, str]:
    """Factor, decimals and unit for an area."""
    if value_mm2 < 0.1:
        return 1e6, 0, "µm²"
    if value_mm2 < 10:
        return 1.0, 1, "mm²"
    return (1.0, 0, "mm²") if value_mm2 < 100 else (0.01, 1, "cm²")


def _rounded_up(off_mm: float, size_mm: float) -> str:
    """A length in the unit and with the decimals of another one, rounded up."""
    number, unit = length(size_mm).split()
    decimals = len(number.partition(".")[2])
    off = off_mm * (1000 if unit == "µm" else 1)
    return f"{_up(off, decimals):.{decimals}f} {unit}"


def _up(value: float, decimals: int) -> float:
    step = 10**decimals
    return math.ceil(value * step - 1e-9) / step


def _pixel_diagonal_mm(sample: Sample) -> float | None:
    """Of the image as it was outlined, where the picture was rendered finer than that."""
    if not sample.spacing_mm:
        return None
    return max(
        math.hypot(*sample.spacing_mm),
        *(math.hypot(*native) for native in map(_native_mm, sample.transforms)),
        0.0,
    )


def _native_mm(step: Mapping[str, Json]) -> tuple[float, ...]:
    native = step.get("from_mm")
    if not isinstance(native, list):
        return (0.0,)
    return tuple(float(one) for one in native if isinstance(one, int | float))
