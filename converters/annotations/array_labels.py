"""Labels of whole pictures in an array: a code a row, or a number for each label."""

from collections.abc import Iterator

import numpy as np

from converters.annotations.array_entries import RowEntry, Stored, entries_of_rows, index_arrays
from converters.annotations.contract import Block, Index, Question, Said, absent_terms
from converters.errors import CaseError
from converters.files import Root
from converters.records import Case, Entry, Finding
from converters.specs.arrays import ArrayLabels
from converters.vocabulary import term


def index(spec: ArrayLabels, block: Block) -> Index:
    """The file of the labels of each array of pictures."""
    return index_arrays(spec, block)


def row_entries(
    spec: ArrayLabels, root: Root, case: Case, entry: Entry, stored: Stored
) -> Iterator[RowEntry]:
    """The labels of each picture, in order."""
    return entries_of_rows(spec, root, case, entry, stored)


def read(spec: ArrayLabels, question: Question) -> Said:
    """The labels of one picture.

    Raises:
        CaseError: ``label_unknown``, ``value_invalid`` or ``labels_contradict``.
    """
    assert isinstance(question.entry, RowEntry)
    numbers = np.ravel(question.entry.row)
    if not np.array_equal(numbers, np.rint(numbers)):
        raise CaseError("value_invalid", f"{question.path}: labels {numbers[:8]} are not whole")
    codes = [int(number) for number in numbers]
    there = _codes(spec, codes, question.path)
    if spec.exclusive and len(there) > 1:
        raise CaseError("labels_contradict", f"{question.path}: labels {there} exclude each other")
    found = tuple(_finding(spec, code) for code in there if code in spec.labels)
    said = {finding.label for finding in found}
    is_known = spec.completeness != "partial" and (bool(found) or spec.style == "one_hot")
    return Said(findings=found, absent=absent_terms(terms_of(spec), said, is_known=is_known))


def _codes(spec: ArrayLabels, numbers: list[int], name: str) -> list[int]:
    """Codes of what is there."""
    if spec.style == "codes":
        if len(numbers) != 1:
            raise CaseError("value_invalid", f"{name}: {len(numbers)} labels for one picture")
        if numbers[0] not in spec.labels and numbers[0] not in spec.ignore:
            raise CaseError("label_unknown", f"{name}: {numbers[0]} is not in the label map")
        return numbers
    if set(range(len(numbers))) != {*spec.labels, *spec.ignore} or set(numbers) - {0, 1}:
        raise CaseError("value_invalid", f"{name}: {numbers[:20]} is not 0 or 1 for each label")
    return [code for code, number in enumerate(numbers) if number]


def _finding(spec: ArrayLabels, code: int) -> Finding:
    label = term(spec.labels[code])
    return Finding(label=label.term, code=str(code), role=label.role, side=label.side or None)


def terms_of(spec: ArrayLabels) -> tuple[str, ...]:
    """Every term that the block can say."""
    return tuple(spec.labels.values())
