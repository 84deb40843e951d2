"""Several drivers of one out folder, a share of the partitions each: job arrays without Ray."""

import subprocess
import sys
from pathlib import Path

import pytest

from converters.manifest import load_manifest
from pipeline import cli
from tests.end_to_end.test_restart import contents
from tests.fakes import build_twin

SOURCE = "bccd"
SHARES = 3


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("twin") / SOURCE
    build_twin(load_manifest(SOURCE).manifest, folder, 20)
    return folder


def arguments(root: Path, out: Path, *more: str) -> list[str]:
    return [
        "--source", SOURCE, "--root", str(root), "--out", str(out), "--partition-cases", "3",
        "--workers", "1", "--formats", "caption", *more,
    ]  # fmt: skip


@pytest.fixture
def quiet(root: Path, tmp_path: Path) -> dict[str, str]:
    assert cli.main(arguments(root, tmp_path / "quiet")) == 0
    return contents(tmp_path / "quiet")


def test_shares_made_at_once_become_the_same_build(
    root: Path, tmp_path: Path, quiet: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert cli.main(arguments(root, out, "--digests-only")) == 0
    drivers = [
        subprocess.Popen(
            [sys.executable, "-m", "pipeline.cli",
             *arguments(root, out, "--shard", f"{index}/{SHARES}")],
        )
        for index in range(SHARES)
    ]  # fmt: skip
    assert [driver.wait(timeout=240) for driver in drivers] == [0] * SHARES
    assert contents(out) == {}  # nothing that a reader would take for whole
    assert cli.main(arguments(root, out)) == 0
    assert "going on: 8 of 8 partitions are done" in capsys.readouterr().err
    assert contents(out) == quiet


def test_a_share_leaves_a_whole_build_whole(
    root: Path, tmp_path: Path, quiet: dict[str, str]
) -> None:
    out = tmp_path / "quiet"
    assert cli.main(arguments(root, out, "--shard", "0/2", "--languages", "zh")) == 0
    assert contents(out) == quiet


def test_a_share_and_a_whole_build_do_not_go_together(root: Path, tmp_path: Path) -> None:
    from pipeline.lease import Lease

    out = tmp_path / "out"
    with Lease(out, "0-of-2"):
        assert cli.main(arguments(root, out)) == 2
        assert cli.main(arguments(root, out, "--shard", "0/2")) == 2
        assert cli.main(arguments(root, out, "--shard", "1/2")) == 0
    with Lease(out):
        assert cli.main(arguments(root, out, "--shard", "1/2")) == 2
    assert cli.main(arguments(root, out)) == 0


@pytest.mark.parametrize("share", ["8/8", "1", "-1/4", "a/b", "1/0"])
def test_a_share_that_is_none_is_refused(share: str, root: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        cli.main(arguments(root, tmp_path, f"--shard={share}"))
