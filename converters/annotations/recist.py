"""A table of lesions by their two diameters (RECIST), drawn as lines on the slice."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from converters.annotations.boxes import fit_box, parse_number
from converters.annotations.contract import Block, Index, Question, Said, absent_terms
from converters.annotations.table_rows import Coded, cells_of, index_rows, rows_entry
from converters.errors import CaseError
from converters.facts import position
from converters.records import Box, Finding
from converters.specs.shapes import Recist
from converters.vocabulary import term

Ends = npt.NDArray[np.float64]  # shape (2 lines, 2 ends, 2): x and y
_MIN_MM, _MAX_MM = 1e-3, 10.0


def index(spec: Recist, block: Block) -> Index:
    """Join rows with images by `key` and `match`; an image may have many rows.

    Raises:
        SourceError: The table is not readable, lacks a column, or holds an unknown code.
    """
    names = [
        *([spec.label_column] if spec.label_column else []),
        *spec.ends,
        *([spec.spacing] if spec.spacing else []),
        *spec.leave_out,
    ]
    return index_rows(
        spec.table,
        block,
        key=spec.key,
        match=spec.match,
        columns=names,
        coded=_coded(spec),
        entry=lambda path, rows: rows_entry(path, rows, names),
        noun="lesions",
        fields=spec.fields,
    )


def _coded(spec: Recist) -> Coded:
    return Coded(column=spec.label_column, labels=spec.labels, ignore=spec.ignore)


def read(spec: Recist, question: Question) -> Said:
    """Every lesion as a finding with the box of its lines, and its diameters.

    Raises:
        CaseError: A cell cannot be read, a line has no length, or does not fit the picture.
    """
    rows = [row for row in cells_of(question.entry) if not _is_left_out(spec, row)]
    spacing = _spacing(spec, rows, question)
    findings = [
        _finding(spec, code, row, question, spacing)
        for row in rows
        if (code := _coded(spec).code_of(row)) in spec.labels
    ]
    # The same lines twice are one lesion.
    each = tuple(dict.fromkeys(findings))
    return Said(
        findings=each,
        absent=absent_terms(
            terms_of(spec),
            {finding.label for finding in each},
            # What was left out may be any of the labels.
            is_known=spec.completeness != "partial" and len(rows) == len(cells_of(question.entry)),
        ),
        spacing_mm=spacing,
    )


def _is_left_out(spec: Recist, row: Mapping[str, str]) -> bool:
    return any(row[name] in cells for name, cells in spec.leave_out.items())


def _spacing(
    spec: Recist, rows: list[dict[str, str]], question: Question
) -> tuple[float, float] | None:
    """Row and column spacing, that all rows of an image must agree on."""
    if spec.spacing is None or not rows:
        return question.spacing_mm
    cells = {row[spec.spacing] for row in rows}
    if len(cells) > 1:
        raise CaseError("geometry_invalid", f"{question.path}: spacing {' and '.join(cells)}"[:200])
    values = [parse_number(text.strip(), question.path) for text in cells.pop().split(",")]
    if len(values) < 2 or not all(_MIN_MM <= value <= _MAX_MM for value in values[:2]):
        raise CaseError("geometry_invalid", f"{question.path}: spacing {values[:2]} mm")
    return (values[0], values[1])


def _finding(
    spec: Recist,
    code: str,
    row: Mapping[str, str],
    question: Question,
    spacing_mm: tuple[float, float] | None,
) -> Finding:
    size = question.picture.size
    ends = _ends(spec, row, question.path)
    low, high = ends.reshape(4, 2).min(axis=0), ends.reshape(4, 2).max(axis=0)
    (x_min, y_min), (x_max, y_max) = low - spec.margin_px, high + spec.margin_px
    # The lines must lie in the picture; a margin around them may be cut.
    fit_box(_box(*low, *high), size, question.path)
    box = _box(max(x_min, 0.0), max(y_min, 0.0), min(x_max, size[0]), min(y_max, size[1]))
    label = term(spec.labels[code])
    long_px, short_px = _lengths(ends, (1.0, 1.0))
    stated = _lengths(ends, spacing_mm) if spacing_mm else None
    across = f"short-axis diameter of the {label.term}"
    return Finding(
        label=label.term,
        code=code,
        role=label.role,
        box=box,
        is_instance=True,
        longest_diameter_px=long_px,
        longest_diameter_mm=stated[0] if stated else None,
        side=label.side or None,
        position=position(box, *size),
        attributes=((across, f"{stated[1]:.1f} mm"),) if stated and short_px else (),
    )


def _box(x_min: float, y_min: float, x_max: float, y_max: float) -> Box:
    return Box(x_min=float(x_min), y_min=float(y_min), x_max=float(x_max), y_max=float(y_max))


def _ends(spec: Recist, row: Mapping[str, str], path: str) -> Ends:
    cells = [row[name] for name in spec.ends]
    parts = cells[0].split(",") if len(cells) == 1 else cells
    if len(parts) != 8:
        raise CaseError("value_invalid", f"{path}: {cells[0][:60]!r} is not x and y of four ends")
    numbers = np.array([parse_number(part.strip(), path) for part in parts])
    ends = numbers.reshape(2, 2, 2) + (0.5 if spec.origin == "center" else 0.0)
    long_px, short_px = _lengths(ends, (1.0, 1.0))
    if long_px <= 0 or short_px > long_px + 1e-3:
        raise CaseError(
            "value_invalid", f"{path}: diameters of {long_px:.4g} and {short_px:.4g} pixels"
        )
    return ends


def _lengths(ends: Ends, spacing: tuple[float, float]) -> tuple[float, float]:
    """Length of both lines, in the unit of row and column spacing."""
    across = (ends[:, 1] - ends[:, 0]) * (spacing[1], spacing[0])
    long, short = np.sqrt((across**2).sum(axis=1))
    return float(long), float(short)


def terms_of(spec: Recist) -> tuple[str, ...]:
    """Every term that the block can say."""
    return tuple(dict.fromkeys(spec.labels.values()))
