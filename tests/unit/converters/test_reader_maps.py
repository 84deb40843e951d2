"""Label maps of several readers: what enough of them agree on, and nothing else."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pydantic import ValidationError

from converters.annotations import reader_maps
from converters.annotations.contract import Block, ImageName
from converters.annotations.reader_maps import agreed
from converters.annotations.structures import Marked, VolumeQuestion, cut_structure
from converters.errors import CaseError
from converters.files import Root
from converters.imaging.planes import to_canonical
from converters.imaging.volumes import Volume
from converters.records import Entry
from converters.specs.readers import ReaderMaps

SHAPE = (6, 5, 4)
AFFINE = np.diag([2.0, 2.0, 3.0, 1.0])
GRID = to_canonical(Volume(values=np.zeros(SHAPE, np.uint8), affine=AFFINE), "image").grid
SPEC = ReaderMaps(
    kind="reader_maps",
    completeness="partial",
    files="{case}/reader{reader}.nii",
    labels={1: "liver", 2: "spleen"},
    ignore=[0],
    reader="reader",
    readers=3,
    at_least=2,
)


def read(folder: Path, readings: np.ndarray) -> Marked:
    """What these readers say."""
    root = Root(source="toy", folder=folder)
    files = []
    for number, values in enumerate(readings):
        files.append(f"reader{number}.nii")
        nib.save(nib.Nifti1Image(values, AFFINE), folder / files[-1])
    entry = Entry(files=tuple(files))
    question = VolumeQuestion(root=root, path="a.nii", fields={}, entry=entry, grid=GRID)
    return reader_maps.read_structures(SPEC, question)


@given(masks=hnp.arrays(bool, (3, *SHAPE)), at_least=st.integers(1, 3))
def test_a_voxel_counts_where_enough_agree(masks: np.ndarray, at_least: int) -> None:
    found = agreed([cut_structure(mask, "liver", "1") for mask in masks], at_least)
    whole = np.zeros(SHAPE, bool)
    where = tuple(slice(at, at + n) for at, n in zip(found.corner, found.mask.shape, strict=True))
    whole[where] = found.mask
    np.testing.assert_array_equal(whole, masks.sum(axis=0) >= at_least)


def test_no_voxel_has_two_labels(tmp_path: Path) -> None:
    readings = np.random.default_rng(1).integers(0, 3, (3, *SHAPE)).astype(np.uint8)
    marked = read(tmp_path, readings)
    both = sum(one.voxels for one in marked.structures)
    wanted = sum(int(((readings == code).sum(axis=0) >= 2).sum()) for code in (1, 2))
    assert both == wanted <= np.prod(SHAPE)


def test_the_rule_is_on_record(tmp_path: Path) -> None:
    marked = read(tmp_path, np.ones((3, *SHAPE), np.uint8))
    assert marked.transforms[-1] == {"step": "consensus", "readers": 3, "at_least": 2}


def test_an_unknown_code_of_one_reader_is_refused(tmp_path: Path) -> None:
    readings = np.ones((3, *SHAPE), np.uint8)
    readings[2, 0, 0, 0] = 9
    with pytest.raises(CaseError, match=r"reader2.nii: codes not in the label map"):
        read(tmp_path, readings)


@pytest.mark.parametrize(("present", "reason"), [((1, 2, 3), None), ((1, 3), "annotation_missing")])
def test_an_image_that_too_few_have_read_is_a_fault(
    tmp_path: Path, present: tuple[int, ...], reason: str | None
) -> None:
    (tmp_path / "a").mkdir()
    for number in present:
        (tmp_path / f"a/reader{number}.nii").write_bytes(b"x")
    root = Root(source="toy", folder=tmp_path)
    images = (ImageName(path="a/image.nii", fields={"case": "a"}),)
    block = Block(source="toy", root=root, listing=root.listing(), images=images)
    fault = reader_maps.index(SPEC, block).faults.get("a/image.nii")
    assert (fault.reason if fault else None) == reason


@pytest.mark.parametrize(
    "change",
    [
        {"at_least": 4},
        {"readers": 4, "at_least": 2},
        {"completeness": "complete"},
        {"reader": "nobody"},
    ],
)
def test_rules_that_cannot_hold_are_no_manifest(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ReaderMaps.model_validate({**SPEC.model_dump(), **change})
