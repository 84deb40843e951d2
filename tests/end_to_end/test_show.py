"""python -m pipeline.show: pairs of a build for a person to look at."""

from pathlib import Path

import pytest
from PIL import Image

from converters.manifest import load_manifest
from pipeline import cli, show
from tests.fakes import build_twin


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A build of a twin with boxes."""
    monkeypatch.setenv("COLUMNS", "200")
    folder = build_twin(load_manifest("bccd").manifest, tmp_path / "twin").folder
    out = tmp_path / "[b]out"
    arguments = ["--source", "bccd", "--root", str(folder), "--out", str(out), "--workers", "1"]
    assert cli.main(arguments) == 0
    return out


def test_pairs_are_shown_with_boxes_and_provenance(
    built: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert show.main([str(built), "--rows", "4"]) == 0
    said = capsys.readouterr().out
    assert said.count("assistant") == 4
    assert "(pixels)" in said
    assert "annotation_path" in said
    assert "[b]out" in said  # a name is no markup


def test_a_picture_stands_beside_itself_with_boxes(built: Path, tmp_path: Path) -> None:
    show.main([str(built), "--rows", "8", "--images", str(tmp_path / "shown")])
    path = next((tmp_path / "shown").glob("*-region_caption.png"))
    with Image.open(path) as picture:
        half = picture.width // 2
        plain = picture.crop((0, 0, half, picture.height))
        marked = picture.crop((half, 0, 2 * half, picture.height))
    yellow = (255, 255, 0)
    assert yellow in {color for _, color in marked.getcolors(1 << 24)}
    assert yellow not in {color for _, color in plain.getcolors(1 << 24)}


def test_a_folder_without_a_build_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert show.main([str(tmp_path)]) == 2
    assert "run gmai-build first" in capsys.readouterr().err
