"""Twins of tables of regions: a mask and a crop a region, their columns mixed up now and then."""

import numpy as np

from converters.pattern import fill
from converters.specs.region_table import RegionTable
from tests.fakes import Twin, TwinImage
from tests.fakes.dicom_files import dicom_bytes
from tests.fakes.label_table import key_values, table_bytes
from tests.fakes.paths import path_for

UIDS = "1.3.6.1.4.1.9590.100.1/1.3.6.1.4.1.9590.100.2"


def write(spec: RegionTable, twin: Twin) -> None:
    """Write the masks and crops of one or two regions an image, and the tables.

    The row of a region goes into the table that its own path names.
    """
    rows: dict[str, list[dict[str, str]]] = {table.path: [] for table in spec.tables}
    for image in twin.images:
        for at in range(1 + image.number % 2):
            row = _region(spec, twin, image, at)
            rows[_table_of(spec, image)].append(row)
    names = list(next(found for found in rows.values() if found)[0])
    for table in spec.tables:
        path, _ = path_for(table.path, {}, 0)
        with_header = table.model_copy(update={"header": names, "skip_rows": 0})
        written = table_bytes(
            with_header, [dict(zip(names, names, strict=True)), *rows[table.path]]
        )
        twin.write(path, written)


def _table_of(spec: RegionTable, image: TwinImage) -> str:
    kind, part = image.fields["type"].lower(), image.fields["part"].lower()[:4]
    (found,) = (t.path for t in spec.tables if f"{kind}_" in t.path and f"_{part[:4]}" in t.path)
    return found


def _region(spec: RegionTable, twin: Twin, image: TwinImage, at: int) -> dict[str, str]:
    name = fill(spec.match, image.fields)
    folder = f"{name}_{at + 1}"
    mask = np.zeros((image.height, image.width), np.uint8)
    mask[8 + 14 * at : 18 + 14 * at, 10 + 18 * at : 24 + 18 * at] = 255
    crop = (np.arange(120, dtype=np.uint16) * 400).reshape(10, 12)
    files = (dicom_bytes(mask, Modality="MG"), dicom_bytes(crop, Modality="MG"))
    is_mixed_up = image.number % 3 == 1
    for number, data in enumerate(reversed(files) if is_mixed_up else files, start=1):
        twin.write(f"CBIS-DDSM/{folder}/{UIDS}/1-{number}.dcm", data)
    kind = "mass" if image.fields["type"] == "Mass" else "calcification"
    codes = [code for code in spec.labels if code.startswith(f"{kind}/")]
    code = codes[(image.number + at) % len(codes)]
    twin.expect(spec.labels[code])
    cells = [f"{folder}/{UIDS}/00000{n}.dcm\n" for n in range(len(spec.region_columns))]
    return {
        **(key_values(spec.label, code) or {}),
        spec.view_column or "": image.fields["view"],
        spec.side_column or "": image.fields["side"],
        "abnormality id": str(at + 1),
        spec.image_column: f"{name}/{UIDS}/000000.dcm",
        **dict(zip(spec.region_columns, cells, strict=True)),
    }
