"""From volumes to samples: the same pictures and facts however a volume is stored."""

import gzip
import io
import json
from dataclasses import replace
from itertools import permutations, product
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from converters.errors import SourceError
from converters.files import locate_root
from converters.manifest import Manifest, parse_manifest
from converters.records import Outcome, Rejection, Sample
from converters.select import converter_for
from tests.fakes.toy import toy_header

SHAPE = (40, 36, 30)
SPACING = (2.0, 2.0, 3.0)
AFFINE = np.array([[2.0, 0, 0, -40], [0, 2.0, 0, -30], [0, 0, 3.0, -20], [0, 0, 0, 1]])
ORIENTATIONS = [
    np.array(list(zip(axes, signs, strict=True)), dtype=float)
    for axes in permutations(range(3))
    for signs in product((1, -1), repeat=3)
]
MANIFEST = (
    toy_header("toy_volume", "CT", "abdomen")
    + """\
layout:
  kind: volumes
  images: "images/{case}.nii.gz"
  subject: "{case}"
  split: {by: digest}
  grey: {map: window, center_hu: 40.0, width_hu: 400.0}
  slices: {planes: [axial, coronal, sagittal], per_finding: 2, per_volume: 12}
  annotations:
    - kind: label_map
      completeness: COMPLETENESS
      files: "labels/{case}.nii.gz"
      ignore: [0]
      labels: {1: liver, 2: spleen, 3: left kidney, 4: stomach}
expect: {cases: null, findings: null}
"""
)


def manifest(completeness: str = "complete", **layout: object) -> Manifest:
    """The toy's manifest, its layout changed as given."""
    text = MANIFEST.replace("COMPLETENESS", completeness)
    found = parse_manifest(text, "toy_volume").manifest
    return found.model_copy(update={"layout": found.layout.model_copy(update=layout)})


def ellipsoid(centre: tuple[float, ...], radii_mm: tuple[float, ...]) -> np.ndarray:
    """Voxels whose centre lies inside an ellipsoid."""
    at = np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij")
    reach = sum(
        ((x - c) * s / r) ** 2 for x, c, s, r in zip(at, centre, SPACING, radii_mm, strict=True)
    )
    return np.asarray(reach <= 1)


LIVER = ellipsoid((24, 18, 15), (24, 20, 27))
SPLEEN = ellipsoid((6, 10, 20), (8, 10, 12))
CODES = np.where(LIVER, 1, np.where(SPLEEN, 2, 0)).astype(np.uint8)
IMAGE = np.where(CODES > 0, 60 + 40 * CODES, -20).astype(np.int16)
IMAGE += np.arange(SHAPE[0], dtype=np.int16)[:, None, None]


def save(path: Path, values: np.ndarray, orientation: np.ndarray = ORIENTATIONS[0]) -> None:
    """Write a canonical array, stored in an orientation."""
    path.parent.mkdir(parents=True, exist_ok=True)
    turned = nib.orientations.apply_orientation(values, orientation)
    affine = AFFINE @ nib.orientations.inv_ornt_aff(orientation, values.shape)
    path.write_bytes(gzip.compress(nib.Nifti1Image(turned, affine).to_bytes(), 1))


def convert(folder: Path, toy: Manifest) -> list[Outcome]:
    """Everything that comes out of a folder."""
    root, _ = locate_root(toy, folder)
    converter = converter_for(toy)
    return [out for case in converter.cases(root) for out in converter.convert(root, case)]


def samples(
    folder: Path,
    toy: Manifest,
    orientation: np.ndarray = ORIENTATIONS[0],
    *,
    image: np.ndarray = IMAGE,
    codes: np.ndarray = CODES,
) -> list[Sample]:
    """The samples of one volume, all of them good."""
    save(folder / "images/a.nii.gz", image, orientation)
    save(folder / "labels/a.nii.gz", codes, orientation)
    found = convert(folder, toy)
    assert all(isinstance(out, Sample) for out in found), found
    return [out for out in found if isinstance(out, Sample)]


