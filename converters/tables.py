"""Tables on disk, csv, tsv, xlsx or json: read strictly, every cell as text.

A table joins labels with images, so a cell that slips by one column puts wrong words
beside many pictures. What is not as the manifest says stops the source.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from converters.errors import CaseError, SourceError
from converters.files import Listing, Root
from converters.pattern import fill, match_paths
from converters.specs.base import TableFile
from converters.table_cells import counts, lines_of, mended, require_asked

TABLE_BYTES = 256 << 20
MAX_COLUMNS = 4096
MAX_CELLS = 50_000_000
# A cell may hold the run-length code of a large mask; the module's own limit is 128 KiB.
csv.field_size_limit(16 << 20)

_Lines: TypeAlias = Iterator[tuple[int, list[str]]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One row of a table.

    Attributes:
        number: Line of the text file, or row of the sheet, counted from 1.
        values: By column; blanks around a cell are gone, an empty cell is "".
    """

    number: int
    values: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A table as read.

    Attributes:
        path: Relative to the root.
        columns: Names, in order, each once.
        rows: In the order of the file; rows without any text are left out.
    """

    path: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def read_table(spec: TableFile, root: Root, listing: Listing) -> Table:
    """Read the one table that a manifest describes.

    Args:
        spec: Where it is and how it is written.
        root: For reading, and for the name of the source in messages.
        listing: Where the path is looked up; it must match exactly one file.

    Raises:
        SourceError: None or several files match; the file is empty, a git-LFS pointer, too
            large or not of its kind; bytes are not in its encoding; columns have no name or
            the same one; a row has other than the header's number of cells.
    """
    path = find_table(spec, root.source, listing)
    try:
        data = root.read(path, TABLE_BYTES)
    except CaseError as error:
        raise SourceError(root.source, error.message, "get the table again") from error
    return parse_table(spec, data, root.source, path)


def parse_table(spec: TableFile, data: bytes, source: str, path: str) -> Table:
    """A table from the bytes of its file; `path` tells its kind.

    Raises:
        SourceError: As :func:`read_table`.
    """
    if path.lower().endswith(".xlsx"):
        from converters.sheets import sheet_rows

        return _table(spec, source, path, sheet_rows(data, spec.sheet, source, path))
    if path.lower().endswith((".json", ".jsonl")):
        from converters.json_tables import json_rows

        rows = json_rows(data, spec.explode, source, path, within=spec.within, named=spec.named)
        return _table(spec, source, path, rows)
    return _table(spec, source, path, _text_rows(spec, data, source, path))


def find_table(spec: TableFile, source: str, listing: Listing) -> str:
    """The one listed file that the pattern of a table matches.

    Raises:
        SourceError: There is none, or there are several.
    """
    found = [path for path, _ in match_paths(spec.path, listing.paths)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise SourceError(
            source,
            f"no table matches {spec.path!r}",
            "it comes with the source: get it as well",
        )
    names = ", ".join(found[:4]) + (", ..." if len(found) > 4 else "")
    raise SourceError(
        source,
        f"{len(found)} tables match {spec.path!r}: {names}",
        "keep the one that belongs to the images",
    )


def require_columns(table: Table, names: Iterable[str], source: str) -> None:
    """Refuse a table that lacks a column.

    Raises:
        SourceError: A name is not a column of the table.
    """
    missing = sorted(set(names) - set(table.columns))
    if missing:
        raise SourceError(
            source,
            f"{table.path} has no column {', '.join(map(repr, missing))}",
            f"its columns are: {', '.join(table.columns)}",
        )


def rows_by_key(table: Table, template: str) -> tuple[dict[str, list[Row]], list[Row]]:
    """Rows by what a template over their columns gives, and the rows where it gives nothing.

    A cell that the template needs and that is empty gives nothing.
    """
    keyed: dict[str, list[Row]] = {}
    without: list[Row] = []
    for row in table.rows:
        try:
            keyed.setdefault(fill(template, row.values), []).append(row)
        except CaseError:
            without.append(row)
    return keyed, without


def _text_rows(spec: TableFile, data: bytes, source: str, path: str) -> _Lines:
    try:
        text = data.decode(spec.encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SourceError(
            source,
            f"{path}, line {line}: byte 0x{data[error.start]:02x} is not {spec.encoding}",
            "get the table again, or state its encoding in the manifest",
        ) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise SourceError(source, f"{path}, line {line}: a NUL byte", "get the table again")
    if spec.lines:
        yield from lines_of(text, spec.lines, source, path)
        return
    delimiter = "\t" if path.lower().endswith(".tsv") else spec.delimiter
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if spec.quoted else csv.QUOTE_NONE,
        strict=True,
    )
    try:
        for cells in reader:
            yield reader.line_num, [cell.strip() for cell in cells]
    except csv.Error as error:
        raise SourceError(
            source,
            f"{path}, line {reader.line_num}: {error}",
            "get the table again, or mend it",
        ) from error


def _table(spec: TableFile, source: str, path: str, lines: _Lines) -> Table:
    for _ in range(spec.skip_rows):
        if next(lines, None) is None:
            raise SourceError(source, f"{path} has less than {spec.skip_rows} rows", "get it again")
    names = _header(spec, source, path, lines)
    require_asked(spec, names, source, path)
    rows = []
    for number, cells in lines:
        if not any(cells):
            continue
        fitted = _fitted(cells, len(names), source, f"{path}, row {number}")
        values = mended(spec, dict(zip(names, fitted, strict=True)))
        if counts(spec, values):
            rows.append(Row(number=number, values=values))
        if len(rows) * len(names) > MAX_CELLS:
            raise SourceError(source, f"{path} has more than {MAX_CELLS:,} cells", "cut it")
    return Table(path=path, columns=names, rows=tuple(rows))


def _header(spec: TableFile, source: str, path: str, lines: _Lines) -> tuple[str, ...]:
    if spec.header is not None:
        names = list(spec.header)
    else:
        names = next((cells for _, cells in lines if any(cells)), [])
    while names and not names[-1]:
        names.pop()  # a comma at the end of each line; cells that follow must be empty too
    if not names:
        raise SourceError(source, f"{path} has no header", "get the table again")
    if len(names) > MAX_COLUMNS:
        raise SourceError(source, f"{path} has {len(names)} columns of {MAX_COLUMNS}")
    if "" in names:
        at = names.index("") + 1
        raise SourceError(
            source,
            f"{path}: column {at} has no name",
            "name the columns in the manifest (header)",
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SourceError(
            source,
            f"{path}: column {twice[0]!r} stands twice",
            "name the columns in the manifest (header)",
        )
    return tuple(names)


def _fitted(cells: list[str], width: int, source: str, where: str) -> list[str]:
    if len(cells) < width or any(cells[width:]):
        raise SourceError(
            source,
            f"{where}: {len(cells)} cells for {width} columns",
            "mend the row, or quote its separators: cells may stand under wrong names",
        )
    return cells[:width]
