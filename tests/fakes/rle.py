"""Twins of run-length tables: rectangles in the code of the spec; a fifth of the images has none.

An image has one row a label, or, where rows are parts or objects, one or two.
"""

import numpy as np

from converters.annotations.contract import module_of
from converters.imaging.runs import encode_runs
from converters.pattern import fill
from converters.specs.shapes import Rle
from tests.fakes import Twin, TwinImage
from tests.fakes.label_table import key_values, table_bytes
from tests.fakes.paths import path_for


def write(spec: Rle, twin: Twin) -> None:
    """Write the table and note what must be found."""
    rows = []
    elsewhere = {
        name
        for other in twin.manifest.layout.annotations
        if other is not spec
        for name in module_of(other.kind).terms_of(other)
    }
    for image in twin.images:
        values = key_values(spec.key, fill(spec.match, image.fields))
        if values is None:
            continue
        for place, (code, label) in enumerate(spec.labels.items()):
            may_be_empty = spec.no_mask and spec.completeness != "partial"
            is_empty = may_be_empty and label not in elsewhere and (image.number + place) % 5 == 4
            for text in _cells(spec, twin, image, place, is_empty=bool(is_empty)):
                row = {**values, spec.column: text}
                if spec.label_column:
                    row[spec.label_column] = code
                rows.append(row)
    twin.write(path_for(spec.table.path, {}, 0)[0], table_bytes(spec.table, rows))


def _cells(spec: Rle, twin: Twin, image: TwinImage, place: int, *, is_empty: bool) -> list[str]:
    if is_empty:
        return [spec.no_mask[0]]
    count = 1 + (image.number % 2 if spec.label_column is None else 0)
    label = list(spec.labels.values())[place]
    twin.expect(label, 1 if spec.objects == "region" else count)
    cells = []
    for at in range(count):
        mask = np.zeros((image.height, image.width), dtype=bool)
        top, left = 4 + 12 * at, 6 + 14 * place
        mask[top : top + 9, left : left + 7 + at] = True
        cells.append(encode_runs(mask, starts=spec.starts, order=spec.order))
    return cells
