"""Segmentation objects written by another library, and broken ones made of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pydicom
import pytest
from highdicom.seg import Segmentation, SegmentDescription
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

from converters.annotations import dicom_seg
from converters.annotations.contract import Block, ImageName, Index
from converters.annotations.structures import Marked, VolumeQuestion
from converters.errors import CaseError, ManifestError, SourceError
from converters.files import Root
from converters.imaging.planes import Grid, to_canonical
from converters.imaging.volumes import Volume
from converters.records import Entry
from converters.specs.dicom_objects import DicomSeg

SHAPE = (5, 7, 9)  # slices, rows, columns: 63 pixels are not whole bytes
SPACING = (2.5, 0.8, 0.6)
UPRIGHT = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
ORIENTATIONS = [
    UPRIGHT,
    (0.0, 1.0, 0.0, 0.0, 0.0, -1.0),  # sagittal
    (1.0, 0.0, 0.0, 0.0, 0.0, -1.0),  # coronal
    (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0),  # mirrored
    (0.96, 0.28, 0.0, -0.28, 0.96, 0.0),  # turned by 16 degrees
    (1.0, 0.0, 0.0, 0.0, 0.8, -0.6),  # tilted by 37 degrees
]
STUDY, SERIES, FRAME, DEVICE = (generate_uid(entropy_srcs=[name]) for name in "abcd")
PLUGINS = {RLELossless: "pydicom", JPEGLSLossless: "pyjpegls"}
Many = list[Dataset]


def series(orientation: tuple[float, ...] = UPRIGHT) -> Many:
    """Heads of the slices of a series, as a segmentation refers to them."""
    axes = np.array(orientation)
    normal = np.cross(axes[:3], axes[3:])
    slices = []
    for number in range(SHAPE[0]):
        head = Dataset()
        head.file_meta = FileMetaDataset()
        head.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        head.SOPClassUID, head.Modality = CTImageStorage, "CT"
        head.SOPInstanceUID = generate_uid(entropy_srcs=["instance", str(number)])
        head.StudyInstanceUID, head.SeriesInstanceUID = STUDY, SERIES
        head.FrameOfReferenceUID = FRAME
        head.PatientID = head.StudyID = head.AccessionNumber = "1"
        head.PatientName = "Toy^One"
        head.PatientBirthDate = head.StudyDate = head.StudyTime = head.PatientSex = ""
        head.SeriesNumber, head.InstanceNumber = 1, number + 1
        _, head.Rows, head.Columns = SHAPE
        head.PixelSpacing = list(SPACING[1:])
        head.SliceThickness = SPACING[0]
        head.ImageOrientationPatient = list(orientation)
        head.ImagePositionPatient = (np.array([-30.0, 12.0, 55.0]) + normal * 2.5 * number).tolist()
        slices.append(head)
    return slices


def grid_of(slices: Many) -> Grid:
    """The canonical grid of a series."""
    axes = np.array(slices[0].ImageOrientationPatient, dtype=float)
    affine = np.eye(4)
    affine[:3, 0] = axes[:3] * SPACING[2]
    affine[:3, 1] = axes[3:] * SPACING[1]
    affine[:3, 2] = np.cross(axes[:3], axes[3:]) * SPACING[0]
    affine[:3, 3] = slices[0].ImagePositionPatient
    values = np.zeros(SHAPE[::-1], np.uint8)
    affine = np.diag([-1.0, -1, 1, 1]) @ affine
    return to_canonical(Volume(values=values, affine=affine), "series").grid


def canonical(mask: np.ndarray, slices: Many) -> np.ndarray:
    """A mask of (slices, rows, columns) in the canonical frame, by the series' own affine."""
    axes = np.array(slices[0].ImageOrientationPatient, dtype=float)
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = axes[:3], axes[3:]
    affine[:3, 2] = np.cross(axes[:3], axes[3:])
    affine = np.diag([-1.0, -1, 1, 1]) @ affine
    return to_canonical(Volume(values=mask.T, affine=affine), "mask").values


def segment(number: int, label: str = "Liver", code: Any = codes.SCT.Liver) -> SegmentDescription:
    return SegmentDescription(
        segment_number=number,
        segment_label=label,
        segmented_property_category=codes.SCT.Organ,
        segmented_property_type=code,
        algorithm_type="MANUAL",
    )


