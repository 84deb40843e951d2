"""Chords across a region of a frame, in one table for all videos."""

from dataclasses import replace
from typing import Any

import numpy as np

from converters.annotations.contract import Block, Index, Question, Said
from converters.annotations.frames import frame_number
from converters.annotations.joins import keys_of_images
from converters.errors import CaseError
from converters.facts import region_finding
from converters.files import Root
from converters.imaging.outlines import Points, outline_points, outline_region, overhang
from converters.records import Entry
from converters.specs.videos import FrameChords
from converters.tables import read_table, require_columns, rows_by_key
from converters.vocabulary import term

RIM_PX = 1.0  # how far an outline may reach out of the picture and still be a matter of counting


def index(spec: FrameChords, block: Block) -> Index:
    """Join rows with videos by `key` and `match`.

    Raises:
        SourceError: The table is not readable or lacks a column.
    """
    table = read_table(spec.table, block.root, block.listing)
    require_columns(table, [spec.frame, *spec.ends], block.source)
    keyed, keyless = rows_by_key(table, spec.key)
    entries: dict[str, Entry] = {}
    keys, faults = keys_of_images(spec.match, keyed, block)
    used = set(keys.values())
    for image, key in keys.items():
        rows: list[Any] = [
            {name: row.values[name] for name in (spec.frame, *spec.ends)} for row in keyed[key]
        ]
        entries[image] = Entry(table=table.path, values=rows)
    orphans = [(f"{table.path}:{key}", keyed[key][0].number) for key in keyed if key not in used]
    orphans += [(f"{table.path}:row {row.number}", row.number) for row in keyless]
    return Index(
        entries=entries,
        faults=faults,
        orphans=tuple((key, f"row {number} of {table.path}") for key, number in orphans),
    )


def frame_entries(spec: FrameChords, root: Root, entry: Entry) -> dict[int, Entry]:
    """The chords of each frame of one video.

    Raises:
        CaseError: A row names no frame.
    """
    assert isinstance(entry.values, list)
    found: dict[int, list[Any]] = {}
    for row in entry.values:
        assert isinstance(row, dict)
        cells = {name: str(cell) for name, cell in row.items()}
        found.setdefault(frame_number(spec, cells, entry.table), []).append(row)
    return {number: replace(entry, values=rows) for number, rows in found.items()}


def read(spec: FrameChords, question: Question) -> Said:
    """The region that the chords of one frame span.

    Raises:
        CaseError: They are too few, no numbers, or reach out of the picture.
    """
    where = f"{question.entry.table}, {question.path}"
    rows = question.entry.values
    assert isinstance(rows, list)
    points = outline(spec, rows, where)
    size = question.picture.size
    out = overhang(points, size)
    if out > RIM_PX:
        raise CaseError("box_outside", f"{where}: a chord reaches {out:.1f} pixels out")
    region = outline_region([points], size)
    if region is None:
        raise CaseError("box_empty", f"{where}: the chords cover no pixel")
    finding = region_finding(
        region,
        term=term(spec.label),
        code=spec.label,
        size=size,
        spacing_mm=question.spacing_mm,
        is_instance=False,
    )
    return Said(findings=(finding,))


def outline(spec: FrameChords, rows: list[Any], where: str) -> Points:
    """The outline that chords span, (0, 0) the corner of the first pixel.

    Raises:
        CaseError: They are too few, or no numbers.
    """
    try:
        ends = np.array([[float(row[name]) for name in spec.ends] for row in rows[1:]])
    except ValueError as error:
        raise CaseError("value_invalid", f"{where}: {error}") from error
    if len(ends) < 2:
        raise CaseError("box_empty", f"{where}: {len(rows)} chords span no region")
    ring = np.concatenate([ends[:, :2], ends[::-1, 2:]]) + 0.5
    return outline_points(ring.tolist(), where)


def terms_of(spec: FrameChords) -> tuple[str, ...]:
    """The one term that the block can say."""
    return (spec.label,)
