"""Run-length codes: which pixel a number means, and which codes are refused."""

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from converters.annotations import rle
from converters.errors import CaseError
from converters.imaging.runs import decode_runs, encode_runs
from converters.manifest import load_manifest

STARTS = ["from_0", "from_1", "relative"]
ORDERS = ["rows", "columns"]


def pixels(text: str, starts: str, order: str, size: tuple[int, int] = (4, 3)) -> list:
    """(row, column) of each marked pixel."""
    mask = decode_runs(text, size, starts=starts, order=order, where="t.csv")
    return [(int(row), int(column)) for row, column in np.argwhere(mask)]


def reason(text: str, starts: str = "from_1", size: tuple[int, int] = (4, 3)) -> str:
    with pytest.raises(CaseError) as caught:
        decode_runs(text, size, starts=starts, order="columns", where="t.csv")
    return caught.value.reason


def test_first_pixel_is_one_and_columns_run_down() -> None:
    assert pixels("1 2", "from_1", "columns") == [(0, 0), (1, 0)]
    assert pixels("4 1", "from_1", "columns") == [(0, 1)]


def test_row_order_runs_to_the_right() -> None:
    assert pixels("1 2", "from_1", "rows") == [(0, 0), (0, 1)]
    assert pixels("5 1", "from_1", "rows") == [(1, 0)]


def test_first_pixel_is_zero() -> None:
    assert pixels("0 1 11 1", "from_0", "columns") == [(0, 0), (2, 3)]


def test_relative_starts_count_from_the_end_of_the_run_before() -> None:
    # Pixels 2 and 3, then two are left out, then pixel 6.
    assert pixels("2 2 2 1", "relative", "columns") == [(0, 1), (0, 2), (2, 0)]


def test_relative_code_as_the_published_decoder_reads_it() -> None:
    """The loop of the competition's own reader: reshape(width, height), then transposed."""
    text, width, height = "119 3 7 4 2 60 11 1", 20, 16
    flat = np.zeros(width * height, dtype=bool)
    numbers = list(map(int, text.split()))
    at = 0
    for start, length in zip(numbers[0::2], numbers[1::2], strict=True):
        at += start
        flat[at : at + length] = True
        at += length
    mask = decode_runs(text, (width, height), starts="relative", order="columns", where="")
    assert np.array_equal(mask, flat.reshape(width, height).T)


@given(
    mask=arrays.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))),
    starts=st.sampled_from(STARTS),
    order=st.sampled_from(ORDERS),
)
def test_what_is_encoded_is_decoded(mask: np.ndarray, starts: str, order: str) -> None:
    text = encode_runs(mask, starts=starts, order=order)
    size = (mask.shape[1], mask.shape[0])
    if text:
        found = decode_runs(text, size, starts=starts, order=order, where="")
        assert np.array_equal(found, mask)
    else:
        assert not mask.any()


@given(
    mask=arrays.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))),
    starts=st.sampled_from(STARTS),
)
def test_one_order_is_the_other_of_the_turned_mask(mask: np.ndarray, starts: str) -> None:
    assert encode_runs(mask, starts=starts, order="rows") == encode_runs(
        mask.T, starts=starts, order="columns"
    )


@given(text=st.text(alphabet="0123456789 -", max_size=24), starts=st.sampled_from(STARTS))
def test_any_text_is_a_mask_or_a_reason(text: str, starts: str) -> None:
    with contextlib.suppress(CaseError):
        mask = decode_runs(text, (7, 5), starts=starts, order="rows", where="")
        assert mask.sum() == sum(map(int, text.split()[1::2]))


def test_runs_out_of_the_picture_are_refused() -> None:
    assert reason("12 2") == "box_outside"
    assert reason("0 1") == "box_outside"
    assert reason("-1 1", "relative") == "box_outside"
    assert reason("1 13") == "box_outside"


def test_runs_that_overlap_or_go_back_are_refused() -> None:
    assert reason("3 4 5 1") == "value_invalid"
    assert reason("9 1 3 1") == "value_invalid"
    assert reason("5 4 -3 1", "relative") == "value_invalid"


@pytest.mark.parametrize("text", ["1", "1 2 3", "1 0", "1 -2", "1.0 2", "a b", "1_0 2", "\u0661 2"])
def test_what_is_no_code_is_refused(text: str) -> None:
    assert reason(text) == "value_invalid"


def test_no_runs_are_no_mask() -> None:
    assert reason("  ") == "box_empty"


def test_a_number_beyond_any_picture_is_refused() -> None:
    assert reason(f"{10**30} 1") == "value_invalid"


def test_a_pneumothorax_in_two_pieces_is_one() -> None:
    spec = load_manifest("siim_acr_pneumothorax").manifest.layout.annotations[0]
    mask = np.zeros((9, 9), bool)
    mask[1:3, 1:3] = mask[5:8, 5:8] = True
    (layer,) = rle._layers(spec, "pneumothorax", [mask])
    assert len(layer.regions) == 1
    assert not layer.are_instances
