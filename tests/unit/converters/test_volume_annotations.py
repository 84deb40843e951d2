"""Label maps and structure files: codes, names, grids, and structures cut to their bounds."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pydantic import ValidationError

from converters.annotations import label_map, structure_files
from converters.annotations.contract import Block, ImageName
from converters.annotations.structures import (
    Marked,
    VolumeQuestion,
    cut_structure,
    merge_structures,
)
from converters.errors import CaseError, ManifestError, SourceError
from converters.files import Root
from converters.imaging.planes import AXIS, to_canonical
from converters.imaging.volumes import Volume
from converters.records import Entry
from converters.specs.annotations import LabelMap, StructureFiles

SHAPE = (8, 7, 6)
AFFINE = np.diag([2.0, 2.0, 3.0, 1.0])
GRID = to_canonical(Volume(values=np.zeros(SHAPE, np.uint8), affine=AFFINE), "image").grid
CODES = np.zeros(SHAPE, dtype=np.uint8)
CODES[1:4, 2:5, 1:3] = 1
CODES[5:7, 2:5, 3:5] = 2
MAP = LabelMap(
    kind="label_map",
    completeness="complete",
    files="labels/{case}.nii",
    labels={1: "liver", 2: "spleen", 7: "stomach"},
    ignore=[0],
    names={1: "Liver", 2: "Spleen", 7: "Stomach"},
    names_file="names.txt",
)
FILES = StructureFiles(
    kind="structure_files",
    completeness="complete",
    files="{case}/{structure}.nii",
    field="structure",
    labels={"liver": "liver", "spleen": "spleen"},
    ignore=["body"],
)


def write(folder: Path, name: str, values: np.ndarray, affine: np.ndarray = AFFINE) -> str:
    """Write a volume; its path relative to the folder."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(values, affine), folder / name)
    return name


def ask(folder: Path, *files: str) -> VolumeQuestion:
    """A question about the image that these files belong to."""
    root = Root(source="toy", folder=folder)
    return VolumeQuestion(root=root, path="a.nii", fields={}, entry=Entry(files=files), grid=GRID)


def block(folder: Path, *names: str) -> Block:
    """What ``index`` is given for images of these cases."""
    root = Root(source="toy", folder=folder)
    images = tuple(ImageName(path=f"images/{n}.nii", fields={"case": n}) for n in names)
    return Block(source="toy", root=root, listing=root.listing(), images=images)


def read_map(folder: Path, values: np.ndarray, affine: np.ndarray = AFFINE) -> Marked:
    """What a label map of these values says."""
    return label_map.read_structures(MAP, ask(folder, write(folder, "l.nii", values, affine)))


def read_files(folder: Path, spec: StructureFiles = FILES, **values: np.ndarray) -> Marked:
    """What structure files of these values say."""
    files = [write(folder, f"a/{name}.nii", mask) for name, mask in values.items()]
    return structure_files.read_structures(spec, ask(folder, *files))


def test_each_code_becomes_its_voxels(tmp_path: Path) -> None:
    found = {s.term: s.voxels for s in read_map(tmp_path, CODES).structures}
    assert found == {"liver": 18, "spleen": 12, "stomach": 0}


def test_structures_are_cut_to_their_bounds(tmp_path: Path) -> None:
    liver = read_map(tmp_path, CODES).structures[0]
    assert (liver.mask.shape, liver.corner) == ((3, 3, 2), (1, 2, 1))


def test_a_label_map_stored_another_way_says_the_same(tmp_path: Path) -> None:
    flipped = nib.as_closest_canonical(nib.Nifti1Image(CODES, AFFINE))
    orientation = np.array([[1, -1], [2, 1], [0, -1]], dtype=float)
    turned = flipped.as_reoriented(orientation)
    values, affine = np.asarray(turned.dataobj), turned.affine
    plain, other = read_map(tmp_path, CODES), read_map(tmp_path, values, affine)
    for one, two in zip(plain.structures, other.structures, strict=True):
        np.testing.assert_array_equal(one.mask, two.mask)
        assert one.corner == two.corner


def test_an_unknown_code_is_refused_with_its_count(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match=r"label_unknown.*9 \(2 voxels\)"):
        read_map(tmp_path, np.where(np.arange(8 * 7 * 6).reshape(SHAPE) < 2, 9, CODES))


