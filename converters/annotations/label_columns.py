"""What the columns of one row say of the whole image: pure functions of spec and row."""

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from converters.annotations.contract import Said, absent_terms
from converters.annotations.literals import literal_list
from converters.errors import CaseError, SourceError
from converters.records import Finding
from converters.specs.base import Completeness
from converters.specs.labels import Measurement, OneHotColumns, SingleColumn
from converters.vocabulary import term

Columns: TypeAlias = SingleColumn | OneHotColumns | Measurement
Row: TypeAlias = Mapping[str, str]

_NUMBER = re.compile(r"[-+]?[0-9]{1,12}(\.[0-9]{1,20})?")
_NEVER_NEGATIVE = ("mm", "cm", "mm2", "ml", "years", "months")


def columns_of(columns: Columns) -> list[str]:
    """Names of the columns that are read."""
    return list(columns.labels) if isinstance(columns, OneHotColumns) else [columns.column]


def require_known_codes(columns: Columns, row: Row, source: str, where: str) -> None:
    """Refuse a cell that the manifest does not know: a guess would put wrong words in.

    Raises:
        SourceError: A code is neither a label nor ignored, or a cell of a one-hot column says
            neither present, absent nor unknown.
    """
    if isinstance(columns, Measurement):
        return
    if isinstance(columns, SingleColumn):
        known: Sequence[str] = [*columns.labels, *columns.ignore]
        cells = [(columns.column, code) for code in _codes(columns, row)]
    else:
        known = [*columns.present, *columns.absent, *columns.unknown]
        cells = [(name, row[name]) for name in columns.labels]
    for name, code in cells:
        if code not in known:
            raise SourceError(
                source,
                f"{where}: {name} {code[:60]!r} is not known",
                f"add it to the manifest, or mend the table; known: {', '.join(known)[:400]}",
            )


def labels_in(columns: Columns, row: Row, completeness: Completeness) -> Said:
    """Findings and absent terms of one block of columns. All codes are known.

    Raises:
        CaseError: ``labels_contradict`` or ``value_invalid``.
    """
    if isinstance(columns, Measurement):
        return _measured(columns, row)
    if isinstance(columns, SingleColumn):
        return _from_column(columns, row, completeness)
    return _from_one_hot(columns, row, completeness)


def _codes(columns: SingleColumn, row: Row) -> list[str]:
    """The codes in the cell, each once; none where it is empty and "" is not a code."""
    cell = row[columns.column]
    parts = cell.split(columns.separator) if columns.separator else [cell]
    if columns.literal and cell:
        parts = literal_list(cell)
    known = (*columns.labels, *columns.ignore)
    codes = [part.strip() for part in parts]
    return list(dict.fromkeys(code for code in codes if code or code in known))


def _from_column(columns: SingleColumn, row: Row, completeness: Completeness) -> Said:
    codes = [code for code in _codes(columns, row) if code in columns.labels]
    if not codes:
        # Empty or ignored: what it would have been is not known, so nothing is absent.
        return Said()
    present = [columns.labels[code] for code in codes]
    if any(code in columns.ignore for code in _codes(columns, row)):
        # What is ignored may be any of the other labels by another name.
        return Said(findings=tuple(_finding(columns.labels[code], code) for code in codes))
    is_known = _excludes(present, exclusive=columns.exclusive) or completeness != "partial"
    return Said(
        findings=tuple(_finding(columns.labels[code], code) for code in codes),
        absent=absent_terms(columns.labels.values(), present, is_known=is_known),
    )


def _from_one_hot(columns: OneHotColumns, row: Row, completeness: Completeness) -> Said:
    names = [name for name in columns.labels if row[name] in columns.present]
    present = [columns.labels[name] for name in names]
    unknown = {columns.labels[name] for name in columns.labels if row[name] in columns.unknown}
    others = set(columns.labels.values()) - unknown
    is_known = _excludes(present, exclusive=columns.exclusive) or completeness != "partial"
    return Said(
        findings=tuple(_finding(columns.labels[name], name) for name in names),
        absent=absent_terms(others, present, is_known=is_known),
    )


def _excludes(present: Sequence[str], *, exclusive: bool) -> bool:
    """Whether what is present leaves no room for any other label.

    Raises:
        CaseError: ``labels_contradict``: several exclusive labels, or "normal" with another.
    """
    distinct = sorted(set(present))
    has_normal = any(term(name).role == "normal" for name in distinct)
    if len(distinct) > 1 and (exclusive or has_normal):
        raise CaseError("labels_contradict", f"{' and '.join(distinct)} cannot both hold")
    return bool(distinct) and (exclusive or has_normal)


def _finding(label: str, code: str) -> Finding:
    return Finding(label=label, code=code, role=term(label).role, side=term(label).side or None)


def _measured(columns: Measurement, row: Row) -> Said:
    text = row[columns.column]
    if not text:
        return Said()
    is_number = _NUMBER.fullmatch(text) is not None
    if not is_number or (float(text) <= 0 and columns.unit in _NEVER_NEGATIVE):
        raise CaseError(
            "value_invalid", f"{columns.column} is {text[:40]!r}, not in {columns.unit}"
        )
    value = text if columns.unit == "score" else f"{text} {columns.unit}"
    label = term(columns.label)
    return Said(
        findings=(
            Finding(
                label=label.term,
                code=columns.column,
                role=label.role,
                side=label.side or None,
                attributes=((columns.quantity, value),),
            ),
        )
    )
