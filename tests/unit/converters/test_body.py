"""The body of a volume: air around it does not count, and the same points are looked at."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from converters.imaging.body import body_of, sample_points


def head(noise: float = 3.0) -> np.ndarray:
    """A bright ball with a dark hole in it, in noisy air."""
    at = np.indices((40, 44, 36)) - np.reshape([20, 22, 18], (3, 1, 1, 1))
    radius = np.sqrt((at**2).sum(axis=0))
    values = np.abs(np.random.default_rng(3).normal(0, noise, radius.shape))
    values[radius <= 15] = 200 + 5 * at[0][radius <= 15]
    values[radius <= 5] = 2
    return values.astype(np.float32)


def test_the_body_is_the_ball_and_what_it_encloses() -> None:
    at = np.indices((40, 44, 36)) - np.reshape([20, 22, 18], (3, 1, 1, 1))
    assert np.array_equal(body_of(head()).inside, (at**2).sum(axis=0) <= 15**2)


def test_more_air_does_not_change_the_grey_levels() -> None:
    small, large = head(), np.pad(head(), 20)
    one, two = (
        np.percentile(b.values[b.inside], (0.5, 99.5)) for b in map(body_of, (small, large))
    )
    assert one.tolist() == two.tolist()


def test_a_volume_without_air_is_all_body() -> None:
    values = np.random.default_rng(1).integers(900, 1000, (9, 9, 9))
    assert body_of(values).inside.mean() > 0.9


@pytest.mark.parametrize("fill", [0, -5])
def test_a_volume_of_one_value_is_all_body(fill: int) -> None:
    assert body_of(np.full((5, 5, 5), fill)).inside.all()


@given(shape=st.tuples(*[st.integers(1, 40)] * 3), limit=st.integers(1, 4000))
def test_a_sample_is_small_and_spread(shape: tuple[int, int, int], limit: int) -> None:
    values = np.arange(np.prod(shape)).reshape(shape)
    points, steps = sample_points(values, limit)
    assert points.size <= limit
    assert np.array_equal(points, values[:: steps[0], :: steps[1], :: steps[2]])
    assert points.flags.c_contiguous


def test_a_sample_of_a_large_volume_tells_the_same_percentiles() -> None:
    values = ndimage.zoom(head(), 3, order=1)
    whole, part = body_of(values, values.size), body_of(values, 50_000)
    assert part.values.size < whole.values.size / 10
    wanted = np.percentile(whole.values[whole.inside], (0.5, 99.5))
    found = np.percentile(part.values[part.inside], (0.5, 99.5))
    assert np.abs(wanted - found).max() < 0.02 * (wanted[1] - wanted[0])


def test_shares_say_how_much_of_each_slice_is_body() -> None:
    values = np.zeros((10, 10, 8))
    values[2:8, 2:8, 3:6] = 100 + np.arange(6)[:, None, None]
    shares = body_of(values).shares("axial", 8)
    assert shares.tolist() == [0, 0, 0, 0.36, 0.36, 0.36, 0, 0]
