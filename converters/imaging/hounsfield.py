"""Pictures of 16 bits that hold Hounsfield units with an offset, shown through a window."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from PIL import Image

from converters.errors import CaseError
from converters.imaging.grey import window_hu
from converters.imaging.masks import grey_values
from converters.imaging.pictures import Picture, scale_to_grey
from converters.imaging.plausible import require_hounsfield
from converters.records import Json
from converters.specs.grey import StoredHounsfield

_LEAST_HU, _MOST_HU = -32768.0, 65535.0


def show_hounsfield(
    spec: StoredHounsfield, picture: Picture, fields: Mapping[str, str], name: str
) -> Picture:
    """The 8-bit grey picture of stored Hounsfield units.

    Args:
        spec: Offset and window.
        picture: As decoded.
        fields: Of the image; they may hold the window.
        name: For messages.

    Raises:
        CaseError: ``file_unsupported`` where it is not grey; ``hu_implausible``, where the values
            plus the offset are no Hounsfield units; ``value_invalid``, where the field is no
            window.
    """
    values = grey_values(picture, name).astype(np.int32) + spec.offset
    require_hounsfield(values, name)
    low, high = _bounds(spec, fields, name)
    steps: tuple[Mapping[str, Json], ...] = (
        {"step": "rescale", "slope": 1, "intercept": spec.offset, "unit": "HU"},
        {
            "step": "window",
            "center_hu": (low + high) / 2,
            "width_hu": high - low,
            **({"name": spec.window} if spec.window else {"field": spec.window_field}),
        },
    )
    return replace(
        picture,
        data=b"",
        format="HU",
        image=Image.fromarray(scale_to_grey(values.astype(np.float32), low=low, high=high)),
        transforms=(*picture.transforms, *steps),
    )


def _bounds(spec: StoredHounsfield, fields: Mapping[str, str], name: str) -> tuple[float, float]:
    if spec.window:
        center, width = window_hu(spec.window)
        return center - width / 2, center + width / 2
    text = fields.get(spec.window_field or "", "")
    try:
        low, high = (float("x" if "_" in part else part) for part in text.split(","))
    except ValueError as error:
        message = f"{name}: {spec.window_field} is {text[:40]!r}, not two values"
        raise CaseError("value_invalid", message) from error
    if not _LEAST_HU <= low < high <= _MOST_HU:
        raise CaseError("value_invalid", f"{name}: a window from {low:g} to {high:g} HU")
    return low, high
