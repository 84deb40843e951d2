"""A build that is killed goes on, and ends as one that never was."""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from converters.manifest import load_manifest
from tests.fakes import build_twin

SOURCE = "brain_tumor_sartaj"
KILLS = 20
CASES = 160


def command(root: Path, out: Path, *more: str) -> list[str]:
    """A build of small partitions in two worker processes."""
    return [
        sys.executable, "-m", "pipeline.cli", "--source", SOURCE, "--root", str(root),
        "--out", str(out), "--workers", "2", "--partition-cases", "3", *more,
    ]  # fmt: skip


def contents(out: Path) -> dict[str, str]:
    """Digest of every file of a build; what is kept for restarts does not count."""
    return {
        path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file() and ".gmai" not in path.parts
    }


def run(arguments: list[str]) -> "subprocess.CompletedProcess[str]":
    """Run a build to its end."""
    return subprocess.run(arguments, capture_output=True, text=True, timeout=240, check=False)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A twin with enough cases to be killed in the middle."""
    folder = tmp_path_factory.mktemp("twin") / "root"
    build_twin(load_manifest(SOURCE).manifest, folder, CASES)
    return folder


@pytest.fixture(scope="module")
def quiet(root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], float]:
    """What an uninterrupted build makes, and how long it takes."""
    out = tmp_path_factory.mktemp("quiet") / "out"
    started = time.monotonic()
    assert run(command(root, out)).returncode == 0
    return contents(out), time.monotonic() - started


@pytest.mark.slow
def test_killed_at_any_moment_it_ends_byte_identical(
    root: Path, quiet: tuple[dict[str, str], float], tmp_path: Path
) -> None:
    expected, seconds = quiet
    out = tmp_path / "out"
    moments = random.Random(20261124)
    log: list[str] = []
    killed = 0
    while killed < KILLS:
        process = subprocess.Popen(
            command(root, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        moment = moments.uniform(0.2, seconds)
        time.sleep(moment)
        ended = process.poll()
        process.send_signal(signal.SIGKILL)
        process.wait()
        shards = len(list(out.glob("data/*/*.parquet"))) if out.exists() else 0
        log.append(
            f"after {moment:4.2f} s: {shards:2} shards, {'ended' if ended == 0 else 'killed'}"
        )
        killed += ended is None
        if ended == 0 or (out / "build.json").exists():
            shutil.rmtree(out)  # a build that is whole cannot be killed in the middle
    print("\n".join(log))  # noqa: T201 - shown by pytest -s, and when it fails
    assert run(command(root, out)).returncode == 0
    assert contents(out) == expected


def test_one_worker_and_two_make_the_same_bytes(
    root: Path, quiet: tuple[dict[str, str], float], tmp_path: Path
) -> None:
    arguments = command(root, tmp_path / "out")
    arguments[arguments.index("--workers") + 1] = "1"
    assert run(arguments).returncode == 0
    assert contents(tmp_path / "out") == quiet[0]


def test_ctrl_c_says_how_to_go_on(root: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(command(root, tmp_path / "out"), stderr=subprocess.PIPE, text=True)
    while not list((tmp_path / "out").glob("data/*/*.parquet")):
        assert process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert "run the same command again to go on" in said
    assert "Traceback" not in said


@pytest.fixture
def built(root: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A finished build of a copy of the twin: its root and its out folder."""
    copy, out = tmp_path / "root", tmp_path / "out"
    shutil.copytree(root, copy)
    assert run(command(copy, out)).returncode == 0
    return copy, out


def test_a_finished_build_does_nothing(built: tuple[Path, Path]) -> None:
    before = {path: path.stat().st_mtime_ns for path in built[1].rglob("*.parquet")}
    again = run(command(*built))
    assert "nothing to do" in again.stderr
    after = {path: path.stat().st_mtime_ns for path in built[1].rglob("data/*/*.parquet")}
    assert after.items() <= before.items()


def test_a_changed_image_remakes_its_shard_alone(built: tuple[Path, Path]) -> None:
    root, out = built
    before = contents(out)
    images = sorted(root.rglob("*.jpg"))
    images[7].write_bytes(images[8].read_bytes() + b"\0")
    assert run(command(root, out)).returncode == 0
    after = contents(out)
    shards = {name for name in before if name.startswith("data/")}
    kept = {name for name in shards if after.get(name) == before[name]}
    assert len(shards - kept) == 1
    assert len([name for name in after if name.startswith("data/")]) == len(shards)


def test_a_lost_shard_is_made_again(built: tuple[Path, Path]) -> None:
    root, out = built
    before = contents(out)
    sorted(out.glob("data/*/*.parquet"))[3].unlink()
    assert run(command(root, out)).returncode == 0
    assert contents(out) == before


def test_a_second_driver_stops_with_a_clear_message(root: Path, tmp_path: Path) -> None:
    first = subprocess.Popen(command(root, tmp_path / "out"), stderr=subprocess.DEVNULL)
    while not (tmp_path / "out" / ".gmai" / "lease").exists():
        assert first.poll() is None
        time.sleep(0.02)
    time.sleep(0.1)
    second = run(command(root, tmp_path / "out"))
    first.kill()
    first.wait()
    assert second.returncode == 2
    assert "another build writes here" in second.stderr


def test_an_out_folder_that_cannot_be_written_is_said(root: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    found = run(command(root, tmp_path / "file" / "out"))
    assert found.returncode == 2
    assert "choose an --out folder that can be written" in found.stderr
    assert "Traceback" not in found.stderr


def test_a_worker_that_dies_is_said_and_nothing_hangs(root: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(command(root, tmp_path / "out"), stderr=subprocess.PIPE, text=True)
    while not list((tmp_path / "out").glob("data/*/*.parquet")):
        assert process.poll() is None
        time.sleep(0.02)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    said_by = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children}
    workers = [pid for pid in children if b"resource_tracker" not in said_by[pid]]
    os.kill(int(workers[0]), signal.SIGKILL)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 2
    assert "a worker process died while it made one of: data/" in said
    assert "Traceback" not in said
