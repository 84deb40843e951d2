"""Twins of places in millimetres: the centre and size of the blocks of the phantom."""

import numpy as np

from converters.pattern import fill
from converters.specs.shapes import WorldBoxes
from tests.fakes import Twin
from tests.fakes.label_table import key_values, table_bytes
from tests.fakes.paths import path_for
from tests.fakes.volume_files import AFFINE, SPACING
from tests.fakes.volumes import all_terms, phantom


def write(spec: WorldBoxes, twin: Twin) -> None:
    """Write the table; a ball has the smallest side of its block as diameter.

    Of an image that is stored as several series, each row stands in the table once.
    """
    codes = {term: code for code, term in spec.labels.items()}
    rows = []
    for image in twin.images:
        values = key_values(spec.key, fill(spec.match, image.fields))
        for block in phantom(all_terms(twin.manifest.layout), image.number):
            if block.term not in codes or values is None:
                continue
            middle = [(where.start + where.stop - 1) / 2 for where in block.bounds]
            center = (AFFINE @ [*middle, 1])[:3]
            if spec.frame == "LPS":
                center = center * [-1, -1, 1]
            sides = np.multiply(block.lengths, SPACING)
            size = [sides.min()] if len(spec.size) == 1 else sides[: len(spec.size)]
            places = [str(value) for value in center]
            cells = [" ".join(places)] if len(spec.center) == 1 else places
            row = dict(zip([*spec.center, *spec.size], [*cells, *map(str, size)], strict=True))
            if spec.label_column:
                row[spec.label_column] = codes[block.term]
            rows.append({**values, **row})
    each_once = [row for at, row in enumerate(rows) if row not in rows[:at]]
    twin.write(path_for(spec.table.path, {}, 0)[0], table_bytes(spec.table, each_once))
