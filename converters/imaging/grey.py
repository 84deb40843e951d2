"""Voxel values to grey levels: windows for CT, percentiles of the body for what has no unit."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from converters.errors import CaseError
from converters.imaging.pictures import scale_to_grey
from converters.records import Json
from converters.specs.grey import Grey, NamedWindow, NamedWindows, Percentiles, Scale, Window
from converters.vocabulary import vocabulary

_COUNTED = np.iinfo(np.uint16).max + 1  # integers of so many levels are counted, not sorted


@dataclass(frozen=True, kw_only=True, slots=True)
class GreyRange:
    """The values shown as black and as white, and where they come from.

    Attributes:
        low: Shown black, and all below it.
        high: Shown white, and all above it.
        step: For provenance.
        name: Of one of several windows; "" where there is one picture a slice.
    """

    low: float
    high: float
    step: Mapping[str, Json]
    name: str = ""

    def apply(self, values: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
        """Grey levels of an array of any shape."""
        return scale_to_grey(values, low=self.low, high=self.high)


def apply_window(
    volume_hu: npt.NDArray[np.floating], *, center_hu: float, width_hu: float
) -> npt.NDArray[np.uint8]:
    """Map Hounsfield units to 8-bit grey levels through one window.

    Values at or below ``center_hu - width_hu / 2`` become 0 and values at or above
    ``center_hu + width_hu / 2`` become 255. The order of voxels never changes: a denser
    voxel is never darker.

    Args:
        volume_hu: Any shape, in Hounsfield units, rescale already applied.
        center_hu: Window centre (DICOM 0028,1050).
        width_hu: Window width (DICOM 0028,1051), greater than zero.

    Returns:
        An array of the same shape.

    Raises:
        ValueError: `width_hu` is not positive.
    """
    if width_hu <= 0:
        raise ValueError(f"window width is {width_hu} HU; it must be positive")
    low, high = center_hu - width_hu / 2, center_hu + width_hu / 2
    return scale_to_grey(volume_hu, low=low, high=high)


def robust_range(values: npt.NDArray[Any], *, low: float, high: float) -> tuple[float, float]:
    """Two percentiles of the values above the smallest one, which is taken for background.

    The order of voxels does not matter. Where the two fall together, the extremes of the
    values above the background are taken, and then the background itself as black.

    Args:
        values: Any shape, finite.
        low: Lower percentile, 0 to 50.
        high: Upper percentile, 50 to 100.
    """
    least, most = values.min(), values.max()
    is_counted = values.dtype.kind in "iu" and int(most) - int(least) < _COUNTED
    if is_counted:
        black, white = _counted_percentiles(values, int(least), int(most), (low, high))
    else:
        above = values[values > least]
        if above.size == 0:
            return float(least), float(most)
        black, white = (float(value) for value in np.percentile(above, (low, high)))
    if black < white:
        return black, white
    return float(least), float(most)


def _counted_percentiles(
    values: npt.NDArray[Any], least: int, most: int, percents: tuple[float, float]
) -> tuple[float, float]:
    """The value at or below which each share of the voxels above `least` lies."""
    counts = np.zeros(most - least + 1, dtype=np.int64)
    # By slabs, along the slowest axis: counting takes 8 bytes a voxel, and a volume may be large.
    for slab in np.moveaxis(values, int(np.argmax(np.abs(values.strides))), 0):
        counts += np.bincount(np.ravel(slab, order="K").astype(np.int64) - least, None, counts.size)
    counts[0] = 0
    total = int(counts.sum())
    if total == 0:
        return float(least), float(most)
    reached = np.cumsum(counts)
    found = np.searchsorted(reached, [max(1.0, p / 100 * total) for p in percents])
    return float(least + found[0]), float(least + found[1])


def grey_ranges(
    spec: Grey, points: npt.NDArray[Any], inside: npt.NDArray[np.bool_], name: str
) -> tuple[GreyRange, ...]:
    """What a manifest's `grey` block means for a volume: a range for each picture of a slice.

    Args:
        spec: The block.
        points: Values of the volume, or a fair sample of them.
        inside: Which of them lie inside the body.
        name: For messages.

    Raises:
        CaseError: ``image_blank``, where all values are the same.
    """
    if points.min() == points.max():
        raise CaseError("image_blank", f"{name} has a single value, {points.flat[0]}")
    if isinstance(spec, NamedWindows):
        return tuple(_named(window, window) for window in spec.windows)
    if isinstance(spec, NamedWindow):
        return (_named(spec.window, ""),)
    if isinstance(spec, Window):
        return (_window(spec.center_hu, spec.width_hu),)
    if isinstance(spec, Scale):
        step: dict[str, Json] = {"step": "map_grey", "low": spec.low, "high": spec.high}
        return (GreyRange(low=spec.low, high=spec.high, step={**step, "unit": spec.unit}),)
    return (_percentiles(spec, points, inside),)


def window_hu(name: str) -> tuple[float, float]:
    """Centre and width of a window of the vocabulary, in Hounsfield units."""
    entry = vocabulary()["window"][name]
    assert isinstance(entry, dict)
    return float(entry["center_hu"]), float(entry["width_hu"])


def _named(window: str, name: str) -> GreyRange:
    found = _window(*window_hu(window))
    return replace(found, step={**found.step, "name": window}, name=name)


def _window(center_hu: float, width_hu: float) -> GreyRange:
    return GreyRange(
        low=center_hu - width_hu / 2,
        high=center_hu + width_hu / 2,
        step={"step": "window", "center_hu": center_hu, "width_hu": width_hu},
    )


def _percentiles(
    spec: Percentiles, points: npt.NDArray[Any], inside: npt.NDArray[np.bool_]
) -> GreyRange:
    """Percentiles of the values inside the body, over the whole volume and never a slice."""
    counted = points[inside]
    low, high = (float(value) for value in np.percentile(counted, (spec.low, spec.high)))
    if low >= high:
        low, high = float(points.min()), float(points.max())
    step: dict[str, Json] = {"step": "map_grey", "low": low, "high": high}
    step |= {"percentiles": [spec.low, spec.high], "of": "body", "points": int(counted.size)}
    return GreyRange(low=low, high=high, step=step)


def fill_nonfinite(values: npt.NDArray[Any], name: str) -> tuple[npt.NDArray[Any], int]:
    """Replace values that are not finite by the smallest finite one: they are shown black.

    Returns:
        The array itself where all is finite, else a filled copy; and how many were filled.

    Raises:
        CaseError: ``image_blank``, where nothing is finite.
    """
    if values.dtype.kind != "f" or np.isfinite((values.min(), values.max())).all():
        return values, 0  # seen without an array of as many truths
    is_finite = np.isfinite(values)
    count = int(values.size - np.count_nonzero(is_finite))
    if count == 0:
        return values, 0
    if count == values.size:
        raise CaseError("image_blank", f"{name} holds no finite value")
    return np.where(is_finite, values, values[is_finite].min()), count
