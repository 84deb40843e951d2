"""Contours made masks on the slices of a volume."""

import itertools
import math
from time import perf_counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converters.errors import CaseError
from converters.imaging.contours import Filled, fill_contours
from converters.imaging.planes import Grid, to_canonical
from converters.imaging.volumes import Volume

SHAPE = (12, 10, 7)
AFFINE = np.array([[1.5, 0, 0, -20], [0, 0.8, 0, 31], [0, 0, 3.0, -7], [0, 0, 0, 1.0]])
coordinate = st.integers(-8, 56).map(lambda n: n / 4)
outlines = st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=8)


def grid_of(affine: np.ndarray = AFFINE, shape: tuple[int, ...] = SHAPE) -> Grid:
    return to_canonical(Volume(values=np.zeros(shape, np.uint8), affine=affine), "image").grid


GRID = grid_of()


def points(outline: list, level: float, axis: int = 2, affine: np.ndarray = AFFINE) -> np.ndarray:
    """Millimetres of an outline in voxel indices on one slice."""
    indices = np.insert(np.array(outline, dtype=float), axis, level, axis=1)
    return indices @ affine[:3, :3].T + affine[:3, 3]


def square(low: float, high: float) -> list[tuple[float, float]]:
    return [(low, low), (high, low), (high, high), (low, high)]


