"""The control of the held-out loss: every text with another picture than its own."""

from collections import Counter

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra 'train', as in the stage 'train' of CI")
from hypothesis import given
from hypothesis import strategies as st

from trainer.batches import Pack
from trainer.held_out import with_pictures_of_others
from trainer.images import ImageSettings, placeholder

IMAGES = ImageSettings(size_px=2)
STAND_IN = placeholder(IMAGES)


def picture(shade: int) -> np.ndarray:
    return np.full((2, 2, 3), shade, np.uint8)


def pack(pictures: list[np.ndarray]) -> Pack:
    nothing = np.zeros(0, np.int64)
    return Pack(
        ids=nothing, positions=nothing, targets=nothing, owner=nothing, pixels=np.stack(pictures),
        documents=tuple(range(len(pictures))), bad=(), image_tokens=0,
    )  # fmt: skip


def shades(packs: list[Pack]) -> list[int]:
    return [int(pixels[0, 0, 0]) for pack in packs for pixels in pack.pixels]


@given(st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=6), min_size=1, max_size=5))
def test_no_text_keeps_its_picture_nor_gets_an_equal_one(numbers: list[list[int]]) -> None:
    packs = [pack([picture(number) for number in some]) for some in numbers]
    others = with_pictures_of_others(packs, IMAGES)
    if len(set(shades(packs))) == 1:
        assert others is None
        return
    assert others is not None
    assert all(own != other for own, other in zip(shades(packs), shades(others), strict=True))


@given(st.permutations([0, 0, 0, 1, 1, 2, 3]))
def test_each_picture_is_shown_as_often_as_it_was(numbers: list[int]) -> None:
    others = with_pictures_of_others([pack([picture(number) for number in numbers])], IMAGES)
    assert others is not None
    assert Counter(shades(others)) == Counter(numbers)


def test_what_stands_in_for_a_picture_is_nobodys_control() -> None:
    packs = [pack([picture(1), STAND_IN]), pack([STAND_IN]), pack([picture(2)])]
    others = with_pictures_of_others(packs, IMAGES)
    assert others is not None
    stand_in = int(STAND_IN[0, 0, 0])
    assert shades(others) == [2, stand_in, stand_in, 1]
