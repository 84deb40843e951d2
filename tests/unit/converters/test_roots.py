"""Roots: where the files of a source are looked for."""

from pathlib import Path

import pytest

from converters.errors import SourceError
from converters.manifest import Package, load_manifest
from converters.roots import find_root
from tests.fakes import build_twin

SOURCE = load_manifest("brain_tumor_sartaj").manifest


def test_the_folder_given_goes_first(tmp_path: Path) -> None:
    build_twin(SOURCE, tmp_path / "a")
    build_twin(SOURCE, tmp_path / SOURCE.name)
    root, _ = find_root(SOURCE, tmp_path / "a", {"GMAI_DATA": str(tmp_path)})
    assert root.folder == (tmp_path / "a").resolve()


def test_gmai_data_holds_a_folder_a_source(tmp_path: Path) -> None:
    build_twin(SOURCE, tmp_path / SOURCE.name)
    root, notes = find_root(SOURCE, None, {"GMAI_DATA": str(tmp_path)})
    assert root.folder == (tmp_path / SOURCE.name).resolve()
    assert "taken from" in notes[0]


def test_no_folder_says_what_to_do() -> None:
    with pytest.raises(SourceError, match="GMAI_DATA is not set\n  name the downloaded folder"):
        find_root(SOURCE, None, {})


def test_a_package_that_is_not_installed_is_named() -> None:
    package = Package(distribution="no-such-dist", module="no_such_module", folder="data")
    manifest = SOURCE.model_copy(update={"package": package})
    with pytest.raises(SourceError, match="pip install no-such-dist"):
        find_root(manifest, None, {})


def test_an_installed_package_is_found_without_importing_it() -> None:
    manifest = load_manifest("mni152_tissues").manifest
    root, notes = find_root(manifest, None, {})
    assert root.listing().paths
    assert "nilearn" in notes[0]
