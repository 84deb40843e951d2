"""A full disk: a clear error, and nothing half-written is taken for whole."""

import errno
from pathlib import Path

import pytest

from converters.manifest import load_manifest
from pipeline import cli, shards
from tests.fakes import build_twin

SOURCE = "brain_tumor_sartaj"


def arguments(tmp_path: Path) -> list[str]:
    """A build in this process."""
    return ["--source", SOURCE, "--root", str(tmp_path / "root"), "--out", str(tmp_path / "out"),
            "--workers", "1", "--partition-cases", "5"]  # fmt: skip


@pytest.fixture
def full_after_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A build whose disk is full when the second shard is synced; its arguments."""
    build_twin(load_manifest(SOURCE).manifest, tmp_path / "root")
    real, synced = shards.sync_file, []

    def sync_file(path: Path) -> None:
        synced.append(path)
        if len([p for p in synced if ".parquet" in p.name and "data" in p.parts]) > 1:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        real(path)

    monkeypatch.setattr(shards, "sync_file", sync_file)
    return arguments(tmp_path)


def test_it_says_what_to_do(full_after_one: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(full_after_one) == 2
    said = capsys.readouterr().err
    assert "No space left on device" in said
    assert "run the same command again" in said


def test_nothing_half_written_stays(full_after_one: list[str], tmp_path: Path) -> None:
    cli.main(full_after_one)
    left = [path for path in (tmp_path / "out" / "data").rglob("*") if path.is_file()]
    assert [path.suffix for path in left] == [".parquet"]
    assert not (tmp_path / "out" / "build.json").exists()


def test_it_goes_on_when_there_is_space(
    full_after_one: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli.main(full_after_one)
    monkeypatch.undo()
    assert cli.main(full_after_one) == 0
    assert (tmp_path / "out" / "build.json").is_file()
