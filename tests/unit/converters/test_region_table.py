"""Regions by a table, their masks told from crops by pixels: what CBIS-DDSM mixes up."""

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from converters.annotations.contract import Block, ImageName, module_of
from converters.errors import SourceError
from converters.files import Root
from converters.manifest import load_manifest
from converters.records import Outcome, Rejection, Sample
from converters.select import converter_for
from tests.fakes import Twin, build_twin
from tests.fakes.dicom_files import dicom_bytes

MASK, CROP = 0, 1  # the order of the files of a region, where its columns are not mixed up


@pytest.fixture
def twin(tmp_path: Path) -> Twin:
    """The published layout with two mammograms, one with one region and one with two."""
    return build_twin(load_manifest("cbis_ddsm").manifest, tmp_path / "root", count=2)


def outcomes(twin: Twin) -> list[Outcome]:
    root = Root(source="cbis_ddsm", folder=twin.folder.resolve())
    converter = converter_for(twin.manifest)
    return [out for case in converter.cases(root) for out in converter.convert(root, case)]


def of(twin: Twin, number: int) -> Outcome:
    """What becomes of one mammogram."""
    path = twin.images[number].path
    (found,) = (
        out for out in outcomes(twin) if path in (getattr(out, "source_path", ""), out.case_key)
    )
    return found


def rejection(twin: Twin) -> tuple[str, str]:
    """Why the first mammogram is rejected."""
    found = of(twin, 0)
    assert isinstance(found, Rejection)
    return found.reason, found.message


def files(twin: Twin, number: int, region: int = 1) -> list[Path]:
    """The files of a region, by name."""
    name = twin.images[number].path.split("/")[-2]
    return sorted((twin.folder / "CBIS-DDSM" / f"{name}_{region}").rglob("*.dcm"))


def write(path: Path, pixels: np.ndarray) -> None:
    path.write_bytes(dicom_bytes(pixels, Modality="MG"))


def size(twin: Twin) -> tuple[int, int]:
    return twin.images[0].height, twin.images[0].width


def test_regions_are_objects_with_their_pathology_side_and_view(twin: Twin) -> None:
    found = of(twin, 0)
    assert isinstance(found, Sample)
    (one,) = found.findings
    assert (one.label, one.side, one.is_instance) == ("malignant breast mass", "left", True)
    assert found.view == "CC"
    assert (one.box.x_min, one.box.y_min, one.box.x_max, one.box.y_max) == (10, 8, 24, 18)
    assert found.absent == ()
    assert found.spacing_mm is None


def test_a_crop_in_the_place_of_the_mask_changes_nothing(twin: Twin) -> None:
    before = of(twin, 0)
    mask, crop = files(twin, 0)
    data = mask.read_bytes(), crop.read_bytes()
    crop.write_bytes(data[0])
    mask.write_bytes(data[1])
    after = of(twin, 0)
    assert isinstance(before, Sample)
    assert isinstance(after, Sample)
    assert after.findings == before.findings


def test_columns_that_are_swapped_change_nothing(twin: Twin) -> None:
    before = outcomes(twin)
    for path in twin.folder.glob("*.csv"):
        text = path.read_text()
        swapped = text.replace("ROI mask file path", "@").replace("cropped image", "ROI mask")
        path.write_text(swapped.replace("@", "cropped image file path"))
    after = outcomes(twin)
    assert [out.findings for out in after if isinstance(out, Sample)] == [
        out.findings for out in before if isinstance(out, Sample)
    ]


def test_the_file_that_was_taken_is_on_record(twin: Twin) -> None:
    found = of(twin, 1)
    assert isinstance(found, Sample)
    taken = [step["file"] for step in found.transforms if step["step"] == "mask_by_pixels"]
    assert [str(path).rsplit("/", 1)[1] for path in taken] == ["1-2.dcm", "1-2.dcm"]  # mixed up


