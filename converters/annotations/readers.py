"""Rows of several readers made one: what all say is taken, what is disputed is not known."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import fmean

from converters.annotations.boxes import Marked
from converters.errors import CaseError
from converters.records import Box
from converters.specs.labels import OneHotColumns
from converters.specs.readers import BoxReaders, Readers
from converters.tables import Row


def require_readers(readers: Readers, names: Sequence[str], where: str) -> None:
    """Refuse an image that too few have read.

    Raises:
        CaseError: ``annotation_missing``.
    """
    seen = sorted({name for name in names if name})
    if len(seen) < readers.count:
        raise CaseError(
            "annotation_missing", f"{where}: read by {len(seen)} of {readers.count} readers"
        )


def agreed_row(
    readers: Readers, columns: Sequence[OneHotColumns], rows: Sequence[Row], path: str
) -> Row:
    """One row of an image from those of its readers.

    A cell that they fill differently becomes the first code of the column's `unknown`.

    Raises:
        CaseError: ``annotation_missing``, where too few readers have a row.
    """
    require_readers(readers, [row.values[readers.column] for row in rows], path)
    values = {name: cell for name, cell in rows[0].values.items() if name != readers.column}
    for block in columns:
        for name in block.labels:
            values[name] = _agreed(block, [row.values[name] for row in rows])
    return Row(number=rows[0].number, values=values)


def _agreed(block: OneHotColumns, cells: Sequence[str]) -> str:
    for codes in (block.present, block.absent):
        if all(cell in codes for cell in cells):
            return codes[0]
    return block.unknown[0]


def agreed_boxes(
    readers: BoxReaders, drawn: Mapping[str, Sequence[Marked]], where: str
) -> tuple[list[Marked], list[str]]:
    """The boxes that all readers drew.

    Args:
        readers: How many there are, and how much two boxes must overlap.
        drawn: Boxes by reader; a reader who drew none has an empty list.
        where: For messages.

    Returns:
        One box a label, the mean of what the readers drew; and the codes on which they differ.

    Raises:
        CaseError: ``annotation_missing``, where too few readers have seen the image.
    """
    require_readers(readers, list(drawn), where)
    codes = dict.fromkeys(one.code for boxes in drawn.values() for one in boxes)
    agreed, disputed = [], []
    for code in codes:
        each = [[one.box for one in boxes if one.code == code] for boxes in drawn.values()]
        if all(len(boxes) == 1 for boxes in each) and _overlap(each) >= readers.overlap:
            agreed.append(Marked(code=code, box=_mean([boxes[0] for boxes in each])))
        else:
            disputed.append(code)
    return agreed, disputed


def _overlap(each: Sequence[Sequence[Box]]) -> float:
    """The least overlap of any two boxes: their intersection over their union."""
    return min(_share(first[0], second[0]) for first, second in combinations(each, 2))


def _share(first: Box, second: Box) -> float:
    across = min(first.x_max, second.x_max) - max(first.x_min, second.x_min)
    down = min(first.y_max, second.y_max) - max(first.y_min, second.y_min)
    if across <= 0 or down <= 0:
        return 0.0
    both = across * down
    return both / (first.width * first.height + second.width * second.height - both)


def _mean(boxes: Sequence[Box]) -> Box:
    return Box(
        x_min=fmean(box.x_min for box in boxes),
        y_min=fmean(box.y_min for box in boxes),
        x_max=fmean(box.x_max for box in boxes),
        y_max=fmean(box.y_max for box in boxes),
    )