def without_storage(sample: Sample) -> Sample:
    """A sample without what may depend on the way its volume is stored."""
    return replace(sample, source_index=None, transforms=sample.transforms[1:])


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    """The samples of the phantom stored in the canonical order."""
    return samples(tmp_path_factory.mktemp("plain"), manifest())


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_every_storage_order_gives_the_same_pictures_and_facts(
    tmp_path: Path, orientation: np.ndarray, plain: list[Sample]
) -> None:
    found = samples(tmp_path, manifest(), orientation)
    assert list(map(without_storage, found)) == list(map(without_storage, plain))


@pytest.mark.parametrize("orientation", ORIENTATIONS[::5])
def test_the_source_index_finds_the_slice_in_the_file(
    tmp_path: Path, orientation: np.ndarray
) -> None:
    for sample in samples(tmp_path, manifest(), orientation):
        stored = nib.load(tmp_path / "labels/a.nii.gz")
        world = {"sagittal": 0, "coronal": 1, "axial": 2}[sample.view]
        axis = int(np.flatnonzero(nib.io_orientation(stored.affine)[:, 0] == world)[0])
        cut = np.asarray(stored.dataobj).take(sample.source_index, axis=axis)
        areas = {f.code: f.area_mm2 for f in sample.findings}
        pixel = np.prod([s for a, s in enumerate(SPACING) if a != world])
        for code, area in areas.items():
            assert np.count_nonzero(cut == int(code)) * pixel == pytest.approx(area)


def test_area_and_diameter_of_an_ellipsoid_are_right_to_half_a_voxel(
    plain: list[Sample],
) -> None:
    radii = {"axial": (24, 20), "coronal": (24, 27), "sagittal": (20, 27)}
    for plane, (one, two) in radii.items():
        livers = [f for s in plain if s.view == plane for f in s.findings if f.label == "liver"]
        area = max(f.area_mm2 for f in livers)
        diameter = max(f.longest_diameter_mm for f in livers)
        half = 1.5  # of the longest voxel edge, in millimetres
        assert np.pi * (one - half) * (two - half) < area < np.pi * (one + half) * (two + half)
        # From corner to corner: half a voxel's diagonal more at each end.
        assert abs(diameter - 2 * max(one, two)) <= np.hypot(2.0, 3.0)


def test_volume_is_that_of_the_voxels(plain: list[Sample]) -> None:
    found = [f.volume_ml for s in plain for f in s.findings if f.label == "liver"]
    assert found == pytest.approx([np.count_nonzero(LIVER) * 12 / 1000] * len(found))


def test_the_volume_of_a_structure_that_may_be_cut_off_is_not_given(tmp_path: Path) -> None:
    cut = np.where(np.arange(SHAPE[2]) < 22, CODES, 0)[:, :, :22].astype(np.uint8)
    found = samples(tmp_path, manifest(), image=IMAGE[:, :, :22], codes=cut)
    volumes = {f.label: f.volume_ml for s in found for f in s.findings}
    assert volumes["spleen"] is None


def test_pixels_are_square_and_boxes_belong_to_the_picture(plain: list[Sample]) -> None:
    coronal = next(s for s in plain if s.view == "coronal")
    assert (coronal.width, coronal.height) == (40, 45)
    assert coronal.spacing_mm == (2.0, 2.0)
    assert coronal.findings[0].area_px == pytest.approx(coronal.findings[0].area_mm2 / 4, rel=0.01)


def test_the_right_of_the_patient_is_on_the_left_of_the_picture(plain: list[Sample]) -> None:
    for sample in plain:
        boxes = {f.label: f.box for f in sample.findings}
        if sample.view != "sagittal" and len(boxes) == 2:
            assert boxes["liver"].x_min < boxes["spleen"].x_min


def test_the_box_frames_bright_pixels(plain: list[Sample]) -> None:
    for sample in plain:
        pixels = np.asarray(Image.open(io.BytesIO(sample.image)))
        for finding in sample.findings:
            box = finding.box
            inside = pixels[int(box.y_min) : int(box.y_max), int(box.x_min) : int(box.x_max)]
            assert inside.max() > 150


