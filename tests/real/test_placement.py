"""Where labels lie, told by a real image: the right place is far from every mirrored one."""

from itertools import product
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from converters.annotations.placement import held_against
from converters.annotations.structures import Structure, cut_structure
from converters.errors import CaseError
from converters.imaging.body import Body, body_of

WAYS = [flips for flips in product((1, -1), repeat=3) if flips != (1, 1, 1)]
ORGANS = [("liver",), ("liver", "spleen", "kidney_left", "kidney_right")]


def read(folder: Path, name: str) -> np.ndarray:
    return np.asarray(nib.as_closest_canonical(nib.load(folder / name)).dataobj)


@pytest.fixture(params=ORGANS, ids=("liver", "four organs"))
def shown(request: pytest.FixtureRequest, real_data: Path) -> tuple[Body, list[np.ndarray]]:
    """A CT of the abdomen and masks on it."""
    folder = real_data / "totalsegmentator_v2" / "s0000"
    masks = [read(folder, f"segmentations/{name}.nii.gz") > 0 for name in request.param]
    return body_of(read(folder, "ct.nii.gz")), masks


def structures(masks: list[np.ndarray], flips: tuple[int, int, int]) -> list[Structure]:
    i, j, k = flips
    return [cut_structure(mask[::i, ::j, ::k], "liver", "1") for mask in masks]


def test_the_right_place_is_borne_out_with_room(shown: tuple[Body, list[np.ndarray]]) -> None:
    body, masks = shown
    found = held_against(structures(masks, (1, 1, 1)), body, 1.5, "ct")
    assert found["mirrored_spread"] > 3 * found["spread"]


@pytest.mark.parametrize("flips", WAYS)
def test_every_mirrored_place_is_refused(
    shown: tuple[Body, list[np.ndarray]], flips: tuple[int, int, int]
) -> None:
    body, masks = shown
    with pytest.raises(CaseError) as caught:
        held_against(structures(masks, flips), body, 1.5, "ct")
    assert caught.value.reason == "orientation_ambiguous"