def write(path: Path, slices: Many, values: np.ndarray, **changes: Any) -> str:
    """Write a segmentation object; the name of its file."""
    given: dict[str, Any] = {
        "segmentation_type": "BINARY",
        "segment_descriptions": [segment(1)],
        "omit_empty_frames": True,
        **changes,
    }
    syntax = given.pop("syntax", ExplicitVRLittleEndian)
    written = Segmentation(
        source_images=slices,
        pixel_array=values,
        series_instance_uid=DEVICE,
        series_number=2,
        sop_instance_uid=generate_uid(entropy_srcs=["seg"]),
        instance_number=1,
        manufacturer="nobody",
        manufacturer_model_name="none",
        software_versions="0",
        device_serial_number="0",
        **given,
    )
    if syntax != ExplicitVRLittleEndian:
        written.compress(syntax, encoding_plugin=PLUGINS[syntax])
    written.save_as(path / "seg.dcm")
    return "seg.dcm"


def spec(**changes: Any) -> DicomSeg:
    given = {
        "kind": "dicom_seg",
        "completeness": "complete",
        "files": "*.dcm",
        "labels": {"liver": "liver", "spleen": "spleen"},
        **changes,
    }
    return DicomSeg(**given)


def ask(folder: Path, grid: Grid, frame: str = FRAME) -> VolumeQuestion:
    return VolumeQuestion(
        root=Root(source="toy", folder=folder.resolve()),
        path="image",
        fields={"series_uid": SERIES, "frame_of_reference_uid": frame},
        entry=Entry(files=("seg.dcm",)),
        grid=grid,
    )


def whole(marked: Marked, term: str, grid: Grid) -> np.ndarray:
    found = next(one for one in marked.structures if one.term == term)
    mask = np.zeros(grid.shape, dtype=bool)
    where = tuple(slice(c, c + n) for c, n in zip(found.corner, found.mask.shape, strict=True))
    mask[where] = found.mask
    return mask


masks = hnp.arrays(np.uint8, SHAPE, elements=st.integers(0, 1)).filter(np.any)


@settings(max_examples=25)
@given(mask=masks, orientation=st.sampled_from(ORIENTATIONS))
def test_a_binary_segment_comes_back_voxel_for_voxel(
    tmp_path_factory: pytest.TempPathFactory, mask: np.ndarray, orientation: tuple[float, ...]
) -> None:
    folder, slices = tmp_path_factory.mktemp("seg"), series(orientation)
    write(folder, slices, mask)
    grid = grid_of(slices)
    marked = dicom_seg.read_structures(spec(), ask(folder, grid))
    assert np.array_equal(whole(marked, "liver", grid), canonical(mask == 1, slices))


SLICES = series()
GRID = grid_of(SLICES)
BLOCK = np.zeros(SHAPE, np.uint8)
BLOCK[1:4, 2:5, 3:8] = 1


def read(folder: Path, values: np.ndarray = BLOCK, **changes: Any) -> Marked:
    """What a segmentation says; `manifest` changes the block, the rest the file."""
    manifest = changes.pop("manifest", {})
    write(folder, SLICES, values, **changes)
    return dicom_seg.read_structures(spec(**manifest), ask(folder, GRID))


def edited(folder: Path, edit: Callable[[Dataset], None], **changes: Any) -> Marked:
    """What a segmentation says whose file was edited."""
    manifest = changes.pop("manifest", {})
    name = write(folder, SLICES, changes.pop("values", BLOCK), **changes)
    dataset = pydicom.dcmread(folder / name)
    edit(dataset)
    dataset.save_as(folder / name)
    return dicom_seg.read_structures(spec(**manifest), ask(folder, GRID))