def test_absent_is_what_has_no_voxel_in_the_slice(plain: list[Sample]) -> None:
    for sample in plain:
        world = {"sagittal": 0, "coronal": 1, "axial": 2}[sample.view]
        index = int(sample.sample_id.rsplit("-", 1)[1])
        seen = set(np.unique(CODES.take(index, axis=world)).tolist())
        names = {1: "liver", 2: "spleen", 3: "left kidney", 4: "stomach"}
        assert set(sample.absent) == {name for code, name in names.items() if code not in seen}


def test_a_region_too_small_to_describe_is_neither_there_nor_absent(tmp_path: Path) -> None:
    codes = CODES.copy()
    codes[36, 30, :] = 4  # one pixel in every axial slice
    toy = manifest(slices=manifest().layout.slices.model_copy(update={"planes": ["axial"]}))
    for sample in samples(tmp_path, toy, codes=codes):
        assert "stomach" not in {f.label for f in sample.findings} | set(sample.absent)


def test_partial_annotation_says_nothing_of_the_rest(tmp_path: Path) -> None:
    assert {s.absent for s in samples(tmp_path, manifest("partial"))} == {()}


def test_the_side_is_said_only_where_the_term_names_it(tmp_path: Path) -> None:
    codes = np.where(CODES == 2, 3, CODES)
    found = samples(tmp_path, manifest(), codes=codes)
    sides = {f.label: f.side for s in found for f in s.findings}
    assert sides == {"liver": None, "left kidney": "left"}


def test_transforms_say_how_the_picture_was_made(plain: list[Sample]) -> None:
    coronal = next(s for s in plain if s.view == "coronal")
    steps = [step["step"] for step in coronal.transforms]
    assert steps == ["reorient", "slice", "resample", "window", "encode"]


def test_an_oblique_volume_says_so(tmp_path: Path) -> None:
    angle = np.radians(25)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    for name, values in (("images", IMAGE), ("labels", CODES)):
        path = tmp_path / name / "a.nii.gz"
        path.parent.mkdir()
        nib.save(nib.Nifti1Image(values, turn @ AFFINE), path)
    found = convert(tmp_path, manifest())
    step = found[0].transforms[0]
    assert step["is_oblique"] is True
    assert step["obliquity_degrees"] == pytest.approx(25, abs=0.1)
    # An axial slice that is turned within its plane is still axial.
    assert {out.view for out in found} == {"axial", "oblique coronal", "oblique sagittal"}


@pytest.mark.parametrize(
    ("image", "codes", "reason"),
    [
        (np.full(SHAPE, 5, np.int16), CODES, "image_blank"),
        (IMAGE, np.zeros(SHAPE, np.uint8), "annotation_empty"),
        (IMAGE, np.where(CODES == 2, 9, CODES), "label_unknown"),
        (IMAGE, CODES[:, :, 1:], "shape_mismatch"),
        (np.stack([IMAGE, IMAGE], axis=-1), CODES, "file_unsupported"),
        (np.where(CODES > 0, 5, 3000).astype(np.float32) * np.nan, CODES, "image_blank"),
    ],
)
def test_a_volume_that_cannot_be_used_is_one_rejection(
    tmp_path: Path, image: np.ndarray, codes: np.ndarray, reason: str
) -> None:
    for name, values in (("images", image), ("labels", codes)):
        path = tmp_path / name / "a.nii.gz"
        path.parent.mkdir()
        nib.save(nib.Nifti1Image(values, AFFINE), path)
    (found,) = convert(tmp_path, manifest())
    assert isinstance(found, Rejection)
    assert (found.reason, found.case_key) == (reason, "images/a.nii.gz")


def test_a_slice_without_contrast_is_rejected_alone(tmp_path: Path) -> None:
    image = IMAGE.copy()
    image[:, :, 15] = -500
    save(tmp_path / "images/a.nii.gz", image)
    save(tmp_path / "labels/a.nii.gz", CODES)
    found = convert(tmp_path, manifest())
    lost = [out for out in found if isinstance(out, Rejection)]
    assert [(out.reason, out.sample_id[-9:]) for out in lost] == [("image_blank", "axial-015")]
    assert len(found) > 5


