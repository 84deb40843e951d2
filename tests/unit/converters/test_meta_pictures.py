"""2-D pictures in MetaImage files."""

import numpy as np
import pytest

from converters.errors import CaseError
from converters.imaging.meta_pictures import meta_picture
from tests.fakes.images import meta_image

GREY = np.arange(12, dtype=np.uint8).reshape(3, 4)


@pytest.mark.parametrize("number", [0, 1])
def test_grey_values_are_those_of_the_file_packed_or_not(number: int) -> None:
    assert np.array_equal(np.asarray(meta_picture(meta_image(GREY, number), "a.mha")), GREY)


def test_three_planes_are_the_colors_of_one_picture() -> None:
    planes = np.stack([GREY, GREY + 20, GREY + 40])
    picture = meta_picture(meta_image(planes, 0), "a.mha")
    assert picture.mode == "RGB"
    assert np.array_equal(np.asarray(picture), np.moveaxis(planes, 0, -1))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"LOCAL", b"a.raw", "file_unreadable"),
        (b"DimSize = 4 3", b"DimSize = 4 4", "file_unreadable"),
        (b"DimSize = 4 3", b"DimSize = 4 x", "file_unreadable"),
        (b"DimSize = 4 3", b"DimSize = 2 3 2", "file_unsupported"),
        (b"DimSize = 4 3", b"DimSize = 90000 90000", "file_too_large"),
        (b"MET_UCHAR", b"MET_FLOAT", "file_unsupported"),
    ],
)
def test_a_file_that_is_no_such_picture_is_rejected(old: bytes, new: bytes, reason: str) -> None:
    with pytest.raises(CaseError) as caught:
        meta_picture(meta_image(GREY, 0).replace(old, new), "a.mha")
    assert caught.value.reason == reason


def test_a_packed_file_that_is_cut_is_rejected() -> None:
    with pytest.raises(CaseError) as caught:
        meta_picture(meta_image(GREY, 1)[:-9], "a.mha")
    assert caught.value.reason == "file_unreadable"
