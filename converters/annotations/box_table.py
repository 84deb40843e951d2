"""A table with one row a box."""

from collections.abc import Mapping
from dataclasses import replace

from converters.annotations.boxes import Marked, parse_number, say_boxes
from converters.annotations.contract import Block, Index, Question, Said
from converters.annotations.joins import keys_of_images
from converters.annotations.literals import literal_list
from converters.annotations.own_tables import index_own_tables, own_table
from converters.annotations.readers import agreed_boxes
from converters.errors import CaseError, SourceError
from converters.pattern import template_names
from converters.records import Box, Entry, Json
from converters.specs.annotations import BoxTable
from converters.tables import Row, read_table, require_columns, rows_by_key


def index(spec: BoxTable, block: Block) -> Index:
    """Join rows with images by `key` and `match`; an image may have many rows.

    Raises:
        SourceError: The table is not readable, lacks a column, or holds an unknown code.
    """
    if spec.label_column is None and len(spec.labels) != 1:
        raise SourceError(block.source, "a table without labels needs one label in the manifest")
    if spec.key is None or spec.match is None:
        return index_own_tables(spec.table, "boxes", block)
    table = read_table(spec.table, block.root, block.listing)
    require_columns(table, [*template_names(spec.key), *_columns(spec)], block.source)
    for row in table.rows:
        _require_known(spec, row, table.path, block.source)
    keyed, keyless = rows_by_key(table, spec.key)
    entries: dict[str, Entry] = {}
    keys, faults = keys_of_images(spec.match, keyed, block)
    used = set(keys.values())
    for image, key in keys.items():
        entries[image] = _entry(spec, table.path, keyed[key])
    orphans = [(key, f"{len(rows)} boxes") for key, rows in keyed.items() if key not in used]
    orphans += [(f"row {row.number}", "no name of an image") for row in keyless]
    return Index(
        entries=entries,
        faults=faults,
        orphans=tuple((f"{table.path}:{key}", what) for key, what in orphans),
    )


def _columns(spec: BoxTable) -> list[str]:
    label = [spec.label_column] if spec.label_column else []
    return [*spec.box, *label, *([spec.readers.column] if spec.readers else [])]


def _rows(spec: BoxTable, question: Question) -> list[Mapping[str, str]]:
    """The rows of an image: out of the one table, or those of the image's own."""
    if spec.key is None:
        table = own_table(spec.table, _columns(spec), question)
        for row in table.rows:
            _require_known(spec, row, table.path, question.root.source)
        return [row.values for row in table.rows]
    values = question.entry.values
    assert isinstance(values, list)
    found = [row for row in values if isinstance(row, dict)]
    return [{name: str(cell) for name, cell in row.items()} for row in found]


def _codes(spec: BoxTable, row: Mapping[str, str]) -> list[str]:
    """The codes of a row; the whole cell where it is no list and should be one."""
    if spec.label_column is None:
        return [next(iter(spec.labels))]
    cell = row[spec.label_column]
    return literal_list(cell) if spec.label_list else [cell]


def _require_known(spec: BoxTable, row: Row, path: str, source: str) -> None:
    if _is_without_box(spec, row.values):
        return
    for code in _codes(spec, row.values):
        if code not in spec.labels and code not in spec.ignore:
            raise SourceError(
                source,
                f"{path}, row {row.number}: {spec.label_column} {code[:60]!r} is not known",
                f"add it to the manifest, or mend the table; known: {', '.join(spec.labels)}",
            )


def _is_without_box(spec: BoxTable, row: Mapping[str, str]) -> bool:
    return not any(row[name] for name in spec.box)


def _entry(spec: BoxTable, path: str, rows: list[Row]) -> Entry:
    boxed = [row.values for row in rows if not _is_without_box(spec, row.values)]
    said = sorted([*_codes(spec, row), *(row[name] for name in spec.box)] for row in boxed)
    labels = tuple(" ".join(one) for one in said)
    return Entry(table=path, values=[dict(row.values) for row in rows], labels=labels)


def read(spec: BoxTable, question: Question) -> Said:
    """Every row of the image as a finding with a box.

    Raises:
        CaseError: ``size_unexpected``, where the picture is not the one that the boxes were
            drawn on; a cell is no number; a box does not fit the picture.
    """
    size = question.picture.size
    if spec.frame and tuple(spec.frame) != size and not spec.rescale:
        raise CaseError(
            "size_unexpected",
            f"{question.path} has {size[0]}x{size[1]} pixels, its boxes are for "
            f"{spec.frame[0]}x{spec.frame[1]}",
        )
    drawn = _drawn(spec, question, size)
    marked = [one for boxes in drawn.values() for one in boxes]
    disputed: list[str] = []
    if spec.readers:
        marked, disputed = agreed_boxes(spec.readers, drawn, question.path)
    said = say_boxes(
        marked, spec.labels, size=size, completeness=spec.completeness, where=question.path
    )
    if not spec.readers:
        return said
    step: dict[str, Json] = {"step": "consensus_boxes", "readers": len(drawn)}
    step.update(overlap=spec.readers.overlap, disputed=[*sorted(disputed)])
    return replace(said, transforms=(*said.transforms, step))


def _drawn(spec: BoxTable, question: Question, size: tuple[int, int]) -> dict[str, list[Marked]]:
    """The boxes of each reader; of one without a name where there is no such column."""
    drawn: dict[str, list[Marked]] = {}
    for cells in _rows(spec, question):
        boxes = drawn.setdefault(cells[spec.readers.column] if spec.readers else "", [])
        if not _is_without_box(spec, cells):
            codes = [code for code in _codes(spec, cells) if code in spec.labels]
            boxes += [
                Marked(code=code, box=_box(spec, cells, size, question.path)) for code in codes
            ]
    return drawn


def _box(spec: BoxTable, row: Mapping[str, str], size: tuple[int, int], path: str) -> Box:
    a, b, c, d = (parse_number(row[name], path) for name in spec.box)
    if spec.notation.endswith("xywh"):
        corners = (a, b, a + c, b + d)
    elif spec.notation.endswith("cxcywh"):
        corners = (a - c / 2, b - d / 2, a + c / 2, b + d / 2)
    else:
        corners = (a, b, c, d)
    across, down = _scale(spec, size)
    return Box(
        x_min=corners[0] * across,
        y_min=corners[1] * down,
        x_max=corners[2] * across,
        y_max=corners[3] * down,
    )


def _scale(spec: BoxTable, size: tuple[int, int]) -> tuple[float, float]:
    """From the notation's unit to pixels of the picture."""
    if spec.notation.startswith("relative"):
        return float(size[0]), float(size[1])
    if spec.frame:
        return size[0] / spec.frame[0], size[1] / spec.frame[1]
    return 1.0, 1.0


def terms_of(spec: BoxTable) -> tuple[str, ...]:
    """Every term that the block can say."""
    return tuple(dict.fromkeys(spec.labels.values()))
