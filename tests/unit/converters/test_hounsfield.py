"""Pictures of 16 bits with Hounsfield units: the offset is held against what they hold."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from converters.errors import CaseError
from converters.imaging.hounsfield import show_hounsfield
from converters.imaging.pictures import Picture, decode_picture
from converters.specs.grey import StoredHounsfield

SIZE = 64


def stored(offset: int = -32768) -> Picture:
    """Air, a ball of 40 HU, and a point of 400 HU in the middle."""
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    values = np.where((x - 32) ** 2 + (y - 32) ** 2 < 500, 40, -1000)
    values[32, 32] = 400
    out = io.BytesIO()
    Image.fromarray((values - offset).astype(np.uint16)).save(out, format="PNG")
    return decode_picture(out.getvalue(), "a.png")


def spec_of(**more: Any) -> StoredHounsfield:
    return StoredHounsfield.model_validate({"offset": -32768, **more})


def shown(spec: StoredHounsfield, window: str = "") -> np.ndarray:
    return np.asarray(show_hounsfield(spec, stored(), {"w": window}, "a.png").image)


def test_the_bounds_of_the_window_are_black_and_white() -> None:
    pixels = shown(spec_of(window_field="w"), "-160, 240")
    assert (pixels[0, 0], pixels[32, 32]) == (0, 255)
    assert pixels[32, 40] == round(255 * 200 / 400)


def test_a_window_may_be_named() -> None:
    steps = show_hounsfield(spec_of(window="lung"), stored(), {}, "a.png").transforms
    assert steps[-2] == {"step": "rescale", "slope": 1, "intercept": -32768, "unit": "HU"}
    assert (steps[-1]["center_hu"], steps[-1]["width_hu"], steps[-1]["name"]) == (
        -600,
        1500,
        "lung",
    )


@pytest.mark.parametrize("offset", [0, -1024, -31744])
def test_a_wrong_offset_is_found(offset: int) -> None:
    with pytest.raises(CaseError) as caught:
        show_hounsfield(spec_of(offset=offset, window="lung"), stored(), {}, "a.png")
    assert caught.value.reason == "hu_implausible"


@pytest.mark.parametrize("window", ["", "40", "240, -160", "a, b", "1, 2, 3", "nan, 4", "0, 1e9"])
def test_what_is_no_window_is_refused(window: str) -> None:
    with pytest.raises(CaseError) as caught:
        shown(spec_of(window_field="w"), window)
    assert caught.value.reason == "value_invalid"


def test_one_window_is_needed() -> None:
    with pytest.raises(ValidationError, match="a window is named"):
        spec_of()
    with pytest.raises(ValidationError, match="a window is named"):
        spec_of(window="lung", window_field="w")
