"""Look-up tables and the modality transformation of DICOM (PS3.3, C.11.1 and C.7.6.16.2.9)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from converters.errors import CaseError
from converters.imaging.dicom_tags import (
    bytes_of,
    items_of,
    name_of,
    numbers_of,
    text_of,
)
from converters.records import Json

Values = npt.NDArray[Any]
_MAX_RESCALED = 1e9  # no unit of an image reaches it


@dataclass(frozen=True, kw_only=True, slots=True)
class LookupTable:
    """A table over integers: `first` maps to the first entry, and what lies below as well.

    Attributes:
        first: First stored value mapped.
        entries: Unsigned entries; what lies above the table maps to the last one.
        bits: Bits of an entry as the descriptor gives them.
    """

    first: int
    entries: npt.NDArray[np.uint16]
    bits: int

    def apply(self, values: Values) -> npt.NDArray[np.uint16]:
        """The entry of each value. Any shape; values are rounded down to integers."""
        index = np.floor(values).astype(np.int64) - self.first
        return self.entries[np.clip(index, 0, self.entries.size - 1)]

    @property
    def described(self) -> dict[str, Json]:
        """What identifies the table, for a record of transforms."""
        return {"first": self.first, "entries": int(self.entries.size), "bits": self.bits}


def read_table(
    item: Dataset, descriptor: str, content: str, *, values_from: float, where: str
) -> LookupTable:
    """Read a look-up table.

    Args:
        item: What holds both attributes.
        descriptor: Keyword of the descriptor: number of entries (0 for 65,536), first value
            mapped, bits of an entry.
        content: Keyword of the entries: 8 or 16 bits each.
        values_from: Smallest value that will be looked up: the first value mapped is signed
            where that is negative, whatever its VR says.
        where: For messages.

    Raises:
        CaseError: ``value_invalid``.
    """
    described = numbers_of(item, descriptor)
    if len(described) != 3:
        raise CaseError("value_invalid", f"{where}: {descriptor} has {len(described)} values")
    count, first, bits = (int(value) for value in described)
    count = count % 65536 or 65536  # some write the number as a signed one
    if first > 32767 and values_from < 0:
        first -= 65536
    entries = _entries(bytes_of(item, content), count)
    if entries is None or not 1 <= bits <= 16:
        raise CaseError(
            "value_invalid", f"{where}: {content} does not hold {count} entries of {bits} bits"
        )
    return LookupTable(first=first, entries=entries, bits=bits)


def _entries(content: bytes | list[int], count: int) -> npt.NDArray[np.uint16] | None:
    """Entries as they are, 16 bits each, or packed 8 bits each; None where neither fits."""
    if isinstance(content, list):
        if len(content) == count and all(0 <= value < 65536 for value in content):
            return np.array(content, dtype=np.uint16)
        words = np.array(content, dtype=np.int64)
        content = (words & 0xFFFF).astype("<u2").tobytes()  # 8-bit entries, two a word
    if len(content) == 2 * count:
        return np.frombuffer(content, dtype="<u2").astype(np.uint16)
    if len(content) == count + count % 2:
        return np.frombuffer(content, dtype=np.uint8)[:count].astype(np.uint16)
    return None


def to_modality_units(
    values: Values, header: Dataset
) -> tuple[Values, tuple[dict[str, Json], ...]]:
    """Apply the modality LUT, or slope and intercept, once.

    Args:
        values: Stored values of shape (rows, columns) or (frames, rows, columns).
        header: Of an image or of an enhanced multi-frame image, whose frames may differ.

    Returns:
        The array itself where nothing changes, else one in modality units; and the step.

    Raises:
        CaseError: ``value_invalid``: a slope of 0, a table beside a slope that changes values,
            or a table that cannot be read.
    """
    name = name_of(header)
    scales = _scales(header, values.shape[0] if values.ndim == 3 else 1, name)
    tables = items_of(header, "ModalityLUTSequence")
    is_plain = all(scale == (1.0, 0.0) for scale in scales)
    if tables:
        if not is_plain:
            raise CaseError("value_invalid", f"{name} has a modality LUT and a rescale slope")
        table = read_table(
            tables[0], "LUTDescriptor", "LUTData", values_from=float(values.min()), where=name
        )
        kind = text_of(tables[0], "ModalityLUTType")
        return table.apply(values), ({"step": "modality_lut", **table.described, "unit": kind},)
    if is_plain:
        return values, ()
    step: dict[str, Json] = {"step": "rescale", "unit": text_of(header, "RescaleType")}
    if len(set(scales)) == 1:
        slope, intercept = scales[0]
        step.update(slope=slope, intercept=intercept)
        return _rescaled(values, slope, intercept, name), (step,)
    step.update(slopes=[slope for slope, _ in scales], intercepts=[i for _, i in scales])
    frames = [
        _rescaled(frame, slope, intercept, name).astype(np.float32)
        for frame, (slope, intercept) in zip(values, scales, strict=True)
    ]
    return np.stack(frames), (step,)


def _rescaled(values: Values, slope: float, intercept: float, name: str) -> Values:
    """Integers stay integers where slope and intercept are: small, and counted exactly."""
    low, high = (float(value) * slope + intercept for value in (values.min(), values.max()))
    if max(abs(low), abs(high), abs(slope), abs(intercept)) > _MAX_RESCALED:
        raise CaseError(
            "value_invalid", f"{name}: slope {slope:g} and intercept {intercept:g} give {high:g}"
        )
    is_whole = slope == int(slope) and intercept == int(intercept) and values.dtype.kind in "iu"
    if not is_whole:
        return values.astype(np.float32) * np.float32(slope) + np.float32(intercept)
    kind = np.int16 if min(low, high) >= -32768 and max(low, high) <= 32767 else np.int32
    # Every result fits, so that sums and products that wrap around on the way come out right.
    factor, offset = np.array([int(slope), int(intercept)], dtype=np.int64).astype(kind)
    rescaled: Values = values.astype(kind)
    if factor != 1:
        rescaled *= factor
    rescaled += offset
    return rescaled


def _scales(header: Dataset, frames: int, name: str) -> list[tuple[float, float]]:
    """Slope and intercept of each frame: its own, those shared by all, or the image's."""
    shared = items_of(header, "SharedFunctionalGroupsSequence")
    own = items_of(header, "PerFrameFunctionalGroupsSequence")
    common = _scale(shared[0], name) if shared else None
    common = common or _scale_of(header, name) or (1.0, 0.0)
    if len(own) != frames:
        return [common] * frames
    return [_scale(group, name) or common for group in own]


def _scale(group: Dataset, name: str) -> tuple[float, float] | None:
    items = items_of(group, "PixelValueTransformationSequence")
    return _scale_of(items[0], name) if items else None


def _scale_of(item: Dataset, name: str) -> tuple[float, float] | None:
    slope, intercept = numbers_of(item, "RescaleSlope"), numbers_of(item, "RescaleIntercept")
    if not slope and not intercept:
        return None
    if len(slope) > 1 or len(intercept) > 1 or slope == (0.0,):
        raise CaseError("value_invalid", f"{name}: rescale slope {slope}, intercept {intercept}")
    return (slope or (1.0,))[0], (intercept or (0.0,))[0]