def test_segments_may_overlap(tmp_path: Path) -> None:
    both = np.stack([BLOCK, np.roll(BLOCK, 1, axis=2)], axis=-1)
    named = [segment(1), segment(2, "Spleen", codes.SCT.Spleen)]
    marked = read(tmp_path, both, segment_descriptions=named)
    liver, spleen = whole(marked, "liver", GRID), whole(marked, "spleen", GRID)
    assert np.array_equal(liver, canonical(both[..., 0] == 1, SLICES))
    assert np.array_equal(spleen, canonical(both[..., 1] == 1, SLICES))
    assert (liver & spleen).any()


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, *PLUGINS])
def test_a_label_map_comes_back_voxel_for_voxel(tmp_path: Path, syntax: str) -> None:
    values = BLOCK + 2 * np.roll(BLOCK, 5, axis=2)
    values[values == 3] = 2
    marked = read(
        tmp_path,
        values,
        segmentation_type="LABELMAP",
        syntax=syntax,
        segment_descriptions=[segment(1), segment(2, "Spleen", codes.SCT.Spleen)],
    )
    for number, term in ((1, "liver"), (2, "spleen")):
        assert np.array_equal(whole(marked, term, GRID), canonical(values == number, SLICES))


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, *PLUGINS])
def test_a_fraction_belongs_above_the_threshold(tmp_path: Path, syntax: str) -> None:
    values = np.linspace(0, 1, BLOCK.size, dtype=np.float32).reshape(SHAPE)
    marked = read(
        tmp_path,
        values,
        segmentation_type="FRACTIONAL",
        max_fractional_value=200,
        syntax=syntax,
        manifest={"threshold": 0.4},
    )
    wanted = np.around(values * 200) > 0.4 * 200
    assert np.array_equal(whole(marked, "liver", GRID), canonical(wanted, SLICES))
    assert marked.transforms == ({"step": "threshold_segments", "above": 0.4},)


def test_fractions_without_a_threshold_are_refused_with_their_number(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="15 pixels of frame 1 are neither"):
        read(tmp_path, BLOCK * np.float32(0.5), segmentation_type="FRACTIONAL")


def test_fractions_of_none_and_all_need_no_threshold(tmp_path: Path) -> None:
    marked = read(tmp_path, BLOCK.astype(np.float32), segmentation_type="FRACTIONAL")
    assert whole(marked, "liver", GRID).sum() == BLOCK.sum()


def test_the_order_of_frames_decides_nothing(tmp_path: Path) -> None:
    def turn(dataset: Dataset) -> None:
        groups = dataset.PerFrameFunctionalGroupsSequence
        dataset.PerFrameFunctionalGroupsSequence = list(groups)[::-1]
        bits = np.unpackbits(np.frombuffer(dataset.PixelData, np.uint8), bitorder="little")
        frames = bits[: len(groups) * 63].reshape(len(groups), 63)[::-1]
        data = np.packbits(frames.ravel(), bitorder="little").tobytes()
        dataset.PixelData = data + bytes(len(data) % 2)

    marked = edited(tmp_path, turn)
    assert np.array_equal(whole(marked, "liver", GRID), canonical(BLOCK == 1, SLICES))


@pytest.mark.parametrize("code", ["SCT:10200004", "SRT:T-62000"])
def test_a_segment_is_told_by_its_code(tmp_path: Path, code: str) -> None:
    scheme, value = code.split(":")
    named = hd.sr.CodedConcept(value, scheme, "Liver")
    manifest = {"labels": {}, "concepts": {"SCT:10200004": "liver"}}
    marked = read(
        tmp_path, segment_descriptions=[segment(1, "Segment_1", named)], manifest=manifest
    )
    assert whole(marked, "liver", GRID).sum() == BLOCK.sum()


def test_a_modifier_makes_a_code_precise(tmp_path: Path) -> None:
    def add_left(dataset: Dataset) -> None:
        left = hd.sr.CodedConcept("7771000", "SCT", "Left")
        kind = dataset.SegmentSequence[0].SegmentedPropertyTypeCodeSequence[0]
        kind.SegmentedPropertyTypeModifierCodeSequence = [left]

    manifest = {
        "labels": {},
        "concepts": {"SCT:64033007": "liver", "SCT:64033007+SCT:7771000": "left kidney"},
    }
    kidney = [segment(1, "Segment_1", codes.SCT.Kidney)]
    marked = edited(tmp_path, add_left, segment_descriptions=kidney, manifest=manifest)
    assert whole(marked, "left kidney", GRID).any()
    assert not whole(marked, "liver", GRID).any()


@pytest.mark.parametrize(
    ("completeness", "terms"), [("complete", ["liver", "spleen"]), ("presence", ["liver"])]
)
def test_a_term_without_a_segment_is_absent_only_where_labels_are_complete(
    tmp_path: Path, completeness: str, terms: list[str]
) -> None:
    marked = read(tmp_path, manifest={"completeness": completeness})
    assert [one.term for one in marked.structures] == terms


def test_a_segment_without_a_frame_is_empty(tmp_path: Path) -> None:
    both = np.stack([BLOCK, 0 * BLOCK], axis=-1)
    named = [segment(1), segment(2, "Spleen", codes.SCT.Spleen)]
    marked = read(tmp_path, both, segment_descriptions=named, manifest={"completeness": "presence"})
    assert not next(one for one in marked.structures if one.term == "spleen").mask.size


