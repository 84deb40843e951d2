"""Twins of chords: an upright ellipse on two frames of each video."""

import math

from converters.specs.videos import FrameChords
from tests.fakes import Twin
from tests.fakes.label_table import key_values, table_bytes
from tests.fakes.paths import path_for
from tests.fakes.videos import frame_numbers

CENTRE, HALF_WIDTH, HALF_HEIGHT = (50, 40), 12, 16


def write(spec: FrameChords, twin: Twin) -> None:
    """Write the one table."""
    from converters.pattern import fill

    rows = []
    for image in twin.images:
        key = key_values(spec.key, fill(spec.match, image.fields))
        assert key is not None
        for frame in frame_numbers(twin)[:2]:
            number = str(frame + spec.first)
            rows += [{**key, spec.frame: number, **ends} for ends in _chords(spec)]
            twin.expect(spec.label)
    twin.write(path_for(spec.table.path, {}, 0)[0], table_bytes(spec.table, rows))


def _chords(spec: FrameChords) -> list[dict[str, str]]:
    x, y = CENTRE
    ends = [(x, y - HALF_HEIGHT, x, y + HALF_HEIGHT)]
    for row in range(-HALF_HEIGHT + 1, HALF_HEIGHT, 3):
        half = HALF_WIDTH * math.sqrt(1 - (row / HALF_HEIGHT) ** 2)
        ends.append((x - half, y + row, x + half, y + row))
    return [dict(zip(spec.ends, map("{:.4f}".format, four), strict=True)) for four in ends]
