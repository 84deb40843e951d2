"""The layout of DICOM series: what is chosen, what is refused, and what comes out."""

import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image
from pydicom import dcmread

from converters.errors import SourceError
from converters.files import Root
from converters.manifest import MANIFESTS, Manifest, parse_manifest
from converters.records import Case, Rejection, Sample
from converters.select import converter_for
from tests.fakes import Twin, build_twin
from tests.fakes.dicom_slices import encoded, uid

T2 = {"sequence": "T2", "description": "t2_tse.*", "plane": "axial", "min_slices": 3}
ADC = {"sequence": "ADC", "description": ".*ADC", "plane": "axial", "image_type": ["ADC"]}
BALLS = {
    "kind": "world_boxes", "completeness": "partial", "table": {"path": "places.csv"},
    "key": "{person}", "match": "{person}", "center": ["x", "y", "z"], "frame": "LPS",
    "size": ["d"], "labels": {"m": "lung mass"},
}  # fmt: skip


def manifest_of(**layout: Any) -> Manifest:
    """A manifest of series with places in millimetres."""
    content = yaml.safe_load((MANIFESTS / "msd_task04_hippocampus.yaml").read_text())
    content["name"] = "toy"
    content["layout"] = {
        "kind": "series", "images": "{person}/*/*.dcm", "subject": "{person}",
        "split": {"by": "digest"}, "choices": [T2, ADC],
        "grey": {"map": "percentiles"}, "slices": {"planes": ["axial"]}, "annotations": [BALLS],
        **layout,
    }  # fmt: skip
    content["expect"] = {"cases": None, "findings": None}
    return parse_manifest(yaml.safe_dump(content), "toy").manifest


@pytest.fixture
def twin(tmp_path: Path) -> Twin:
    """Three persons with two series and a scout each."""
    return build_twin(manifest_of(), tmp_path / "root")


def cases(manifest: Manifest, folder: Path) -> list[Case]:
    return converter_for(manifest).cases(Root(source="toy", folder=folder.resolve()))


def outcomes(manifest: Manifest, folder: Path) -> list[Sample | Rejection]:
    root = Root(source="toy", folder=folder.resolve())
    converter = converter_for(manifest)
    return [out for case in converter.cases(root) for out in converter.convert(root, case)]


def edit(folder: Path, pattern: str, **tags: object) -> None:
    """Change tags of the files that match."""
    for path in sorted(folder.glob(pattern)):
        found = dcmread(path)
        for name, value in tags.items():
            setattr(found, name, value)
        path.write_bytes(encoded(found))


def test_each_choice_gives_a_case_with_all_its_files(twin: Twin) -> None:
    found = cases(twin.manifest, twin.folder)
    assert [(case.fields["person"], case.fields["sequence"]) for case in found] == [
        (f"person000{number}", sequence) for number in range(1, 4) for sequence in ("T2", "ADC")
    ]
    assert {len(case.files) for case in found} == {30}


def test_the_fields_of_a_series_name_it(twin: Twin) -> None:
    first = cases(twin.manifest, twin.folder)[0]
    names = {"path", "patient_id", "study_uid", "series_uid", "frame_of_reference_uid",
             "series_description", "series_number", "modality", "sequence", "person"}  # fmt: skip
    assert set(first.fields) == names
    assert first.fields["series_uid"] == uid("series", 0, 0)
    assert first.fields["path"] == first.image == first.key


def test_files_stand_in_the_order_of_slices_along_their_normal(twin: Twin) -> None:
    for case in cases(twin.manifest, twin.folder):
        headers = [dcmread(twin.folder / path) for path in case.files]
        across = np.reshape(headers[0].ImageOrientationPatient, (2, 3)).astype(float)
        depths = [np.cross(*across) @ header.ImagePositionPatient for header in headers]
        assert np.allclose(np.diff(depths), 3.0, atol=1e-3)


def test_the_twin_is_read_without_rejections(twin: Twin) -> None:
    found = outcomes(twin.manifest, twin.folder)
    assert [out for out in found if isinstance(out, Rejection)] == []
    assert {out.sequence for out in found if isinstance(out, Sample)} == {"T2", "ADC"}


def test_however_slices_are_stored_the_pictures_are_the_same(twin: Twin) -> None:
    """T2 and ADC of a person are one phantom, stored with other axes and signs."""
    pictures: dict[str, set[tuple[bytes, ...]]] = {}
    for case_key in {out.case_key for out in outcomes(twin.manifest, twin.folder)}:
        pictures.setdefault(case_key.split("/", 1)[0], set())
    for out in outcomes(twin.manifest, twin.folder):
        assert isinstance(out, Sample)
        pictures[out.case_key.split("/", 1)[0]].add((out.image,))
    assert {len(found) for found in pictures.values()} == {1}


def test_transforms_say_that_slices_were_stacked(twin: Twin) -> None:
    first = outcomes(twin.manifest, twin.folder)[0]
    assert isinstance(first, Sample)
    assert first.transforms[0] == {"step": "stack_slices", "slices": 30}


def test_a_picture_names_the_file_of_its_slice(twin: Twin) -> None:
    for out in outcomes(twin.manifest, twin.folder):
        assert isinstance(out, Sample)
        (cut,) = (step for step in out.transforms if step["step"] == "slice")
        shown = np.asarray(Image.open(io.BytesIO(out.image))).astype(float)
        stored = dcmread(twin.folder / str(cut["file"])).pixel_array.astype(float)
        # The same grey levels in the same numbers, whichever way they are turned.
        same = np.corrcoef(np.sort(shown, axis=None), np.sort(stored, axis=None))[0, 1]
        others = dcmread(twin.folder / out.source_path).pixel_array.astype(float)
        other = np.corrcoef(np.sort(shown, axis=None), np.sort(others, axis=None))[0, 1]
        assert same > other
        assert same > 0.99


