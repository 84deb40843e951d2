"""DICOM files in the layout of pictures: side, view and spacing reach the sample."""

from pathlib import Path

import numpy as np
import pytest

from converters.errors import CaseError
from converters.files import Root
from converters.imaging.pictures import read_picture
from converters.manifest import Manifest, load_manifest
from converters.records import Finding, Rejection, Sample
from converters.select import converter_for
from tests.fakes.dicom_files import dicom_bytes, rooted
from tests.fakes.images import head_slice

PIXELS = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
TABLE = "name,class,view\nimage,{label},{view}\n"


def manifest_for(anatomy: str, label: str = "lung mass", **more) -> Manifest:
    """A source of DICOM pictures with one table of labels."""
    block = {
        "kind": "label_table",
        "completeness": "partial",
        "table": {"path": "labels.csv"},
        "key": "{name}",
        "match": "{name}",
        "view": {"column": "view", "names": {"PA": "PA", "AP": "AP"}},
        "columns": [
            {"style": "column", "column": "class", "labels": {label: label}, "exclusive": False}
        ],
    }
    content = load_manifest("chestxray14").manifest.model_dump(by_alias=True)
    layout = {
        "kind": "images",
        "images": "{name}.dcm",
        "subject": "{name}",
        "split": {"by": "digest"},
        "annotations": [block],
        **more,
    }
    return Manifest.model_validate({**content, "anatomy": [anatomy], "layout": layout})


def outcome(
    folder: Path, anatomy: str = "breast", label: str = "lung mass", view: str = "", **attributes
):
    """What becomes of one file; what begins with a capital letter is an attribute of it."""
    more = {name: value for name, value in attributes.items() if name[0].islower()}
    tags = {name: value for name, value in attributes.items() if name[0].isupper()}
    (folder / "image.dcm").write_bytes(dicom_bytes(PIXELS, **tags))
    (folder / "labels.csv").write_text(TABLE.format(label=label, view=view))
    converter = converter_for(manifest_for(anatomy, label, **more))
    root = Root(source="test", folder=folder.resolve())
    (case,) = converter.cases(root)
    (out,) = converter.convert(root, case)
    return out


def finding(out) -> Finding:
    """The one finding of a sample."""
    assert isinstance(out, Sample)
    return out.findings[0]


def test_finding_has_the_side_of_its_picture(tmp_path: Path) -> None:
    assert finding(outcome(tmp_path, ImageLaterality="L")).side == "left"
    assert finding(outcome(tmp_path, ImageLaterality="R")).side == "right"


def test_picture_of_the_chest_gives_no_side(tmp_path: Path) -> None:
    assert finding(outcome(tmp_path, "chest", Laterality="L")).side is None


def test_absence_has_no_side(tmp_path: Path) -> None:
    out = outcome(tmp_path, label="no finding", ImageLaterality="L")
    assert finding(out).side is None


def test_term_of_the_other_side_contradicts_the_picture(tmp_path: Path) -> None:
    out = outcome(tmp_path, "breast", "left kidney", ImageLaterality="R")
    assert isinstance(out, Rejection)
    assert out.reason == "labels_contradict"


@pytest.mark.parametrize(
    ("table", "header", "expected"),
    [("PA", "PA", "PA"), ("PA", None, "PA"), ("", "AP", "AP"), ("", None, "")],
)
def test_view_of_table_or_header(tmp_path: Path, table, header, expected) -> None:
    assert outcome(tmp_path, view=table, ViewPosition=header).view == expected


def test_views_that_differ_are_rejected(tmp_path: Path) -> None:
    out = outcome(tmp_path, view="PA", ViewPosition="AP")
    assert out.reason == "labels_contradict"


def test_spacing_of_the_patient_is_the_samples(tmp_path: Path) -> None:
    assert outcome(tmp_path, Modality="CT", PixelSpacing=[0.5, 0.5]).spacing_mm == (0.5, 0.5)
    assert outcome(tmp_path, ImagerPixelSpacing=[0.1, 0.1]).spacing_mm is None


def test_spacing_that_the_manifest_disputes_is_rejected(tmp_path: Path) -> None:
    stated = {"row_mm": 0.7, "column_mm": 0.7}
    out = outcome(tmp_path, Modality="CT", PixelSpacing=[0.5, 0.5], spacing=stated)
    assert out.reason == "geometry_invalid"
    assert outcome(tmp_path, spacing=stated).spacing_mm == (0.7, 0.7)


def test_window_of_the_manifest_is_used_and_said(tmp_path: Path) -> None:
    head = np.hypot(*np.mgrid[-32:32, -32:32]) < 24
    stored = np.where(head, 1024 + PIXELS % 40, 24).astype(np.uint16)
    out = outcome(
        tmp_path, Modality="CT", RescaleSlope=1, RescaleIntercept=-1024, window="brain",
        PixelData=stored.tobytes(),
    )  # fmt: skip
    assert {"step": "window", "center_hu": 40.0, "width_hu": 80.0} in out.transforms


def test_values_that_are_not_hounsfield_units_are_named(tmp_path: Path) -> None:
    data = head_slice(128, 128, 0, RescaleIntercept="0")
    with pytest.raises(CaseError, match=r"hu_implausible: .* 1024 too high"):
        read_picture(rooted(tmp_path, data), "image.dcm", window_hu=(40.0, 80.0))
    data = head_slice(128, 128, 0)
    assert read_picture(rooted(tmp_path, data), "image.dcm", window_hu=(40.0, 80.0)).size


def test_subject_may_stand_in_the_header(tmp_path: Path) -> None:
    manifest = manifest_for("breast", tags={"patient": "PatientID"}, subject="{patient}")
    for name, patient in {"a": "P1", "b": "P2", "c": "P1", "d": None}.items():
        (tmp_path / f"{name}.dcm").write_bytes(dicom_bytes(PIXELS, PatientID=patient))
    (tmp_path / "e.dcm").write_bytes(b"no DICOM file")
    rows = "".join(f"{name},lung mass,\n" for name in "abcde")
    (tmp_path / "labels.csv").write_text(f"name,class,view\n{rows}")
    cases = converter_for(manifest).cases(Root(source="test", folder=tmp_path.resolve()))
    assert [case.subject_id for case in cases[:3]] == ["P1", "P2", "P1"]
    assert cases[0].split == cases[2].split
    assert [case.fault and case.fault.reason for case in cases] == [
        None, None, None, "value_invalid", "file_unreadable"
    ]  # fmt: skip


def test_broken_file_is_one_rejection(tmp_path: Path) -> None:
    out = outcome(tmp_path, Rows=9999)
    assert isinstance(out, Rejection)
    assert out.reason == "file_unreadable"
