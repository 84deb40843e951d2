"""Segmentations and structure sets of real scanners and tools, against their twins and by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813 - as it calls itself
from scipy import ndimage

from converters.annotations import dicom_seg, rtstruct
from converters.annotations.contract import Block, ImageName
from converters.annotations.structures import Marked, VolumeQuestion
from converters.errors import CaseError, SourceError
from converters.files import Root
from converters.imaging.dicom_series import group_series, read_series
from converters.imaging.dicom_slices import read_slices
from converters.imaging.planes import Canonical, Grid, slice_of, to_canonical
from converters.imaging.volumes import Volume, read_volume
from converters.records import Entry
from converters.specs.dicom_objects import DicomSeg, Rtstruct

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def series_grid(folder: Path) -> tuple[Grid, dict[str, str]]:
    """The grid of a series, read by another library, and its UIDs."""
    files = sorted(folder.glob("*.dcm"))
    heads = [pydicom.dcmread(path, stop_before_pixels=True) for path in files]
    axes = np.array(heads[0].ImageOrientationPatient, dtype=float)
    normal = np.cross(axes[:3], axes[3:])
    heads.sort(key=lambda head: float(np.dot(normal, head.ImagePositionPatient)))
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(head.filename) for head in heads])
    image = reader.Execute()
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    values = np.zeros(image.GetSize(), np.uint8)
    uids = {
        "series_uid": str(heads[0].SeriesInstanceUID),
        "frame_of_reference_uid": str(heads[0].get("FrameOfReferenceUID", "")),
    }
    return to_canonical(Volume(values=values, affine=LPS @ affine), "series").grid, uids


def ask(root: Path, path: str, grid: Grid, uids: dict[str, str]) -> VolumeQuestion:
    return VolumeQuestion(
        root=Root(source="real", folder=root.resolve()),
        path="image",
        fields=uids,
        entry=Entry(files=(path,)),
        grid=grid,
    )


def whole(marked: Marked, term: str, grid: Grid) -> np.ndarray:
    """The mask of a term on the grid of the image."""
    found = next(one for one in marked.structures if one.term == term)
    mask = np.zeros(grid.shape, dtype=bool)
    where = tuple(slice(c, c + n) for c, n in zip(found.corner, found.mask.shape, strict=True))
    mask[where] = found.mask
    return mask


def nrrd(root: Path, name: str) -> Canonical:
    return to_canonical(read_volume(Root(source="real", folder=root.resolve()), name), name)


def seg_spec(**changes: Any) -> DicomSeg:
    given = {"kind": "dicom_seg", "completeness": "partial", "files": "*.dcm", **changes}
    return DicomSeg(**given)


SEGS = [
    ("23x38x3/image", "23x38x3/seg/label.seg", "23x38x3/nrrd/label.nrrd"),
    ("24x38x3/image", "24x38x3/seg/label.seg", "24x38x3/nrrd/label.nrrd"),
    ("ct-3slice", "liver.dcm", "liver_seg.nrrd"),
    ("24x38x3/image", "sparse-labelmap-noppv.dcm", "sparse_labelmap_noppv_seg.nrrd"),
    ("24x38x3/image", "sparse-labelmap-ppv5.dcm", "sparse_labelmap_ppv5_seg.nrrd"),
]


@pytest.mark.parametrize(("series", "seg", "twin"), SEGS, ids=[seg for _, seg, _ in SEGS])
@pytest.mark.parametrize("by", ["label", "code"])
def test_a_segmentation_is_its_twin_voxel_for_voxel(
    real_data: Path, series: str, seg: str, twin: str, by: str
) -> None:
    root = real_data / "dicom_seg" / "segmentations"
    grid, uids = series_grid(root / series)
    named = (
        {"labels": {"liver": "liver"}} if by == "label" else {"concepts": {"SCT:10200004": "liver"}}
    )
    marked = dicom_seg.read_structures(seg_spec(**named), ask(root, seg, grid, uids))
    wanted = nrrd(root, twin)
    assert wanted.grid.shape == grid.shape
    mask = whole(marked, "liver", grid)
    assert mask.sum() == np.count_nonzero(wanted.values == 1) > 0
    assert np.array_equal(mask, wanted.values == 1)


OVERLAPPING = {
    "GREEN": ("liver", "partial_overlaps-1.nrrd", 1, 9602),
    "ORANGE": ("spleen", "partial_overlaps-2.nrrd", 2, 11888),
    "PURPLE": ("stomach", "partial_overlaps-3.nrrd", 3, 10743),
    "LIGHT_BLUE": ("pancreas", "partial_overlaps-1.nrrd", 4, 6693),
    "DARK_BLUE": ("gallbladder", "partial_overlaps-1.nrrd", 5, 4713),
}


def test_overlapping_segments_are_their_twins_and_overlap(real_data: Path) -> None:
    root = real_data / "dicom_seg" / "segmentations"
    grid, uids = series_grid(root / "ct-3slice")
    spec = seg_spec(labels={name: term for name, (term, *_) in OVERLAPPING.items()})
    marked = dicom_seg.read_structures(spec, ask(root, "partial_overlaps.dcm", grid, uids))
    masks = {}
    for term, twin, code, voxels in OVERLAPPING.values():
        masks[term] = whole(marked, term, grid)
        assert np.array_equal(masks[term], nrrd(root, twin).values == code)
        assert masks[term].sum() == voxels
    assert (masks["liver"] & masks["spleen"]).sum() == 3017


def test_a_segmentation_of_another_scan_is_refused(real_data: Path) -> None:
    root = real_data / "dicom_seg" / "segmentations"
    grid, uids = series_grid(root / "24x38x3" / "image")
    with pytest.raises(CaseError, match="lies in frame of reference"):
        dicom_seg.read_structures(
            seg_spec(labels={"liver": "liver"}), ask(root, "23x38x3/seg/label.seg", grid, uids)
        )


def test_a_segmentation_that_reaches_out_of_the_image_is_refused(real_data: Path) -> None:
    root = real_data / "dicom_seg" / "segmentations"
    grid, _ = series_grid(root / "23x38x3" / "image")
    with pytest.raises(CaseError, match="pixels outside the image's voxels"):
        dicom_seg.read_structures(
            seg_spec(labels={"liver": "liver"}), ask(root, "24x38x3/seg/label.seg", grid, {})
        )


@pytest.mark.parametrize("name", ["23x38x3", "24x38x3"])
@pytest.mark.parametrize("files", ["image/IMG000*.dcm", "multiframe/mf.dcm"])
def test_slices_and_one_file_of_many_frames_take_the_same_segmentation(
    real_data: Path, name: str, files: str
) -> None:
    root = real_data / "dicom_seg" / "segmentations"
    paths = sorted(path.relative_to(root).as_posix() for path in (root / name).glob(files))
    found, _ = read_slices(Root(source="real", folder=root.resolve()), paths[::-1])
    (series,) = group_series(found)
    grid = to_canonical(read_series(Root(source="real", folder=root.resolve()), series), "ct").grid
    wanted, _ = series_grid(root / name / "image")
    assert np.array_equal(grid.affine, wanted.affine)
    uids = {"frame_of_reference_uid": series.frame_of_reference_uid}
    marked = dicom_seg.read_structures(
        seg_spec(labels={"liver": "liver"}), ask(root, f"{name}/seg/label.seg", grid, uids)
    )
    mask = whole(marked, "liver", grid)
    assert np.array_equal(mask, nrrd(root, f"{name}/nrrd/label.nrrd").values == 1)


def block(folder: Path, series: str) -> Block:
    root = Root(source="real", folder=folder.resolve())
    _, uids = series_grid(folder / series)
    image = ImageName(path="series", fields=uids)
    return Block(source="real", root=root, listing=root.listing(), images=(image,))


def test_segmentations_find_their_series_by_uid(real_data: Path) -> None:
    root = real_data / "dicom_seg" / "segmentations"
    spec = seg_spec(files="**/*", labels={"liver": "liver"}, if_unmapped="pass", several="merge")
    index = dicom_seg.index(spec, block(root, "24x38x3/image"))
    assert index.entries["series"].files == (
        "24x38x3/seg/label.seg",
        "sparse-labelmap-noppv.dcm",
        "sparse-labelmap-ppv5.dcm",
    )
    assert sorted(path for path, _ in index.orphans if path.endswith((".dcm", ".seg"))) == [
        "23x38x3/seg/label.seg",
        "liver.dcm",
        "partial_overlaps.dcm",
    ]


RTSS = "dicom_rtstruct/tests/testdata/example_data/rtss.dcm"


def planned_grid(real_data: Path, first: int = 0, count: int = 120) -> tuple[Grid, dict[str, str]]:
    """The grid of the planning CT: one of its slices is there, every 3 mm there was another."""
    head = pydicom.dcmread(
        real_data / "dicom_rtstruct/tests/testdata/example_data/ct.0.dcm", stop_before_pixels=True
    )
    x, y, z = (float(value) for value in head.ImagePositionPatient)
    row, column = (float(value) for value in head.PixelSpacing)
    affine = np.array(
        [[-column, 0, 0, -x], [0, -row, 0, -y], [0, 0, 3, z + (first - 105) * 3], [0, 0, 0, 1]]
    )
    volume = Volume(values=np.zeros((512, 512, count), np.uint8), affine=affine)
    uids = {"frame_of_reference_uid": str(head.FrameOfReferenceUID)}
    return to_canonical(volume, "ct").grid, uids


def by_hand(real_data: Path, number: int, grid: Grid) -> np.ndarray:
    """Even-odd by rays along the other axis, contour after contour, over whole slices."""
    dataset = pydicom.dcmread(real_data / RTSS)
    item = next(r for r in dataset.ROIContourSequence if r.ReferencedROINumber == number)
    to_index = np.linalg.inv(grid.affine)
    mask = np.zeros(grid.shape, dtype=bool)
    i, j = np.mgrid[0 : grid.shape[0], 0 : grid.shape[1]]
    for contour in item.ContourSequence:
        ras = np.array(contour.ContourData, dtype=float).reshape(-1, 3) * [-1, -1, 1]
        at = ras @ to_index[:3, :3].T + to_index[:3, 3]
        inside = np.zeros(i.shape, dtype=bool)
        for (a_i, a_j, _), (b_i, b_j, _) in zip(at, np.roll(at, -1, axis=0), strict=True):
            if a_j != b_j:
                between = (j >= min(a_j, b_j)) & (j < max(a_j, b_j))
                inside ^= between & (a_i + (j - a_j) / (b_j - a_j) * (b_i - a_i) <= i)
        mask[:, :, round(at[0, 2])] ^= inside
    return mask


ROIS = {5: ("Heart", 439.66), 9: ("Tumor Bed", 13.13), 8: ("Scar", 0.526)}


@pytest.mark.parametrize("number", ROIS, ids=[name for name, _ in ROIS.values()])
def test_contours_of_a_planning_ct_are_what_rays_say(real_data: Path, number: int) -> None:
    name, volume_ml = ROIS[number]
    grid, uids = planned_grid(real_data)
    spec = rt_spec(labels={name: "heart"}, if_unmapped="pass")
    marked = rtstruct.read_structures(spec, ask(real_data, RTSS, grid, uids))
    mask = whole(marked, "heart", grid)
    assert np.array_equal(mask, by_hand(real_data, number, grid))
    assert mask.sum() * grid.voxel_ml == pytest.approx(volume_ml, rel=1e-3)
    assert marked.uncertain == ()


def rt_spec(**changes: Any) -> Rtstruct:
    given = {"kind": "rtstruct", "completeness": "partial", "files": "**/*.dcm", **changes}
    return Rtstruct(**given)


def test_sides_of_a_planning_ct_are_the_patients(real_data: Path) -> None:
    grid, uids = planned_grid(real_data)
    spec = rt_spec(labels={"lt lung": "left lung", "heart": "heart"}, if_unmapped="pass")
    marked = rtstruct.read_structures(spec, ask(real_data, RTSS, grid, uids))
    lung, heart = (np.argwhere(whole(marked, name, grid)) for name in ("left lung", "heart"))
    assert lung[:, 0].mean() < heart[:, 0].mean()  # axis 0 runs to the patient's right


def test_a_structure_set_with_no_contour_on_the_one_slice_is_refused(real_data: Path) -> None:
    grid, uids = planned_grid(real_data, 105, 1)
    spec = rt_spec(labels={"heart": "heart"}, if_unmapped="pass")
    with pytest.raises(CaseError, match="no contour of 1 regions encloses a voxel"):
        rtstruct.read_structures(spec, ask(real_data, RTSS, grid, uids))


def test_a_body_contour_on_the_one_slice_is_read_and_not_measured(real_data: Path) -> None:
    grid, uids = planned_grid(real_data, 105, 1)
    spec = rt_spec(labels={"body": "heart"}, if_unmapped="pass")
    marked = rtstruct.read_structures(spec, ask(real_data, RTSS, grid, uids))
    (body,) = marked.structures
    assert body.voxels > 0
    assert not body.is_all_seen
    assert marked.uncertain == ("heart",)


def test_a_body_contour_lies_on_the_skin_of_its_slice(real_data: Path) -> None:
    """Dense within, and air just outside: half a pixel or a mirror would show."""
    grid, uids = planned_grid(real_data, 105, 1)
    spec = rt_spec(labels={"body": "heart"}, if_unmapped="pass")
    marked = rtstruct.read_structures(spec, ask(real_data, RTSS, grid, uids))
    mask = slice_of(whole(marked, "heart", grid), "axial", 0)
    head = pydicom.dcmread(real_data / Path(RTSS).with_name("ct.0.dcm"))
    is_dense = head.pixel_array * float(head.RescaleSlope) + float(head.RescaleIntercept) > -300
    around = ndimage.binary_dilation(mask, iterations=3) & ~ndimage.binary_dilation(mask)
    assert is_dense[mask].mean() > 0.97
    assert is_dense[around].mean() < 0.1


def test_names_of_a_planning_ct_that_are_not_mapped_are_listed(real_data: Path) -> None:
    folder = real_data / "dicom_rtstruct/tests/testdata/example_data"
    image = ImageName(path="ct.0.dcm", fields=series_grid_of(folder / "ct.0.dcm"))
    root = Root(source="real", folder=folder.resolve())
    spec = rt_spec(labels={"heart": "heart", "lt lung": "left lung"}, ignore=["body", "borders"])
    with pytest.raises(SourceError) as caught:
        rtstruct.index(
            spec, Block(source="real", root=root, listing=root.listing(), images=(image,))
        )
    assert "'Areola' (1), 'Breast' (1), 'Nodes' (1), 'Scar' (1), 'Tumor Bed' (1)" in str(
        caught.value
    )


def series_grid_of(path: Path) -> dict[str, str]:
    head = pydicom.dcmread(path, stop_before_pixels=True)
    return {"series_uid": str(head.SeriesInstanceUID)}


@pytest.mark.parametrize("if_unmapped", ["stop", "reject", "pass"])
def test_regions_without_names_are_rejected(real_data: Path, if_unmapped: str) -> None:
    folder = real_data / "dicom_rtstruct_anonymous_rois" / "tests"
    image = ImageName(path="ct", fields=series_grid_of(folder / "mock_data" / "ct_1.dcm"))
    root = Root(source="real", folder=folder.resolve())
    spec = rt_spec(
        files="mock_data/*.dcm", labels={".*": "heart"}, if_unmapped=if_unmapped, several="merge"
    )
    listing = root.listing()
    index = rtstruct.index(spec, Block(source="real", root=root, listing=listing, images=(image,)))
    assert index.faults["ct"].reason == "label_unknown"
    assert "'ROI-1', 'ROI-2', 'ROI-3', 'ROI-4'" in index.faults["ct"].message
    assert [path for path, _ in index.orphans] == ["mock_data/non_existent_reference_rt.dcm"]
