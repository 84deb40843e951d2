"""Pictures of two axes in NIfTI files, as CAMUS publishes them, through the whole converter."""

import io
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from converters.files import Root
from converters.manifest import load_manifest
from converters.records import Sample
from converters.select import converter_for

ACROSS, DOWN = 60, 80
CHAMBER = (slice(20, 40), slice(30, 50))  # 20 x 20 pixels


def save(path: Path, values: np.ndarray) -> None:
    """Write a picture of 0.5 x 0.25 mm pixels, its first axis across."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(values, None)
    image.header.set_zooms((0.5, 0.25))
    nib.save(image, path)


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    """The one sample of a patient with one view."""
    across, down = np.mgrid[0:ACROSS, 0:DOWN]
    codes = np.zeros((ACROSS, DOWN), np.uint8)
    codes[CHAMBER] = 1
    save(tmp_path / "database_nifti/patient0001/patient0001_2CH_ED.nii.gz",
         (across + 2 * down).astype(np.uint8))  # fmt: skip
    save(tmp_path / "database_nifti/patient0001/patient0001_2CH_ED_gt.nii.gz", codes)
    for split, names in {
        "training": "patient0001\n",
        "validation": "patient0002\n",
        "testing": "patient0003\n",
    }.items():
        path = tmp_path / f"database_split/subgroup_{split}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(names, encoding="utf-8")
    converter = converter_for(load_manifest("camus").manifest)
    root = Root(source="camus", folder=tmp_path)
    (case,) = converter.cases(root)
    (found,) = converter.convert(root, case)
    assert isinstance(found, Sample)
    return found


def test_pixels_are_made_square(sample: Sample) -> None:
    assert sample.width / sample.height == pytest.approx(ACROSS * 0.5 / (DOWN * 0.25))
    assert sample.spacing_mm is not None
    assert sample.spacing_mm[0] == pytest.approx(sample.spacing_mm[1])


def test_the_picture_is_not_turned(sample: Sample) -> None:
    shown = np.asarray(Image.open(io.BytesIO(sample.image)).convert("L")).astype(int)
    assert shown[-1, 0] > shown[0, 0]  # brighter downwards and to the right, as it is stored
    assert shown[0, -1] > shown[0, 0]


def test_the_region_lies_where_it_is_marked(sample: Sample) -> None:
    (finding,) = sample.findings
    assert finding.box is not None
    assert finding.area_mm2 == pytest.approx(400 * 0.5 * 0.25)
    assert finding.box.x_min / sample.width == pytest.approx(20 / ACROSS, abs=0.02)
    assert finding.box.y_min / sample.height == pytest.approx(30 / DOWN, abs=0.02)


def test_the_view_is_apical_and_no_plane_of_the_body(sample: Sample) -> None:
    assert sample.view == "apical"
