"""Twins of points: a few places an image, in one table or in a table an image."""

from converters.annotations.contract import module_of
from converters.pattern import fill
from converters.specs.base import TableFile
from converters.specs.shapes import Points
from tests.fakes import Twin, TwinImage
from tests.fakes.label_table import key_values, table_bytes
from tests.fakes.paths import path_for


def write(spec: Points, twin: Twin) -> None:
    """Write the table or tables; where it may, an image in five has no point."""
    shared = []
    for image in twin.images:
        if spec.files:
            rows = _rows(spec, twin, image)
            path, _ = path_for(spec.files, image.fields, image.number)
            table = TableFile(path="*", header=spec.header, delimiter=spec.delimiter)
            twin.write(path, table_bytes(table, rows) if rows else b"")
            continue
        values = key_values(spec.key, fill(spec.match, image.fields))
        if values is not None:  # else another table serves this image
            shared += [{**values, **row} for row in _rows(spec, twin, image)]
    if spec.table:
        twin.write(path_for(spec.table.path, {}, 0)[0], table_bytes(spec.table, shared))


def _rows(spec: Points, twin: Twin, image: TwinImage) -> list[dict[str, str]]:
    codes = list(spec.labels)
    elsewhere = any(
        module_of(other.kind).terms_of(other)
        for other in twin.manifest.layout.annotations
        if other is not spec
    )
    is_empty_allowed = spec.files and (elsewhere or spec.completeness != "partial")
    if is_empty_allowed and image.number % 5 == 4:
        return []
    rows = []
    for at in range(1 + image.number % 3 if spec.label_column else 1):
        code = codes[(image.number + at) % len(codes)]
        twin.expect(spec.labels[code])
        row = {spec.x: str(9 + 8 * at), spec.y: str(7 + 6 * at)}
        if spec.label_column:
            row[spec.label_column] = code
        rows.append(row)
    return rows