def test_a_study_without_the_series_lists_what_is_there(twin: Twin) -> None:
    shutil.rmtree(twin.folder / "person0001" / "1")
    (missed,) = (case for case in cases(twin.manifest, twin.folder) if case.fault)
    assert missed.fault is not None
    assert missed.fault.reason == "series_missing"
    assert "sequence T2, description t2_tse.*, plane axial" in missed.fault.message
    assert "series ? 'scout' (MR, coronal, 4x3x1)" in missed.fault.message


def test_a_study_may_do_without_a_series_that_is_not_needed(tmp_path: Path) -> None:
    manifest = manifest_of(choices=[T2, {**ADC, "if_missing": "skip"}])
    twin = build_twin(manifest, tmp_path)
    shutil.rmtree(twin.folder / "person0001" / "2")
    assert not any(case.fault for case in cases(manifest, twin.folder))


def test_two_series_that_fit_are_refused_with_both_named(twin: Twin) -> None:
    shutil.copytree(twin.folder / "person0002" / "1", twin.folder / "person0002" / "again")
    edit(twin.folder, "person0002/again/*.dcm", SeriesInstanceUID=uid("again"), SeriesNumber=9)
    for number, path in enumerate(sorted(twin.folder.glob("person0002/again/*.dcm"))):
        edit(twin.folder, str(path.relative_to(twin.folder)), SOPInstanceUID=uid("again", number))
    (missed,) = (case for case in cases(twin.manifest, twin.folder) if case.fault)
    assert missed.fault is not None
    assert missed.fault.reason == "series_ambiguous"
    assert "2 series are sequence T2" in missed.fault.message
    assert "series 1 't2_tse...." in missed.fault.message
    assert "series 9 't2_tse...." in missed.fault.message


def test_all_that_fit_are_cases_where_the_manifest_says_so(tmp_path: Path) -> None:
    manifest = manifest_of(choices=[{}], if_several="all", of_each="{person}")
    twin = build_twin(manifest, tmp_path)
    shutil.copytree(twin.folder / "person0002" / "1", twin.folder / "person0002" / "again")
    edit(twin.folder, "person0002/again/*.dcm", SeriesInstanceUID=uid("again"))
    found = [case for case in cases(manifest, twin.folder) if not case.fault]
    assert len(found) == 4


def test_no_series_at_all_is_an_error_that_says_what_there_is(twin: Twin) -> None:
    manifest = manifest_of(choices=[{**T2, "description": "flair"}])
    with pytest.raises(SourceError, match="none of 12 series is one that the manifest means"):
        cases(manifest, twin.folder)


def test_files_without_an_image_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "p" / "1").mkdir(parents=True)
    (tmp_path / "p" / "1" / "a.dcm").write_text("nothing")
    with pytest.raises(SourceError, match="none holds one"):
        cases(manifest_of(), tmp_path)


def test_a_broken_file_is_named_and_its_series_is_refused_for_the_gap(twin: Twin) -> None:
    path = sorted(twin.folder.glob("person0003/1/*.dcm"))[10]
    path.write_bytes(b"broken")
    found = [out for out in outcomes(twin.manifest, twin.folder) if isinstance(out, Rejection)]
    assert {out.reason for out in found} == {"file_unreadable", "geometry_invalid"}
    assert any("1 gaps among 29 slices" in out.message for out in found)


def test_pixels_that_are_cut_short_refuse_the_series(twin: Twin) -> None:
    path = sorted(twin.folder.glob("person0003/1/*.dcm"))[10]
    path.write_bytes(path.read_bytes()[:-100])
    found = [out for out in outcomes(twin.manifest, twin.folder) if isinstance(out, Rejection)]
    assert [out.reason for out in found] == ["file_unreadable"]


def test_each_choice_has_its_own_grey_and_modality(tmp_path: Path) -> None:
    uptake = {"map": "scale", "low": 0, "high": 300, "unit": "counts"}
    manifest = manifest_of(choices=[T2, {**ADC, "modality": "PT", "grey": uptake}])
    found = outcomes(manifest, build_twin(manifest, tmp_path).folder)
    greys = set()
    for out in found:
        assert isinstance(out, Sample)
        (mapped,) = (step for step in out.transforms if "high" in step)
        greys.add((out.sequence, out.modality, mapped["high"] == 300))
    assert greys == {("T2", "MR", False), ("ADC", "PT", True)}


def test_a_scale_of_suv_is_refused_where_there_is_none(tmp_path: Path) -> None:
    uptake = {"map": "scale", "low": 0, "high": 10, "unit": "SUV"}
    manifest = manifest_of(choices=[{"modality": "PT", "grey": uptake}])
    found = outcomes(manifest, build_twin(manifest, tmp_path).folder)
    assert {out.reason for out in found if isinstance(out, Rejection)} == {"value_invalid"}
    assert all("Units are missing, not BQML" in out.message for out in found)


@pytest.mark.parametrize(
    "choice", [{"description": "("}, {"part": {"weather": "fine"}}, {"plane": "oblique"}]
)
def test_a_choice_without_sense_is_no_manifest(choice: dict[str, Any]) -> None:
    with pytest.raises(Exception, match="choices"):
        manifest_of(choices=[choice])
