"""Twins of run-length codes, outlines and points in every way that a manifest may name."""

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

ONE = {"m": "lung mass"}
TWO = {"m": "lung mass", "n": "lung nodule"}
RLE = {
    "kind": "rle", "completeness": "complete", "table": {"path": "masks.csv"}, "key": "{id}.png",
    "match": "{name}.png", "column": "runs", "starts": "from_1", "order": "columns",
    "no_mask": ["", "-1"], "labels": ONE,
}  # fmt: skip
POLYGONS = {
    "kind": "polygons", "completeness": "complete", "labels": TWO, "ignore": ["other"],
    "origin": "corner", "outside": "reject", "objects": "outlines",
}  # fmt: skip
OUTLINES: dict[str, dict[str, Any]] = {
    "labelme": {"files": "{name}.json", "written": {"format": "labelme"}},
    "labelme_boxes": {
        "files": "{name}.json",
        "written": {"format": "labelme", "passed_over": ["rectangle"], "grouped": True},
    },
    "via": {"files": "via.json", "written": {"format": "via", "match": "{name}.png",
                                             "attribute": "class"}},
    "lists": {
        "files": "all.json",
        "written": {"format": "lists", "match": "{name}.png", "image": "file", "names": "syms",
                    "outlines": "polygons"},
    },
    "records": {
        "files": "annotation.json", "completeness": "partial", "if_missing": "unknown",
        "written": {"format": "records", "match": "{name}", "image": "object_id",
                    "codes": "label_ids", "points": "data", "names_file": "labels.json"},
    },
    "geojson": {"files": "{name}.geojson", "written": {"format": "geojson"}},
    "aperio": {"files": "{name}.xml", "written": {"format": "aperio", "named": True}},
    "aperio_one": {
        "files": "{name}.xml", "written": {"format": "aperio", "named": False}, "labels": ONE,
        "ignore": [],
    },
    "coco": {"files": "coco.json", "written": {"format": "coco", "match": "{name}.png"}},
    "yolo": {"files": "{name}.txt", "written": {"format": "yolo"}},
    "contours": {
        "files": "{name}_{class}.txt", "written": {"format": "contours", "field": "class"},
    },
    "contour": {
        "files": "{name}.json", "written": {"format": "contours"}, "labels": ONE, "ignore": [],
        "objects": "region",
    },
    "readers": {
        "files": "{name}_{class}_{reader}.txt", "written": {"format": "contours", "field": "class"},
        "objects": "region", "consensus": {"field": "reader", "at_least": 2},
    },
}  # fmt: skip
POINTS = {
    "kind": "points", "completeness": "complete", "x": "x", "y": "y", "first_pixel": 0,
    "labels": ONE,
}  # fmt: skip


def manifest_with(block: dict[str, Any]) -> Manifest:
    """A manifest of pictures with one annotation block."""
    content = yaml.safe_load((MANIFESTS / "brain_tumor_sartaj.yaml").read_text())
    content["name"] = "toy"
    content["layout"] = {
        "kind": "images", "images": "images/{name}.png", "subject": "{path}",
        "split": {"by": "digest"}, "annotations": [block],
    }  # fmt: skip
    content["expect"] = {"cases": None, "findings": None}
    return parse_manifest(yaml.safe_dump(content), "toy").manifest


def require_expected(block: dict[str, Any], folder: Path) -> list[Sample]:
    """Build a twin, read it, and compare; nothing may be rejected."""
    manifest = manifest_with(block)
    twin = build_twin(manifest, folder)
    root, _ = locate_root(manifest, folder)
    converter = converter_for(manifest)
    found = [out for case in converter.cases(root) for out in converter.convert(root, case)]
    assert [out for out in found if isinstance(out, Rejection)] == []
    samples = [out for out in found if isinstance(out, Sample)]
    assert Counter(f.label for s in samples for f in s.findings) == Counter(twin.expected)
    assert twin.expected
    return samples


@pytest.mark.parametrize("objects", ["region", "components", "rows"])
@pytest.mark.parametrize("order", ["rows", "columns"])
@pytest.mark.parametrize("starts", ["from_0", "from_1", "relative"])
def test_run_length_codes_of_every_kind(
    starts: str, order: str, objects: str, tmp_path: Path
) -> None:
    block = {**RLE, "starts": starts, "order": order, "objects": objects}
    samples = require_expected(block, tmp_path)
    assert any(sample.absent for sample in samples)


def test_run_length_codes_with_a_label_column(tmp_path: Path) -> None:
    block = {**RLE, "label_column": "class", "labels": TWO}
    samples = require_expected(block, tmp_path)
    assert any(sample.absent for sample in samples)


@pytest.mark.parametrize("written", OUTLINES.values(), ids=OUTLINES)
def test_outlines_of_every_format(written: dict[str, Any], tmp_path: Path) -> None:
    require_expected({**POLYGONS, **written}, tmp_path)


@pytest.mark.parametrize(
    "written",
    [
        {"table": {"path": "points.csv"}, "key": "{id}", "match": "{name}"},
        {"table": {"path": "points.xlsx"}, "key": "{id}", "match": "{name}", "label_column": "c",
         "labels": TWO},
        {"files": "{name}.csv", "header": ["x", "y", "c"], "label_column": "c", "labels": TWO},
        {"files": "{name}.csv", "diameter_px": 6},
    ],
    ids=["table", "codes", "files", "size"],
)  # fmt: skip
def test_points_of_every_kind(written: dict[str, Any], tmp_path: Path) -> None:
    samples = require_expected({**POINTS, **written}, tmp_path)
    assert all(
        bool(finding.box) == ("diameter_px" in written) and finding.position
        for sample in samples
        for finding in sample.findings
    )
