"""Tables with one row a label and an image."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from converters.annotations.long_table import widened
from converters.errors import SourceError
from converters.specs.labels import LabelRows
from converters.tables import Row, Table

SPEC = LabelRows(column="ID", pattern="ID_{name:[0-9]+}_{label:[a-z]+}", value="Label")


def table(*rows: tuple[str, str]) -> Table:
    """A table of those rows."""
    return Table(
        path="t.csv",
        columns=("ID", "Label"),
        rows=tuple(
            Row(number=at, values={"ID": name, "Label": value})
            for at, (name, value) in enumerate(rows, start=2)
        ),
    )


def wide(*rows: tuple[str, str]) -> list[dict[str, str]]:
    """Values of the rows that they become."""
    return [dict(row.values) for row in widened(SPEC, table(*rows), "toy").rows]


def test_labels_become_columns() -> None:
    assert wide(("ID_1_any", "1"), ("ID_1_sub", "0"), ("ID_2_any", "0"), ("ID_2_sub", "0")) == [
        {"name": "1", "any": "1", "sub": "0"},
        {"name": "2", "any": "0", "sub": "0"},
    ]


def test_label_without_a_row_is_empty() -> None:
    assert wide(("ID_1_any", "1"), ("ID_2_sub", "0"))[0] == {"name": "1", "any": "1", "sub": ""}


def test_row_that_stands_twice_counts_once() -> None:
    assert wide(("ID_1_any", "1"), ("ID_1_any", "1")) == [{"name": "1", "any": "1"}]


def test_rows_that_differ_stay_apart() -> None:
    assert wide(("ID_1_any", "1"), ("ID_1_any", "0")) == [
        {"name": "1", "any": "1"},
        {"name": "1", "any": "0"},
    ]


@pytest.mark.parametrize("cell", ["ID_1", "ID_x_any", "", "ID_1_any "])
def test_cell_of_another_kind_stops_the_source(cell: str) -> None:
    with pytest.raises(SourceError, match="does not match"):
        wide((cell, "1"))


def test_missing_column_stops_the_source() -> None:
    spec = SPEC.model_copy(update={"value": "Wrong"})
    with pytest.raises(SourceError, match="no column 'Wrong'"):
        widened(spec, table(("ID_1_any", "1")), "toy")


def test_pattern_names_the_label() -> None:
    with pytest.raises(ValidationError, match="placeholder"):
        LabelRows(column="ID", pattern="{name}", value="Label")


CELLS = st.dictionaries(
    st.tuples(st.integers(0, 9), st.sampled_from(["any", "sub", "epi"])),
    st.sampled_from(["0", "1"]),
    min_size=1,
)


@given(cells=CELLS)
def test_every_cell_arrives_at_its_place(cells: dict[tuple[int, str], str]) -> None:
    rows = [(f"ID_{name}_{label}", value) for (name, label), value in cells.items()]
    found = {row["name"]: row for row in wide(*rows)}
    assert {
        (int(name), label): value
        for name, row in found.items()
        for label, value in row.items()
        if label != "name" and value
    } == cells