def move(dataset: Dataset, by: tuple[float, float, float]) -> None:
    for group in dataset.PerFrameFunctionalGroupsSequence:
        item = group.PlanePositionSequence[0]
        item.ImagePositionPatient = [
            float(a) + b for a, b in zip(item.ImagePositionPatient, by, strict=True)
        ]


def test_frames_off_the_voxels_are_refused_with_how_far(tmp_path: Path) -> None:
    with pytest.raises(CaseError) as caught:
        edited(tmp_path, lambda dataset: move(dataset, (0.24, 0, 0)))
    assert caught.value.reason == "geometry_invalid"
    assert "0.4 voxels off" in caught.value.message


def test_frames_off_the_voxels_are_resampled_where_the_manifest_says_so(tmp_path: Path) -> None:
    marked = edited(
        tmp_path,
        lambda dataset: move(dataset, (0.24, 0, 0)),
        manifest={"if_grid_differs": "resample"},
    )
    assert np.array_equal(whole(marked, "liver", GRID), canonical(BLOCK == 1, SLICES))
    assert marked.transforms[0]["step"] == "resample_mask"
    assert marked.uncertain == ("liver",)


def test_a_rounded_position_is_still_on_its_voxel(tmp_path: Path) -> None:
    marked = edited(tmp_path, lambda dataset: move(dataset, (0.004, -0.004, 0.01)))
    assert whole(marked, "liver", GRID).sum() == BLOCK.sum()


def test_marks_outside_the_image_are_refused_with_their_number(tmp_path: Path) -> None:
    with pytest.raises(CaseError) as caught:
        edited(tmp_path, lambda dataset: move(dataset, (0, 0, 2.5 * 2)))
    assert caught.value.reason == "shape_mismatch"
    assert "marks 15 pixels outside" in caught.value.message


def test_frames_without_marks_may_lie_outside(tmp_path: Path) -> None:
    marked = edited(tmp_path, lambda dataset: move(dataset, (0, 0, 2.5)), omit_empty_frames=False)
    assert np.array_equal(
        whole(marked, "liver", GRID), canonical(np.roll(BLOCK, 1, axis=0) == 1, SLICES)
    )


def test_another_frame_of_reference_is_refused(tmp_path: Path) -> None:
    write(tmp_path, SLICES, BLOCK)
    with pytest.raises(CaseError, match="lies in frame of reference"):
        dicom_seg.read_structures(spec(), ask(tmp_path, GRID, frame="1.2.3"))


def drop_position(dataset: Dataset) -> None:
    del dataset.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence


def repeat_position(dataset: Dataset) -> None:
    first, second = dataset.PerFrameFunctionalGroupsSequence[:2]
    second.PlanePositionSequence = first.PlanePositionSequence


def cut_pixels(dataset: Dataset) -> None:
    dataset.PixelData = dataset.PixelData[:8]


def claim_frames(dataset: Dataset) -> None:
    dataset.NumberOfFrames = 4000


def lose_segment(dataset: Dataset) -> None:
    dataset.SegmentSequence[0].SegmentNumber = 3


def bend_axes(dataset: Dataset) -> None:
    shared = dataset.SharedFunctionalGroupsSequence[0]
    shared.PlaneOrientationSequence[0].ImageOrientationPatient = [1, 0, 0, 1, 0, 0]


def turn_axes(dataset: Dataset) -> None:
    shared = dataset.SharedFunctionalGroupsSequence[0]
    shared.PlaneOrientationSequence[0].ImageOrientationPatient = [0.8, 0.6, 0, -0.6, 0.8, 0]


def name_type(dataset: Dataset) -> None:
    dataset.SegmentationType = "SURFACE"


BROKEN = [
    (drop_position, "geometry_invalid", "frame 2: ImagePositionPatient is missing"),
    (repeat_position, "labels_contradict", "two frames on slice 3"),
    (cut_pixels, "file_unreadable", "8 bytes of pixels of 24"),
    (claim_frames, "file_unreadable", "4000 frames"),
    (lose_segment, "value_invalid", "shows segment 1, which the file does not describe"),
    (bend_axes, "geometry_invalid", "orientation"),
    (turn_axes, "geometry_invalid", "its axes are not the image's"),
    (name_type, "file_unsupported", "'SURFACE'"),
]


