"""The index of manifests: used where it fits, passed over where it does not."""

import shutil
from pathlib import Path

import pytest

from converters.errors import ManifestError
from converters.vocabulary import MANIFESTS
from pipeline import source_heads
from pipeline.source_heads import INDEX, heads, index_text, read_head

NAMES = ["bccd", "hc18", "vqa_rad"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with three manifests, what they rest on, and their index."""
    for name in ("vocabulary.toml", "terms.csv", "schema.json", *(f"{n}.yaml" for n in NAMES)):
        shutil.copy(MANIFESTS / name, tmp_path / name)
    schema = (tmp_path / "schema.json").read_text("utf-8")
    (tmp_path / INDEX).write_text(index_text(schema, tmp_path), encoding="utf-8")
    return tmp_path


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the manifests that are read in full."""
    names: list[str] = []

    def noted(name: str, folder: Path) -> source_heads.Head:
        names.append(name)
        return read_head(name, folder)

    monkeypatch.setattr(source_heads, "read_head", noted)
    return names


def test_what_stands_in_the_index_is_not_read_again(folder: Path, read: list[str]) -> None:
    found = list(heads([], folder))
    assert [one.name for one in found] == NAMES
    assert read == []


def test_the_index_says_what_the_manifests_say(folder: Path) -> None:
    assert list(heads([], folder)) == [read_head(name, folder) for name in NAMES]


def test_a_changed_manifest_is_read(folder: Path, read: list[str]) -> None:
    path = folder / "hc18.yaml"
    path.write_text(path.read_text("utf-8").replace("title:", "title:  "), encoding="utf-8")
    assert len(list(heads([], folder))) == 3
    assert read == ["hc18"]


def test_a_fault_in_one_is_named_and_spoils_no_other(folder: Path) -> None:
    (folder / "hc18.yaml").write_text("name: hc18\n", encoding="utf-8")
    broken: list[ManifestError] = []
    assert [one.name for one in heads(broken, folder)] == ["bccd", "vqa_rad"]
    assert ["hc18.yaml" in str(error) for error in broken] == [True]


@pytest.mark.parametrize("name", ["vocabulary.toml", "terms.csv", "schema.json"])
def test_an_index_of_other_words_is_passed_over(folder: Path, read: list[str], name: str) -> None:
    with (folder / name).open("a", encoding="utf-8") as file:
        file.write("\n")
    assert len(list(heads([], folder))) == 3
    assert read == NAMES


@pytest.mark.parametrize("text", ["", "[]", '{"basis": 1}', "{"])
def test_an_index_that_is_none_is_passed_over(folder: Path, read: list[str], text: str) -> None:
    (folder / INDEX).write_text(text, encoding="utf-8")
    assert len(list(heads([], folder))) == 3
    assert read == NAMES
