"""Pictures of volumes: windows, budgets, slices without findings, and volumes that are refused."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from converters.errors import ManifestError
from converters.files import locate_root
from converters.imaging.slices import Extent, choose_normal, choose_slices
from converters.manifest import Manifest, parse_manifest
from converters.records import Outcome, Rejection, Sample
from converters.select import converter_for
from tests.fakes.toy import toy_header

MANIFEST = (
    toy_header("toy_chest", "CT", "chest")
    + """\
layout:
  kind: volumes
  images: "images/{case}.nii"
  subject: "{case}"
  split: {by: digest}
  grey: GREY
  hu: check
  slices: {planes: [axial, coronal], per_finding: 2, per_volume: 4, normal_slices: NORMAL}
  annotations:
    - kind: label_map
      completeness: COMPLETENESS
      files: "labels/{case}.nii"
      ignore: [0]
      labels: {1: lung nodule, 2: liver}
expect: {cases: null, findings: null}
"""
)
SHAPE = (48, 44, 40)


def manifest(
    grey: str = "{window: lung}", normal: int = 0, completeness: str = "complete"
) -> Manifest:
    """The toy's manifest."""
    text = MANIFEST.replace("GREY", grey).replace("NORMAL", str(normal))
    return parse_manifest(text.replace("COMPLETENESS", completeness), "toy_chest").manifest