@pytest.mark.parametrize("code", [-1, 1 << 21])
def test_codes_out_of_range_are_refused(tmp_path: Path, code: int) -> None:
    values = CODES.astype(np.int32)
    values[0, 0, 0] = code
    with pytest.raises(CaseError, match="label_unknown"):
        read_map(tmp_path, values)


def test_floats_near_codes_are_rounded_and_said(tmp_path: Path) -> None:
    marked = read_map(tmp_path, CODES.astype(np.float32) + np.float32(4e-4))
    assert [s.voxels for s in marked.structures] == [18, 12, 0]
    assert marked.transforms[0]["step"] == "round_codes"


def test_a_float_just_below_its_code_is_the_code(tmp_path: Path) -> None:
    marked = read_map(tmp_path, CODES * np.float64(0.99999997))
    assert [s.voxels for s in marked.structures] == [18, 12, 0]
    assert marked.transforms[0]["largest_change"] == pytest.approx(6e-8, rel=0.1)


@pytest.mark.parametrize("kind", ["u2", ">u2", "i4", "u4", "i8", "u8", "f4", "f8"])
def test_codes_up_to_65535_are_read_in_every_type(tmp_path: Path, kind: str) -> None:
    spec = MAP.model_copy(update={"labels": {1: "liver", 65535: "spleen"}})
    values = np.where(CODES == 2, 65535, CODES.astype(np.int64)).astype(kind)
    image = nib.Nifti1Image(values, AFFINE, dtype=kind)
    (tmp_path / "l.nii").write_bytes(image.to_bytes())
    marked = label_map.read_structures(spec, ask(tmp_path, "l.nii"))
    assert [(s.code, s.voxels) for s in marked.structures] == [("1", 18), ("65535", 12)]


def test_codes_that_are_scaled_in_the_file_are_read(tmp_path: Path) -> None:
    data = bytearray(nib.Nifti1Image((CODES * 3).astype(np.int16), AFFINE).to_bytes())
    data[112:120] = np.array([1 / 3, 0], "<f4").tobytes()
    (tmp_path / "l.nii").write_bytes(data)
    marked = label_map.read_structures(MAP, ask(tmp_path, "l.nii"))
    assert [s.voxels for s in marked.structures] == [18, 12, 0]


@pytest.mark.parametrize("stray", [1.5, np.nan, np.inf, 1e30])
def test_floats_between_codes_are_refused(tmp_path: Path, stray: float) -> None:
    values = CODES.astype(np.float32)
    values[0, 0, 0] = stray
    with pytest.raises(CaseError, match="label_unknown"):
        read_map(tmp_path, values)


def test_another_shape_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="shape_mismatch"):
        read_map(tmp_path, CODES[:-1])


def test_another_place_is_refused(tmp_path: Path) -> None:
    moved = AFFINE.copy()
    moved[0, 3] = 0.5
    with pytest.raises(CaseError, match="geometry_invalid"):
        read_map(tmp_path, CODES, moved)


def test_a_mirrored_affine_is_another_place(tmp_path: Path) -> None:
    mirrored = np.diag([-2.0, 2.0, 3.0, 1.0])
    with pytest.raises(CaseError, match="geometry_invalid"):
        read_map(tmp_path, CODES, mirrored)


