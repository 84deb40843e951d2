"""Frames of series in time that a table names: which are read, and what a wrong table leads to."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from converters.errors import ManifestError, SourceError
from converters.files import locate_root
from converters.manifest import Manifest, parse_manifest
from converters.records import Outcome, Rejection, Sample
from converters.select import converter_for
from tests.fakes.toy import toy_header

SHAPE = (30, 28, 12)
AFFINE = np.diag([-2.0, -2.0, 6.0, 1.0])
MANIFEST = (
    toy_header("toy_frames", "MR", "heart")
    + """\
layout:
  kind: volumes
  images: "{case}_sa.nii"
  subject: "{case}"
  split: {by: digest}
  grey: {map: percentiles, low: 0.5, high: 99.5}
  slices: {planes: [axial], per_finding: 1, per_volume: 2}
  volume: frame
  frames:
    table: {path: frames.csv}
    key: "{code}"
    match: "{case}"
    columns: {end diastole: ED, end systole: ES}
  annotations:
    - kind: label_map
      completeness: complete
      files: "{case}_gt.nii"
      volume: frame
      ignore: [0]
      labels: {1: liver}
expect: {cases: null, findings: null}
"""
)


def series() -> tuple[np.ndarray, np.ndarray]:
    """Four frames; a block is marked on frames 1 and 3, at slice 4 and at slice 7."""
    image = np.zeros((*SHAPE, 4), np.int16)
    image[4:26, 4:24] = 100 + np.arange(12, dtype=np.int16)[:, None]
    image += 10 * np.arange(4, dtype=np.int16)
    codes = np.zeros((*SHAPE, 4), np.uint8)
    codes[8:18, 8:18, 4, 1] = 1
    codes[8:20, 8:20, 7, 3] = 1
    image[codes > 0] += 60
    return image, codes


def build(folder: Path, table: str) -> list[Outcome]:
    """Everything that comes out of one case with that table."""
    image, codes = series()
    nib.save(nib.Nifti1Image(image, AFFINE), folder / "a_sa.nii")
    nib.save(nib.Nifti1Image(codes, AFFINE), folder / "a_gt.nii")
    (folder / "frames.csv").write_text(table)
    toy = manifest()
    root, _ = locate_root(toy, folder)
    converter = converter_for(toy)
    return [out for case in converter.cases(root) for out in converter.convert(root, case)]


def manifest(old: str = "", new: str = "") -> Manifest:
    """The toy's manifest, a part of its text replaced."""
    return parse_manifest(MANIFEST.replace(old, new), "toy_frames").manifest


def test_each_frame_is_shown_with_what_is_marked_on_it(tmp_path: Path) -> None:
    first, second = build(tmp_path, "code,ED,ES\na,1,3\n")
    assert isinstance(first, Sample)
    assert isinstance(second, Sample)
    assert (first.source_index, second.source_index) == (4, 7)
    assert [f.area_mm2 for f in (*first.findings, *second.findings)] == [400.0, 576.0]
    assert first.transforms[0] == {"step": "select_volume", "index": 1, "of": 4}
    assert second.transforms[0] == {"step": "select_volume", "index": 3, "of": 4}
    assert first.sample_id == "toy_frames/a_sa.nii#end-diastole-axial-004"


def test_a_frame_without_a_mark_is_a_rejection_and_the_other_stays(tmp_path: Path) -> None:
    rejection, sample = build(tmp_path, "code,ED,ES\na,0,3\n")
    assert isinstance(rejection, Rejection)
    assert (rejection.reason, rejection.sample_id) == (
        "annotation_empty", "toy_frames/a_sa.nii#end-diastole"
    )  # fmt: skip
    assert isinstance(sample, Sample)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ("code,ED,ES\nb,1,3\n", "annotation_missing"),
        ("code,ED,ES\na,1,3\na,1,2\n", "labels_contradict"),
        ("code,ED,ES\na,1,\n", "value_invalid"),
        ("code,ED,ES\na,1.0,3\n", "value_invalid"),
        ("code,ED,ES\na,-1,3\n", "value_invalid"),
        ("code,ED,ES\na,4,4\n", "shape_mismatch"),
    ],
)
def test_a_table_that_does_not_tell_the_frames_gives_a_reason(
    tmp_path: Path, table: str, reason: str
) -> None:
    assert {out.reason for out in build(tmp_path, table)} == {reason}


def test_a_table_without_a_column_stops_the_source(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no column 'ES'"):
        build(tmp_path, "code,ED\na,1\n")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  volume: frame\n  frames:", "  frames:"),
        ("  volume: frame\n  frames:", "  volume: 0\n  frames:"),
        ("  volume: frame\n  frames:", "  volume: frame\n  sequences: [T1, T2]\n  frames:"),
    ],
)
def test_frames_and_volume_belong_together(old: str, new: str) -> None:
    with pytest.raises(ManifestError):
        manifest(old, new)
