"""A reader that is not installed is named by a dry run, as a build would name it."""

import importlib.util
from pathlib import Path

import pytest

from converters.manifest import load_manifest
from pipeline import cli
from tests.fakes import build_twin

# A source of each kind of file, the package that reads it, and the extra that brings it.
SOURCES = {
    "vindr_mammo": ("pydicom", "dicom"),
    "msd_task04_hippocampus": ("nibabel", "nifti"),
    "luna16": ("SimpleITK", "nifti"),
    "echonet_dynamic": ("av", "video"),
    "camelyon16": ("openslide", "slides"),
}


def dry_run(source: str, folder: Path) -> int:
    twin = build_twin(load_manifest(source).manifest, folder / "root", count=4)
    out = str(folder / "out")
    return cli.main(["--source", source, "--root", str(twin.folder), "--out", out, "--dry-run"])


@pytest.mark.parametrize("source", SOURCES)
def test_a_dry_run_names_the_package_and_how_to_get_it(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    package, extra = SOURCES[source]
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "converters.requirements.find_spec", lambda name: None if name == package else found(name)
    )
    assert dry_run(source, tmp_path) == 2
    said = capsys.readouterr().err
    assert f"this needs {package}, which is not installed" in said
    assert f"pip install 'gmai[{extra}]'" in said


def test_a_package_that_no_file_needs_is_not_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("converters.requirements.find_spec", lambda _name: None)
    assert dry_run("brain_tumor_sartaj", tmp_path) == 0
