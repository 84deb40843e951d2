"""Every real DICOM image, held against SimpleITK: the same values, rescaled once."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from converters.errors import CaseError
from converters.files import Root
from converters.imaging.dicom import read_header, read_pixels
from converters.imaging.dicom_tags import text_of
from converters.imaging.pictures import read_picture, render_picture

FOLDERS = ["prostatex_dicom", "dicom_seg", "dicom_rtstruct", "dicom_rtstruct_anonymous_rois"]
NO_IMAGE = ("SEG", "RTSTRUCT", "RTPLAN", "SR")


def images(real_data: Path, folder: str) -> tuple[Root, list[str]]:
    """The images of one of the folders, at most forty, spread over all."""
    root = Root(source=folder, folder=(real_data / folder).resolve())
    paths = [path for path in root.listing().paths if path.endswith(".dcm")]
    found = [path for path in paths if text_of(read_header(root, path), "Modality") not in NO_IMAGE]
    assert found
    return root, found[:: max(1, len(found) // 40)]


@pytest.mark.parametrize("folder", FOLDERS)
def test_values_are_those_of_simpleitk(real_data: Path, folder: str) -> None:
    root, paths = images(real_data, folder)
    for path in paths:
        expected = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(root.path(path))))
        ours = read_pixels(root, path, frames="all").values
        assert np.allclose(ours, np.squeeze(expected), atol=1e-3), path


@pytest.mark.parametrize("folder", ["prostatex_dicom", "dicom_rtstruct"])
def test_every_single_image_is_a_picture(real_data: Path, folder: str) -> None:
    root, paths = images(real_data, folder)
    for path in paths:
        if read_pixels(root, path, frames="all").values.ndim == 2:
            rendered = render_picture(read_picture(root, path), path)
            assert rendered.data.startswith(b"\x89PNG")


@pytest.mark.parametrize("folder", ["dicom_seg", "dicom_rtstruct"])
def test_annotations_are_no_pictures(real_data: Path, folder: str) -> None:
    root = Root(source=folder, folder=(real_data / folder).resolve())
    marks = [
        path
        for path in root.listing().paths
        if path.endswith(".dcm") and text_of(read_header(root, path), "Modality") in NO_IMAGE
    ]
    assert marks
    for path in marks:
        with pytest.raises(CaseError, match="file_unsupported"):
            read_picture(root, path)