def test_a_label_map_without_its_image_is_a_rejection(tmp_path: Path) -> None:
    save(tmp_path / "labels/b.nii.gz", CODES)
    found = samples_and_rejections(tmp_path)
    assert [(out.reason, out.case_key) for out in found] == [("image_missing", "labels/b.nii.gz")]


def test_an_image_without_its_label_map_is_a_rejection(tmp_path: Path) -> None:
    save(tmp_path / "images/b.nii.gz", IMAGE)
    found = samples_and_rejections(tmp_path)
    assert [out.reason for out in found] == ["annotation_missing"]


def samples_and_rejections(folder: Path) -> list[Rejection]:
    """The rejections of a folder that also holds one good volume."""
    save(folder / "images/a.nii.gz", IMAGE)
    save(folder / "labels/a.nii.gz", CODES)
    found = convert(folder, manifest())
    assert any(isinstance(out, Sample) for out in found)
    return [out for out in found if isinstance(out, Rejection)]


LABELS = {"0": "background", "1": "LIVER", "2": "Spleen", "3": "left kidney", "4": "stomach"}
ENTRY = {"image": "./images/a.nii.gz", "label": "./labels/a.nii.gz"}


def write_index(folder: Path, content: object) -> Manifest:
    """One volume beside an index of that content; the manifest that names the index."""
    save(folder / "images/a.nii.gz", IMAGE)
    save(folder / "labels/a.nii.gz", CODES)
    (folder / "dataset.json").write_text(json.dumps(content))
    return manifest(dataset_json="dataset.json")


def test_an_index_that_agrees_changes_nothing(tmp_path: Path, plain: list[Sample]) -> None:
    toy = write_index(tmp_path, {"labels": LABELS, "training": [ENTRY]})
    assert convert(tmp_path, toy) == plain


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"labels": {**LABELS, "2": "Kidney"}, "training": [ENTRY]}, "code 2 is 'Kidney'"),
        ({"labels": {**LABELS, "5": "Colon"}, "training": [ENTRY]}, "code 5 is 'Colon'"),
        ({"labels": {"0": "background"}, "training": [ENTRY]}, "code 1 is None"),
        ({"labels": ["liver"], "training": [ENTRY]}, "does not map"),
        ({"labels": LABELS}, "no list `training`"),
        ({"labels": LABELS, "training": ["a"]}, "`training` holds 'a'"),
        ([], "holds no object"),
    ],
)
def test_an_index_that_differs_stops_the_source(
    tmp_path: Path, content: object, message: str
) -> None:
    toy = write_index(tmp_path, content)
    with pytest.raises(SourceError, match=message):
        convert(tmp_path, toy)


def rejected(folder: Path, training: list[dict[str, str]]) -> list[tuple[str, str]]:
    """Reason and case of what an index with that list leads to."""
    toy = write_index(folder, {"labels": LABELS, "training": training})
    found = convert(folder, toy)
    return [(out.reason, out.case_key) for out in found if isinstance(out, Rejection)]


def test_an_entry_without_its_file_is_a_rejection(tmp_path: Path) -> None:
    gone = {"image": "./images/z.nii.gz", "label": "./labels/z.nii.gz"}
    assert rejected(tmp_path, [ENTRY, gone]) == [("image_missing", "images/z.nii.gz")]


def test_an_image_that_is_not_listed_is_a_rejection(tmp_path: Path) -> None:
    assert rejected(tmp_path, []) == [("split_unknown", "images/a.nii.gz")]


def test_an_entry_with_another_label_file_is_a_rejection(tmp_path: Path) -> None:
    crossed = {**ENTRY, "label": "./labels/b.nii.gz"}
    assert rejected(tmp_path, [crossed]) == [("labels_contradict", "images/a.nii.gz")]


def test_the_voxel_file_of_a_header_belongs_to_its_case(tmp_path: Path) -> None:
    for name in ("images/a.mhd", "images/a.raw", "images/b.raw", "labels/a.nii.gz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    toy = manifest(images="images/{case}.mhd")
    root, _ = locate_root(toy, tmp_path)
    (case,) = converter_for(toy).cases(root)
    assert case.files == ("images/a.mhd", "images/a.raw", "labels/a.nii.gz")
