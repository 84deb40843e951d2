"""Whatever the file format: the same pictures, the same facts, and every file is known."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
import pytest
import scipy.io
import SimpleITK as sitk  # noqa: N813 - its own name for itself

from converters.files import locate_root
from converters.manifest import Manifest, parse_manifest
from converters.records import Sample
from converters.select import converter_for
from tests.fakes.toy import toy_header

SHAPE = (40, 36, 30)
SPACING = (2.0, 2.0, 3.0)
CODES = np.zeros(SHAPE, np.uint8)
CODES[5:20, 8:24, 6:20] = 1
CODES[24:35, 10:20, 12:26] = 2
IMAGE = (100 + 60 * CODES + np.arange(30) + 2 * np.arange(36)[:, None]).astype(np.int16)
IMAGE[:, :3] = 0
PLACED = "axes: LPS, spacing_mm: [2.0, 2.0, 3.0]"
NAMED = f"stored: {{form: variable, variable: values, {PLACED}}}"
RAW = "stored: {form: raw, dtype: DTYPE, byte_order: little, shape: [40, 36, 30], " + PLACED + "}"
MANIFEST = (
    toy_header("toy_stored", "MR", "abdomen")
    + """\
layout:
  kind: volumes
  images: "images/{case}.ENDING"
  subject: "{case}"
  split: {by: digest}
  grey: {map: percentiles, low: 0.5, high: 99.5}
  slices: {planes: [axial, sagittal], per_finding: 1, per_volume: 4}
  IMAGE_STORED
  annotations:
    - kind: label_map
      completeness: complete
      files: "labels/{case}.ENDING"
      ignore: [0]
      labels: {1: liver, 2: left kidney}
      LABEL_STORED
expect: {cases: null, findings: null}
"""
)


def write_nifti(path: Path, values: np.ndarray) -> None:
    """To the left, to the back, to the head, from the place 0."""
    nib.save(nib.Nifti1Image(values, np.diag([-2.0, -2.0, 3.0, 1.0])), path)


def write_itk(path: Path, values: np.ndarray) -> None:
    """The same volume, in the frame of DICOM."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(values.transpose(2, 1, 0)))
    image.SetSpacing(SPACING)
    sitk.WriteImage(image, str(path))


def write_hdf5(path: Path, values: np.ndarray) -> None:
    """The same array without a place."""
    with h5py.File(path, "w") as file:
        file["values"] = values


KINDS: dict[str, tuple[str, Callable[[Path, np.ndarray], object]]] = {
    "nii": ("", write_nifti),
    "nhdr": ("", write_itk),
    "nrrd": ("", write_itk),
    "mhd": ("", write_itk),
    "npy": (NAMED.replace("variable: values", "variable: null"), np.save),
    "npz": (NAMED, lambda path, values: np.savez(path, values=values)),
    "h5": (NAMED, write_hdf5),
    "mat": (NAMED, lambda path, values: scipy.io.savemat(path, {"values": values})),
    "raw": (RAW, lambda path, values: path.write_bytes(values.tobytes(order="F"))),
}


def build(folder: Path, ending: str) -> Manifest:
    """A source of one case in files of that kind."""
    stored, write = KINDS[ending]
    for part, values in (("images", IMAGE), ("labels", CODES)):
        (folder / part).mkdir(parents=True)
        write(folder / part / f"a.{ending}", values)
    text = MANIFEST.replace("ENDING", ending)
    text = text.replace("IMAGE_STORED", stored.replace("DTYPE", "int16") or "sequence: ''")
    text = text.replace("LABEL_STORED", stored.replace("DTYPE", "uint8") or "if_missing: reject")
    return parse_manifest(text, "toy_stored").manifest


def samples(folder: Path, ending: str) -> list[Sample]:
    """Everything that comes out, all of it good, without the names of files."""
    toy = build(folder, ending)
    root, _ = locate_root(toy, folder)
    converter = converter_for(toy)
    found = [out for case in converter.cases(root) for out in converter.convert(root, case)]
    assert all(isinstance(out, Sample) for out in found), found
    names = {"sample_id": "", "case_key": "", "source_path": "", "annotation_path": ""}
    return [replace(out, **names, annotation_files=()) for out in found]


@pytest.mark.parametrize("ending", sorted(KINDS))
def test_every_format_gives_the_same_samples(tmp_path: Path, ending: str) -> None:
    assert samples(tmp_path / "one", ending) == samples(tmp_path / "other", "nii")


@pytest.mark.parametrize(("ending", "beside"), [("nhdr", "raw"), ("mhd", "raw")])
def test_voxels_beside_a_header_belong_to_the_case(
    tmp_path: Path, ending: str, beside: str
) -> None:
    toy = build(tmp_path, ending)
    root, _ = locate_root(toy, tmp_path)
    (case,) = converter_for(toy).cases(root)
    found = {path for path in case.files if path.rpartition(".")[2].startswith(beside)}
    assert found == {f"images/a.{beside}", f"labels/a.{beside}"}
