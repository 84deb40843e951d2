"""Series of real DICOM files, held against SimpleITK's own reader of series."""

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - as its documentation writes it
from PIL import Image

from converters.files import Root, locate_root
from converters.imaging.dicom_series import SeriesFiles, group_series, read_series
from converters.imaging.dicom_slices import read_slices
from converters.imaging.planes import to_canonical
from converters.manifest import load_manifest
from converters.records import Sample
from converters.select import converter_for

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
FOLDERS = {
    "T2": "prostatex_dicom/ProstateX-0000/07-07-2011/4.000000-t2tsetra-00702",
    "ADC": "prostatex_dicom/ProstateX-0000/07-07-2011/7.000000-ep2ddifftraDYNDISTADC-48780",
    "liver CT": "dicom_seg/segmentations/ct-3slice",
    "23x38x3": "dicom_seg/segmentations/23x38x3/image",
    "24x38x3": "dicom_seg/segmentations/24x38x3/image",
    "phantom CT": "dicom_rtstruct_anonymous_rois/tests/mock_data",
    "oblique": "dicom_rtstruct_anonymous_rois/tests/oriented_data",
}


def groups(folder: Path) -> tuple[Root, list[SeriesFiles]]:
    """The volumes of a folder."""
    root = Root(source="x", folder=folder.resolve())
    files, _ = read_slices(root, root.listing().paths)
    return root, group_series(files)


def by_simpleitk(folder: Path, uid: str) -> tuple[np.ndarray, np.ndarray]:
    """Values (slices, rows, columns) and affine in RAS."""
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), uid)
    image = sitk.ReadImage(list(names))
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return sitk.GetArrayFromImage(image), LPS_TO_RAS @ affine


@pytest.mark.parametrize("name", FOLDERS)
def test_a_series_is_the_volume_of_simpleitk(real_data: Path, name: str) -> None:
    folder = real_data / FOLDERS[name]
    root, (one,) = groups(folder)
    volume = read_series(root, one)
    values, affine = by_simpleitk(folder, one.facts.series_uid)
    assert np.allclose(volume.affine, affine, atol=1e-4)
    # GDCM keeps the padding; here it is shown as the smallest measured value.
    filled = sum(s["voxels"] for s in volume.steps if s["step"] == "fill_padding")
    differs = values.astype(np.float32) != volume.values.T
    if volume.values.dtype.kind == "f":
        differs = ~np.isclose(volume.values.T, values, rtol=1e-6)
    assert np.count_nonzero(differs) == filled
    assert np.unique(values[differs]).size <= 1


@pytest.mark.parametrize("size", ["23x38x3", "24x38x3"])
def test_a_multi_frame_image_is_the_series_it_was_made_of(real_data: Path, size: str) -> None:
    top = real_data / "dicom_seg/segmentations" / size
    (root, (many,)), (other, (one,)) = groups(top / "image"), groups(top / "multiframe")
    plain, enhanced = read_series(root, many), read_series(other, one)
    assert np.array_equal(plain.values, enhanced.values)
    assert np.allclose(plain.affine, enhanced.affine)


def test_segmentations_and_structure_sets_are_no_series_of_images(real_data: Path) -> None:
    found = [*groups(real_data / "dicom_seg")[1], *groups(real_data / "dicom_rtstruct")[1]]
    assert {one.facts.modality for one in found} == {"CT"}


def test_a_tree_of_several_series_is_told_apart(real_data: Path) -> None:
    _, found = groups(real_data / "prostatex_dicom")
    assert sorted(str(one) for one in found) == [
        "series 4 't2_tse_tra' (MR, axial, 384x384x19)",
        "series 7 'ep2d_diff_tra_DYNDIST_ADC' (MR, axial, 84x128x19)",
    ]


def test_a_single_slice_is_as_deep_as_its_header_says(real_data: Path) -> None:
    root, (one,) = groups(real_data / "dicom_rtstruct")
    assert to_canonical(read_series(root, one), "x").grid.spacing_mm == (1.074219, 1.074219, 3.0)


def test_the_place_of_a_lesion_is_found_on_the_slice_that_holds_it(
    real_data: Path, tmp_path: Path
) -> None:
    """The table's place is that of a voxel of SimpleITK's, and both series show it."""
    shutil.copytree(real_data / "prostatex_dicom", tmp_path / "PROSTATEx")
    values, _ = by_simpleitk(real_data / FOLDERS["T2"], "")
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(real_data / FOLDERS["T2"]))
    image = sitk.ReadImage(list(names))
    x, y, z = image.TransformIndexToPhysicalPoint((167, 224, 6))
    table = tmp_path / "ProstateX-Findings-Train.csv"
    table.write_text(f"ProxID,fid,pos,zone,ClinSig\nProstateX-0000,1,{x} {y} {z},PZ,TRUE\n")
    manifest = load_manifest("prostatex").manifest
    root, _ = locate_root(manifest, tmp_path)
    converter = converter_for(manifest)
    found = [out for case in converter.cases(root) for out in converter.convert(root, case)]
    samples = [out for out in found if isinstance(out, Sample)]
    assert len(found) == len(samples) == 2
    assert [(s.sequence, s.source_index) for s in samples] == [("T2", 6), ("ADC", 6)]
    assert {s.view for s in samples} == {"axial"}
    (finding,) = samples[0].findings
    assert (finding.label, finding.box) == ("clinically significant prostate cancer", None)
    # DICOM stores this slice as it is looked at: the picture is the slice itself, in grey.
    shown = np.asarray(Image.open(io.BytesIO(samples[0].image)), dtype=float)
    assert np.corrcoef(shown.ravel(), values[6].ravel())[0, 1] > 0.98