def test_a_mask_of_another_size_is_rejected_with_the_figures(twin: Twin) -> None:
    height, width = size(twin)
    mask = np.zeros((height + 1, width), np.uint8)
    mask[5:9, 5:9] = 255
    write(files(twin, 0)[MASK], mask)
    reason, message = rejection(twin)
    assert reason == "shape_mismatch"
    assert f"0 files are a mask of {width}x{height} pixels" in message
    assert f"{width}x{height + 1} pixels of two values" in message
    assert "12x10 pixels of more than two values" in message


def test_two_crops_are_rejected(twin: Twin) -> None:
    write(files(twin, 0)[MASK], np.arange(120, dtype=np.uint16).reshape(10, 12))
    assert rejection(twin)[0] == "shape_mismatch"


def test_a_picture_of_many_values_and_the_right_size_is_no_mask(twin: Twin) -> None:
    height, width = size(twin)
    write(files(twin, 0)[MASK], np.arange(height * width, dtype=np.uint16).reshape(height, width))
    assert rejection(twin)[0] == "shape_mismatch"


def test_two_masks_are_rejected(twin: Twin) -> None:
    mask, crop = files(twin, 0)
    crop.write_bytes(mask.read_bytes())
    reason, message = rejection(twin)
    assert reason == "labels_contradict"
    assert message.startswith("2 files are a mask of")


def test_an_empty_mask_is_rejected(twin: Twin) -> None:
    write(files(twin, 0)[MASK], np.zeros(size(twin), np.uint8))
    assert rejection(twin)[0] == "box_empty"


def test_a_region_without_files_rejects_its_mammogram(twin: Twin) -> None:
    for path in files(twin, 0):
        path.unlink()
    reason, message = rejection(twin)
    assert reason == "annotation_missing"
    assert "no file of its region" in message


def test_two_rows_of_one_region_reject_the_mammogram(twin: Twin) -> None:
    path = twin.folder / "mass_case_description_train_set.csv"
    header, line_end, rows = path.read_bytes().partition(b"\r\n")
    path.write_bytes(header + line_end + rows + rows)
    assert rejection(twin)[0] == "name_duplicate"


def test_the_order_of_views_in_the_header_is_no_orientation(twin: Twin) -> None:
    path = twin.folder / twin.images[0].path
    header = dcmread(path)
    header.Modality, header.PatientOrientation, header.Laterality = "MG", "CC", "L"
    header.save_as(path)
    found = of(twin, 0)
    assert isinstance(found, Sample)
    assert found.view == "CC"


def test_a_side_that_the_header_contradicts_is_rejected(twin: Twin) -> None:
    path = twin.folder / twin.images[0].path
    header = dcmread(path)
    header.Laterality = "R"
    header.save_as(path)
    assert rejection(twin)[0] == "labels_contradict"


def test_a_pathology_that_is_not_known_stops_the_source(twin: Twin) -> None:
    path = twin.folder / "mass_case_description_train_set.csv"
    path.write_text(path.read_text().replace("MALIGNANT", "UNPROVEN"))
    with pytest.raises(SourceError, match="mass/UNPROVEN"):
        outcomes(twin)


def test_a_row_without_its_mammogram_is_counted(twin: Twin) -> None:
    (twin.folder / twin.images[0].path).unlink()
    found = [out for out in outcomes(twin) if isinstance(out, Rejection)]
    assert [out.reason for out in found] == ["image_missing"]


def test_a_region_without_its_label_stops_the_source(twin: Twin) -> None:
    for path in twin.folder.glob("mass*.csv"):
        path.write_text(path.read_text().replace("MALIGNANT", ""))
    with pytest.raises(SourceError, match="row 4: no 'pathology'"):
        outcomes(twin)


def test_a_mammogram_that_no_region_can_be_named_by_has_a_fault(twin: Twin) -> None:
    root = Root(source="cbis_ddsm", folder=twin.folder.resolve())
    image = ImageName(path="x.dcm", fields={"type": "Mass", "part": "", "patient": "1"})
    block = Block(source="cbis_ddsm", root=root, listing=root.listing(), images=(image,))
    (spec,) = twin.manifest.layout.annotations
    found = module_of(spec.kind).index(spec, block)
    assert {path: fault.reason for path, fault in found.faults.items()} == {
        "x.dcm": "value_invalid"
    }
