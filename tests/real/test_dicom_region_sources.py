"""Real scans and their segmentations through a whole source: joined by UID, drawn, described."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - as it calls itself

from converters.files import locate_root
from converters.manifest import parse_manifest
from converters.records import Rejection, Sample
from converters.select import converter_for

MANIFEST = """
name: real_regions
title: Toy
summary: Real scans with segmentation objects.
year: null
homepage: https://example.org
citation: null
license: BSD-3-Clause
terms: null
access: open
obtain: A test has it.
modality: CT
anatomy: [abdomen]
department: not assigned
tasks: [segmentation]
evidence: {level: real, references: [a test]}
gotchas: []
overlaps: []
benchmarks: []
layout:
  kind: series
  images: "{series}/**/*.dcm"
  subject: "{series_uid}"
  split: {by: digest}
  choices: [{min_slices: 3}]
  if_several: all
  grey: {window: liver}
  slices: {planes: [axial], per_finding: 3, per_volume: 3}
  annotations:
    - kind: dicom_seg
      completeness: complete
      files: "FILES"
      labels: {liver: liver}
expect: {cases: null, findings: null}
"""


def outcomes(folder: Path, files: str) -> list[Sample | Rejection]:
    manifest = parse_manifest(MANIFEST.replace("FILES", files), "real_regions").manifest
    root, _ = locate_root(manifest, folder)
    converter = converter_for(manifest)
    return [out for case in converter.cases(root) for out in converter.convert(root, case)]


def test_a_picture_of_a_real_scan_shows_what_its_nrrd_twin_marks(real_data: Path) -> None:
    folder = real_data / "dicom_seg" / "segmentations"
    marks = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "liver_seg.nrrd"))) == 1
    samples = [out for out in outcomes(folder, "liver.dcm") if isinstance(out, Sample)]
    assert samples
    for sample in samples:
        level = int(sample.sample_id.rpartition("-")[2])  # both count from the feet
        (liver,) = sample.findings
        assert liver.area_px == marks[level].sum()
        assert liver.area_mm2 == pytest.approx(marks[level].sum() * 0.810547**2)
        assert vars_of(sample) == bounds(marks[level])
        assert sample.annotation_files == ("liver.dcm",)


def vars_of(sample: Sample) -> tuple[float, float, float, float]:
    box = sample.findings[0].box
    assert box is not None
    return (box.x_min, box.y_min, box.x_max, box.y_max)


def bounds(mask: np.ndarray) -> tuple[float, float, float, float]:
    """Bounds in the picture: columns run to the patient's left, rows to the back, as stored."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))


def test_a_series_without_a_segmentation_is_rejected_and_says_so(real_data: Path) -> None:
    found = outcomes(real_data / "dicom_seg" / "segmentations", "liver.dcm")
    reasons = {out.reason for out in found if isinstance(out, Rejection)}
    assert reasons == {"annotation_missing"}
