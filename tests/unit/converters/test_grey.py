"""Grey levels: a denser voxel is never darker, and outliers do not decide."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from converters.errors import CaseError
from converters.imaging.grey import apply_window, fill_nonfinite, grey_range, robust_range
from converters.specs.layouts import Percentiles, Window

HU = st.floats(-3000, 4000, width=32)
VALUES = hnp.arrays(np.float32, st.integers(2, 60), elements=HU)
WIDTH = st.floats(0.5, 4000)


@given(values=VALUES, center=HU, width=WIDTH)
def test_a_denser_voxel_is_never_darker(
    values: npt.NDArray[np.float32], center: float, width: float
) -> None:
    ordered = np.sort(values)
    grey = apply_window(ordered, center_hu=center, width_hu=width).astype(int)
    assert (np.diff(grey) >= 0).all()


@given(center=HU, width=st.floats(1, 4000))
def test_window_ends_are_black_and_white(center: float, width: float) -> None:
    ends = np.array([center - width, center + width], dtype=np.float32)
    assert apply_window(ends, center_hu=center, width_hu=width).tolist() == [0, 255]


def test_window_without_width_is_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        apply_window(np.zeros(3, np.float32), center_hu=0, width_hu=0)


@given(values=VALUES, seed=st.integers(0, 99))
def test_the_order_of_voxels_does_not_matter(values: npt.NDArray[np.float32], seed: int) -> None:
    turned = np.random.default_rng(seed).permutation(values)
    assert robust_range(values, low=1, high=99) == robust_range(turned, low=1, high=99)


@given(values=hnp.arrays(np.int16, (4, 5, 6), elements=st.integers(-50, 50)))
def test_counting_and_sorting_agree(values: npt.NDArray[np.int16]) -> None:
    counted = robust_range(values, low=5, high=95)
    above = values[values > values.min()]
    if above.size:
        wanted = np.percentile(above, (5, 95), method="inverted_cdf")
        assert counted == tuple(wanted) or wanted[0] == wanted[1]


@given(values=hnp.arrays(np.int16, (4, 5, 6), elements=st.integers(-50, 50)))
def test_a_range_has_a_width_unless_all_is_the_same(values: npt.NDArray[np.int16]) -> None:
    low, high = robust_range(values, low=5, high=95)
    assert low < high or values.min() == values.max()


def test_one_outlier_does_not_decide() -> None:
    values = np.linspace(0, 100, 10_000, dtype=np.float32)
    values[-1] = 1e6
    assert robust_range(values, low=0.5, high=99.5)[1] < 101


def test_background_does_not_count() -> None:
    values = np.concatenate([np.zeros(100_000), np.linspace(500, 600, 1000)]).astype(np.float32)
    assert robust_range(values, low=0.5, high=99.5)[0] > 499


@pytest.mark.parametrize(
    "spec",
    [Window(map="window", center_hu=40.0, width_hu=400.0), Percentiles(map="percentiles")],
)
def test_a_constant_volume_is_blank(spec: Window | Percentiles) -> None:
    with pytest.raises(CaseError, match="image_blank"):
        grey_range(spec, np.full((3, 3, 3), 7), "x")


def test_values_that_are_not_finite_are_shown_black() -> None:
    filled, count = fill_nonfinite(np.array([np.nan, 3.0, -2.0, np.inf]), "x")
    assert filled.tolist() == [-2.0, 3.0, -2.0, -2.0]
    assert count == 2


def test_a_volume_of_nothing_finite_is_blank() -> None:
    with pytest.raises(CaseError, match="image_blank"):
        fill_nonfinite(np.full(4, np.nan), "x")
