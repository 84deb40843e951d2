"""Real volumes: counts, sides and sizes, taken anew from the raw files with nibabel alone."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from converters.files import Root, locate_root
from converters.manifest import load_manifest
from converters.records import Case, Outcome, Rejection, Sample
from converters.select import converter_for
from converters.vocabulary import wholes_of

HIPPOCAMPUS = "msd_task04_hippocampus/Task04_Hippocampus"
AXIS = {"sagittal": 0, "coronal": 1, "axial": 2}


def build(name: str, folder: Path) -> list[tuple[Root, Case, Outcome]]:
    """Everything that comes out of a source."""
    manifest = load_manifest(name).manifest
    root, _ = locate_root(manifest, folder)
    converter = converter_for(manifest)
    cases = converter.cases(root)
    return [(root, case, out) for case in cases for out in converter.convert(root, case)]


def samples(name: str, folder: Path) -> list[Sample]:
    """The samples of a source."""
    return [out for _, _, out in build(name, folder) if isinstance(out, Sample)]


def raw(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Values and affine of a file."""
    image = nib.load(path)
    return np.asarray(image.dataobj), image.affine


def voxel_ml(affine: np.ndarray) -> float:
    """Volume of a voxel in millilitres."""
    return float(abs(np.linalg.det(affine[:3, :3]))) / 1000


def reaches_the_rim(mask: np.ndarray) -> bool:
    """Whether a mask has a voxel on the outside of its volume."""
    return any(mask.take(end, axis=axis).any() for axis in range(3) for end in (0, -1))


@pytest.fixture(scope="module")
def hippocampus(real_data: Path) -> list[Sample]:
    """Samples of the hippocampus volumes."""
    return samples("msd_task04_hippocampus", real_data / "msd_task04_hippocampus")


@pytest.fixture(scope="module")
def colin(real_data: Path) -> list[Sample]:
    """Samples of the atlas."""
    return samples("colin27_aal", real_data / "colin27_aal")


@pytest.fixture(scope="module")
def torso(real_data: Path) -> list[Sample]:
    """Samples of the CT with 117 structures."""
    return samples("totalsegmentator_v2", real_data / "totalsegmentator_v2")


