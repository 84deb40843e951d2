"""Facts: what is measured on a region agrees with plain geometry."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.distance import pdist

from converters.facts import (
    Mask,
    components,
    longest_diameter,
    position,
    region_finding,
    region_of,
)
from converters.records import Box
from converters.vocabulary import Term

masks = hnp.arrays(bool, st.tuples(st.integers(1, 14), st.integers(1, 14)))
some = masks.filter(lambda mask: mask.any())
LESION = Term(
    term="x", plural="xs", role="lesion", side="", base="x", article="an", part_of="", zh="甲"
)


@given(mask=masks)
def test_region_is_the_mask_cut_to_its_bounds(mask: Mask) -> None:
    region = region_of(mask)
    back = np.zeros_like(mask)
    if region:
        rows, columns = region.mask.shape
        back[region.row : region.row + rows, region.column : region.column + columns] = region.mask
    assert (back == mask).all()


@given(mask=some)
def test_every_side_of_the_bounds_touches_the_mask(mask: Mask) -> None:
    cut = region_of(mask).mask
    assert cut[0].any()
    assert cut[-1].any()
    assert cut[:, 0].any()
    assert cut[:, -1].any()


@given(mask=masks)
def test_components_put_together_are_the_mask(mask: Mask) -> None:
    back = np.zeros(mask.shape, dtype=int)
    for part in components(mask):
        rows, columns = part.mask.shape
        back[part.row : part.row + rows, part.column : part.column + columns] += part.mask
    assert (back == mask).all()


@given(mask=some, height=st.floats(0.1, 5), width=st.floats(0.1, 5))
def test_longest_diameter_is_the_largest_distance_between_corners(
    mask: Mask, height: float, width: float
) -> None:
    pixels = np.argwhere(mask)
    corners = np.concatenate([pixels + np.array([r, c]) for r in (0, 1) for c in (0, 1)])
    expected = pdist(corners * [height, width]).max()
    assert longest_diameter(mask, (height, width)) == pytest.approx(expected)


@pytest.mark.parametrize("radius", [6, 11, 20])
def test_a_disc_is_as_wide_as_its_diameter(radius: int) -> None:
    y, x = np.mgrid[-30:31, -30:31]
    mask = x**2 + y**2 <= radius**2
    assert longest_diameter(mask) == pytest.approx(2 * radius + 1, abs=1.0)
    finding = region_finding(
        region_of(mask),
        term=LESION,
        code="1",
        size=(61, 61),
        spacing_mm=(0.5, 0.5),
        is_instance=True,
    )
    assert finding.area_mm2 == pytest.approx(np.pi * (radius * 0.5) ** 2, rel=0.08)
    assert finding.position == "center"


def test_without_spacing_there_are_no_millimetres() -> None:
    region = region_of(np.ones((3, 4), dtype=bool))
    finding = region_finding(
        region, term=LESION, code="1", size=(8, 8), spacing_mm=None, is_instance=True
    )
    assert finding.area_mm2 is None
    assert finding.longest_diameter_mm is None
    assert finding.longest_diameter_px == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [(5, 5, "upper left"), (50, 50, "center"), (95, 50, "center right"), (50, 95, "lower center")],
)
def test_position_is_as_the_viewer_sees_it(x: float, y: float, expected: str) -> None:
    assert position(Box(x_min=x - 2, y_min=y - 2, x_max=x + 2, y_max=y + 2), 100, 100) == expected
