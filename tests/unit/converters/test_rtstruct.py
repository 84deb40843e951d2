"""Structure sets: names, frames of reference, contours of every kind."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converters.annotations import rtstruct
from converters.annotations.contract import Block, ImageName, Index
from converters.annotations.region_names import is_anonymous
from converters.annotations.structures import Marked, VolumeQuestion
from converters.errors import CaseError, SourceError
from converters.files import Root
from converters.imaging.planes import Grid, to_canonical
from converters.imaging.volumes import Volume
from converters.records import Entry
from converters.specs.dicom_objects import Rtstruct
from tests.fakes.dicom_regions import contour, rtstruct_bytes

SERIES, FRAME = "1.2.3.4", "1.2.3.5"
SHAPE = (20, 16, 8)  # columns, rows, slices as DICOM stores them
ORIGIN, SPACING = np.array([-40.0, 25.0, -60.0]), np.array([1.5, 1.25, 3.0])


def grid() -> Grid:
    affine = np.diag([*SPACING, 1.0])
    affine[:3, 3] = ORIGIN
    volume = Volume(values=np.zeros(SHAPE, np.uint8), affine=np.diag([-1.0, -1, 1, 1]) @ affine)
    return to_canonical(volume, "series").grid


GRID = grid()


def ring(low: float, high: float, level: float, kind: str = "CLOSED_PLANAR") -> dict[str, Any]:
    """A square contour between indices of columns and rows of a slice."""
    corners = [(low, low), (high, low), (high, high), (low, high)]
    points = np.array([(*corner, level) for corner in corners])
    return contour(points * SPACING + ORIGIN, kind)


HEART = [ring(2.5, 9.5, level) for level in (2, 3, 4)]


def write(folder: Path, regions: dict[str, Any], **attributes: Any) -> None:
    data = rtstruct_bytes(regions, series_uid=SERIES, frame_uid=FRAME, **attributes)
    (folder / "rt.dcm").write_bytes(data)


def spec(**changes: Any) -> Rtstruct:
    given = {
        "kind": "rtstruct",
        "completeness": "partial",
        "files": "*.dcm",
        "labels": {"heart": "heart", r"lung[-_ ]l(eft)?": "left lung"},
        "ignore": ["body|couch.*"],
        **changes,
    }
    return Rtstruct(**given)


def read(folder: Path, regions: dict[str, Any], **changes: Any) -> Marked:
    attributes = changes.pop("attributes", {})
    write(folder, regions, **attributes)
    question = VolumeQuestion(
        root=Root(source="toy", folder=folder.resolve()),
        path="image",
        fields={"series_uid": SERIES, "frame_of_reference_uid": FRAME},
        entry=Entry(files=("rt.dcm",)),
        grid=GRID,
    )
    return rtstruct.read_structures(spec(**changes), question)


def index(folder: Path, regions: dict[str, Any], **changes: Any) -> Index:
    write(folder, regions)
    root = Root(source="toy", folder=folder.resolve())
    uids = {"series_uid": SERIES, "frame_of_reference_uid": FRAME}
    image = ImageName(path="ct/1.dcm", fields=uids)
    block = Block(source="toy", root=root, listing=root.listing(), images=(image,))
    return rtstruct.index(spec(**changes), block)


def rejected(folder: Path, regions: dict[str, Any], **changes: Any) -> CaseError:
    with pytest.raises(CaseError) as caught:
        read(folder, regions, **changes)
    return caught.value


def test_voxels_inside_contours_are_the_structure(tmp_path: Path) -> None:
    marked = read(tmp_path, {"Heart": HEART})
    (heart,) = marked.structures
    assert heart.voxels == 7 * 7 * 3
    # DICOM columns run to the left and rows to the back: both are mirrored in RAS.
    assert heart.corner == (20 - 10, 16 - 10, 2)
    assert heart.mask.shape == (7, 7, 3)
    assert (heart.term, heart.code) == ("heart", "Heart")
    assert marked.transforms == (
        {"step": "fill_contours", "rule": "voxel centres, even-odd", "off_slice_mm": 0.0},
    )


@pytest.mark.parametrize("kind", ["CLOSED_PLANAR", "CLOSEDPLANAR_XOR"])
def test_a_contour_in_a_contour_is_a_hole(tmp_path: Path, kind: str) -> None:
    rings = [ring(2.5, 9.5, 3, kind), ring(4.5, 6.5, 3, kind)]
    assert read(tmp_path, {"Heart": rings}).structures[0].voxels == 49 - 4


@pytest.mark.parametrize("name", ["HEART", " heart ", "Heart"])
def test_names_are_matched_whole_and_in_any_case(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, {name: HEART}).structures[0].term == "heart"


def test_a_name_is_not_matched_in_part(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="'Heart PRV'"):
        index(tmp_path, {"Heart PRV": HEART, "Heart": HEART})


def test_regions_of_the_same_term_are_put_together(tmp_path: Path) -> None:
    regions = {"GTV-1": [ring(1.5, 3.5, 2)], "GTV-2": [ring(6.5, 8.5, 3)]}
    (found,) = read(tmp_path, regions, labels={r"gtv-\d": "heart"}).structures
    assert found.voxels == 8
    assert found.code == "GTV-1, GTV-2"


def test_ignored_regions_are_not_read(tmp_path: Path) -> None:
    broken = [ring(1.5, 3.5, 2, "OPEN_PLANAR")]
    assert len(read(tmp_path, {"Heart": HEART, "CouchSurface": broken}).structures) == 1


@pytest.mark.parametrize("kind", ["OPEN_PLANAR", "POINT", ""])
def test_contours_that_are_not_closed_are_refused(tmp_path: Path, kind: str) -> None:
    error = rejected(tmp_path, {"Heart": [ring(2.5, 9.5, 3, kind)]})
    assert error.reason == "outline_open"
    assert f"'Heart', contour 1 is of type {kind!r}" in error.message


def test_contours_between_slices_are_refused(tmp_path: Path) -> None:
    error = rejected(tmp_path, {"Heart": [ring(2.5, 9.5, 3.5)]})
    assert "1.50 mm off slice" in error.message


def test_another_frame_of_reference_is_refused(tmp_path: Path) -> None:
    rois = [{"ROINumber": 1, "ROIName": "Heart", "ReferencedFrameOfReferenceUID": "1.2.9"}]
    error = rejected(tmp_path, {"Heart": HEART}, attributes={"StructureSetROISequence": rois})
    assert error.reason == "geometry_invalid"
    assert "1.2.9" in error.message


def test_a_count_that_is_not_the_number_of_points_is_refused(tmp_path: Path) -> None:
    broken = {**HEART[0], "NumberOfContourPoints": 5}
    assert "12 numbers for 5 points" in rejected(tmp_path, {"Heart": [broken]}).message


def test_a_region_without_contours_says_nothing(tmp_path: Path) -> None:
    marked = read(tmp_path, {"Heart": HEART, "Lung-L": []}, completeness="complete")
    assert marked.uncertain == ("left lung",)


@pytest.mark.parametrize(("completeness", "count"), [("complete", 2), ("partial", 1)])
def test_a_term_without_a_region_is_absent_only_where_labels_are_complete(
    tmp_path: Path, completeness: str, count: int
) -> None:
    marked = read(tmp_path, {"Heart": HEART}, completeness=completeness)
    assert len(marked.structures) == count


def test_a_structure_with_a_slice_left_out_is_neither_measured_nor_absent(tmp_path: Path) -> None:
    marked = read(tmp_path, {"Heart": [*HEART, ring(2.5, 9.5, 6)]})
    assert marked.uncertain == ("heart",)
    assert not marked.structures[0].is_whole(GRID.shape)


def test_unmapped_names_stop_the_source_and_are_listed(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        index(tmp_path, {"Heart": HEART, "PTV": HEART, "Eye_L": HEART, "Body": HEART})
    assert "'Eye_L' (1), 'PTV' (1)" in caught.value.found
    assert "if_unmapped: pass" in caught.value.remedy


def test_unmapped_names_are_passed_over_where_the_manifest_says_so(tmp_path: Path) -> None:
    found = index(tmp_path, {"Heart": HEART, "PTV": HEART}, if_unmapped="pass")
    assert not found.faults
    assert found.entries["ct/1.dcm"].files == ("rt.dcm",)


def test_a_file_of_which_nothing_is_mapped_is_rejected_with_its_names(tmp_path: Path) -> None:
    fault = index(tmp_path, {"PTV": HEART}, if_unmapped="pass").faults["ct/1.dcm"]
    assert fault.reason == "label_unknown"
    assert "'PTV'" in fault.message


def test_a_file_of_which_nothing_is_mapped_says_nothing_where_that_is_allowed(
    tmp_path: Path,
) -> None:
    found = index(tmp_path, {"PTV": HEART}, if_unmapped="pass", if_missing="unknown")
    assert not found.faults
    assert not found.entries


@pytest.mark.parametrize("name", ["ROI-1", "1", "", "roi 12", "Structure1", "unnamed", "New_ROI_3"])
def test_a_name_that_says_nothing_is_rejected_whatever_the_patterns(
    tmp_path: Path, name: str
) -> None:
    fault = index(tmp_path, {"Heart": HEART, name: HEART}, labels={".*": "heart"}).faults
    assert fault["ct/1.dcm"].reason == "label_unknown"
    assert repr(name) in fault["ct/1.dcm"].message


@pytest.mark.parametrize("name", ["Heart", "GTV-1", "C1", "T12", "Lung_L", "Node 3", "Testis L"])
def test_a_name_of_something_is_not_anonymous(name: str) -> None:
    assert not is_anonymous(name)


def test_an_image_is_not_taken_for_a_structure_set(tmp_path: Path) -> None:
    write(tmp_path, {"Heart": HEART}, Modality="CT")
    root = Root(source="toy", folder=tmp_path.resolve())
    image = ImageName(path="ct/1.dcm", fields={"series_uid": SERIES})
    block = Block(source="toy", root=root, listing=root.listing(), images=(image,))
    found = rtstruct.index(spec(), block)
    assert not found.entries
    assert not found.orphans


def test_two_files_of_the_same_term_are_put_together_where_the_manifest_says_so(
    tmp_path: Path,
) -> None:
    write(tmp_path, {"Heart": [ring(1.5, 3.5, 2)]})
    data = rtstruct_bytes({"Heart": [ring(6.5, 8.5, 3)]}, series_uid=SERIES, frame_uid=FRAME)
    (tmp_path / "second.dcm").write_bytes(data)
    root = Root(source="toy", folder=tmp_path.resolve())
    image = ImageName(path="ct/1.dcm", fields={"series_uid": SERIES})
    block = Block(source="toy", root=root, listing=root.listing(), images=(image,))
    assert rtstruct.index(spec(), block).faults["ct/1.dcm"].reason == "name_duplicate"
    entry = rtstruct.index(spec(several="merge"), block).entries["ct/1.dcm"]
    question = VolumeQuestion(root=root, path="image", fields={}, entry=entry, grid=GRID)
    (heart,) = rtstruct.read_structures(spec(several="merge"), question).structures
    assert heart.voxels == 8
