"""Where a pair comes from is told, and it comes out again from the files of its source."""

import json
import shutil
from pathlib import Path

import pytest

from converters.files import Root
from converters.manifest import load_manifest
from pipeline import cli, trace_cli
from pipeline.remake import NOT_MADE, remake
from pipeline.shards import read_shards
from pipeline.trace import prov_of
from pipeline.trace_page import trace_page
from tests.fakes import build_twin
from tests.fakes.model_server import ModelServer
from tests.fakes.model_writer import write_truth

SOURCES = ("bccd", "brain_tumor_sartaj", "msd_task04_hippocampus")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("twins")
    for source in SOURCES:
        build_twin(load_manifest(source).manifest, folder / source)
    return folder


@pytest.fixture(scope="module")
def out(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built") / "out"
    named = [word for source in SOURCES for word in ("--source", source)]
    more = ["--languages", "en,zh", "--workers", "1"]
    assert cli.main([*named, "--root", str(root), "--out", str(folder), *more]) == 0
    return folder


def test_pairs_of_three_sources_come_out_equal(
    root: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--sample", "20", "--data", str(out), "--root", str(root)]
    assert trace_cli.main(given) == 0
    said = capsys.readouterr().out
    assert all(f"{name}: 20 of 20 pairs made again equal (100.0%)" in said for name in SOURCES)


def test_texts_of_a_model_come_out_equal_without_the_model(root: Path, tmp_path: Path) -> None:
    with ModelServer(write_truth) as server:
        model = ["--captioner", "openai", "--model", "m", "--base-url", server.url]
        built = ["--source", "bccd", "--root", str(root / "bccd"), "--out", str(tmp_path)]
        assert cli.main([*built, *model, "--formats", "caption,region_caption"]) == 0
    given = ["--sample", "10", "--data", str(tmp_path), "--root", str(root / "bccd")]
    assert trace_cli.main(given) == 0


def test_a_changed_source_is_seen(
    root: Path, out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(root, tmp_path / "root")
    for path in (tmp_path / "root" / "bccd").rglob("*.xml"):
        path.write_text(path.read_text().replace("WBC", "RBC"))
    given = ["--sample", "5", "--data", str(out), "--root", str(tmp_path / "root")]
    assert trace_cli.main(given) == 1
    said = capsys.readouterr().out
    assert "annotation_digest differs" in said
    assert "brain_tumor_sartaj: 5 of 5" in said


def test_a_pair_whose_image_is_gone_is_not_made_again(
    root: Path, out: Path, tmp_path: Path
) -> None:
    shutil.copytree(root, tmp_path / "root")
    row = next(row for row in read_shards(out) if row["source"] == "bccd")
    (tmp_path / "root" / "bccd" / row["source_path"]).unlink()
    folder = tmp_path / "root" / "bccd"
    (one,) = remake(out, [row], lambda source: Root(source=source, folder=folder))
    assert one.differs == {"pair_id": (row["pair_id"], NOT_MADE)}


def test_the_way_of_a_pair_is_told(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = next(iter(read_shards(out)))
    assert trace_cli.main([row["pair_id"], "--data", str(out)]) == 0
    said = capsys.readouterr().out
    for column in ("source_path", "source_digest", "license", "image_digest", "template"):
        assert row[column] in said
    assert row["messages"][1]["content"] in said


def test_an_unknown_pair_is_said(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert trace_cli.main(["0123", "--data", str(out)]) == 2
    assert "holds no pair 0123" in capsys.readouterr().err


def test_provenance_joins_pairs_of_one_image(out: Path, tmp_path: Path) -> None:
    rows = list(read_shards(out))
    same = [row for row in rows if row["image_digest"] == rows[0]["image_digest"]][:2]
    given = [row["pair_id"] for row in same]
    assert trace_cli.main([*given, "--data", str(out), "--prov", str(tmp_path / "way.json")]) == 0
    graphs = json.loads((tmp_path / "way.json").read_text())
    images = [{node["@id"] for node in graph["@graph"]} for graph in graphs]
    assert rows[0]["image_digest"] in images[0] & images[1]


def test_every_entity_of_provenance_is_named_once(out: Path) -> None:
    for row in read_shards(out):
        names = [node["@id"] for node in prov_of(row)["@graph"]]
        assert len(names) == len(set(names))


def test_a_page_escapes_what_sources_say(out: Path) -> None:
    row = dict(next(iter(read_shards(out))))
    row["messages"] = [{"role": "user", "content": "<script>alert(1)</script>"}]
    row["source_path"] = '"><img src=x onerror=alert(1)>'
    page = trace_page([row])
    assert "<script" not in page
    assert "<img src=x" not in page