@pytest.mark.parametrize(
    ("edit", "reason", "found"), BROKEN, ids=[edit.__name__ for edit, *_ in BROKEN]
)
def test_what_is_broken_is_refused_with_what_was_found(
    tmp_path: Path, edit: Callable[[Dataset], None], reason: str, found: str
) -> None:
    with pytest.raises(CaseError) as caught:
        edited(tmp_path, edit)
    assert caught.value.reason == reason
    assert found in caught.value.message


def test_a_value_of_a_label_map_that_is_no_segment_is_refused(tmp_path: Path) -> None:
    def paint(dataset: Dataset) -> None:
        data = bytearray(dataset.PixelData)
        data[0] = 9
        dataset.PixelData = bytes(data)

    with pytest.raises(CaseError, match="value 9 is no segment"):
        edited(tmp_path, paint, segmentation_type="LABELMAP")


def block(folder: Path, **fields: str) -> Block:
    root = Root(source="toy", folder=folder.resolve())
    uids = {"series_uid": SERIES, "frame_of_reference_uid": FRAME, **fields}
    image = ImageName(path="ct/1.dcm", fields=uids)
    return Block(source="toy", root=root, listing=root.listing(), images=(image,))


def index(folder: Path, **changes: Any) -> Index:
    manifest = changes.pop("manifest", {})
    fields = changes.pop("fields", {})
    write(folder, SLICES, BLOCK, **changes)
    return dicom_seg.index(spec(**manifest), block(folder, **fields))


@pytest.mark.parametrize("match", ["series", "frame_of_reference"])
def test_a_file_finds_its_image_by_uid(tmp_path: Path, match: str) -> None:
    found = index(tmp_path, manifest={"match": match})
    assert found.entries == {"ct/1.dcm": Entry(files=("seg.dcm",))}
    assert not found.faults


def test_a_file_of_another_series_has_no_image(tmp_path: Path) -> None:
    found = index(tmp_path, fields={"series_uid": "1.2.3"})
    assert not found.entries
    assert found.orphans[0][0] == "seg.dcm"
    assert SERIES in found.orphans[0][1]


def test_images_without_uids_are_the_manifests_mistake(tmp_path: Path) -> None:
    write(tmp_path, SLICES, BLOCK)
    root = Root(source="toy", folder=tmp_path.resolve())
    image = ImageName(path="a.nii", fields={})
    with pytest.raises(ManifestError, match="needs images with a series_uid"):
        dicom_seg.index(
            spec(), Block(source="toy", root=root, listing=root.listing(), images=(image,))
        )


def test_an_unknown_segment_stops_the_source_by_name(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"'Tumor' \(1\); first in seg\.dcm"):
        index(tmp_path, segment_descriptions=[segment(1, "Tumor")])


def test_an_unknown_segment_rejects_its_image_where_the_manifest_says_so(tmp_path: Path) -> None:
    manifest = {"if_unmapped": "reject"}
    found = index(tmp_path, segment_descriptions=[segment(1, "Tumor")], manifest=manifest)
    assert found.faults["ct/1.dcm"].reason == "label_unknown"
    assert "'Tumor'" in found.faults["ct/1.dcm"].message


def test_segments_may_be_passed_over_only_where_labels_are_partial() -> None:
    with pytest.raises(ValueError, match="needs completeness: partial"):
        spec(if_unmapped="pass")


def test_a_name_that_two_patterns_map_differently_is_refused(tmp_path: Path) -> None:
    manifest = {"labels": {"liver": "liver", "l.*": "spleen"}}
    fault = index(tmp_path, manifest=manifest).faults["ct/1.dcm"]
    assert fault.reason == "labels_contradict"
    assert "liver, spleen" in fault.message


def test_two_files_of_the_same_term_are_refused(tmp_path: Path) -> None:
    write(tmp_path, SLICES, BLOCK)
    (tmp_path / "again.dcm").write_bytes((tmp_path / "seg.dcm").read_bytes())
    fault = dicom_seg.index(spec(), block(tmp_path)).faults["ct/1.dcm"]
    assert fault.reason == "name_duplicate"
    assert "again.dcm and seg.dcm both mark liver" in fault.message


def test_a_broken_file_stops_where_an_image_without_one_would_count_as_healthy(
    tmp_path: Path,
) -> None:
    (tmp_path / "seg.dcm").write_bytes(b"\0" * 128 + b"DICM\2\0")
    broken = spec(if_missing="absent")
    with pytest.raises(SourceError, match="counts as healthy"):
        dicom_seg.index(broken, block(tmp_path))


