"""Rows of a table that all images share, joined with the images: an image may have many."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from converters.annotations.contract import Block, Index
from converters.annotations.joins import keys_of_images
from converters.errors import SourceError
from converters.pattern import template_names
from converters.records import Entry
from converters.specs.base import TableFile
from converters.tables import Row, read_table, require_columns, rows_by_key


@dataclass(frozen=True, kw_only=True, slots=True)
class Coded:
    """How the rows of a table are labelled.

    Attributes:
        column: Holds the code of a row; None where all rows have the one label.
        labels: Codes with a term.
        ignore: Codes that are passed over.
    """

    column: str | None
    labels: Mapping[str, str]
    ignore: list[str]

    def code_of(self, row: Mapping[str, str]) -> str:
        """The code of a row."""
        return row[self.column] if self.column else next(iter(self.labels))

    def require_known(self, row: Row, where: str, source: str) -> None:
        """Refuse a code that the manifest does not know.

        Raises:
            SourceError: It is neither a label nor ignored.
        """
        code = self.code_of(row.values)
        if code not in self.labels and code not in self.ignore:
            raise SourceError(
                source,
                f"{where}, row {row.number}: {self.column} {code[:60]!r} is not known",
                f"add it to the manifest, or mend the table; known: {', '.join(self.labels)}"[:500],
            )


def index_rows(  # noqa: PLR0913 - each is a part of the join
    table: TableFile,
    block: Block,
    *,
    key: str,
    match: str,
    columns: list[str],
    coded: Coded,
    entry: Callable[[str, list[Row]], Entry],
    noun: str,
    fields: Sequence[str] = (),
) -> Index:
    """Join rows with images by `key` and `match`.

    Args:
        table: Where the rows are.
        block: Images and listing.
        key: Template over the columns.
        match: Template over the fields of an image.
        columns: What must be there beside those of `key`.
        coded: Labels.
        entry: What an image has of its rows; given the path of the table.
        noun: What a row is, in the plural, for messages.
        fields: Columns that become fields of an image, where its rows agree on them.

    Raises:
        SourceError: The table is not readable, lacks a column, or holds an unknown code.
    """
    found = read_table(table, block.root, block.listing)
    label = [coded.column] if coded.column else []
    require_columns(found, [*template_names(key), *columns, *label, *fields], block.source)
    for row in found.rows:
        coded.require_known(row, found.path, block.source)
    keyed, keyless = rows_by_key(found, key)
    entries: dict[str, Entry] = {}
    further: dict[str, Mapping[str, str]] = {}
    keys, faults = keys_of_images(match, keyed, block)
    used = set(keys.values())
    for image in block.images:
        if image.path in keys:
            rows = keyed[keys[image.path]]
            entries[image.path] = entry(found.path, rows)
            further[image.path] = {**_agreed(rows, fields), **image.fields}
    orphans = [(name, f"{len(rows)} {noun}") for name, rows in keyed.items() if name not in used]
    orphans += [(f"row {row.number}", "no name of an image") for row in keyless]
    return Index(
        entries=entries,
        columns=further if fields else {},
        faults=faults,
        orphans=tuple((f"{found.path}:{name}", what) for name, what in orphans),
    )


def _agreed(rows: list[Row], fields: Sequence[str]) -> dict[str, str]:
    """Cells that are the same in all rows; one that differs is no field, and cannot be used."""
    first = rows[0].values
    return {
        name: first[name] for name in fields if all(row.values[name] == first[name] for row in rows)
    }


def rows_entry(path: str, rows: list[Row], names: list[str]) -> Entry:
    """An entry of the cells that are read, in the order of the table."""
    values = [{name: row.values[name] for name in names} for row in rows]
    labels = tuple(sorted(" ".join(one.values()) for one in values))
    return Entry(table=path, values=[dict(one) for one in values], labels=labels)


def cells_of(entry: Entry) -> list[dict[str, str]]:
    """The rows that :func:`rows_entry` holds."""
    assert isinstance(entry.values, list)
    rows = [row for row in entry.values if isinstance(row, dict)]
    return [{name: str(cell) for name, cell in row.items()} for row in rows]
