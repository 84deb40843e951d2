"""Twins of lesions by their diameters: one or two crosses an image; some rows are left out."""

from converters.pattern import fill, template_names
from converters.specs.shapes import Recist
from tests.fakes import Twin
from tests.fakes.label_table import key_values, table_bytes
from tests.fakes.paths import path_for


def write(spec: Recist, twin: Twin) -> None:
    """Write the table, with what the subject, the split and the window need."""
    codes = list(spec.labels)
    rows = []
    for image in twin.images:
        values = key_values(spec.key, fill(spec.match, image.fields))
        if values is None:
            continue
        values.update(_fields(spec, twin, image.number))
        for at in range(1 + image.number % 2):
            code = codes[(image.number + at) % len(codes)]
            twin.expect(spec.labels[code])
            rows.append({**values, **_row(spec, code, at), **dict.fromkeys(spec.leave_out, "0")})
        for name, cells in spec.leave_out.items():
            rows.append({**rows[-1], **_row(spec, codes[0], 2), name: cells[0]})
    twin.write(path_for(spec.table.path, {}, 0)[0], table_bytes(spec.table, rows))


def _row(spec: Recist, code: str, at: int) -> dict[str, str]:
    """Two lines that cross, the longer one upright."""
    x, y = 8 + 16 * at, 6 + 12 * at
    numbers = [x + 5, y, x + 4, y + 11, x, y + 6, x + 9, y + 5.5]
    cells = [f"{number:g}" for number in numbers]
    row = dict(zip(spec.ends, cells, strict=True)) if spec.ends[1:] else {
        spec.ends[0]: ", ".join(cells)
    }  # fmt: skip
    if spec.spacing:
        row[spec.spacing] = "0.5, 0.5, 5"
    if spec.label_column:
        row[spec.label_column] = code
    return row


def _fields(spec: Recist, twin: Twin, number: int) -> dict[str, str]:
    layout = twin.manifest.layout
    fields = dict.fromkeys(spec.fields, "-175, 275")
    fields.update({n: f"{number + 1}" for n in template_names(layout.subject) if n in fields})
    if layout.split.by == "field" and layout.split.field in fields:
        names = list(layout.split.names)
        fields[layout.split.field] = names[number % len(names)]
    return fields