def test_a_broken_file_is_on_record(tmp_path: Path) -> None:
    (tmp_path / "seg.dcm").write_bytes(b"\0" * 128 + b"DICM\2\0")
    found = dicom_seg.index(spec(), block(tmp_path))
    assert [path for path, _ in found.orphans] == ["seg.dcm"]


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP"])
def test_resampling_goes_through_the_patient_whatever_the_orientation(
    tmp_path: Path, orientation: tuple[float, ...], kind: str
) -> None:
    slices = series(orientation)
    name = write(tmp_path, slices, BLOCK, segmentation_type=kind)
    dataset = pydicom.dcmread(tmp_path / name)
    # Less than half a voxel along rows and columns: each centre is still in its own voxel.
    by = 0.2 * np.array(orientation[:3]) + 0.25 * np.array(orientation[3:])
    move(dataset, tuple(by))
    dataset.save_as(tmp_path / name)
    grid = grid_of(slices)
    marked = dicom_seg.read_structures(spec(if_grid_differs="resample"), ask(tmp_path, grid))
    assert np.array_equal(whole(marked, "liver", grid), canonical(BLOCK == 1, slices))
    assert marked.uncertain == ("liver",)


def test_a_segmentation_where_the_image_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CaseError) as caught:
        edited(
            tmp_path,
            lambda dataset: move(dataset, (500, 0, 0)),
            manifest={"if_grid_differs": "resample"},
        )
    assert caught.value.reason == "grids_apart"


def test_one_slice_of_unknown_thickness_is_not_resampled(tmp_path: Path) -> None:
    def shift(dataset: Dataset) -> None:
        move(dataset, (0.24, 0, 0))
        measures = dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
        if "SpacingBetweenSlices" in measures:
            del measures.SpacingBetweenSlices

    one = np.zeros_like(BLOCK)
    one[2] = BLOCK[2]
    with pytest.raises(CaseError, match="does not say how thick it is"):
        edited(tmp_path, shift, values=one, manifest={"if_grid_differs": "resample"})


def test_a_file_of_an_image_that_is_not_dicom_is_found_by_name(tmp_path: Path) -> None:
    write(tmp_path, SLICES, BLOCK)
    root = Root(source="toy", folder=tmp_path.resolve())
    images = tuple(ImageName(path=f"{n}.nii", fields={"case": n}) for n in ("seg", "other"))
    block = Block(source="toy", root=root, listing=root.listing(), images=images)
    found = dicom_seg.index(spec(files="{case}.dcm", match="name"), block)
    assert found.entries == {"seg.nii": Entry(files=("seg.dcm",))}


def test_a_pattern_must_be_a_regular_expression() -> None:
    with pytest.raises(ValueError, match="no regular expression"):
        spec(labels={"liver(": "liver"})


def test_a_block_must_map_something() -> None:
    with pytest.raises(ValueError, match="either labels or concepts"):
        spec(labels={})


def test_frames_of_slices_that_are_a_tenth_off_their_even_places_are_placed(
    tmp_path: Path,
) -> None:
    def shake(dataset: Dataset) -> None:
        for number, group in enumerate(dataset.PerFrameFunctionalGroupsSequence):
            item = group.PlanePositionSequence[0]
            x, y, z = (float(value) for value in item.ImagePositionPatient)
            item.ImagePositionPatient = [x, y, z + (0.2 if number % 2 else -0.2)]

    marked = edited(tmp_path, shake)
    assert np.array_equal(whole(marked, "liver", GRID), canonical(BLOCK == 1, SLICES))


ONLY = {"labels": {}, "only": "liver"}


def test_the_one_segment_of_a_file_needs_no_name_where_the_source_says_what_it_is(
    tmp_path: Path,
) -> None:
    marked = read(tmp_path, segment_descriptions=[segment(1, "Segment_1")], manifest=ONLY)
    assert whole(marked, "liver", GRID).sum() == BLOCK.sum()


def test_a_second_segment_is_refused_where_there_should_be_one(tmp_path: Path) -> None:
    both = np.stack([BLOCK, BLOCK], axis=-1)
    named = [segment(1, "Segment_1"), segment(2, "Kidney", codes.SCT.Kidney)]
    with pytest.raises(CaseError, match=r"holds 2 segments, .*'Segment_1', 'Kidney'"):
        read(tmp_path, both, segment_descriptions=named, manifest=ONLY)


def test_names_and_one_unnamed_segment_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="either labels or concepts"):
        spec(only="liver")
