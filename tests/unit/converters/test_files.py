"""Files: listed once, opened only inside the root."""

import os
from pathlib import Path

import pytest

from converters.errors import CaseError, SourceError
from converters.files import Root, locate_root
from converters.manifest import Manifest, load_manifest


@pytest.fixture
def root(tmp_path: Path) -> Root:
    """A root with two files, one of them in a folder."""
    folder = tmp_path / "root"
    (folder / "sub").mkdir(parents=True)
    (folder / "b.txt").write_text("b")
    (folder / "sub" / "a.txt").write_text("a")
    return Root(source="toy", folder=folder)


@pytest.fixture
def manifest() -> Manifest:
    """A manifest of folders Training and Testing."""
    return load_manifest("brain_tumor_sartaj").manifest


def test_listing_is_sorted_and_relative(root: Root) -> None:
    assert root.listing().paths == ("b.txt", "sub/a.txt")


def test_hidden_and_resource_files_are_left_out(root: Root) -> None:
    (root.folder / "._b.txt").write_text("x")
    (root.folder / "__MACOSX").mkdir()
    (root.folder / "__MACOSX" / "b.txt").write_text("x")
    assert root.listing().paths == ("b.txt", "sub/a.txt")


def test_a_link_out_of_the_root_is_listed_apart(root: Root, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (root.folder / "link.txt").symlink_to(tmp_path / "secret")
    assert root.listing().outside == ("link.txt",)
    assert "link.txt" not in root.listing().paths


def test_a_link_out_of_the_root_is_not_read(root: Root, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (root.folder / "link.txt").symlink_to(tmp_path / "secret")
    with pytest.raises(CaseError, match="link_outside_root"):
        root.read("link.txt")


def test_a_linked_folder_is_not_followed(root: Root, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x.txt").write_text("x")
    (root.folder / "linked").symlink_to(tmp_path / "other")
    assert root.listing().paths == ("b.txt", "sub/a.txt")


@pytest.mark.parametrize("name", ["../b.txt", "/etc/passwd", "sub/../../b.txt"])
def test_a_path_out_of_the_root_is_not_read(root: Root, name: str) -> None:
    with pytest.raises(CaseError, match="link_outside_root"):
        root.read(name)


def test_a_name_that_is_not_utf8_is_listed_apart(root: Root) -> None:
    (root.folder / os.fsdecode(b"caf\xe9.png")).write_bytes(b"x")
    assert root.listing().undecodable == ("caf\\xe9.png",)


def test_an_empty_file_is_refused(root: Root) -> None:
    (root.folder / "empty").touch()
    with pytest.raises(CaseError, match="file_empty"):
        root.read("empty")


def test_a_lfs_pointer_is_refused(root: Root) -> None:
    (root.folder / "p.png").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    with pytest.raises(CaseError, match="git lfs pull"):
        root.read("p.png")


def test_a_file_beyond_the_limit_is_refused(root: Root) -> None:
    with pytest.raises(CaseError, match="file_too_large"):
        root.read("b.txt", limit_bytes=0)


def test_a_file_that_vanished_stops_the_source(root: Root) -> None:
    with pytest.raises(SourceError, match="run the same command again"):
        root.read("gone.txt")


def test_a_missing_top_folder_is_put_back(manifest: Manifest, tmp_path: Path) -> None:
    image = tmp_path / "Task" / "glioma_tumor" / "a.jpg"
    image.parent.mkdir(parents=True)
    image.write_bytes(b"x")
    layout = manifest.layout.model_copy(update={"images": "Top/Task/{class}/{name}.jpg"})
    root, note = locate_root(manifest.model_copy(update={"layout": layout}), tmp_path)
    assert root.listing().paths == ("Top/Task/glioma_tumor/a.jpg",)
    assert root.path("Top/Task/glioma_tumor/a.jpg") == image
    assert "Top" in note


def test_a_folder_that_is_not_there_is_said(manifest: Manifest, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no folder"):
        locate_root(manifest, tmp_path / "nowhere")
