"""Rows of tables that hold what a source says in its own words."""

from collections.abc import Sequence

from converters.annotations.contract import Block
from converters.pattern import template_names
from converters.specs.own_texts import OwnTexts, QuestionTable
from converters.tables import Row, Table, read_table, require_columns, rows_by_key


def rows_of(
    spec: OwnTexts | QuestionTable, key: str, columns: Sequence[str], block: Block
) -> tuple[str, dict[str, list[Row]], list[Row]]:
    """The path of the one table, its rows by their key, and those that have none.

    Raises:
        SourceError: The table cannot be read, or lacks a column.
    """
    table = read_table(spec.table, block.root, block.listing)
    needed = [*template_names(key), *columns, *spec.fields, *spec.only]
    require_columns(table, needed, block.source)
    rows = tuple(row for row in table.rows if counts(spec, row))
    keyed, keyless = rows_by_key(Table(path=table.path, columns=table.columns, rows=rows), key)
    return table.path, keyed, keyless


def counts(spec: OwnTexts | QuestionTable, row: Row) -> bool:
    """Whether each column of `only` holds one of its values."""
    return all(row.values[name] in values for name, values in spec.only.items())


def fields_of(rows: Sequence[Row], names: Sequence[str]) -> dict[str, str] | None:
    """What the rows of an image agree on; None where they do not."""
    found = {tuple(row.values[name] for name in names) for row in rows}
    return dict(zip(names, next(iter(found)), strict=True)) if len(found) == 1 else None
