"""Outlines made masks: which pixels lie inside."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from converters.errors import CaseError
from converters.imaging.outlines import fill_polygon, outline_points, overhang

SIZE = (12, 9)
coordinate = st.integers(-24, 60).map(lambda n: n / 4)
outlines = st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=9)


def fill(points: list, size: tuple[int, int] = SIZE) -> np.ndarray:
    return fill_polygon(np.array(points, dtype=float), size)


def is_inside(x: float, y: float, points: list) -> bool:
    """The even-odd rule for one place, by its definition: crossings of a ray to the left."""
    crossings = 0
    for ends in zip(points, points[1:] + points[:1], strict=True):
        (x_a, y_a), (x_b, y_b) = sorted(ends, key=lambda end: end[1])
        if y_a <= y < y_b:
            crossings += x_a + (y - y_a) / (y_b - y_a) * (x_b - x_a) <= x
    return crossings % 2 == 1


@given(points=outlines)
def test_a_pixel_belongs_where_its_centre_is_inside(points: list) -> None:
    width, height = SIZE
    wanted = [[is_inside(x + 0.5, y + 0.5, points) for x in range(width)] for y in range(height)]
    assert np.array_equal(fill(points), np.array(wanted))


def test_a_rectangle_on_pixel_borders_is_its_pixels() -> None:
    mask = fill([(2, 1), (7, 1), (7, 4), (2, 4)])
    assert np.argwhere(mask).min(axis=0).tolist() == [1, 2]
    assert np.argwhere(mask).max(axis=0).tolist() == [3, 6]
    assert mask.sum() == 15


def test_x_runs_to_the_right_and_y_down() -> None:
    mask = fill([(9, 1), (11, 1), (11, 2), (9, 2)])
    assert np.argwhere(mask).tolist() == [[1, 9], [1, 10]]


@given(points=outlines, turn=st.integers(0, 8), is_backwards=st.booleans())
def test_where_drawing_began_and_its_direction_do_not_matter(
    points: list, turn: int, is_backwards: bool
) -> None:
    turned = points[turn % len(points) :] + points[: turn % len(points)]
    turned = turned[::-1] if is_backwards else turned
    assert np.array_equal(fill(turned), fill(points))


@given(
    corners=st.tuples(coordinate, coordinate, coordinate, coordinate),
    cut=st.tuples(st.integers(0, 8), st.integers(0, 8)),
)
def test_outlines_that_share_a_line_share_no_pixel_and_leave_none_out(
    corners: tuple, cut: tuple
) -> None:
    a, b, c, d = corners
    x_min, x_max, y_min, y_max = min(a, b), max(a, b) + 1, min(c, d), max(c, d) + 1
    top = (x_min + (x_max - x_min) * cut[0] / 8, y_min)
    bottom = (x_min + (x_max - x_min) * cut[1] / 8, y_max)
    whole = fill([(x_min, y_min), (x_max, y_min), (x_max, y_max), (x_min, y_max)])
    left = fill([(x_min, y_min), top, bottom, (x_min, y_max)])
    right = fill([top, (x_max, y_min), (x_max, y_max), bottom])
    assert not (left & right).any()
    assert np.array_equal(left | right, whole)


def test_area_of_a_disc_is_right_to_half_a_pixel_of_its_rim() -> None:
    radius, center = 40.3, (50.2, 49.7)
    angles = np.linspace(0, 2 * math.pi, 720, endpoint=False)
    ring = np.stack([center[0] + radius * np.cos(angles), center[1] + radius * np.sin(angles)], 1)
    area = fill_polygon(ring, (100, 100)).sum()
    assert abs(area - math.pi * radius**2) < 0.5 * 2 * math.pi * radius


@given(points=outlines)
def test_what_lies_outside_the_picture_is_cut_off(points: list) -> None:
    shifted = [(x + 6, y + 6) for x, y in points]
    whole = fill(shifted, (SIZE[0] + 20, SIZE[1] + 20))
    assert np.array_equal(fill(points), whole[6 : 6 + SIZE[1], 6 : 6 + SIZE[0]])


def test_overhang_is_how_far_points_reach_out() -> None:
    assert overhang(np.array([(0.0, 0.0), (12.0, 9.0)]), SIZE) == 0
    assert overhang(np.array([(-1.5, 0.0), (12.0, 9.0)]), SIZE) == 1.5
    assert overhang(np.array([(0.0, 0.0), (12.0, 11.0)]), SIZE) == 2


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([[1, 2], [3, 4]], "box_empty"),
        ([], "box_empty"),
        ([[1, 2, 3]] * 3, "value_invalid"),
        ([[1, float("nan")]] * 3, "value_invalid"),
        ([[1, 1e300]] * 3, "value_invalid"),
        ([[0, 0]] * 200_001, "value_invalid"),
    ],
)
def test_what_is_no_outline_is_refused(values: list, reason: str) -> None:
    with pytest.raises(CaseError) as caught:
        outline_points(values, "a.json")
    assert caught.value.reason == reason


def test_an_outline_that_is_noise_is_refused() -> None:
    points = np.random.default_rng(0).uniform(0, 4000, (200_000, 2))
    with pytest.raises(CaseError, match="200,000 points") as caught:
        fill_polygon(points, (4000, 4000))
    assert caught.value.reason == "value_invalid"


def test_a_line_that_is_drawn_many_times_is_even_or_odd() -> None:
    """More crossings of one pixel than a byte counts."""
    around = [(2, 1), (7, 1), (7, 4), (2, 4)]
    assert not fill(around * 256).any()
    assert np.array_equal(fill(around * 257), fill(around))
