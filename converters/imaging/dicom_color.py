"""Colour pixels of DICOM files to 8-bit RGB: palettes and deep colours (PS3.3, C.7.6.3.1)."""

from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from converters.errors import CaseError
from converters.imaging.dicom_lut import LookupTable, read_table
from converters.imaging.dicom_tags import name_of
from converters.records import Json

Rgb = npt.NDArray[np.uint8]
_COLORS = ("Red", "Green", "Blue")


def palette_to_rgb(
    values: npt.NDArray[Any], header: Dataset
) -> tuple[Rgb, tuple[dict[str, Json], ...]]:
    """Look every stored value up in the palette of the file.

    Args:
        values: Shape (rows, columns), as stored.
        header: With the palette (0028,1101 to 0028,1203).

    Returns:
        Shape (rows, columns, 3), and the step.

    Raises:
        CaseError: ``file_unsupported`` for segmented palettes, ``value_invalid``.
    """
    name = name_of(header)
    if "RedPaletteColorLookupTableData" not in header:
        raise CaseError("file_unsupported", f"{name} has no palette, or a segmented one")
    tables = [_palette(header, color, float(values.min()), name) for color in _COLORS]
    # Some write 8-bit entries and name them 16-bit ones.
    most = max(int(table.entries.max()) for table in tables)
    bits = 8 if most < 256 else 16
    layers = [(table.apply(values) >> (bits - 8)).astype(np.uint8) for table in tables]
    step: dict[str, Json] = {"step": "palette", **tables[0].described, "bits_used": bits}
    return np.stack(layers, axis=-1), (step,)


def _palette(header: Dataset, color: str, values_from: float, name: str) -> LookupTable:
    keyword = f"{color}PaletteColorLookupTable"
    return read_table(
        header, f"{keyword}Descriptor", f"{keyword}Data", values_from=values_from, where=name
    )


def rgb_to_eight_bits(
    values: npt.NDArray[Any], bits: int, name: str
) -> tuple[Rgb, tuple[dict[str, Json], ...]]:
    """The eight highest bits of every sample.

    Args:
        values: Shape (rows, columns, 3), unsigned.
        bits: Bits stored of a sample.
        name: For messages.

    Raises:
        CaseError: ``file_unsupported``, where samples are signed or have fewer than 8 bits.
    """
    if values.dtype.kind != "u" or bits < 8:
        raise CaseError("file_unsupported", f"{name}: colour samples of {bits} bits, signed or few")
    if bits == 8:
        return values.astype(np.uint8), ()
    return (values >> (bits - 8)).astype(np.uint8), ({"step": "shift_bits", "from": bits, "to": 8},)
