"""Sequences of one examination: pictures of the same slices, findings shared, one subject."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from converters.errors import ManifestError
from converters.files import locate_root
from converters.manifest import Manifest, parse_manifest
from converters.records import Outcome, Rejection, Sample
from converters.select import converter_for
from tests.fakes.toy import toy_header

SHAPE = (40, 36, 30)
AFFINE = np.array([[-2.0, 0, 0, 40], [0, 2.0, 0, -30], [0, 0, 3.0, -20], [0, 0, 0, 1]])
MANIFEST = (
    toy_header("toy_sequences", "MR", "abdomen")
    + """\
layout:
  kind: volumes
  images: "{case}/{case}_t2.nii"
  subject: "{case}"
  split: {by: digest}
  grey: {map: percentiles, low: 0.5, high: 99.5}
  slices: {planes: [axial, coronal], per_finding: 2, per_volume: 6}
  SEQUENCES
  annotations:
    - kind: label_map
      completeness: complete
      files: "{case}/{case}_seg.nii"
      ignore: [0]
      labels: {1: liver, 2: spleen}
expect: {cases: null, findings: null}
"""
)
FILES = 'sequences: {T1: "{case}/{case}_t1.nii", T2: "{case}/{case}_t2.nii"}'
VOLUMES = "sequences: [T2, contrast-enhanced T1, ADC]"
CODES = np.zeros(SHAPE, np.uint8)
CODES[5:20, 8:24, 6:20] = 1
CODES[24:35, 10:20, 12:26] = 2
T2 = (100 + 60 * CODES.astype(np.int16) + np.arange(30, dtype=np.int16)).astype(np.int16)
T2[:, :3] = 0
T1 = (900 - 2 * T2).astype(np.int16)
T1[:, :3] = 0


def manifest(sequences: str) -> Manifest:
    """The toy's manifest with these sequences."""
    return parse_manifest(MANIFEST.replace("SEQUENCES", sequences), "toy_sequences").manifest


def save(folder: Path, name: str, values: np.ndarray, affine: np.ndarray = AFFINE) -> None:
    """Write a volume."""
    path = folder / name.partition("_")[0] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(values, affine), path)


def convert(folder: Path, sequences: str) -> list[Outcome]:
    """Everything that comes out of a folder."""
    return converted(manifest(sequences), folder)


def converted(toy: Manifest, folder: Path) -> list[Outcome]:
    """Everything that a manifest makes of a folder."""
    root, _ = locate_root(toy, folder)
    converter = converter_for(toy)
    return [out for case in converter.cases(root) for out in converter.convert(root, case)]


def build(folder: Path, *cases: str) -> None:
    """Cases with both sequences and a label map."""
    for case in cases:
        save(folder, f"{case}_t1.nii", T1)
        save(folder, f"{case}_t2.nii", T2)
        save(folder, f"{case}_seg.nii", CODES)


def by_sequence(found: list[Outcome]) -> dict[str, list[Sample]]:
    """Samples of each sequence; there is nothing else."""
    assert all(isinstance(out, Sample) for out in found), found
    groups: dict[str, list[Sample]] = {}
    for sample in found:
        groups.setdefault(sample.sequence, []).append(sample)
    return groups


def facts(sample: Sample) -> object:
    """What two sequences of one slice share."""
    return (sample.view, sample.source_index, sample.findings, sample.absent, sample.spacing_mm)


def test_each_sequence_shows_the_same_slices_with_the_same_findings(tmp_path: Path) -> None:
    build(tmp_path, "a", "b")
    groups = by_sequence(convert(tmp_path, FILES))
    assert set(groups) == {"T1", "T2"}
    assert list(map(facts, groups["T1"])) == list(map(facts, groups["T2"]))


def test_each_sequence_is_its_own_picture_of_its_own_file(tmp_path: Path) -> None:
    build(tmp_path, "a")
    groups = by_sequence(convert(tmp_path, FILES))
    assert {sample.source_path for sample in groups["T1"]} == {"a/a_t1.nii"}
    assert {sample.source_path for sample in groups["T2"]} == {"a/a_t2.nii"}
    images = Counter(sample.image for samples in groups.values() for sample in samples)
    assert set(images.values()) == {1}
    ids = [sample.sample_id for samples in groups.values() for sample in samples]
    assert len(ids) == len(set(ids))
    assert {sample.case_key for samples in groups.values() for sample in samples} == {"a/a_t2.nii"}


def test_a_case_is_one_subject_and_knows_all_its_files(tmp_path: Path) -> None:
    build(tmp_path, "a", "b")
    toy = manifest(FILES)
    root, _ = locate_root(toy, tmp_path)
    cases = converter_for(toy).cases(root)
    assert [case.subject_id for case in cases] == ["a", "b"]
    assert cases[0].files == ("a/a_t2.nii", "a/a_t1.nii", "a/a_seg.nii")


def test_a_sequence_stored_the_other_way_round_shows_the_same(tmp_path: Path) -> None:
    build(tmp_path / "plain", "a")
    build(tmp_path / "turned", "a")
    orientation = np.array([[2, -1], [0, 1], [1, -1]], dtype=float)
    turned = nib.Nifti1Image(T1, AFFINE).as_reoriented(orientation)
    save(tmp_path / "turned", "a_t1.nii", np.asarray(turned.dataobj), turned.affine)
    plain = by_sequence(convert(tmp_path / "plain", FILES))["T1"]
    other = by_sequence(convert(tmp_path / "turned", FILES))["T1"]
    stored = {"source_index": None, "transforms": ()}
    assert [replace(s, **stored) for s in plain] == [replace(s, **stored) for s in other]


