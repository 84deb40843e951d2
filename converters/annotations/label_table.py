"""A table with one row an image; its columns say labels of the whole image."""

import math
from collections.abc import Iterator, Mapping

from converters.annotations.contract import Block, Index, Question, Said
from converters.annotations.label_columns import (
    columns_of,
    labels_in,
    require_known_codes,
)
from converters.annotations.long_table import widened
from converters.annotations.readers import agreed_row
from converters.errors import CaseError, SourceError
from converters.pattern import fill, template_names
from converters.records import Entry, Fault
from converters.specs.labels import LabelTable, Measurement, OneHotColumns
from converters.tables import Row, Table, read_table, require_columns, rows_by_key

_MIN_MM, _MAX_MM = 1e-6, 100.0


def index(spec: LabelTable, block: Block) -> Index:
    """Join rows with images by `key` and `match`.

    An image with several rows that say the same has one; rows that differ are a fault of the
    image, unless they are those of several readers. A row without an image is an orphan.

    Raises:
        SourceError: The table is not readable, lacks a column, or holds an unknown code.
    """
    table = read_table(spec.table, block.root, block.listing)
    if spec.rows:
        table = widened(spec.rows, table, block.source)
    require_columns(table, _needed(spec), block.source)
    _require_known(spec, table, block.source)
    keyed, keyless = rows_by_key(table, spec.key)
    entries: dict[str, Entry] = {}
    faults: dict[str, Fault] = {}
    columns: dict[str, Mapping[str, str]] = {}
    used: set[str] = set()
    for image in block.images:
        try:
            key = fill(spec.match, image.fields)
            if key not in keyed:
                continue
            used.add(key)
            row = _one_row(spec, keyed[key], table.path)
            entries[image.path] = _entry(spec, table.path, row)
            # What the path itself says goes first.
            columns[image.path] = {**spec.says, **row.values, **image.fields}
        except CaseError as error:
            faults[image.path] = Fault(reason=error.reason, message=error.message)
    orphans = [(f"{table.path}:{key}", rows[0]) for key, rows in keyed.items() if key not in used]
    orphans += [(f"{table.path}:row {row.number}", row) for row in keyless]
    return Index(
        entries=entries,
        columns=columns,
        faults=faults,
        orphans=tuple((key, f"row {row.number} of {table.path}") for key, row in orphans),
    )


def _needed(spec: LabelTable) -> Iterator[str]:
    yield from template_names(spec.key)
    yield from spec.spacing or ()
    if spec.view:
        yield spec.view.column
    if spec.readers:
        yield spec.readers.column
    for columns in spec.columns:
        yield from columns_of(columns)


def _require_known(spec: LabelTable, table: Table, source: str) -> None:
    for row in table.rows:
        where = f"{table.path}, row {row.number}"
        for columns in spec.columns:
            require_known_codes(columns, row.values, source, where)
        if spec.view and row.values[spec.view.column] not in ("", *spec.view.names):
            raise SourceError(
                source,
                f"{where}: {spec.view.column} {row.values[spec.view.column]!r} is not known",
                "add it to the manifest (view.names)",
            )


def _one_row(spec: LabelTable, rows: list[Row], path: str) -> Row:
    if spec.readers:
        columns = [columns for columns in spec.columns if isinstance(columns, OneHotColumns)]
        return agreed_row(spec.readers, columns, rows, path)
    first = rows[0]
    for row in rows[1:]:
        if row.values != first.values:
            raise CaseError(
                "labels_contradict",
                f"{path}: rows {first.number} and {row.number} differ",
            )
    return first


def _entry(spec: LabelTable, path: str, row: Row) -> Entry:
    """The entry of one image; what cannot hold is found here, before pixels are read."""
    labels = [labels_in(columns, row.values, spec.completeness) for columns in spec.columns]
    codes = sorted({finding.code for said in labels for finding in said.findings})
    _spacing(spec, row.values)
    return Entry(table=path, values=dict(row.values), labels=tuple(codes))


def _spacing(spec: LabelTable, row: Mapping[str, str]) -> tuple[float, float] | None:
    if not spec.spacing or not all(row[name] for name in spec.spacing):
        return None
    values = [_millimetres(name, row[name]) for name in spec.spacing]
    return (values[0], values[-1])


def _millimetres(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not _MIN_MM <= value <= _MAX_MM:
        raise CaseError("geometry_invalid", f"{name} is {text[:40]!r}, and no size of a pixel")
    return value


def read(spec: LabelTable, question: Question) -> Said:
    """Labels, spacing and view of one image, from its row."""
    values = question.entry.values
    assert isinstance(values, dict)
    row = {name: str(cell) for name, cell in values.items()}
    labels = [labels_in(columns, row, spec.completeness) for columns in spec.columns]
    return Said(
        findings=tuple(finding for said in labels for finding in said.findings),
        absent=tuple(sorted({name for said in labels for name in said.absent})),
        spacing_mm=_spacing(spec, row),
        view=spec.view.names.get(row[spec.view.column], "") if spec.view else "",
    )


def terms_of(spec: LabelTable) -> tuple[str, ...]:
    """Every term that the block can say."""
    found: list[str] = []
    for columns in spec.columns:
        found += [columns.label] if isinstance(columns, Measurement) else columns.labels.values()
    return tuple(dict.fromkeys(found))
