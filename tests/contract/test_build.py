"""Promises of a whole build, on a generated twin of every source."""

import hashlib
import io
import json
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from PIL import Image

from converters.manifest import list_sources
from converters.vocabulary import words
from pipeline import cli
from pipeline.shards import read_shards
from tests.fakes import Twin


class Built:
    """A twin and what was built from it."""

    def __init__(self, source: str, twin: Twin, folder: Path) -> None:
        self.source = source
        self.root = twin.folder
        self.out = folder / "out"
        self.twin = twin
        self.exit_code = cli.main(
            ["--source", source, "--root", str(self.root), "--out", str(self.out), "--workers", "1",
             "--partition-cases", "5"]
        )  # fmt: skip
        self.rows: list[dict[str, Any]] = list(read_shards(self.out))
        self.receipt = json.loads((self.out / "build.json").read_text("utf-8"))
        self.entry = self.receipt["sources"][source]


@pytest.fixture(scope="module", params=list_sources())
def built(
    request: pytest.FixtureRequest,
    twins: Callable[[str], Twin],
    tmp_path_factory: pytest.TempPathFactory,
) -> Built:
    """Each source in turn, built once for all promises."""
    return Built(request.param, twins(request.param), tmp_path_factory.mktemp(request.param))


def test_it_ends_well_and_makes_pairs(built: Built) -> None:
    assert built.exit_code == 0
    assert built.rows


def test_no_pair_stands_twice(built: Built) -> None:
    ids = [row["pair_id"] for row in built.rows]
    assert len(ids) == len(set(ids))


def test_rows_of_one_image_follow_each_other(built: Built) -> None:
    runs = [key for key, _ in groupby(row["sample_id"] for row in built.rows)]
    assert len(runs) == len(set(runs))


def test_no_subject_is_written_to_two_splits(built: Built) -> None:
    splits: dict[str, set[str]] = {}
    for row in built.rows:
        splits.setdefault(row["subject_id"], set()).add(row["split"])
    assert all(len(found) == 1 for found in splits.values())


def test_images_decode_to_the_size_that_is_said(built: Built) -> None:
    for row in built.rows:
        with Image.open(io.BytesIO(row["image"]["bytes"])) as image:
            image.load()
            assert image.size == (row["width"], row["height"])


def test_what_was_not_rendered_is_the_source_file(built: Built) -> None:
    for row in built.rows:
        is_file = row["image_digest"] == row["source_digest"]
        steps = {step["step"] for step in json.loads(row["transforms"])}
        assert is_file != bool(steps & {"encode", "strip_metadata"})


def test_digests_are_those_of_the_files(built: Built) -> None:
    root = built.root
    for row in built.rows:
        data = (root / row["source_path"]).read_bytes()
        assert row["source_digest"] == f"sha256:{hashlib.sha256(data).hexdigest()}"
        image = hashlib.sha256(row["image"]["bytes"]).hexdigest()
        assert row["image_digest"] == f"sha256:{image}"


def test_labels_of_a_text_are_present_in_its_image(built: Built) -> None:
    for row in built.rows:
        present = {finding["label"] for finding in json.loads(row["findings"])["present"]}
        assert set(row["labels"]) <= present


def test_boxes_of_a_text_are_boxes_of_its_findings(built: Built) -> None:
    for row in built.rows:
        known = [f.get("box") for f in json.loads(row["findings"])["present"]]
        for box in row["boxes"]:
            corners = [round(box[name], 4) for name in ("x_min", "y_min", "x_max", "y_max")]
            assert corners in known


def test_a_conversation_opens_with_the_image_and_alternates(built: Built) -> None:
    for row in built.rows:
        roles = [message["role"] for message in row["messages"]]
        assert roles == ["user", "assistant"] * (len(roles) // 2)
        assert row["messages"][0]["content"].startswith("<image>\n")
        assert all(message["content"].strip() for message in row["messages"])


def test_every_row_says_where_it_comes_from(built: Built) -> None:
    needed = (
        "source", "license", "subject_id", "source_path", "annotation_path", "manifest_digest",
        "converter", "template", "template_digest", "captioner", "prompt", "prompt_digest",
        "annotation_digest", "image_phash", "build_version", "captioner_settings",
    )  # fmt: skip
    for row in built.rows:
        assert [name for name in needed if not row[name]] == []


def test_the_receipt_counts_what_is_there(built: Built) -> None:
    images = {row["sample_id"] for row in built.rows}
    assert built.entry["samples"] == len(images)
    assert sum(built.entry["pairs"].values()) == len(built.rows)
    paths = {path.relative_to(built.out).as_posix() for path in built.out.glob("data/*/*")}
    assert {shard["path"] for shard in built.entry["shards"]} == paths


def test_nothing_is_lost(built: Built) -> None:
    rejected = pq.read_table(built.out / "rejections.parquet").to_pylist()
    assert all(row["reason"] in words("rejection") for row in rejected)
    count = sum(built.entry["rejections"].values())
    assert count == len(rejected)


def test_receipt_and_rows_hold_no_path_of_this_machine(built: Built) -> None:
    text = (built.out / "build.json").read_text("utf-8")
    assert str(built.root) not in text
    assert all(str(built.root) not in str(row) for row in built.rows[:20])
