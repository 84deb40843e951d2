"""Left and right are the patient's, and a volume that says otherwise is refused."""

import numpy as np
import pytest

from converters.annotations.sides import require_sides
from converters.annotations.structures import Structure, empty_structure
from converters.errors import CaseError
from converters.imaging.planes import Grid, to_canonical
from converters.imaging.volumes import Volume


def grid(degrees: float = 0.0) -> Grid:
    """A canonical grid of 2 mm, turned about the axis from foot to head."""
    angle = np.radians(degrees)
    turn = np.diag([2.0, 2.0, 2.0, 1.0])
    turn[:2, :2] = 2 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return to_canonical(Volume(values=np.zeros((90, 90, 90), np.uint8), affine=turn), "x").grid


def at(name: str, i: int, j: int = 40) -> Structure:
    """A cube of a term."""
    return Structure(term=name, code="", mask=np.ones((4, 4, 4), bool), corner=(i, j, 40))


def test_left_on_the_left_passes() -> None:
    require_sides([at("left kidney", 10), at("right kidney", 60), at("liver", 5)], grid())


def test_left_on_the_right_is_refused_with_its_numbers() -> None:
    said = "the left kidney lies 100 mm to the right of the right one"
    with pytest.raises(CaseError, match=f"sides_swapped.*of 1 structures.*1 lie.*{said}"):
        require_sides([at("left kidney", 60), at("right kidney", 10)], grid())


def test_one_pair_of_three_may_lie_otherwise() -> None:
    require_sides(
        [at("left kidney", 60), at("right kidney", 10), at("left lung", 10), at("right lung", 60),
         at("left femur", 10), at("right femur", 60)], grid()
    )  # fmt: skip


def test_pairs_that_lie_together_tell_nothing() -> None:
    require_sides([at("left kidney", 41), at("right kidney", 40)], grid())


def test_a_structure_alone_tells_nothing() -> None:
    require_sides(
        [at("left kidney", 80), empty_structure("right kidney", ""), at("right lung", 5)], grid()
    )


def test_the_axis_is_that_of_the_patient_where_a_scan_is_turned() -> None:
    # Along the voxels the left one lies 4 to the right; in the patient, far to the left.
    pair = [at("left kidney", 44, j=80), at("right kidney", 40, j=0)]
    require_sides(pair, grid(30))
    with pytest.raises(CaseError, match="sides_swapped"):
        require_sides(pair, grid(-30))