def test_a_missing_sequence_is_a_rejection_and_the_others_stay(tmp_path: Path) -> None:
    build(tmp_path, "a")
    (tmp_path / "a/a_t1.nii").unlink()
    *samples, rejection = convert(tmp_path, FILES)
    assert {sample.sequence for sample in samples} == {"T2"}
    assert isinstance(rejection, Rejection)
    assert (rejection.reason, rejection.message) == ("image_missing", "no file of T1")


@pytest.mark.parametrize("change", ["shape", "place"])
def test_a_sequence_on_another_grid_is_a_rejection(tmp_path: Path, change: str) -> None:
    build(tmp_path, "a")
    moved = AFFINE + np.array([[0, 0, 0, 1.0]] + [[0.0] * 4] * 3)
    values, affine = (T1[:-1], AFFINE) if change == "shape" else (T1, moved)
    save(tmp_path, "a_t1.nii", values, affine)
    *samples, rejection = convert(tmp_path, FILES)
    assert {sample.sequence for sample in samples} == {"T2"}
    assert rejection.reason == {"shape": "shape_mismatch", "place": "geometry_invalid"}[change]
    assert rejection.sample_id == "toy_sequences/a/a_t1.nii"


def test_a_sequence_without_the_image_of_its_case_is_a_rejection(tmp_path: Path) -> None:
    build(tmp_path, "a")
    save(tmp_path, "b_t1.nii", T1)
    rejections = [out for out in convert(tmp_path, FILES) if isinstance(out, Rejection)]
    assert [(out.case_key, out.reason) for out in rejections] == [("b/b_t1.nii", "image_missing")]


def test_volumes_of_one_file_are_sequences(tmp_path: Path) -> None:
    save(tmp_path, "a_t2.nii", np.stack([T2, T1, T2 // 2], axis=-1))
    save(tmp_path, "a_seg.nii", CODES)
    groups = by_sequence(convert(tmp_path, VOLUMES))
    assert set(groups) == {"T2", "contrast-enhanced T1", "ADC"}
    assert list(map(facts, groups["T2"])) == list(map(facts, groups["ADC"]))
    ids = [sample.sample_id for samples in groups.values() for sample in samples]
    assert len(ids) == len(set(ids))
    step = groups["contrast-enhanced T1"][0].transforms[0]
    assert step == {"step": "select_volume", "index": 1, "of": 3}


def test_another_number_of_volumes_than_sequences_is_a_rejection(tmp_path: Path) -> None:
    save(tmp_path, "a_t2.nii", np.stack([T2, T1], axis=-1))
    save(tmp_path, "a_seg.nii", CODES)
    (rejection,) = convert(tmp_path, VOLUMES)
    assert rejection.reason == "shape_mismatch"


def test_the_volume_that_is_named_is_shown(tmp_path: Path) -> None:
    build(tmp_path / "plain", "a")
    save(tmp_path / "series", "a_t2.nii", np.stack([T1, T2], axis=-1))
    save(tmp_path / "series", "a_seg.nii", CODES)
    plain = convert(tmp_path / "plain", "sequence: T2")
    found = convert(tmp_path / "series", "volume: 1")
    assert [sample.image for sample in found] == [sample.image for sample in plain]


@pytest.mark.parametrize(
    "wrong",
    [
        "sequences: [T1]",
        "sequences: [T1, T1]",
        'sequences: {T1: "{case}/{case}_t1.nii", T2: "{case}/other.nii"}',
        "sequences: [T1, T2]\n  sequence: T1",
        "sequences: [T1, T2]\n  volume: 1",
    ],
)
def test_sequences_that_contradict_are_no_manifest(wrong: str) -> None:
    with pytest.raises(ManifestError):
        manifest(wrong)


def test_axes_that_are_not_the_body_s_tell_no_sides(tmp_path: Path) -> None:
    save(tmp_path, "a_t2.nii", T2)
    save(tmp_path, "a_seg.nii", CODES)
    kidneys = MANIFEST.replace("{1: liver, 2: spleen}", "{1: left kidney, 2: right kidney}")
    plain = parse_manifest(kidneys.replace("SEQUENCES", ""), "toy_sequences").manifest
    taken = kidneys.replace("SEQUENCES", "axes_taken_as: LPS\n  views: {axial: short-axis}")
    taken = taken.replace("ignore: [0]", "ignore: [0]\n      axes_taken_as: LPS")
    # The lower index is the patient's right in this file: the left kidney lies on the right.
    assert [out.reason for out in converted(plain, tmp_path)] == ["sides_swapped"]
    found = converted(parse_manifest(taken, "toy_sequences").manifest, tmp_path)
    assert {out.view for out in found} == {"short-axis", "coronal"}


def test_axes_of_images_and_labels_are_taken_alike() -> None:
    with pytest.raises(ManifestError, match="must be the same for images and annotations"):
        manifest("axes_taken_as: LPS")
