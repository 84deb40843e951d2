"""The Croissant description of a build is valid, and its own reader finds every pair by it."""

import json
import logging
from pathlib import Path

import mlcroissant
import pytest

from converters.manifest import load_manifest
from pipeline import cli
from pipeline.croissant import croissant
from tests.fakes import build_twin

# Of what mlcroissant calls, not of ours.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
SOURCES = ("bccd", "hc18")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("croissant")
    arguments = ["--root", str(folder), "--out", str(folder / "out"), "--workers", "1"]
    for source in SOURCES:
        build_twin(load_manifest(source).manifest, folder / source)
        arguments += ["--source", source]
    assert cli.main(arguments) == 0
    return folder / "out"


def test_it_is_valid(out: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        mlcroissant.Dataset(str(out / "croissant.json"))
    said = [record.message for record in caplog.records]
    # The receipt has no date, and so it has none; each source says how to cite it, where it does.
    assert all("datePublished" in text or "citeAs" in text for text in said)


def test_its_reader_finds_every_pair(out: Path) -> None:
    receipt = json.loads((out / "build.json").read_text())
    dataset = mlcroissant.Dataset(str(out / "croissant.json"))
    for name in SOURCES:
        rows = list(dataset.records(name))
        assert len(rows) == sum(receipt["sources"][name]["pairs"].values())
        assert {row[f"{name}/source"] for row in rows} == {name.encode()}
        assert all(row[f"{name}/image"].size[0] == row[f"{name}/width"] for row in rows)


def test_each_shard_has_its_digest(out: Path) -> None:
    sources = json.loads((out / "build.json").read_text())["sources"]
    told = {
        part["contentUrl"]: part["sha256"]
        for part in json.loads(croissant(sources))["distribution"]
        if part["@type"] == "cr:FileObject"
    }
    shards = [shard for entry in sources.values() for shard in entry["shards"]]
    assert told == {shard["path"]: shard["digest"].removeprefix("sha256:") for shard in shards}
