"""A table a video, one row a frame."""

from collections.abc import Mapping

from converters.annotations.contract import Block, Index, Question, Said
from converters.annotations.frames import frame_number, one_row_a_frame
from converters.annotations.joins import join_files
from converters.annotations.label_columns import columns_of, labels_in, require_known_codes
from converters.errors import CaseError, SourceError
from converters.files import Root
from converters.records import Entry, Fault
from converters.specs.labels import Measurement
from converters.specs.videos import FrameTable
from converters.tables import TABLE_BYTES, parse_table, require_columns


def index(spec: FrameTable, block: Block) -> Index:
    """Join tables with videos by the placeholders that their paths share."""
    joined = join_files(spec.tables.path, {}, block)
    return Index(
        entries={path: Entry(files=files) for path, files in joined.files.items()},
        faults={
            path: Fault(reason="name_duplicate", message=f"tables {', '.join(files[:3])}")
            for path, files in joined.files.items()
            if len(files) > 1
        },
        orphans=tuple((files[0], f"no video belongs to {files[0]}") for files in joined.orphans),
    )


def frame_entries(spec: FrameTable, root: Root, entry: Entry) -> dict[int, Entry]:
    """The row of each frame of one video.

    Raises:
        CaseError: The table is not what the manifest says, or names a frame twice.
    """
    path = entry.files[0]
    try:
        table = parse_table(spec.tables, root.read(path, TABLE_BYTES), root.source, path)
        wanted = [name for columns in spec.columns for name in columns_of(columns)]
        require_columns(table, [spec.frame, *wanted], root.source)
        for row in table.rows:
            for columns in spec.columns:
                require_known_codes(columns, row.values, root.source, f"{path}, row {row.number}")
    except SourceError as error:
        # The table is of this video alone.
        raise CaseError("value_invalid", error.found) from error
    rows = ((frame_number(spec, row.values, path), row.values) for row in table.rows)
    return one_row_a_frame(rows, entry, path)


def read(spec: FrameTable, question: Question) -> Said:
    """Labels of one frame, from its row."""
    row = question.entry.values
    assert isinstance(row, dict)
    cells: Mapping[str, str] = {name: str(cell) for name, cell in row.items()}
    labels = [labels_in(columns, cells, spec.completeness) for columns in spec.columns]
    return Said(
        findings=tuple(finding for said in labels for finding in said.findings),
        absent=tuple(sorted({name for said in labels for name in said.absent})),
    )


def terms_of(spec: FrameTable) -> tuple[str, ...]:
    """Every term that the block can say."""
    found: list[str] = []
    for columns in spec.columns:
        found += [columns.label] if isinstance(columns, Measurement) else columns.labels.values()
    return tuple(dict.fromkeys(found))
