"""A picture made smaller takes what was measured on it along."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from converters.imaging.pictures import Picture
from converters.imaging.shrink import Scale, shrink_picture
from converters.records import Box, Finding, Sample
from tests.unit.converters.test_dicom_layout import outcome

FINDING = Finding(
    label="lung mass", code="m", role="lesion", box=Box(x_min=10, y_min=20, x_max=50, y_max=100),
    area_px=1600.0, area_mm2=400.0, longest_diameter_px=80.0, longest_diameter_mm=40.0,
)  # fmt: skip


def picture(width: int, height: int) -> Picture:
    """A smooth picture of that size."""
    grey = np.add.outer(np.arange(height) * 60 // height, np.arange(width) * 190 // width)
    image = Image.fromarray(grey.astype(np.uint8))
    return Picture(data=b"", format="DICOM", image=image, is_turned=False)


def test_small_picture_stays_as_it_is() -> None:
    first = picture(1024, 700)
    second, scale = shrink_picture(first, 1024)
    assert second is first
    assert scale.finding(FINDING) == FINDING
    assert scale.spacing((0.5, 0.25)) == (0.5, 0.25)


def test_long_side_becomes_the_limit_and_the_step_says_so() -> None:
    second, _ = shrink_picture(picture(1664, 2048), 1024)
    assert second.size == (832, 1024)
    assert second.transforms == (
        {"step": "resample", "image": "lanczos", "from_px": [1664, 2048], "to_px": [832, 1024]},
    )


def test_millimetres_stay_and_pixels_shrink() -> None:
    finding = Scale(from_px=(200, 200), to_px=(100, 100)).finding(FINDING)
    assert finding.box == Box(x_min=5, y_min=10, x_max=25, y_max=50)
    assert (finding.area_px, finding.longest_diameter_px) == (400.0, 40.0)
    assert (finding.area_mm2, finding.longest_diameter_mm) == (400.0, 40.0)


@given(
    size=st.tuples(st.integers(2, 5000), st.integers(2, 5000)),
    limit=st.integers(64, 1024),
    spacing=st.floats(0.01, 2),
)
def test_millimetres_of_a_box_do_not_change(size, limit, spacing) -> None:
    factor = min(1.0, limit / max(size))
    to_px = tuple(max(1, round(side * factor)) for side in size)
    scale = Scale(from_px=size, to_px=to_px)
    whole = scale.box(Box(x_min=0, y_min=0, x_max=size[0], y_max=size[1]))
    assert (whole.x_max, whole.y_max) == to_px
    row_mm, column_mm = scale.spacing((spacing, spacing))
    assert whole.height * row_mm == pytest.approx(size[1] * spacing)
    assert whole.width * column_mm == pytest.approx(size[0] * spacing)


def test_mean_grey_is_kept() -> None:
    first = picture(2048, 1536)
    second, _ = shrink_picture(first, 512)
    assert abs(np.mean(first.image) - np.mean(second.image)) < 0.5


def test_large_dicom_picture_comes_out_small(tmp_path: Path) -> None:
    tall = np.arange(128 * 96, dtype=np.uint16).reshape(128, 96)
    out = outcome(
        tmp_path, max_side_px=64, Modality="CT", PixelSpacing=[0.5, 0.5],
        Rows=128, Columns=96, PixelData=tall.tobytes(),
    )  # fmt: skip
    assert isinstance(out, Sample)
    assert (out.width, out.height, out.spacing_mm) == (48, 64, (1.0, 1.0))
    assert [one["step"] for one in out.transforms][-2:] == ["resample", "encode"]
