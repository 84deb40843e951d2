"""Cases by name: what the manifest says of single images."""

from pathlib import Path

from converters.files import Root
from converters.layouts.listing import list_cases
from converters.manifest import load_manifest
from tests.fakes import build_twin


def test_an_image_that_is_known_to_be_wrong_is_refused_with_why(tmp_path: Path) -> None:
    manifest = load_manifest("msd_task04_hippocampus").manifest
    twin = build_twin(manifest, tmp_path / "root", count=2)
    bad = {"**/hippocampus_002.nii.gz": "the label belongs to another image"}
    layout = manifest.layout.model_copy(update={"known_bad": bad})
    root = Root(source=manifest.name, folder=twin.folder)
    faults = [case.fault for case in list_cases(manifest, layout, root, root.listing())]
    assert faults[0] is None
    assert faults[1] is not None
    assert (faults[1].reason, faults[1].message) == (
        "known_bad",
        f"{twin.images[1].path}: the label belongs to another image",
    )
