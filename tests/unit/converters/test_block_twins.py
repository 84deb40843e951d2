"""Twins of encodings and table kinds that no source of today has: built, read, compared."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from converters.files import locate_root
from converters.manifest import MANIFESTS, Manifest, parse_manifest
from converters.records import Rejection, Sample
from converters.select import converter_for
from tests.fakes import build_twin

LABELS = ["lung mass", "lung nodule", "pleural effusion"]
MASKS = {
    "threshold": {"encoding": "binary", "label": "lung mass", "threshold": 127},
    "outline": {"encoding": "binary", "label": "lung mass", "outline": True},
    "index": {"encoding": "index", "labels": dict(enumerate(LABELS, 1)), "ignore": [0]},
    "snap": {
        "encoding": "index",
        "labels": {100: "lung mass"},
        "ignore": [0],
        "snap": 9,
    },
    "wide": {"encoding": "index", "labels": {900: "lung mass"}, "ignore": [0]},
    "color": {
        "encoding": "color",
        "labels": {"#ff0000": "lung mass", "#00ff00": "lung nodule"},
        "ignore": ["#000000"],
        "snap": 2,
    },
    "class": {
        "encoding": "file_per_class",
        "field": "class",
        "labels": {"M": "lung mass", "N": "lung nodule"},
    },
    "instances": {"encoding": "instances", "label": "cell nucleus"},
}
COLUMNS = {
    "column": {
        "style": "column",
        "column": "label",
        "labels": {"m": "lung mass", "n": "lung nodule", "0": "no finding"},
        "exclusive": True,
    },
    "joined": {
        "style": "column",
        "column": "label",
        "separator": ";",
        "labels": {"m": "lung mass", "n": "lung nodule", "0": "no finding"},
        "exclusive": False,
    },
    "one_hot": {
        "style": "one_hot",
        "labels": {"m": "lung mass", "n": "lung nodule", "0": "no finding"},
        "exclusive": False,
    },
    "measurement": {
        "style": "measurement",
        "column": "size",
        "label": "lung mass",
        "quantity": "diameter",
        "unit": "mm",
    },
}
TABLES = [
    {"path": "labels.csv"},
    {"path": "labels.csv", "delimiter": ";", "encoding": "gb18030"},
    {"path": "labels.tsv"},
    {"path": "labels.xlsx"},
    {"path": "labels.xlsx", "sheet": "train", "skip_rows": 2},
]


def manifest_with(*blocks: dict[str, Any]) -> Manifest:
    """A manifest with these annotation blocks."""
    content = yaml.safe_load((MANIFESTS / "brain_tumor_sartaj.yaml").read_text())
    content["name"] = "toy"
    content["layout"] = {
        "kind": "images",
        "images": "images/{name}.png",
        "subject": "{path}",
        "split": {"by": "digest"},
        "annotations": list(blocks),
    }
    content["expect"] = {"cases": None, "findings": None}
    return parse_manifest(yaml.safe_dump(content), "toy").manifest


def require_expected(manifest: Manifest, folder: Path) -> list[Sample]:
    """Build a twin, read it, and compare; nothing may be rejected."""
    twin = build_twin(manifest, folder)
    root, _ = locate_root(manifest, folder)
    converter = converter_for(manifest)
    found = [out for case in converter.cases(root) for out in converter.convert(root, case)]
    assert [out for out in found if isinstance(out, Rejection)] == []
    samples = [out for out in found if isinstance(out, Sample)]
    assert Counter(f.label for s in samples for f in s.findings) == Counter(twin.expected)
    return samples


@pytest.mark.parametrize("objects", ["region", "components"])
@pytest.mark.parametrize("codes", MASKS.values(), ids=MASKS)
def test_masks_of_every_encoding(codes: dict[str, Any], objects: str, tmp_path: Path) -> None:
    extra = "_{class}" if codes["encoding"] == "file_per_class" else ""
    block = {
        "kind": "masks",
        "completeness": "complete",
        "files": f"masks/{{name}}{extra}.png",
        "codes": codes,
        "objects": objects,
    }
    samples = require_expected(manifest_with(block), tmp_path)
    assert any(sample.absent for sample in samples)


@pytest.mark.parametrize("table", TABLES, ids=str)
@pytest.mark.parametrize("columns", COLUMNS.values(), ids=COLUMNS)
def test_tables_of_every_kind(
    columns: dict[str, Any], table: dict[str, Any], tmp_path: Path
) -> None:
    block = {
        "kind": "label_table",
        "completeness": "presence",
        "table": table,
        "key": "{file}.png",
        "match": "{name}.png",
        "columns": [columns],
    }
    require_expected(manifest_with(block), tmp_path)
