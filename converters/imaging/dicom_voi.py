"""Values to grey levels as a DICOM file itself asks for: VOI LUT or window (PS3.3, C.11.2)."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from converters.errors import CaseError
from converters.imaging.dicom_lut import LookupTable, read_table
from converters.imaging.dicom_tags import items_of, name_of, numbers_of, text_of, texts_of
from converters.imaging.pictures import scale_to_grey
from converters.records import Json

Values = npt.NDArray[Any]
Grey = npt.NDArray[np.uint8]
WINDOW_FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")
PERCENTILES = (0.5, 99.5)
_TABLE = 1 << 16  # entries


@dataclass(frozen=True, kw_only=True, slots=True)
class VoiMapping:
    """Modality values to grey levels, and how that is written down."""

    apply: Callable[[Values], Grey]
    step: Mapping[str, Json]


def apply_voi_window(
    values: npt.NDArray[np.floating | np.integer], *, center: float, width: float, function: str
) -> Grey:
    """Map values to 8-bit grey levels through a window (PS3.3, C.11.2.1.2 and C.11.2.1.3).

    The order of values never changes: a larger value is never darker.

    Args:
        values: Any shape, in modality units.
        center: Window Center (0028,1050).
        width: Window Width (0028,1051): at least 1 for LINEAR, above 0 for the others.
        function: LINEAR, LINEAR_EXACT or SIGMOID (VOI LUT Function, 0028,1056).

    Returns:
        An array of the same shape.

    Raises:
        ValueError: The width is too small, or the function is not one of the three.
    """
    if not is_window(center, width, function):
        raise ValueError(f"no window: center {center}, width {width}, function {function!r}")
    if function == "SIGMOID":
        # Far from the center the exponential is beyond a float; there the curve is flat.
        power = np.clip(-4.0 * (np.asarray(values, dtype=np.float64) - center) / width, -60, 60)
        return np.rint(255.0 / (1.0 + np.exp(power))).astype(np.uint8)
    if function == "LINEAR":
        center, width = center - 0.5, width - 1.0
    low, high = center - width / 2, center + width / 2
    if width == 0:
        return np.where(values > low, np.uint8(255), np.uint8(0))
    scaled = (np.asarray(values, dtype=np.float64) - low) * (255.0 / (high - low))
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def _by_table(mapping: Callable[[Values], Grey], shown: Values) -> Grey:
    """Apply a mapping to every value that occurs, not to every pixel, where that is less."""
    low, high = int(shown.min()), int(shown.max())
    if shown.dtype.kind not in "iu" or high - low >= min(shown.size, _TABLE):
        return mapping(shown)
    table = mapping(np.arange(low, high + 1))
    kind = np.int64 if shown.dtype.itemsize > 2 else np.int32
    return table[shown.astype(kind) - low]


def is_window(center: float, width: float, function: str) -> bool:
    """Whether a window can be applied at all."""
    least = 1.0 if function == "LINEAR" else 1e-6
    return function in WINDOW_FUNCTIONS and math.isfinite(center) and least <= width < math.inf


def voi_mapping(
    header: Dataset,
    values: Values,
    padding: npt.NDArray[np.bool_] | None,
    window_hu: tuple[float, float] | None = None,
) -> VoiMapping:
    """How values are to be shown.

    The window given, else the first VOI LUT of the file, else its first window that can be
    applied, else the range between two percentiles of the values that are no padding; 8-bit
    values without any of these are shown as they are.

    Args:
        header: Attributes of the image.
        values: In modality units.
        padding: Where nothing was measured, or None.
        window_hu: Center and width of a window to use in place of the file's own.

    Raises:
        CaseError: ``value_invalid``, where a VOI LUT or a window cannot be read or the file asks
            for a function that is not known; ``image_blank``.
    """
    measured = values if padding is None else values[~padding]
    if measured.size == 0 or measured.min() == measured.max():
        raise CaseError("image_blank", f"{name_of(header)} has a single value")
    if window_hu:
        return _given_window(*window_hu)
    tables = items_of(header, "VOILUTSequence")
    if tables:
        return _table_mapping(tables, values, name_of(header))
    return _window_mapping(header) or _range_mapping(measured)


def _given_window(center_hu: float, width_hu: float) -> VoiMapping:
    return VoiMapping(
        apply=_window(center_hu, width_hu, "LINEAR_EXACT"),
        step={"step": "window", "center_hu": center_hu, "width_hu": width_hu},
    )


def _window(center: float, width: float, function: str) -> Callable[[Values], Grey]:
    mapping = partial(apply_voi_window, center=center, width=width, function=function)
    return partial(_by_table, mapping)


def _table_mapping(tables: tuple[Dataset, ...], values: Values, name: str) -> VoiMapping:
    lut = read_table(
        tables[0], "LUTDescriptor", "LUTData", values_from=float(values.min()), where=name
    )
    # Descriptors that name more bits than the entries use would make the picture dark.
    bits = max(int(lut.entries.max()).bit_length(), 1)
    grey = scale_to_grey(lut.entries.astype(np.float32), low=0.0, high=float((1 << bits) - 1))
    greys = LookupTable(first=lut.first, entries=grey.astype(np.uint16), bits=8)
    step: dict[str, Json] = {"step": "voi_lut", **lut.described, "bits_used": bits}
    step.update(explanation=text_of(tables[0], "LUTExplanation"), index=0, of=len(tables))
    return VoiMapping(apply=lambda shown: greys.apply(shown).astype(np.uint8), step=step)


def _window_mapping(header: Dataset) -> VoiMapping | None:
    """The first usable window; None where the file has none."""
    centers, widths = numbers_of(header, "WindowCenter"), numbers_of(header, "WindowWidth")
    if len(centers) != len(widths):
        raise CaseError(
            "value_invalid",
            f"{name_of(header)} has {len(centers)} window centers and {len(widths)} widths",
        )
    function = text_of(header, "VOILUTFunction") or "LINEAR"
    if centers and function not in WINDOW_FUNCTIONS:
        raise CaseError("value_invalid", f"{name_of(header)}: VOI LUT function {function[:40]!r}")
    words = texts_of(header, "WindowCenterWidthExplanation")
    for index, (center, width) in enumerate(zip(centers, widths, strict=True)):
        if not is_window(center, width, function):
            continue
        step: dict[str, Json] = {"step": "window", "center": center, "width": width}
        step.update(function=function, index=index, of=len(centers))
        if index < len(words):
            step["explanation"] = words[index]

        return VoiMapping(apply=_window(center, width, function), step=step)
    return None


def _range_mapping(measured: Values) -> VoiMapping:
    """Eight bits as they are; of more, what lies between two percentiles."""
    if measured.dtype == np.uint8:
        step: dict[str, Json] = {"step": "map_grey", "low": 0.0, "high": 255.0}
        return VoiMapping(apply=lambda shown: np.array(shown, dtype=np.uint8), step=step)
    low, high = (float(value) for value in np.percentile(measured, PERCENTILES))
    if low == high:
        low, high = float(measured.min()), float(measured.max())
    step = {"step": "map_grey", "low": low, "high": high, "percentiles": list(PERCENTILES)}
    return VoiMapping(apply=lambda shown: scale_to_grey(shown, low=low, high=high), step=step)
