"""Pictures of labels, one a slice: they lie by the order of names, and the image bears it out."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from converters.files import Root
from converters.manifest import Manifest, load_manifest
from converters.records import Outcome, Rejection, Sample
from converters.select import converter_for
from tests.fakes import Twin, build_twin

FLIPS = {
    "left-right": lambda picture: picture[:, ::-1],
    "front-back": lambda picture: picture[::-1],
    "half a turn": lambda picture: picture[::-1, ::-1],
}


@pytest.fixture(params=["chaos_ct", "chaos_mr"])
def twin(request: pytest.FixtureRequest, tmp_path: Path) -> Twin:
    """Both parts of CHAOS."""
    return build_twin(load_manifest(request.param).manifest, tmp_path / "root")


def outcomes(manifest: Manifest, folder: Path) -> list[Outcome]:
    root = Root(source=manifest.name, folder=folder.resolve())
    converter = converter_for(manifest)
    return [out for case in converter.cases(root) for out in converter.convert(root, case)]


def reasons(twin: Twin) -> set[str]:
    """Why series are rejected; every series must be."""
    found = outcomes(twin.manifest, twin.folder)
    assert not [out for out in found if isinstance(out, Sample)]
    return {out.reason for out in found if isinstance(out, Rejection)}


def masks(twin: Twin) -> list[list[Path]]:
    """The pictures of each folder, by name."""
    folders = sorted(path for path in twin.folder.rglob("Ground") if path.is_dir())
    return [sorted(folder.iterdir()) for folder in folders]


def test_a_folder_is_a_series_whatever_its_uids(twin: Twin) -> None:
    found = [out for out in outcomes(twin.manifest, twin.folder) if isinstance(out, Sample)]
    assert len({sample.case_key for sample in found}) == 3 * len(twin.manifest.layout.choices)


def test_the_margin_is_on_record(twin: Twin) -> None:
    for sample in outcomes(twin.manifest, twin.folder):
        assert isinstance(sample, Sample)
        (step,) = (one for one in sample.transforms if one["step"] == "held_against_image")
        assert step["mirrored_spread"] is None or step["mirrored_spread"] > 1.5 * step["spread"]


@pytest.mark.parametrize("way", FLIPS)
def test_mirrored_pictures_are_refused(twin: Twin, way: str) -> None:
    for path in (path for folder in masks(twin) for path in folder):
        pixels = np.asarray(Image.open(path).convert("L"))
        Image.fromarray(np.ascontiguousarray(FLIPS[way](pixels))).save(path)
    assert reasons(twin) == {"orientation_ambiguous"}


def test_pictures_in_reversed_order_are_refused(twin: Twin) -> None:
    for folder in masks(twin):
        pictures = [path.read_bytes() for path in folder]
        for path, data in zip(folder, reversed(pictures), strict=True):
            path.write_bytes(data)
    assert reasons(twin) == {"orientation_ambiguous"}


def test_the_figures_stand_in_the_message(twin: Twin) -> None:
    for path in (path for folder in masks(twin) for path in folder):
        path.write_bytes(flipped(path))
    found = outcomes(twin.manifest, twin.folder)
    said = " ".join(out.message for out in found if isinstance(out, Rejection))
    assert "of the contrast, and mirrored" in said or "lies in the body" in said


def flipped(path: Path) -> bytes:
    out = io.BytesIO()
    image = Image.open(path).convert("L").transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    image.save(out, format="PNG")
    return out.getvalue()


def test_a_missing_picture_refuses_the_series(twin: Twin) -> None:
    for folder in masks(twin):
        folder[3].unlink()
    assert reasons(twin) == {"shape_mismatch"}


def test_names_are_ordered_by_their_numbers(twin: Twin) -> None:
    before = outcomes(twin.manifest, twin.folder)
    for folder in masks(twin):
        for number, path in enumerate(folder):  # 10 follows 9, not 1
            path.rename(path.with_name(f"mask-{number}.png"))
    after = outcomes(twin.manifest, twin.folder)
    assert [out.findings for out in after if isinstance(out, Sample)] == [
        out.findings for out in before if isinstance(out, Sample)
    ]


def test_a_picture_of_another_size_refuses_the_series(twin: Twin) -> None:
    for folder in masks(twin):
        Image.open(folder[3]).resize((7, 9)).save(folder[3])
    assert reasons(twin) == {"shape_mismatch"}


def test_a_code_that_is_no_label_refuses_the_series(twin: Twin) -> None:
    for folder in masks(twin):
        pixels = np.asarray(Image.open(folder[3]).convert("L")).copy()
        pixels[:4, :4] = 95  # between the codes of liver and right kidney
        Image.fromarray(pixels).save(folder[3])
    assert reasons(twin) == {"label_unknown"}


def test_empty_pictures_tell_nothing(twin: Twin) -> None:
    for path in (path for folder in masks(twin) for path in folder):
        Image.fromarray(np.zeros(np.asarray(Image.open(path)).shape, np.uint8)).save(path)
    assert reasons(twin) == {"annotation_empty"}


def test_values_near_a_code_are_taken_for_it(tmp_path: Path) -> None:
    twin = build_twin(load_manifest("chaos_mr").manifest, tmp_path / "root")
    before = outcomes(twin.manifest, twin.folder)
    for path in (path for folder in masks(twin) for path in folder):
        pixels = np.asarray(Image.open(path)).copy()
        pixels[pixels == 126] = 135
        pixels[pixels == 63] = 55
        Image.fromarray(pixels).save(path)
    after = outcomes(twin.manifest, twin.folder)
    assert [out.findings for out in after if isinstance(out, Sample)] == [
        out.findings for out in before if isinstance(out, Sample)
    ]


def test_the_published_layout_of_mr_tells_the_phases_apart(tmp_path: Path) -> None:
    twin = build_twin(load_manifest("chaos_mr").manifest, tmp_path / "root")
    found = [out for out in outcomes(twin.manifest, twin.folder) if isinstance(out, Sample)]
    folders = {(out.sequence, out.case_key.split("/")[-2]) for out in found}
    assert folders == {
        ("T1 in-phase", "InPhase"),
        ("T1 out-of-phase", "OutPhase"),
        ("T2 SPIR", "DICOM_anon"),
    }


def test_a_test_series_has_no_labels_and_is_rejected_for_it(twin: Twin) -> None:
    for path in (path for folder in masks(twin) for path in folder if "Test_Sets" in str(path)):
        path.unlink()
    found = [out for out in outcomes(twin.manifest, twin.folder) if isinstance(out, Rejection)]
    assert {out.reason for out in found} == {"annotation_missing"}
