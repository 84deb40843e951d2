"""Choice of slices: largest area first, every label shown, never more than allowed."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from converters.imaging.planes import Plane
from converters.imaging.slices import Extent, choose_slices

AREAS = st.lists(st.integers(0, 40), min_size=1, max_size=12)
LABELS = st.lists(st.tuples(st.integers(0, 9), AREAS), min_size=1, max_size=6)


def extents(labels: list[tuple[int, list[int]]], plane: str = "axial") -> list[Extent]:
    """One extent a label."""
    return [
        Extent(label=f"label {n}", plane=plane, start=start, areas=np.array(areas, dtype=float))
        for n, (start, areas) in enumerate(labels)
    ]


def where(found: list[Extent], **asked: int) -> list[tuple[Plane, int]]:
    """Plane and index of what is chosen."""
    return [choice.where for choice in choose_slices(found, **asked)]


def test_a_lone_label_is_shown_where_it_is_largest() -> None:
    found = where(extents([(3, [5, 9, 30, 20])]), per_finding=1, per_volume=8, min_area_px=8)
    assert found == [("axial", 5)]


def test_one_slice_serves_labels_that_lie_together() -> None:
    both = extents([(0, [10, 20, 19]), (0, [9, 18, 20])])
    assert where(both, per_finding=1, per_volume=8, min_area_px=8) == [("axial", 1)]


def test_further_slices_spread_over_the_extent() -> None:
    found = where(extents([(0, [20.0] * 21)]), per_finding=3, per_volume=8, min_area_px=8)
    assert [index for _, index in found] == [5, 10, 16]


def test_every_plane_is_served() -> None:
    both = extents([(0, [10, 20])], "axial") + extents([(4, [30, 9])], "coronal")
    found = where(both, per_finding=1, per_volume=8, min_area_px=8)
    assert found == [("axial", 1), ("coronal", 4)]


@given(labels=LABELS, per_finding=st.integers(1, 4))
def test_every_label_that_can_be_seen_is_shown(
    labels: list[tuple[int, list[int]]], per_finding: int
) -> None:
    found = where(extents(labels), per_finding=per_finding, per_volume=1000, min_area_px=8)
    indices = {index for _, index in found}
    for start, areas in labels:
        visible = {start + n for n, area in enumerate(areas) if area >= 8}
        assert not visible or visible & indices


def test_where_few_slices_are_allowed_no_label_is_shown_twice_before_all_are_once() -> None:
    # Two labels lie together, and each is largest in another slice; a third lies elsewhere.
    three = extents([(0, [20, 14, 20]), (0, [9, 14, 20]), (9, [30])])
    found = where(three, per_finding=3, per_volume=2, min_area_px=8)
    assert found == [("axial", 2), ("axial", 9)]


@given(labels=LABELS, per_volume=st.integers(1, 5))
def test_never_more_than_allowed_and_never_an_empty_slice(
    labels: list[tuple[int, list[int]]], per_volume: int
) -> None:
    found = where(extents(labels), per_finding=3, per_volume=per_volume, min_area_px=8)
    assert len(found) <= per_volume
    assert len(set(found)) == len(found)
    visible = {s + n for s, areas in labels for n, area in enumerate(areas) if area >= 8}
    assert {index for _, index in found} <= visible


@given(labels=LABELS)
def test_the_same_areas_give_the_same_slices(labels: list[tuple[int, list[int]]]) -> None:
    asked = {"per_finding": 2, "per_volume": 4, "min_area_px": 8}
    assert where(extents(labels), **asked) == where(extents(labels), **asked)
