"""Grey levels: a denser voxel is never darker, and outliers do not decide."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pydantic import TypeAdapter, ValidationError

from converters.errors import CaseError
from converters.imaging.grey import (
    GreyRange,
    apply_window,
    fill_nonfinite,
    grey_ranges,
    robust_range,
)
from converters.specs.grey import Grey, NamedWindow, NamedWindows, Percentiles, Scale, Window
from converters.vocabulary import words

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


def ranges(spec: Grey, values: npt.NDArray[np.generic]) -> tuple[GreyRange, ...]:
    """The ranges of a block, every voxel taken for the body."""
    return grey_ranges(spec, values, np.ones(values.shape, bool), "x")


@pytest.mark.parametrize(
    "spec",
    [Window(map="window", center_hu=40.0, width_hu=400.0), Percentiles(map="percentiles")],
)
def test_a_constant_volume_is_blank(spec: Window | Percentiles) -> None:
    with pytest.raises(CaseError, match="image_blank"):
        ranges(spec, np.full((3, 3, 3), 7))


VALUES_HU = np.arange(-1000, 1000).reshape(10, 10, 20)


@pytest.mark.parametrize(
    ("name", "center", "width"),
    [
        ("brain", 40, 80),
        ("subdural", 75, 215),
        ("bone", 400, 1800),
        ("lung", -600, 1500),
        ("mediastinum", 50, 350),
        ("liver", 30, 150),
        ("soft tissue", 50, 400),
    ],
)
def test_named_windows_are_the_published_ones(name: str, center: float, width: float) -> None:
    (found,) = ranges(NamedWindow(window=name), VALUES_HU)
    assert (found.low, found.high) == (center - width / 2, center + width / 2)
    assert found.step == {"step": "window", "center_hu": center, "width_hu": width, "name": name}


def test_every_window_of_the_vocabulary_is_tested() -> None:
    assert len(words("window")) == 7


def test_several_windows_are_told_apart_by_name() -> None:
    found = ranges(NamedWindows(windows=["lung", "soft tissue"]), VALUES_HU)
    assert [one.name for one in found] == ["lung", "soft tissue"]


def test_a_scale_is_on_record_with_its_unit() -> None:
    (found,) = ranges(Scale(map="scale", low=0.0, high=10.0, unit="SUV"), VALUES_HU)
    assert found.step == {"step": "map_grey", "low": 0.0, "high": 10.0, "unit": "SUV"}


def test_percentiles_are_those_of_the_body() -> None:
    inside = VALUES_HU >= 0
    (found,) = grey_ranges(Percentiles(map="percentiles"), VALUES_HU, inside, "x")
    assert (found.low, found.high) == tuple(np.percentile(np.arange(1000), (0.5, 99.5)))


BLOCK = TypeAdapter(Grey)


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ({"window": "lung"}, NamedWindow),
        ({"windows": ["lung", "bone"]}, NamedWindows),
        ({"map": "window", "center_hu": 40.0, "width_hu": 400.0}, Window),
        ({"map": "percentiles"}, Percentiles),
        ({"map": "scale", "low": 0.0, "high": 1.0, "unit": "probability"}, Scale),
    ],
)
def test_each_way_to_write_a_block_is_read(written: object, kind: type) -> None:
    assert isinstance(BLOCK.validate_python(written), kind)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"window": "lungs"}, "'lungs' is not in .window. of vocabulary.toml: bone, brain"),
        ({"windows": ["lung"]}, "at least 2 items"),
        ({"map": "gamma"}, "does not match any of the expected tags"),
        ({"map": "window", "window": "lung"}, "center_hu"),
        ("lung", "Unable to extract tag"),
    ],
)
def test_a_block_that_is_not_known_is_refused(written: object, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        BLOCK.validate_python(written)


def test_values_that_are_not_finite_are_shown_black() -> None:
    filled, count = fill_nonfinite(np.array([np.nan, 3.0, -2.0, np.inf]), "x")
    assert filled.tolist() == [-2.0, 3.0, -2.0, -2.0]
    assert count == 2


def test_a_volume_of_nothing_finite_is_blank() -> None:
    with pytest.raises(CaseError, match="image_blank"):
        fill_nonfinite(np.full(4, np.nan), "x")
