"""Promises of numbers in texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.phrases import cut_words
from pipeline.quantities import agrees, quantities


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("12 mm", [(12, "length")]),
        ("12mm", [(12, "length")]),
        ("1.2 cm", [(12, "length")]),
        ("12 x 15 mm", [(12, "length"), (15, "length")]),
        ("2 to 3 cm", [(20, "length"), (30, "length")]),
        ("0.5 millimetres", [(0.5, "length")]),
        ("7 µm", [(0.007, "length")]),
        ("3.5 cm²", [(350, "area")]),
        ("3.5 square centimeters", [(350, "area")]),
        ("120 ml", [(120, "volume")]),
        ("120 cc", [(120, "volume")]),
        ("2 cubic centimeters", [(2, "volume")]),
        ("1,200 mm", [(1200, "length")]),
        ("40 %", [(40, "%")]),
        ("3 nodules", [(3, "")]),
        ("直径12毫米", [(12, "length")]),
        ("面积3平方厘米", [(300, "area")]),
        ("no number", []),
    ],
)
def test_units_are_converted(text: str, said: list[tuple[float, str]]) -> None:
    found = quantities(cut_words(text))
    assert [one.dimension for one in found] == [dimension for _, dimension in said]
    assert [one.value for one in found] == pytest.approx([value for value, _ in said])


@pytest.mark.parametrize(
    ("text", "fact", "right"),
    [
        ("12 mm", 12.4, True),
        ("12 mm", 12.6, False),
        ("1.2 cm", 12.4, True),
        ("1 cm", 12.4, True),
        ("1 cm", 16.0, False),
        ("124 mm", 12.4, False),
        ("50 mm", 50.9, True),
        ("60 mm", 50.9, False),
    ],
)
def test_a_number_agrees_with_what_it_rounds(text: str, fact: float, right: bool) -> None:
    assert agrees(quantities(cut_words(text))[0], fact) is right


@given(st.floats(5, 900), st.sampled_from([("mm", 1.0), ("cm", 10.0)]), st.integers(1, 2))
def test_a_rounded_fact_agrees_and_one_off_by_a_third_does_not(
    fact: float, unit: tuple[str, float], decimals: int
) -> None:
    name, factor = unit
    (said,) = quantities(cut_words(f"{fact / factor:.{decimals}f} {name}"))
    assert agrees(said, fact)
    assert not agrees(said, 1.4 * fact + 0.6 * said.step)
