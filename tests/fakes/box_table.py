"""Twins of box tables: one or two rows an image; every third image has none where it may."""

from converters.pattern import fill
from converters.specs.annotations import BoxTable
from tests.fakes import Twin
from tests.fakes.label_table import by_reader, key_values, table_bytes
from tests.fakes.paths import path_for


def write(spec: BoxTable, twin: Twin) -> None:
    """Write the table in the notation of the spec."""
    codes = list(spec.labels)
    # Where each part has its own table, the others say nothing of an image of it.
    is_alone = sum(one.kind == spec.kind for one in twin.manifest.layout.annotations) == 1
    may_lack = spec.if_missing != "reject" and is_alone
    rows = []
    for image in twin.images:
        values = key_values(spec.key, fill(spec.match, image.fields)) if spec.key else {}
        if values is None or (may_lack and image.number % 3 == 2):
            continue
        for at in range(1 + image.number % 2):
            code = codes[(image.number + at) % len(codes)]
            twin.expect(spec.labels[code])
            box = _notation(spec, (5 + 6 * at, 4 + 3 * at, 20 + 6 * at, 16 + 3 * at), image)
            row = {**values, **dict(zip(spec.box, map(str, box), strict=True))}
            if spec.label_column:
                row[spec.label_column] = f"['{code}']" if spec.label_list else code
            rows += by_reader(spec.readers, row)
        if not spec.key:
            path, _ = path_for(spec.table.path, image.fields, image.number)
            twin.write(path, table_bytes(spec.table, rows))
            rows = []
    if spec.key:
        twin.write(path_for(spec.table.path, {}, 0)[0], table_bytes(spec.table, rows))


def _notation(spec: BoxTable, corners: tuple[int, ...], image) -> tuple[float, ...]:
    """Corners in pixels of the picture, as the spec writes a box."""
    x_min, y_min, x_max, y_max = corners
    frame = spec.frame or (image.width, image.height)
    across, down = frame[0] / image.width, frame[1] / image.height
    if spec.notation.startswith("relative"):
        across, down = 1 / image.width, 1 / image.height
    x_min, x_max, y_min, y_max = x_min * across, x_max * across, y_min * down, y_max * down
    if spec.notation.endswith("cxcywh"):
        return (x_min + x_max) / 2, (y_min + y_max) / 2, x_max - x_min, y_max - y_min
    if spec.notation.endswith("xywh"):
        return x_min, y_min, x_max - x_min, y_max - y_min
    return x_min, y_min, x_max, y_max