def test_names_that_differ_stop_the_source(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("1 Liver 11\n2 Kidney 12\n7 Stomach 13\n")
    with pytest.raises(SourceError, match="code 2 is 'Kidney', in the manifest 'Spleen'"):
        label_map.index(MAP, block(tmp_path, "a"))


def test_a_missing_file_of_names_stops_the_source(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"0 files match 'names\.txt'"):
        label_map.index(MAP, block(tmp_path, "a"))


@pytest.mark.parametrize("content", ["one Liver\n", "1\n", "\xff\n"])
def test_unreadable_names_stop_the_source(tmp_path: Path, content: str) -> None:
    (tmp_path / "names.txt").write_bytes(content.encode("latin-1"))
    with pytest.raises(SourceError, match=r"names\.txt"):
        label_map.index(MAP, block(tmp_path, "a"))


def test_a_label_map_without_image_is_an_orphan(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("1 Liver\n2 Spleen\n7 Stomach\n\n")
    write(tmp_path, "labels/b.nii", CODES)
    index = label_map.index(MAP, block(tmp_path, "a"))
    assert index.orphans == (("labels/b.nii", "no image belongs to labels/b.nii"),)


def test_an_empty_mask_is_a_structure_without_voxels(tmp_path: Path) -> None:
    marked = read_files(tmp_path, liver=(CODES == 1) * 1.0, spleen=np.zeros(SHAPE))
    assert [(s.term, s.voxels) for s in marked.structures] == [("liver", 18), ("spleen", 0)]


def test_a_structure_without_file_is_not_spoken_of(tmp_path: Path) -> None:
    marked = read_files(tmp_path, liver=(CODES == 1).astype(np.uint8))
    assert [s.term for s in marked.structures] == ["liver"]


@pytest.mark.parametrize("value", [2, 0.5, 255, np.nan])
def test_a_mask_that_is_not_binary_is_refused(tmp_path: Path, value: float) -> None:
    values = (CODES == 1).astype(np.float32)
    values[0, 0, 0] = value
    with pytest.raises(CaseError, match="label_unknown"):
        read_files(tmp_path, liver=values)


def test_a_threshold_takes_what_is_above_it(tmp_path: Path) -> None:
    spec = FILES.model_copy(update={"threshold": 127.5})
    values = np.where(CODES == 1, 128, np.where(CODES == 2, 127, 0)).astype(np.uint8)
    marked = read_files(tmp_path, spec, liver=values)
    assert marked.structures[0].voxels == 18
    assert marked.transforms[0]["above"] == 127.5


def test_a_structure_that_is_not_known_stops_the_source(tmp_path: Path) -> None:
    write(tmp_path, "a/pancreas.nii", CODES)
    with pytest.raises(SourceError, match="'pancreas' is not in the label map"):
        structure_files.index(FILES, block(tmp_path, "a"))


def test_an_ignored_structure_is_not_read(tmp_path: Path) -> None:
    write(tmp_path, "a/body.nii", CODES)
    write(tmp_path, "a/liver.nii", CODES)
    entries = structure_files.index(FILES, block(tmp_path, "a")).entries
    assert entries["images/a.nii"].files == ("a/liver.nii",)


def test_files_that_fit_every_image_stop_the_source(tmp_path: Path) -> None:
    spec = FILES.model_copy(update={"files": "{structure}.nii"})
    with pytest.raises(ManifestError, match="shares no placeholder"):
        structure_files.index(spec, block(tmp_path, "a", "b"))


MASKS = hnp.arrays(np.bool_, (5, 4, 3))


@given(mask=MASKS)
def test_cut_and_paste_give_the_mask_back(mask: np.ndarray) -> None:
    structure = cut_structure(mask, "liver", "1")
    for plane, axis in AXIS.items():
        for index in range(mask.shape[axis]):
            slab = structure.paste(plane, index, mask.shape)
            whole = mask.take([index], axis=axis)
            np.testing.assert_array_equal(
                whole if slab is None else slab, whole & (slab is not None)
            )


@given(mask=MASKS, plane=st.sampled_from(["axial", "coronal", "sagittal"]))
def test_counts_sum_up_to_the_voxels(mask: np.ndarray, plane: str) -> None:
    structure = cut_structure(mask, "liver", "1")
    assert structure.counts(plane).sum() == structure.voxels == np.count_nonzero(mask)


@given(one=MASKS, two=MASKS)
def test_codes_of_one_term_are_merged(one: np.ndarray, two: np.ndarray) -> None:
    parts = [cut_structure(one, "liver", "1"), cut_structure(two, "liver", "2")]
    (merged,) = merge_structures(parts)
    assert merged.voxels == np.count_nonzero(one | two)
    assert merged.code == "1, 2"


def test_a_structure_on_the_rim_is_not_whole() -> None:
    inner, rim = np.zeros((2, *SHAPE), dtype=bool)
    inner[1:3, 1:3, 1:3] = True
    rim[1:3, 1:3, 4:6] = True
    assert cut_structure(inner, "liver", "1").is_whole(SHAPE)
    assert not cut_structure(rim, "liver", "1").is_whole(SHAPE)


def test_a_code_within_another_label_counts_for_both(tmp_path: Path) -> None:
    spec = MAP.model_copy(update={"within": {2: "liver"}})
    found = label_map.read_structures(spec, ask(tmp_path, write(tmp_path, "l.nii", CODES)))
    voxels = {s.term: s.voxels for s in found.structures}
    assert voxels == {"liver": 18 + 12, "spleen": 12, "stomach": 0}


@pytest.mark.parametrize("within", [{9: "liver"}, {2: "colon"}])
def test_a_code_lies_within_what_is_labeled(within: dict[int, str]) -> None:
    with pytest.raises(ValidationError, match="within"):
        LabelMap.model_validate({**MAP.model_dump(), "within": within})
