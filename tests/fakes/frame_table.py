"""Twins of tables a video: a row for each of a few frames, and rows between that repeat labels."""

from converters.specs.videos import FrameTable
from tests.fakes import Twin
from tests.fakes.label_table import _label_cells, table_bytes
from tests.fakes.paths import path_for
from tests.fakes.videos import frame_numbers


def write(spec: FrameTable, twin: Twin) -> None:
    """Write a table for each video."""
    for image in twin.images:
        rows = []
        for turn, frame in enumerate(frame_numbers(twin)):
            row = {spec.frame: str(frame + spec.first)}
            for columns in spec.columns:
                row.update(_label_cells(columns, twin, 3 * image.number + turn, set()))
            rows.append(row)
        path, _ = path_for(spec.tables.path, image.fields, image.number)
        twin.write(path, table_bytes(spec.tables, rows))
