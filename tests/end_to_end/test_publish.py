"""A build put on an object store: whole for its readers at every moment."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from converters.errors import SettingsError
from converters.manifest import load_manifest
from pipeline import cli
from pipeline.publish import Published, publish
from tests.end_to_end.test_restart import contents
from tests.fakes import build_twin

SOURCE = "bccd"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("twin") / SOURCE
    build_twin(load_manifest(SOURCE).manifest, folder, 10)
    return folder


def build(root: Path, out: Path, *more: str) -> int:
    return cli.main(
        ["--source", SOURCE, "--root", str(root), "--out", str(out), "--partition-cases", "3",
         "--workers", "1", "--formats", "caption", *more]
    )  # fmt: skip


def test_what_lies_there_is_the_build(root: Path, tmp_path: Path) -> None:
    out, there = tmp_path / "out", tmp_path / "there"
    assert build(root, out, "--publish", f"file://{there}") == 0
    assert contents(there) == contents(out)


def test_a_second_publication_puts_the_receipt_alone(root: Path, tmp_path: Path) -> None:
    out, url = tmp_path / "out", f"file://{tmp_path}/there"
    assert build(root, out) == 0
    first = publish(out, url)
    assert publish(out, url) == Published(put=1, there=first.put - 1, removed=0)


def test_what_is_gone_or_cut_there_is_put_again(root: Path, tmp_path: Path) -> None:
    out, there = tmp_path / "out", tmp_path / "there"
    assert build(root, out, "--publish", f"file://{there}") == 0
    gone, cut, *_ = sorted(there.glob("data/*/*"))
    gone.unlink()
    cut.write_bytes(cut.read_bytes()[:-1])
    assert publish(out, f"file://{there}").put == 3
    assert contents(there) == contents(out)


def test_shards_come_before_the_receipt_and_go_after_it(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At every step, all that the receipt there names is there."""
    from fsspec.implementations.local import LocalFileSystem

    out, there = tmp_path / "out", tmp_path / "there"
    steps = 0
    move, remove = LocalFileSystem.mv, LocalFileSystem.rm_file

    def seen(*_: Any) -> None:
        nonlocal steps
        steps += 1
        if (there / "build.json").is_file():
            sources = json.loads((there / "build.json").read_text())["sources"].values()
            named = [shard["path"] for one in sources for shard in one["shards"]]
            assert all((there / path).is_file() for path in named)

    monkeypatch.setattr(LocalFileSystem, "mv", lambda *a, **k: (move(*a, **k), seen())[0])
    monkeypatch.setattr(LocalFileSystem, "rm_file", lambda *a, **k: (remove(*a, **k), seen())[0])
    assert build(root, out, "--publish", f"file://{there}") == 0
    assert build(root, out, "--languages", "zh", "--publish", f"file://{there}") == 0
    assert contents(there) == contents(out)
    assert steps > 10


def test_a_store_that_is_not_known_is_said(root: Path, tmp_path: Path) -> None:
    assert build(root, tmp_path / "out") == 0
    with pytest.raises(SettingsError, match="cannot be written"):
        publish(tmp_path / "out", "nowhere://bucket/prefix")


@pytest.mark.parametrize("url", ["bucket/prefix", "s3://key:secret@host/x", "s3://", "s3://a?b=c"])
def test_what_is_no_url_of_a_store_is_refused(url: str, root: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        build(root, tmp_path, "--publish", url)


def test_an_out_folder_is_no_url(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        build(root, Path(), "--out", "s3://bucket/prefix")
    assert "a folder on a disk is needed" in capsys.readouterr().err


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket of an S3 server on this machine."""
    server_of = pytest.importorskip("moto.server", reason="needs moto: make test-cluster")
    s3fs = pytest.importorskip("s3fs", reason="needs s3fs: make test-cluster")
    server = server_of.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    s3fs.S3FileSystem(skip_instance_cache=True).mkdir("pairs")
    yield "s3://pairs/one"
    server.stop()


@pytest.mark.cluster
@pytest.mark.filterwarnings("ignore")
def test_an_s3_server_holds_the_build(root: Path, tmp_path: Path, bucket: str) -> None:
    import s3fs

    out = tmp_path / "out"
    assert build(root, out, "--publish", bucket) == 0
    assert build(root, out, "--languages", "zh", "--publish", bucket) == 0
    store = s3fs.S3FileSystem(skip_instance_cache=True)
    store.get("pairs/one/", str(tmp_path / "back"), recursive=True)
    assert contents(tmp_path / "back") == contents(out)
