"""Settings of an engine: they go whole into rows, and are the same on every machine."""

import json
import shutil
from pathlib import Path

import pytest

from converters.errors import SettingsError
from pipeline.engine_settings import EngineRun, EngineSettings, stated
from pipeline.model_request import Request

COMMIT = "0" * 39 + "a"


def folder_of(path: Path, weights: bytes = b"weights") -> Path:
    path.mkdir(parents=True)
    (path / "model-00001-of-00001.safetensors").write_bytes(weights)
    (path / "model.safetensors.index.json").write_text('{"weight_map": {}}')
    (path / "tokenizer.json").write_text("{}")
    return path


def settings(model: Path | str, **change) -> EngineSettings:
    return EngineSettings(model=str(model), version="0.32.0", **change)


def test_the_same_files_are_the_same_revision_elsewhere(tmp_path: Path) -> None:
    here = folder_of(tmp_path / "here" / "toy")
    there = shutil.copytree(here, tmp_path / "there" / "toy")
    assert stated(settings(here)).record() == stated(settings(there)).record()


def test_another_training_with_the_same_index_is_another_revision(tmp_path: Path) -> None:
    one = folder_of(tmp_path / "one", b"weights")
    two = folder_of(tmp_path / "two", b"others!")
    assert stated(settings(one)).revision != stated(settings(two)).revision


def test_another_tokenizer_is_another_revision(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "toy")
    before = stated(settings(folder)).revision
    (folder / "tokenizer.json").write_text('{"other": 1}')
    assert stated(settings(folder)).revision != before


def test_a_link_to_a_folder_is_called_what_the_folder_is_called(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder_of(tmp_path / "toy"))
    assert settings(tmp_path / "link").name == "toy"


def test_a_name_on_the_hub_needs_a_commit() -> None:
    assert stated(settings("org/model", revision=COMMIT)).revision == COMMIT
    with pytest.raises(SettingsError, match="no commit"):
        stated(settings("org/model", revision="main"))


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no \*\.safetensors"):
        stated(settings(tmp_path))


def test_a_folder_with_a_commit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="leave it out"):
        stated(settings(folder_of(tmp_path / "toy"), revision=COMMIT))


def test_what_is_stated_is_not_looked_up_again(tmp_path: Path) -> None:
    known = stated(settings(folder_of(tmp_path / "toy")))
    (tmp_path / "toy" / "model-00001-of-00001.safetensors").unlink()
    assert stated(known) == known


def test_a_row_says_all_of_it(tmp_path: Path) -> None:
    engine = stated(settings(folder_of(tmp_path / "toy"), processor='{"b": 1, "a": 2}'))
    request = Request(model="toy", revision=engine.revision, system="s", user="u", schema="{}")
    said = json.loads(engine.settings_of(request))
    assert said["sampling"]["max_tokens"] == 512
    assert said["engine"]["processor"] == '{"a":2,"b":1}'
    assert said["engine"]["revision"] == engine.revision
    assert said["engine"].keys() == engine.record().keys() >= {"max_num_seqs", "prefix_caching"}
    assert str(tmp_path) not in json.dumps(said)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"max_model_len": 0}, "is 0"),
        ({"processor": "[]"}, "not a JSON object"),
        ({"max_num_batched_tokens": 8, "max_num_seqs": 9}, "for 9 prompts at once"),
    ],
)
def test_what_cannot_be_is_refused(change: dict, found: str) -> None:
    with pytest.raises(SettingsError, match=found):
        settings("m", **change)


def test_a_run_without_engines_is_refused() -> None:
    with pytest.raises(SettingsError, match="engines"):
        EngineRun(engines=0)