@pytest.fixture(scope="module")
def structures(real_data: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Mask and affine of each structure file."""
    folder = real_data / "totalsegmentator_v2/s0000/segmentations"
    return {path.name.removesuffix(".nii.gz"): raw(path) for path in folder.glob("*.nii.gz")}


def slice_counts(sample: Sample, codes: np.ndarray) -> Iterator[tuple[str, int]]:
    """Code and number of voxels in the slice of a volume stored as RAS."""
    cut = codes.take(sample.source_index, axis=AXIS[sample.view])
    values, counts = np.unique(cut, return_counts=True)
    return zip((str(int(v)) for v in values), counts.tolist(), strict=True)


def test_every_hippocampus_volume_gives_samples(hippocampus: list[Sample]) -> None:
    assert len({sample.case_key for sample in hippocampus}) == 40


def test_no_hippocampus_case_is_rejected(real_data: Path) -> None:
    found = build("msd_task04_hippocampus", real_data / "msd_task04_hippocampus")
    assert [out for _, _, out in found if isinstance(out, Rejection)] == []


def test_both_parts_of_every_hippocampus_are_shown_with_their_volume(
    hippocampus: list[Sample], real_data: Path
) -> None:
    seen: dict[tuple[str, str], set[float | None]] = {}
    for sample in hippocampus:
        for finding in sample.findings:
            seen.setdefault((sample.case_key, finding.code), set()).add(finding.volume_ml)
    assert len(seen) == 80
    for (key, code), volumes in seen.items():
        name = Path(key).name
        codes, affine = raw(real_data / HIPPOCAMPUS / "labelsTr" / name)
        mask = codes == int(code)
        wanted = None if reaches_the_rim(mask) else np.count_nonzero(mask) * voxel_ml(affine)
        assert volumes == {wanted} or list(volumes) == pytest.approx([wanted])


def test_hippocampus_areas_are_those_of_the_voxels(
    hippocampus: list[Sample], real_data: Path
) -> None:
    for sample in hippocampus:
        codes, _ = raw(real_data / HIPPOCAMPUS / "labelsTr" / Path(sample.case_key).name)
        wanted = dict(slice_counts(sample, codes))
        for finding in sample.findings:
            assert finding.area_mm2 == pytest.approx(wanted[finding.code])  # voxels of 1 mm


def test_the_side_of_a_hippocampus_is_never_said(hippocampus: list[Sample]) -> None:
    assert {f.side for sample in hippocampus for f in sample.findings} == {None}


def test_the_anterior_part_lies_in_front(hippocampus: list[Sample]) -> None:
    for sample in hippocampus:
        boxes = {f.label: f.box for f in sample.findings}
        if len(boxes) == 2 and sample.view != "coronal":
            front, back = boxes["anterior hippocampus"], boxes["posterior hippocampus"]
            if sample.view == "sagittal":  # the front is on the left
                assert front.x_min < back.x_min
            else:  # the front is at the top
                assert front.y_min < back.y_min


def test_a_label_without_its_image_is_a_rejection(real_data: Path, tmp_path: Path) -> None:
    broken = next((real_data / "broken").glob("hippocampus_label_without_image"))
    target = tmp_path / "Task04_Hippocampus"
    good = real_data / HIPPOCAMPUS
    for folder in ("imagesTr", "labelsTr"):
        (target / folder).mkdir(parents=True)
        name = "hippocampus_001.nii.gz"
        (target / folder / name).write_bytes((good / folder / name).read_bytes())
    (target / "dataset.json").write_bytes((good / "dataset.json").read_bytes())
    orphans = sorted(broken.rglob("*.nii.gz"))
    for path in orphans:
        (target / "labelsTr" / path.name).write_bytes(path.read_bytes())
    found = build("msd_task04_hippocampus", tmp_path)
    lost = {c.key for _, c, out in found if isinstance(out, Rejection) and c.fault}
    assert {f"Task04_Hippocampus/labelsTr/{path.name}" for path in orphans} <= lost


def test_regions_named_left_lie_left_of_their_twins(real_data: Path) -> None:
    codes, affine = raw(real_data / "colin27_aal/aal.nii.gz")
    labels = load_manifest("colin27_aal").manifest.layout.annotations[0].names
    for code, name in labels.items():
        if name.endswith(("_L", "_R")):
            x = (affine @ [*np.argwhere(codes == code).mean(axis=0), 1])[0]
            assert (x < 0) == name.endswith("_L"), name


def test_every_region_of_the_atlas_is_shown(colin: list[Sample]) -> None:
    assert len({f.code for sample in colin for f in sample.findings}) == 116


def test_regions_of_each_slice_are_those_of_the_atlas(colin: list[Sample], real_data: Path) -> None:
    codes, _ = raw(real_data / "colin27_aal/aal.nii.gz")
    block = load_manifest("colin27_aal").manifest.layout.annotations[0]
    terms, unsure = block.labels, {*block.absence_unknown}
    for sample in colin:
        wanted = {code: n for code, n in slice_counts(sample, codes) if code != "0"}
        large = {code: n for code, n in wanted.items() if n >= 24}
        assert {f.code: f.area_mm2 for f in sample.findings} == pytest.approx(large)
        present = {terms[int(code)] for code in wanted}
        present |= {whole for name in present for whole in wholes_of(name)}
        assert set(sample.absent) == set(terms.values()) - present - unsure


def test_left_regions_stand_on_the_right_of_the_picture(colin: list[Sample]) -> None:
    for sample in colin:
        for finding in sample.findings:
            if sample.view != "sagittal" and finding.side:
                centre = (finding.box.x_min + finding.box.x_max) / 2
                assert (centre > sample.width / 2) == (finding.side == "left"), finding.label


def test_empty_masks_are_absent_from_every_slice(
    torso: list[Sample], structures: dict[str, tuple[np.ndarray, np.ndarray]]
) -> None:
    block = load_manifest("totalsegmentator_v2").manifest.layout.annotations[0]
    labels, unsure = block.labels, {*block.absence_unknown}
    empty = {code for code, (mask, _) in structures.items() if not mask.any()}
    assert (len(structures), len(empty)) == (117, 77)
    for sample in torso:
        assert not {f.code for f in sample.findings} & empty
        assert {labels[code] for code in empty} - unsure <= set(sample.absent)
        assert not unsure & set(sample.absent)


def test_structures_of_each_slice_have_their_voxels(
    torso: list[Sample], structures: dict[str, tuple[np.ndarray, np.ndarray]]
) -> None:
    for sample in torso:
        for finding in sample.findings:
            mask, affine = structures[finding.code]
            cut = mask.take(sample.source_index, axis=AXIS[sample.view])
            assert finding.area_mm2 == pytest.approx(np.count_nonzero(cut) * 9.0)
            whole = None if reaches_the_rim(mask) else np.count_nonzero(mask) * voxel_ml(affine)
            assert finding.volume_ml == (None if whole is None else pytest.approx(whole))


def test_left_structures_lie_left_of_right_ones(
    structures: dict[str, tuple[np.ndarray, np.ndarray]],
) -> None:
    pairs = 0
    for code, (mask, affine) in structures.items():
        twin = structures.get(code.replace("left", "right"))
        if "left" in code and twin and mask.any() and twin[0].any():
            left, right = ((affine @ [*np.argwhere(m).mean(axis=0), 1])[0] for m in (mask, twin[0]))
            assert left < right, code
            pairs += 1
    assert pairs >= 5


def test_the_liver_is_on_the_left_of_the_picture(torso: list[Sample]) -> None:
    found = 0
    for sample in torso:
        boxes = {f.label: f.box for f in sample.findings}
        if sample.view != "sagittal" and {"liver", "spleen"} <= boxes.keys():
            assert boxes["liver"].x_min < boxes["spleen"].x_min
            found += 1
    assert found > 3


def test_the_template_of_the_demo_has_its_tissues() -> None:
    spec = find_spec("nilearn")
    if spec is None or spec.origin is None:
        pytest.skip("needs the package nilearn")
    folder = Path(spec.origin).parent / "datasets/data"
    found = samples("mni152_tissues", folder)
    maps = {
        t: raw(folder / f"mni_icbm152_{t}_tal_nlin_sym_09a_converted.nii.gz") for t in ("gm", "wm")
    }
    assert {sample.view for sample in found} == {"axial", "coronal", "sagittal"}
    assert len(found) >= 12
    for sample in found:
        for finding in sample.findings:
            cut = maps[finding.code][0].take(sample.source_index, axis=AXIS[sample.view])
            assert finding.area_mm2 == np.count_nonzero(cut >= 128)
