"""Two sources in one out folder, killed at every step: each ends as if nothing had happened."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from converters.manifest import load_manifest
from pipeline import cli, out_folder, plan
from pipeline.fill_shard import Filling
from pipeline.shards import read_shards, shard_paths
from tests.end_to_end.test_restart import contents
from tests.fakes import build_twin

FIRST, SECOND = "brain_tumor_sartaj", "dsb2018"
MOST_STEPS = 60


class Killed(BaseException):
    """Stands for SIGKILL between two changes of the disk."""


def build(source: str, root: Path, out: Path, *more: str) -> int:
    """Build a source in this process."""
    return cli.main(
        ["--source", source, "--root", str(root / source), "--out", str(out), "--workers", "1",
         "--formats", "caption", *more]
    )  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twins of both sources; one picture of the first is broken, so that there are rejections."""
    folder = tmp_path_factory.mktemp("twins")
    for source in (FIRST, SECOND):
        build_twin(load_manifest(source).manifest, folder / source, 6)
    sorted((folder / FIRST).rglob("*.jpg"))[0].write_bytes(b"no picture at all")
    return folder


@pytest.fixture(scope="module")
def both(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An out folder with a finished build of both."""
    out = tmp_path_factory.mktemp("both") / "out"
    assert build(FIRST, root, out, "--partition-cases", "5") == 0
    assert build(SECOND, root, out) == 0
    return out


@pytest.fixture(scope="module")
def expected(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What both make where the first is built with other partitions, never interrupted."""
    out = tmp_path_factory.mktemp("quiet") / "out"
    assert build(FIRST, root, out, "--partition-cases", "2") == 0
    assert build(SECOND, root, out) == 0
    return contents(out)


def kill_at(step: int, patch: pytest.MonkeyPatch) -> None:
    """Die before the given change of the out folder, counted from 0."""
    done = 0

    def counted(change: Callable[..., Any]) -> Callable[..., Any]:
        def changed(*given: Any, **named: Any) -> Any:
            nonlocal done
            done += 1
            if done > step:
                raise Killed
            return change(*given, **named)

        return changed

    patch.setattr(out_folder, "write_whole", counted(out_folder.write_whole))
    patch.setattr(out_folder, "_move", counted(out_folder._move))
    patch.setattr(Path, "unlink", counted(Path.unlink))


def require_agreement(out: Path, sources: set[str]) -> None:
    """What readers see, what the receipt lists and what lies in data/ are the same."""
    receipt = json.loads((out / "build.json").read_text("utf-8"))["sources"]
    assert set(receipt) >= sources
    assert sorted(shard_paths(out)) == sorted(out.glob("data/*/*"))
    rows = list(read_shards(out, ["pair_id", "source"]))
    assert len(rows) == len({row["pair_id"] for row in rows})
    rejected = pq.read_table(out / "rejections.parquet").to_pylist()
    for name, entry in receipt.items():
        assert sum(entry["pairs"].values()) == sum(row["source"] == name for row in rows)
        assert sum(entry["rejections"].values()) == sum(r["source"] == name for r in rejected)


@pytest.mark.slow
@pytest.mark.parametrize("is_first_build", [False, True])
def test_killed_at_every_step_then_the_other_source_is_built(
    is_first_build: bool, both: Path, root: Path, expected: dict[str, str], tmp_path: Path
) -> None:
    for step in range(MOST_STEPS):
        out = tmp_path / str(step)
        if not is_first_build:
            shutil.copytree(both, out)
        with pytest.MonkeyPatch.context() as patch:
            kill_at(step, patch)
            try:
                build(FIRST, root, out, "--partition-cases", "2")
                break  # fewer changes than steps: every one was tried
            except Killed:
                pass
        assert build(SECOND, root, out) == 0
        require_agreement(out, {SECOND})
        assert build(FIRST, root, out, "--partition-cases", "2") == 0
        assert contents(out) == expected
    else:
        pytest.fail("more steps than were tried")


def test_the_other_source_keeps_its_shards_and_rejections(
    both: Path, root: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(both, out)
    assert build(SECOND, root, out, "--partition-cases", "2") == 0
    require_agreement(out, {FIRST, SECOND})


def test_a_source_whose_shard_was_lost_is_said_and_left_out(
    both: Path, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    shutil.copytree(both, out)
    sorted(out.glob(f"data/{FIRST}/*"))[0].unlink()
    assert build(SECOND, root, out) == 0
    said = capsys.readouterr().err
    assert f"{FIRST}: data/{FIRST}/" in said
    assert "is gone; left out of the receipt until it is built again" in said
    require_agreement(out, {SECOND})
    assert build(FIRST, root, out, "--partition-cases", "5") == 0
    assert contents(out) == contents(both)


def test_a_limit_never_removes_what_was_made_of_more_cases(
    both: Path, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    shutil.copytree(both, out)
    assert build(FIRST, root, out, "--limit", "2") == 2
    assert "was built here of every case; --limit 2 would remove shards" in capsys.readouterr().err
    assert contents(out) == contents(both)


def test_a_shard_cut_by_the_disk_is_made_again(both: Path, root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(both, out)
    shard = sorted(out.glob(f"data/{FIRST}/*"))[0]
    shard.write_bytes(shard.read_bytes()[:-100])
    assert build(FIRST, root, out, "--partition-cases", "5") == 0
    assert contents(out) == contents(both)


def test_a_lost_card_is_written_again(both: Path, root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(both, out)
    (out / "README.md").unlink()
    assert build(FIRST, root, out, "--partition-cases", "5") == 0
    assert contents(out) == contents(both)


def test_a_lost_table_of_rejections_is_said(
    both: Path, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    shutil.copytree(both, out)
    (out / "rejections.parquet").unlink()
    assert build(SECOND, root, out) == 2
    assert f"it lists what was left out of {FIRST}, {SECOND}" in capsys.readouterr().err
    (out / "build.json").unlink()
    assert build(SECOND, root, out) == 0
    assert build(FIRST, root, out, "--partition-cases", "5") == 0
    assert contents(out) == contents(both)


@pytest.mark.parametrize("name", ["say.en.j2", "terms.csv", f"{FIRST}.yaml"])
def test_words_edited_while_a_build_runs_are_found(
    name: str, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for folder in ("MANIFESTS", "TEMPLATES"):
        shutil.copytree(getattr(plan, folder), tmp_path / folder)
        monkeypatch.setattr(plan, folder, tmp_path / folder)
    add = Filling.add

    def edited(*given: Any) -> None:
        add(*given)
        (path,) = tmp_path.rglob(name)
        path.write_bytes(path.read_bytes() + b"\n")

    monkeypatch.setattr(Filling, "add", edited)
    assert build(FIRST, root, tmp_path / "out") == 2
    assert "changed while the build ran" in capsys.readouterr().err
    assert not list((tmp_path / "out").glob("data/*/*"))


def test_a_source_file_that_vanishes_while_a_build_runs_is_said(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(root, tmp_path / "root")
    add = Filling.add

    def removed(*given: Any) -> None:
        add(*given)
        (tmp_path / "root" / FIRST / given[1].image).unlink()

    monkeypatch.setattr(Filling, "add", removed)
    assert build(FIRST, tmp_path / "root", tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert f"{FIRST}: cannot read " in said
    assert "check the disk and its rights" in said


def test_a_removed_lease_stops_the_build(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    add = Filling.add

    def removed(*given: Any) -> None:
        add(*given)
        (tmp_path / "out" / ".gmai" / "lease").unlink(missing_ok=True)

    monkeypatch.setattr(Filling, "add", removed)
    assert build(FIRST, root, tmp_path / "out") == 2
    assert "the lease of this build was removed" in capsys.readouterr().err
    assert not (tmp_path / "out" / "build.json").exists()


def test_no_rejection_names_a_folder_of_this_machine_or_an_address(root: Path, both: Path) -> None:
    rows = pq.read_table(both / "rejections.parquet").to_pylist()
    assert [row["reason"] for row in rows] == ["file_unreadable"]
    assert str(root) not in rows[0]["message"]
    assert "0x" not in rows[0]["message"]


@pytest.mark.parametrize("content", ["{", "[]", '{"sources": 3}'])
def test_a_broken_receipt_is_said(
    content: str, both: Path, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    shutil.copytree(both, out)
    (out / "build.json").write_text(content)
    assert build(FIRST, root, out) == 2
    assert "move it away and run gmai-build again" in capsys.readouterr().err


def test_other_settings_are_said_in_the_receipt(both: Path, root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert build(FIRST, root, out, "--limit", "3", "--partition-cases", "5") == 0
    assert build(FIRST, root, out, "--partition-cases", "5") == 0
    assert build(SECOND, root, out) == 0
    assert contents(out) == contents(both)
