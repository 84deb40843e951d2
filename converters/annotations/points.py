"""Places as points: landmarks and centres of cells, without a size of their own."""

from collections.abc import Mapping
from dataclasses import dataclass

from converters.annotations.boxes import parse_number
from converters.annotations.contract import Block, Index, Question, Said, absent_terms
from converters.annotations.joins import join_files
from converters.annotations.table_rows import Coded, cells_of, index_rows, rows_entry
from converters.errors import CaseError, SourceError
from converters.facts import box_finding, position
from converters.records import Box, Entry, Fault, Finding
from converters.specs.base import TableFile
from converters.specs.shapes import Points
from converters.tables import parse_table, require_columns
from converters.vocabulary import term

_TABLE_BYTES = 64 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class _Point:
    """A place in pixels of the picture: (0, 0) is the corner of the first pixel."""

    code: str
    x: float
    y: float


def index(spec: Points, block: Block) -> Index:
    """Join the rows of the one table with images, or the tables that images have of their own.

    Raises:
        SourceError: The table is not readable, lacks a column, or holds an unknown code.
        ManifestError: The patterns have nothing in common.
    """
    if spec.table:
        return index_rows(
            spec.table,
            block,
            key=spec.key or "",
            match=spec.match or "",
            columns=[spec.x, spec.y],
            coded=_coded(spec),
            entry=lambda path, rows: rows_entry(path, rows, _names(spec)),
            noun="points",
        )
    joined = join_files(spec.files or "", {}, block)
    return Index(
        entries={path: Entry(files=files) for path, files in joined.files.items()},
        faults={
            path: Fault(reason="name_duplicate", message=f"points {', '.join(files[:3])}")
            for path, files in joined.files.items()
            if len(files) > 1
        },
        orphans=tuple((files[0], "points without their image") for files in joined.orphans),
    )


def _coded(spec: Points) -> Coded:
    return Coded(column=spec.label_column, labels=spec.labels, ignore=spec.ignore)


def _names(spec: Points) -> list[str]:
    return [*([spec.label_column] if spec.label_column else []), spec.x, spec.y]


def read(spec: Points, question: Question) -> Said:
    """Every point as a finding with a position; with a box only where the size is stated.

    Raises:
        CaseError: A cell is no number, a code is not known, a point lies outside the picture.
    """
    size = question.picture.size
    rows = cells_of(question.entry) if spec.table else _own_rows(spec, question)
    found = [_point(spec, row, question.path) for row in rows if _is_there(spec, row)]
    points = list(dict.fromkeys(point for point in found if point.code in spec.labels))
    for point in points:
        if not (0 <= point.x <= size[0] and 0 <= point.y <= size[1]):
            raise CaseError(
                "box_outside",
                f"{question.path}: point ({point.x:g}, {point.y:g}) of a picture with "
                f"{size[0]}x{size[1]} pixels",
            )
    findings = tuple(_finding(spec, point, size) for point in points)
    repeated = len([point for point in found if point.code in spec.labels]) - len(points)
    return Said(
        findings=findings,
        absent=absent_terms(
            terms_of(spec),
            {finding.label for finding in findings},
            is_known=spec.completeness != "partial",
        ),
        transforms=({"step": "drop_repeated_points", "points": repeated},) if repeated else (),
    )


def _own_rows(spec: Points, question: Question) -> list[dict[str, str]]:
    path = question.entry.files[0]
    try:
        data = question.root.read(path, _TABLE_BYTES)
    except CaseError as error:
        if error.reason == "file_empty":  # nothing was marked
            return []
        raise
    try:
        written = TableFile(path="*", header=spec.header, delimiter=spec.delimiter)
        table = parse_table(written, data, "", path)
        require_columns(table, _names(spec), "")
    except SourceError as error:  # of this image alone
        raise CaseError("value_invalid", error.found) from error
    rows = [dict(row.values) for row in table.rows]
    for row in rows:
        code = _coded(spec).code_of(row)
        if code not in spec.labels and code not in spec.ignore:
            raise CaseError("label_unknown", f"{path}: {code[:60]!r} is not in the label map")
    return rows


def _is_there(spec: Points, row: Mapping[str, str]) -> bool:
    return not (row[spec.x] in spec.not_there and row[spec.y] in spec.not_there)


def _point(spec: Points, row: Mapping[str, str], path: str) -> _Point:
    x, y = (parse_number(row[name], path) for name in (spec.x, spec.y))
    # What the centre of the first pixel is counted as, lies half a pixel from its corner.
    shift = 0.5 - spec.first_pixel
    return _Point(code=_coded(spec).code_of(row), x=x + shift, y=y + shift)


def _finding(spec: Points, point: _Point, size: tuple[int, int]) -> Finding:
    label = term(spec.labels[point.code])
    if spec.diameter_px:
        half = spec.diameter_px / 2
        box = Box(
            x_min=max(point.x - half, 0.0),
            y_min=max(point.y - half, 0.0),
            x_max=min(point.x + half, float(size[0])),
            y_max=min(point.y + half, float(size[1])),
        )
        return box_finding(box, term=label, code=point.code, size=size)
    place = Box(x_min=point.x, y_min=point.y, x_max=point.x, y_max=point.y)
    return Finding(
        label=label.term,
        code=point.code,
        role=label.role,
        is_instance=True,
        side=label.side or None,
        position=position(place, *size),
    )


def terms_of(spec: Points) -> tuple[str, ...]:
    """Every term that the block can say."""
    return tuple(dict.fromkeys(spec.labels.values()))