def whole(filled: Filled, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """The mask pasted into the volume."""
    mask = np.zeros(shape, dtype=bool)
    where = tuple(slice(c, c + n) for c, n in zip(filled.corner, filled.mask.shape, strict=True))
    mask[where] = filled.mask
    return mask


def fill(*contours: np.ndarray, grid: Grid = GRID) -> np.ndarray:
    return whole(fill_contours(contours, grid, "heart"), grid.shape)


def is_inside(u: float, v: float, outline: list) -> bool:
    """The even-odd rule for one place, by its definition."""
    crossings = 0
    for ends in zip(outline, outline[1:] + outline[:1], strict=True):
        (u_a, v_a), (u_b, v_b) = sorted(ends)
        if u_a <= u < u_b:
            crossings += v_a + (u - u_a) / (u_b - u_a) * (v_b - v_a) <= v
    return crossings % 2 == 1


@settings(max_examples=60)
@given(outline=outlines, level=st.integers(0, 6))
def test_a_voxel_belongs_where_its_centre_is_inside(outline: list, level: int) -> None:
    wanted = np.zeros(SHAPE, dtype=bool)
    for u, v in itertools.product(range(SHAPE[0]), range(SHAPE[1])):
        wanted[u, v, level] = is_inside(u, v, outline)
    assert np.array_equal(fill(points(outline, level)), wanted)


@settings(max_examples=40)
@given(
    outline=outlines,
    axis=st.integers(0, 2),
    order=st.permutations([0, 1, 2]),
    flips=st.lists(st.booleans(), min_size=3, max_size=3),
)
def test_how_the_image_is_stored_decides_nothing(
    outline: list, axis: int, order: list[int], flips: list[bool]
) -> None:
    turn = np.zeros((4, 4))
    turn[3, 3] = 1
    for stored, own in enumerate(order):
        turn[own, stored] = -1 if flips[stored] else 1
        turn[own, 3] += SHAPE[own] - 1 if flips[stored] else 0
    other = grid_of(AFFINE @ turn, tuple(SHAPE[own] for own in order))
    drawn = points(outline, 3, axis)
    assert np.array_equal(fill(drawn), fill(drawn, grid=other))


def test_a_contour_in_another_is_a_hole() -> None:
    mask = fill(points(square(1.5, 8.5), 2), points(square(3.5, 5.5), 2))
    assert mask.sum() == 7 * 7 - 2 * 2
    assert not mask[4, 5, 2]


def test_an_island_in_a_hole_belongs() -> None:
    rings = [points(square(n + 0.5, 9.5 - n), 2) for n in (0, 2, 3.5)]
    assert fill(*rings).sum() == 81 - 25 + 4


def test_a_keyhole_is_left_out_without_a_seam() -> None:
    outer, inner = square(0.5, 8.5), square(3.5, 5.5)
    keyhole = [*outer, outer[0], inner[0], *inner[:0:-1], inner[0], outer[0]]
    assert np.array_equal(fill(points(keyhole, 2)), fill(points(outer, 2), points(inner, 2)))


def test_a_contour_given_twice_counts_once() -> None:
    one = points(square(1.5, 5.5), 2)
    assert np.array_equal(fill(one, one), fill(one))


def test_neighbouring_contours_are_put_together() -> None:
    left, right = (
        points([(0.5, 1.5), (4.5, 1.5), (4.5, 5.5), (0.5, 5.5)], 2),
        points([(4.5, 1.5), (8.5, 1.5), (8.5, 5.5), (4.5, 5.5)], 2),
    )
    assert fill(left, right).sum() == 32


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_contours_may_lie_on_slices_of_any_axis(axis: int) -> None:
    mask = fill(*(points(square(1.5, 4.5), level, axis) for level in (2, 3)))
    assert np.argwhere(mask).min(axis=0).tolist() == [2, 2, 2]
    assert mask.sum(axis=tuple(a for a in range(3) if a != axis))[2:4].tolist() == [9, 9]


def test_oblique_slices_are_their_own_planes() -> None:
    turn = math.radians(25)
    rotation = np.eye(4)
    rotation[1:3, 1:3] = [[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]
    affine = rotation @ AFFINE
    mask = fill(points(square(1.5, 4.5), 2, affine=affine), grid=grid_of(affine))
    assert np.array_equal(mask, fill(points(square(1.5, 4.5), 2)))


def rejected(*contours: np.ndarray) -> CaseError:
    with pytest.raises(CaseError) as caught:
        fill_contours(contours, GRID, "heart")
    return caught.value


def test_contours_between_slices_are_refused_with_numbers() -> None:
    error = rejected(points(square(1.5, 4.5), 2.4))
    assert error.reason == "geometry_invalid"
    assert "1.20 mm off slice 2; slices are 3.00 mm apart" in error.message


def test_contours_in_no_plane_are_refused() -> None:
    tilted = points(square(1.5, 4.5), 2)
    tilted[1] += 2.0
    assert "not in the plane of a slice" in rejected(tilted).message


def test_contours_that_cross_are_refused() -> None:
    error = rejected(points(square(1.5, 5.5), 2), points(square(3.5, 7.5), 2))
    assert error.reason == "labels_contradict"
    assert "16 and 16 voxels, 4 in both" in error.message


def test_contours_of_the_same_voxels_do_not_erase_each_other() -> None:
    error = rejected(points(square(1.5, 5.5), 2), points(square(1.4, 5.4), 2))
    assert error.reason == "labels_contradict"


def test_contours_on_every_second_slice_are_refused() -> None:
    error = rejected(*(points(square(1.5, 4.5), level) for level in (0, 2, 4)))
    assert "at least 2 apart" in error.message


def test_a_point_that_is_nowhere_is_refused() -> None:
    assert rejected(points([(0, 0), (1, 1), (np.nan, 2)], 2)).reason == "geometry_invalid"


@pytest.mark.parametrize(
    "levels", [(1, 2, 4), (5, 6, 7), (-2, -1, 0)], ids=["gap", "above", "below"]
)
def test_what_is_not_all_seen_says_so(levels: tuple[int, ...]) -> None:
    drawn = [points(square(1.5, 4.5), level) for level in levels]
    assert not fill_contours(drawn, GRID, "heart").is_all_seen


def test_a_contour_that_holds_no_voxel_centre_is_not_all_seen() -> None:
    filled = fill_contours([points(square(1.2, 1.8), 2)], GRID, "heart")
    assert not filled.mask.size
    assert not filled.is_all_seen


def test_a_speck_beside_another_contour_counts_for_nothing() -> None:
    drawn = [points(square(1.5, 4.5), 2), points(square(6.2, 6.8), 2)]
    assert fill_contours(drawn, GRID, "heart").is_all_seen


def test_a_contour_that_reaches_out_of_the_image_is_not_all_seen() -> None:
    drawn = [points(square(-3.5, 4.5), 2)]
    assert not fill_contours(drawn, GRID, "heart").is_all_seen


def test_a_tumor_drawn_on_every_slice_is_all_seen() -> None:
    drawn = [points(square(1.5, 4.5), level) for level in (3, 1, 2)]
    assert fill_contours(drawn, GRID, "heart").is_all_seen


def test_points_a_little_off_their_slice_are_on_record() -> None:
    assert fill_contours([points(square(1.5, 4.5), 2.05)], GRID, "heart").off_mm == 0.15


def test_the_volume_of_a_sphere_is_right_to_half_a_voxel() -> None:
    radius, affine = 30.0, np.diag([1.0, 1, 3, 1])
    angles = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    drawn = []
    for level in range(6, 25):
        reach = math.sqrt(max(radius**2 - (3 * level - 45) ** 2, 0))
        if reach > 1:
            ring = np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1) * reach
            drawn.append(ring + np.array([50.0, 50.0, 3.0 * level]))
    grid = grid_of(affine, (101, 101, 31))
    volume = fill(*drawn, grid=grid).sum() * 3.0
    assert abs(volume / (4 / 3 * math.pi * radius**3) - 1) < 0.01


@settings(max_examples=60)
@given(outer=outlines, inner=outlines, turn=st.integers(0, 7))
def test_a_line_drawn_there_and_back_encloses_nothing(outer: list, inner: list, turn: int) -> None:
    """However two outlines lie, joining them into one by a line drawn twice is their XOR."""
    start = turn % len(inner)
    inner = inner[start:] + inner[:start]
    joined = [*outer, outer[0], *inner, inner[0], outer[0]]
    apart = fill(points(outer, 2)) ^ fill(points(inner, 2))
    assert np.array_equal(fill(points(joined, 2)), apart)


# --- work that is bounded ----------------------------------------------------------------------

WIDE = grid_of(np.eye(4), (512, 512, 3))


def rings(count: int, step: float) -> list[np.ndarray]:
    """Circles of three voxels, 60 a row, each `step` voxels from the next."""
    turn = np.linspace(0, 2 * np.pi, 20)[:-1]
    circle = np.stack([3 * np.cos(turn), 3 * np.sin(turn)], axis=1)
    found = []
    for k in range(count):
        center = (100 + step * (k % 60), 100 + step * (k // 60))
        found.append(points(np.add(circle, center).tolist(), 1.0, 2, np.eye(4)))
    return found


def test_thousands_of_specks_beside_each_other_are_filled_soon() -> None:
    start = perf_counter()
    mask = fill(*rings(3600, 6.5), grid=WIDE)
    assert perf_counter() - start < 10
    assert mask.sum() > 3600 * 20


@pytest.mark.parametrize(
    ("contours", "seen"),
    [
        (rings(3600, 0.05), "pairs of contours that overlap"),
        ([points(square(1 + k / 1e4, 500), 1.0, 2, np.eye(4)) for k in range(150)], "times"),
        (rings(10_500, 0.01), "contours on one slice"),
    ],
    ids=["pairs", "areas", "contours"],
)
def test_contours_beyond_what_is_drawn_are_refused(contours: list, seen: str) -> None:
    start = perf_counter()
    with pytest.raises(CaseError, match=seen) as caught:
        fill_contours(contours, WIDE, "x")
    assert caught.value.reason == "value_invalid"
    assert perf_counter() - start < 10
