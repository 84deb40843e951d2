"""Twins of texts: one row a key, with the marks that real tables hold."""

from collections.abc import Sequence

from converters.pattern import fill
from converters.specs.own_texts import OwnTexts
from tests.fakes import Twin, TwinImage
from tests.fakes.label_table import is_of_part, key_values, table_bytes
from tests.fakes.paths import path_for

TEXTS = {
    "en": "The lungs are  clear &amp; expanded .<br>No effusion.",
    "zh": "双肺清晰&nbsp;，未见异常。",
}


def write(spec: OwnTexts, twin: Twin) -> None:
    """Write the table; every other text has a sentence with a gap, where the manifest names one."""
    rows: dict[str, dict[str, str]] = {}
    for image in twin.images:
        key = fill(spec.match, image.fields)
        values = key_values(spec.key, key)
        if values is None or not is_of_part(spec, twin, image):
            continue  # another table serves this image
        values.update(field_cells(spec.fields, twin, image))
        values.update({name: allowed[0] for name, allowed in spec.only.items()})
        for at, part in enumerate(spec.parts):
            gap = f" Compared with {spec.gaps[0]}." if spec.gaps and at % 2 == 0 else ""
            values[part.column] = TEXTS[spec.language] + gap
        rows[key] = values
    if rows:
        twin.write(
            path_for(spec.table.path, {}, 0)[0], table_bytes(spec.table, list(rows.values()))
        )


def field_cells(names: Sequence[str], twin: Twin, image: TwinImage) -> dict[str, str]:
    """Cells of the columns that the subject and the split need."""
    rule = twin.manifest.layout.split
    cells = {name: f"{name}{image.number}" for name in names}
    if rule.by == "field" and rule.field in cells:
        splits = list(rule.names)
        cells[rule.field] = splits[image.number % len(splits)]
    return cells
