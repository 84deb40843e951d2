"""Lists as Python writes them, in cells of tables."""

import pytest

from converters.annotations.literals import literal_list


@pytest.mark.parametrize(
    ("cell", "texts"),
    [
        ("['mass', 'cyst']", ["mass", "cyst"]),
        ("[' mass', 'mass', '']", ["mass", ""]),
        ("[\"Crohn's disease\", 'cyst']", ["Crohn's disease", "cyst"]),
        ("[]", []),
        ("mass", ["mass"]),
        ("['mass', 3]", ["['mass', 3]"]),
        ("['mass'", ["['mass'"]),
    ],
)
def test_a_list_is_taken_apart_and_anything_else_stays_as_it_is(
    cell: str, texts: list[str]
) -> None:
    assert literal_list(cell) == texts
