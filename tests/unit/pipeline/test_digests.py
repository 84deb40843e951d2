"""Digests of files: kept while a file stays, taken again when it changes."""

import hashlib
import os
from pathlib import Path

import pytest

from converters.files import Root
from pipeline import digests
from pipeline.digests import FileDigests, canonical


@pytest.fixture
def root(tmp_path: Path) -> Root:
    """A root with three small files."""
    folder = tmp_path / "root"
    folder.mkdir()
    for name in "abc":
        (folder / name).write_text(name)
    return Root(source="toy", folder=folder)


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are read from now on."""
    read: list[str] = []
    real = digests.digest_file

    def digest_file(path: Path) -> str:
        read.append(path.name)
        return real(path)

    monkeypatch.setattr(digests, "digest_file", digest_file)
    return read


def test_it_is_the_sha256_of_the_file(root: Root, tmp_path: Path) -> None:
    found = FileDigests(kept_in=tmp_path / "kept", root=root).of(["a"])
    assert found == {"a": "sha256:" + hashlib.sha256(b"a").hexdigest()}


def test_an_unchanged_file_is_not_read_again(
    root: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = FileDigests(kept_in=tmp_path / "kept", root=root)
    before = first.of(list("abc"))
    first.save()
    read = counted(monkeypatch)
    assert FileDigests(kept_in=tmp_path / "kept", root=root).of(list("abc")) == before
    assert read == []


def test_only_a_changed_file_is_read_again(
    root: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = FileDigests(kept_in=tmp_path / "kept", root=root)
    first.of(list("abc"))
    first.save()
    (root.folder / "b").write_text("other")
    read = counted(monkeypatch)
    FileDigests(kept_in=tmp_path / "kept", root=root).of(list("abc"))
    assert read == ["b"]


def test_a_broken_cache_is_an_empty_one(root: Root, tmp_path: Path) -> None:
    (tmp_path / "kept").write_bytes(b"not parquet")
    assert len(FileDigests(kept_in=tmp_path / "kept", root=root).of(list("abc"))) == 3


def test_a_cache_of_another_folder_is_an_empty_one(
    root: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = FileDigests(kept_in=tmp_path / "kept", root=root)
    first.of(list("abc"))
    first.save()
    moved = root.folder.rename(tmp_path / "moved")
    read = counted(monkeypatch)
    FileDigests(kept_in=tmp_path / "kept", root=Root(source="toy", folder=moved)).of(list("abc"))
    assert sorted(read) == list("abc")


def test_a_file_replaced_with_its_time_kept_is_read_again(root: Root, tmp_path: Path) -> None:
    first = FileDigests(kept_in=tmp_path / "kept", root=root)
    before = first.of(["a"])
    first.save()
    status = (root.folder / "a").stat()
    (root.folder / "a").write_text("z")
    os.utime(root.folder / "a", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert FileDigests(kept_in=tmp_path / "kept", root=root).of(["a"]) != before


def test_a_file_that_is_not_there_is_left_out(root: Root, tmp_path: Path) -> None:
    assert FileDigests(kept_in=tmp_path / "kept", root=root).of(["gone"]) == {}


def test_a_pipe_is_not_waited_for(root: Root, tmp_path: Path) -> None:
    os.mkfifo(root.folder / "pipe")
    assert FileDigests(kept_in=tmp_path / "kept", root=root).of(["pipe"]) == {}


def test_canonical_json_does_not_depend_on_order() -> None:
    assert canonical({"b": 1, "a": [1, 2]}) == canonical({"a": [1, 2], "b": 1})


def test_many_files_are_each_digested(tmp_path: Path) -> None:
    for number in range(200):
        (tmp_path / f"f{number}").write_text(str(number))
    looked: list[int] = []
    root = Root(source="toy", folder=tmp_path)
    names = [f"f{number}" for number in range(200)]
    found = FileDigests(kept_in=tmp_path / "kept", root=root).of(
        names, workers=2, on_read=looked.append
    )
    assert found == {n: "sha256:" + hashlib.sha256(n[1:].encode()).hexdigest() for n in names}
    assert len(looked) == 200


def test_nothing_new_is_not_written_again(root: Root, tmp_path: Path) -> None:
    first = FileDigests(kept_in=tmp_path / "kept", root=root)
    first.of(["a"])
    first.save()
    (tmp_path / "kept").chmod(0o444)
    before = (tmp_path / "kept").stat().st_mtime_ns
    again = FileDigests(kept_in=tmp_path / "kept", root=root)
    again.of(["a"])
    again.save()
    assert (tmp_path / "kept").stat().st_mtime_ns == before
