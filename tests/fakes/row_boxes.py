"""Twins of boxes on the rows of arrays: one or two on most pictures, none on some."""

from converters.pattern import fill
from converters.specs.arrays import RowBoxes
from tests.fakes import Twin
from tests.fakes.arrays import rows_of
from tests.fakes.label_table import key_values, table_bytes
from tests.fakes.paths import path_for


def write(spec: RowBoxes, twin: Twin) -> None:
    """Write the table; a row that is to be left out stands in it once a file."""
    codes = list(spec.labels)
    rows = []
    for image in twin.images:
        values = key_values(spec.key, fill(spec.match, image.fields))
        for at in range(rows_of(twin.manifest.layout) - 1):
            for more in range(1 + at % 2):
                code = codes[(image.number + at + more) % len(codes)]
                twin.expect(spec.labels[code])
                box = (5 + 6 * more, 4 + 3 * more, 20, 16)
                if spec.notation == "xyxy":
                    box = (*box[:2], box[0] + box[2], box[1] + box[3])
                row = {**values, spec.row: str(at + spec.first), spec.label_column: code}
                row.update(dict.fromkeys(spec.leave_out, ""))
                rows.append({**row, **dict(zip(spec.box, map(str, box), strict=True))})
        for name, cells in spec.leave_out.items():
            left = {**values, spec.row: str(spec.first), spec.label_column: codes[0]}
            rows.append({**left, name: cells[0], **dict.fromkeys(spec.box, "")})
    twin.write(path_for(spec.table.path, {}, 0)[0], table_bytes(spec.table, rows))
