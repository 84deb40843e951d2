"""One table with boxes on the rows of arrays: a file, the number of a picture in it, a box."""

from collections.abc import Iterator

from converters.annotations.array_entries import Stored
from converters.annotations.boxes import parse_number
from converters.annotations.contract import Block, Index, Question, Said, absent_terms
from converters.annotations.table_rows import Coded, cells_of, index_rows, rows_entry
from converters.errors import CaseError
from converters.facts import box_finding
from converters.files import Root
from converters.records import Box, Case, Entry, Finding
from converters.specs.arrays import RowBoxes
from converters.vocabulary import term


def index(spec: RowBoxes, block: Block) -> Index:
    """Join the rows of the table with files.

    Raises:
        SourceError: The table is not readable, lacks a column, or holds an unknown code.
    """
    names = [spec.label_column, spec.row, *spec.box, *spec.leave_out]
    return index_rows(
        spec.table,
        block,
        key=spec.key,
        match=spec.match,
        columns=names,
        coded=Coded(column=spec.label_column, labels=spec.labels, ignore=spec.ignore),
        entry=lambda path, rows: rows_entry(path, rows, names),
        noun="boxes",
    )


def row_entries(
    spec: RowBoxes, _root: Root, _case: Case, entry: Entry, _stored: Stored
) -> Iterator[Entry | None]:
    """The boxes of each picture, in order, and None where there are none; without an end.

    Raises:
        CaseError: ``value_invalid``, where the number of a picture is none.
    """
    rows: dict[int, list[dict[str, str]]] = {}
    for row in cells_of(entry):
        if any(row[name] in cells for name, cells in spec.leave_out.items()):
            continue
        if not row[spec.row].isdecimal():
            raise CaseError("value_invalid", f"{spec.row} {row[spec.row][:40]!r} is no number")
        rows.setdefault(int(row[spec.row]) - spec.first, []).append(row)
    number = 0
    while True:
        said = rows.get(number)
        yield Entry(table=entry.table, values=[dict(row) for row in said]) if said else None
        number += 1


def read(spec: RowBoxes, question: Question) -> Said:
    """Every box of one picture, repeated ones once.

    Raises:
        CaseError: ``value_invalid``, ``box_empty`` or ``box_outside``.
    """
    found = dict.fromkeys(
        _finding(spec, row, question)
        for row in cells_of(question.entry)
        if row[spec.label_column] in spec.labels
    )
    said = {finding.label for finding in found}
    is_known = spec.completeness != "partial"
    return Said(findings=tuple(found), absent=absent_terms(terms_of(spec), said, is_known=is_known))


def _finding(spec: RowBoxes, row: dict[str, str], question: Question) -> Finding:
    x, y, right, low = (parse_number(row[name], question.path) for name in spec.box)
    if spec.notation == "xywh":
        right, low = x + right, y + low
    width, height = question.picture.size
    if right <= x or low <= y:
        raise CaseError("box_empty", f"{question.path}: a box without area")
    if x < 0 or y < 0 or right > width or low > height:
        raise CaseError(
            "box_outside", f"{question.path}: box {x:g} {y:g} {right:g} {low:g} of {width}x{height}"
        )
    code = row[spec.label_column]
    box = Box(x_min=x, y_min=y, x_max=right, y_max=low)
    return box_finding(box, term=term(spec.labels[code]), code=code, size=(width, height))


def terms_of(spec: RowBoxes) -> tuple[str, ...]:
    """Every term that the block can say."""
    return tuple(spec.labels.values())