def chest() -> tuple[np.ndarray, np.ndarray]:
    """A body of soft tissue in air, two lungs with grain, and a nodule in one of them."""
    at = np.indices(SHAPE) - np.reshape([23.5, 21.5, 19.5], (3, 1, 1, 1))
    noise = np.random.default_rng(5).normal(0, 20, SHAPE)
    values = np.full(SHAPE, -1000.0)
    body = (at[0] / 22) ** 2 + (at[1] / 18) ** 2 < 1
    values[body] = 40 + 3 * at[2][body]
    for x in (-10, 10):
        values[
            ((at[0] - x - at[2] / 6) / 8) ** 2 + (at[1] / 12) ** 2 + (at[2] / 17) ** 2 < 1
        ] = -820
    values[body] += noise[body] + 30 * np.sin(at[2][body] + at[0][body] / 3)
    codes = np.zeros(SHAPE, np.uint8)
    for k in range(8, 30):  # it grows towards the head
        codes[10 : 12 + k // 4, 18 : 20 + k // 4, k] = 1
    values[codes == 1] = 30
    return np.rint(values).astype(np.int16), codes


IMAGE, CODES = chest()


def convert(folder: Path, toy: Manifest, image: np.ndarray, codes: np.ndarray) -> list[Outcome]:
    """Everything that comes out of one volume."""
    for name, values in (("images", image), ("labels", codes)):
        (folder / name).mkdir(parents=True)
        nib.save(nib.Nifti1Image(values, np.diag([2.0, 2.0, 2.5, 1.0])), folder / name / "a.nii")
    root, _ = locate_root(toy, folder)
    converter = converter_for(toy)
    return [out for case in converter.cases(root) for out in converter.convert(root, case)]


def samples(folder: Path, toy: Manifest, codes: np.ndarray = CODES) -> list[Sample]:
    """The samples of the chest, all of them good."""
    found = convert(folder, toy, IMAGE, codes)
    assert all(isinstance(out, Sample) for out in found), found
    return [out for out in found if isinstance(out, Sample)]


def step(sample: Sample, name: str) -> dict:
    """One step of how a picture was made."""
    (found,) = (one for one in sample.transforms if one["step"] == name)
    return dict(found)


def test_a_named_window_stands_in_the_transforms(tmp_path: Path) -> None:
    for sample in samples(tmp_path, manifest()):
        wanted = {"step": "window", "center_hu": -600.0, "width_hu": 1500.0, "name": "lung"}
        assert step(sample, "window") == wanted


def test_several_windows_are_samples_of_their_own_with_the_same_findings(tmp_path: Path) -> None:
    one = samples(tmp_path / "one", manifest("{window: lung}"))
    two = samples(tmp_path / "two", manifest("{windows: [lung, mediastinum]}"))
    lung = [s for s in two if s.sample_id.endswith("-lung")]
    mediastinum = [s for s in two if s.sample_id.endswith("-mediastinum")]
    assert len(lung) == len(mediastinum) == len(one) == len(two) / 2
    assert [s.image for s in lung] == [s.image for s in one]
    assert [s.findings for s in lung] == [s.findings for s in mediastinum]
    assert all(a.image != b.image for a, b in zip(lung, mediastinum, strict=True))
    assert {step(s, "window")["name"] for s in mediastinum} == {"mediastinum"}
    assert len({s.sample_id for s in two}) == len(two)


def test_a_blank_picture_of_one_window_is_rejected_alone(tmp_path: Path) -> None:
    dark = np.where(CODES == 1, -300, np.minimum(IMAGE, -100)).astype(np.int16)
    dark[:, :, :10] = IMAGE[:, :, :10]  # soft tissue in some slices
    toy = manifest("{windows: [lung, brain]}")
    found = convert(tmp_path, toy, dark, CODES)
    lost = [out for out in found if isinstance(out, Rejection)]
    assert {(out.reason, out.sample_id.rsplit("-", 1)[1]) for out in lost} == {
        ("image_blank", "brain")
    }
    assert any(isinstance(out, Sample) for out in found)


def test_why_a_slice_was_chosen_is_on_record(tmp_path: Path) -> None:
    found = [step(s, "slice") for s in samples(tmp_path, manifest(normal=2))]
    assert {(one["reason"], *one["for"]) for one in found} == {
        ("largest area", "lung nodule"),
        ("spread over the extent", "lung nodule"),
        ("no finding",),
    }


def test_normal_slices_show_the_body_and_say_what_is_absent(tmp_path: Path) -> None:
    found = samples(tmp_path, manifest(normal=4))
    normal = [s for s in found if not s.findings]
    assert len(normal) == 4
    for sample in normal:
        assert sample.absent == ("liver", "lung nodule")
        axis = {"coronal": 1, "axial": 2}[sample.view]
        index = step(sample, "slice")["index"]
        assert not CODES.take(index, axis=axis).any()
        assert (IMAGE.take(index, axis=axis) > -200).mean() > 0.2


def test_without_being_asked_for_no_slice_is_without_a_finding(tmp_path: Path) -> None:
    assert all(s.findings for s in samples(tmp_path, manifest()))


def test_a_volume_without_any_finding_has_normal_slices_only(tmp_path: Path) -> None:
    found = samples(tmp_path, manifest(normal=3), np.zeros_like(CODES))
    assert [s.findings for s in found] == [(), (), ()]


@pytest.mark.parametrize("completeness", ["partial", "presence"])
def test_normal_slices_need_complete_labels(completeness: str) -> None:
    with pytest.raises(ManifestError, match="normal_slices need complete labels"):
        manifest(normal=1, completeness=completeness)


def test_a_ct_that_is_no_ct_is_one_rejection(tmp_path: Path) -> None:
    (found,) = convert(tmp_path, manifest(), IMAGE + 1024, CODES)
    assert isinstance(found, Rejection)
    assert found.reason == "hu_implausible"
    assert "1024 too high" in found.message


def test_slices_that_look_the_same_are_taken_once() -> None:
    extents = [Extent(label="x", plane="axial", start=0, areas=np.full(30, 50.0))]
    asked = {"per_finding": 6, "per_volume": 8, "min_area_px": 8}
    plain = choose_slices(extents, **asked)
    hashes = (0, 0xFFFF, 0xFFFF0000)
    found = choose_slices(extents, **asked, looks=lambda _plane, index: hashes[index // 10])
    assert len(plain) == 6
    assert sorted(choice.index // 10 for choice in found) == [0, 1, 2]


def test_a_slice_that_shows_something_new_is_taken_whatever_it_looks_like() -> None:
    extents = [
        Extent(label=name, plane="axial", start=start, areas=np.full(3, 50.0))
        for name, start in (("x", 0), ("y", 10))
    ]
    asked = {"per_finding": 3, "per_volume": 8, "min_area_px": 8}
    found = choose_slices(extents, **asked, looks=lambda _plane, _index: 7)
    assert [choice.index for choice in found] == [1, 11]


def test_each_object_of_a_label_is_shown_whatever_it_looks_like() -> None:
    extents = [
        Extent(label="x", plane="axial", start=start, areas=np.full(3, 50.0), number=number)
        for number, start in enumerate((0, 10))
    ]
    asked = {"per_finding": 1, "per_volume": 8, "min_area_px": 8}
    found = choose_slices(extents, **asked, looks=lambda _plane, _index: 7)
    assert [choice.index for choice in found] == [1, 11]


def test_a_place_in_the_budget_goes_to_another_slice() -> None:
    extents = [
        Extent(label="x", plane="axial", start=0, areas=np.full(30, 50.0)),
        Extent(label="x", plane="coronal", start=0, areas=np.full(30, 40.0)),
    ]
    asked = {"per_finding": 5, "per_volume": 4, "min_area_px": 8}

    def looks(plane: str, index: int) -> int:
        return 0 if plane == "axial" else (1 << 2 * index) - 1

    found = choose_slices(extents, **asked, looks=looks)
    assert [choice.plane for choice in found] == ["axial", "coronal", "coronal", "coronal"]


@given(
    indices=st.lists(st.integers(0, 99), unique=True, min_size=1).map(sorted),
    count=st.integers(0, 12),
)
def test_normal_slices_are_spread_and_never_too_many(indices: list[int], count: int) -> None:
    found = choose_normal({"axial": indices, "coronal": indices[:1]}, count=count)
    assert len(found) <= count
    assert {choice.index for choice in found} <= set(indices)
    assert len({choice.where for choice in found}) == len(found)
