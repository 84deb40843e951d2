"""gmai-sources check: a folder that matches, and what is told of one that does not."""

from collections.abc import Callable
from pathlib import Path

import pytest

from converters.manifest import load_manifest
from pipeline.sources_cli import main
from tests.fakes import Twin, build_twin


def check(name: str, root: Path, *more: str) -> int:
    """Run gmai-sources check."""
    return main(["check", name, "--root", str(root), *more])


def twin(name: str, folder: Path) -> Path:
    """A generated twin of a source."""
    return build_twin(load_manifest(name).manifest, folder).folder


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables in one line a row."""
    monkeypatch.setenv("COLUMNS", "400")


def test_a_twin_of_every_source_matches(
    source: str, twins: Callable[[str], Twin], capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(source, twins(source).folder) == 0
    assert f"{source}: matches" in capsys.readouterr().out


def test_columns_of_tables_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check("hc18", twin("hc18", tmp_path / "twin"))
    assert "head circumference (mm)" in capsys.readouterr().out


def test_an_unknown_code_of_a_table_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = twin("chestxray14", tmp_path / "twin")
    table = next(folder.glob("Data_Entry*.csv"))
    table.write_text(table.read_text("utf-8").replace("Effusion", "Nothing"), encoding="utf-8")
    assert check("chestxray14", folder) == 1
    said = capsys.readouterr().out
    assert "WRONG" in said
    assert "'Nothing'" in said


def test_files_that_cannot_be_read_are_counted_by_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = twin("bccd", tmp_path / "twin")
    for path in sorted(folder.rglob("*.jpg"))[:2]:
        path.write_bytes(b"")
    assert check("bccd", folder, "--cases", "all") == 1
    assert "file_empty" in capsys.readouterr().out


def test_images_that_are_not_there_are_told_and_are_no_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = twin("hc18", tmp_path / "twin")
    images = [p for p in sorted(folder.rglob("*.png")) if "Annotation" not in p.name]
    images[0].unlink()
    assert check("hc18", folder) == 0
    assert "image_missing" in capsys.readouterr().out


def test_another_folder_does_not_match(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check("bccd", tmp_path) == 1
    assert "no file in" in capsys.readouterr().out


def test_a_folder_that_is_not_there_is_the_users_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check("bccd", tmp_path / "none") == 2
    assert "name the downloaded folder with --root" in capsys.readouterr().err


def test_an_unknown_source_suggests_near_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check("bcdd", tmp_path) == 2
    assert "did you mean bccd" in capsys.readouterr().err


def test_no_more_cases_are_read_than_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check("bccd", twin("bccd", tmp_path / "twin"), "--cases", "3")
    assert "3 cases gave 3 images" in capsys.readouterr().out


def test_names_of_files_are_no_markup(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    twin("bccd", tmp_path / "[red]twin")
    check("bccd", tmp_path / "[red]twin")
    assert "[red]twin" in capsys.readouterr().out
