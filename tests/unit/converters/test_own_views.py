"""Names of views that are none of the body: whose they are, and that they are never oblique."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import yaml

from converters.errors import ManifestError
from converters.files import Root
from converters.manifest import MANIFESTS, Manifest, parse_manifest
from converters.records import Sample
from converters.select import converter_for

CODES = np.zeros((20, 24, 6), np.uint8)
CODES[5:12, 6:14, 1:4] = 1
IMAGE = (np.arange(CODES.size, dtype=np.int16).reshape(CODES.shape) % 97) + 100 * CODES
OWN = {"axes_taken_as": "LPS", "views": {"axial": "short-axis"}}


def manifest_of(**layout: object) -> Manifest:
    """A source of one stack of MR a case."""
    content = yaml.safe_load((MANIFESTS / "msd_task04_hippocampus.yaml").read_text())
    taken = {"axes_taken_as": layout["axes_taken_as"]} if "axes_taken_as" in layout else {}
    content["name"] = "toy"
    content["layout"] = {
        "kind": "volumes", "images": "{case}_image.nii", "subject": "{case}",
        "split": {"by": "digest"}, "grey": {"map": "percentiles"}, "slices": {"planes": ["axial"]},
        "annotations": [{
            "kind": "label_map", "completeness": "partial", "files": "{case}_labels.nii",
            "ignore": [0], "labels": {1: "left ventricular cavity"}, **taken,
        }],
        **layout,
    }  # fmt: skip
    content["expect"] = {"cases": None, "findings": None}
    return parse_manifest(yaml.safe_dump(content), "toy").manifest


def samples(folder: Path, degrees: float) -> list[Sample]:
    """What becomes of a stack that is tilted so far about the axis from right to left."""
    angle = np.radians(degrees)
    affine = np.diag([-1.5, -1.5, 8.0, 1.0])
    turn = np.eye(4)
    turn[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    for name, values in (("image", IMAGE), ("labels", CODES)):
        nib.save(nib.Nifti1Image(values, turn @ affine), folder / f"a_{name}.nii")
    converter = converter_for(manifest_of(**OWN))
    root = Root(source="toy", folder=folder)
    found = [out for case in converter.cases(root) for out in converter.convert(root, case)]
    assert all(isinstance(out, Sample) for out in found)
    return [out for out in found if isinstance(out, Sample)]


@pytest.mark.parametrize("degrees", [0, 15, 30, 44, 60])
def test_an_own_view_has_its_name_at_every_angle(tmp_path: Path, degrees: float) -> None:
    assert {one.view for one in samples(tmp_path, degrees)} == {"short-axis"}


@pytest.mark.parametrize("degrees", [0, 15, 30])
def test_the_angle_of_the_header_is_on_record(tmp_path: Path, degrees: float) -> None:
    steps = samples(tmp_path, degrees)[0].transforms
    step, _of_labels = (one for one in steps if one["step"] == "take_axes")
    assert step["header_obliquity_degrees"] == pytest.approx(degrees, abs=0.1)


def test_nothing_else_depends_on_the_angle(tmp_path: Path) -> None:
    straight, tilted = (
        [(one.image, one.findings) for one in samples(tmp_path, degrees)] for degrees in (0, 44)
    )
    assert straight == tilted


def test_files_with_directions_name_their_planes_themselves() -> None:
    with pytest.raises(ManifestError, match="axes that the manifest gives"):
        manifest_of(views={"axial": "short-axis"})


def test_series_name_their_planes_themselves() -> None:
    with pytest.raises(ManifestError, match="axes that the manifest gives"):
        manifest_of(kind="series", images="{case}/*.dcm", choices=[{}], views={"axial": "apical"})


def test_a_view_that_is_never_cut_is_refused() -> None:
    with pytest.raises(ManifestError, match="views name coronal"):
        manifest_of(axes_taken_as="LPS", views={"coronal": "long-axis"})
