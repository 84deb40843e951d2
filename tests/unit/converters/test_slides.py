"""Regions of whole slides: where they lie, how large their pixels are, what is said of them."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from converters.annotations.asap_xml import Outline
from converters.errors import CaseError
from converters.files import Root, locate_root
from converters.imaging import slides
from converters.imaging.slides import open_slide
from converters.layouts.slides import Tile, choose_tiles, tiles
from converters.manifest import load_manifest
from converters.records import Outcome, Rejection, Sample
from converters.select import converter_for
from converters.specs.slides import Regions
from tests.fakes import build_twin
from tests.fakes.asap_xml import document, square
from tests.fakes.slides import slide, stained

CORNER, SIDE, HOLE = 102, 307, 41  # as the twin draws them
REGIONS = Regions(microns_per_pixel=0.5, per_slide=2, tissue=0.2)


def root_with(folder: Path, pixels: np.ndarray, microns: float | None) -> Root:
    """A root with one slide, a.tif."""
    (folder / "a.tif").write_bytes(slide(pixels, microns))
    return Root(source="toy", folder=folder.resolve())


def tile(left: int, *, marked: float = 0.0, tissue: float = 1.0) -> Tile:
    """A region of the grid."""
    return Tile(left=left, top=0, marked=marked, tissue=tissue)


@pytest.fixture
def camelyon(tmp_path: Path) -> Path:
    """A twin of CAMELYON16."""
    build_twin(load_manifest("camelyon16").manifest, tmp_path / "twin")
    return tmp_path / "twin"


def outcomes(folder: Path) -> list[Outcome]:
    """Everything that the converter yields for a folder."""
    manifest = load_manifest("camelyon16").manifest
    root, _ = locate_root(manifest, folder)
    converter = converter_for(manifest)
    return [out for case in converter.cases(root) for out in converter.convert(root, case)]


def test_a_region_shows_what_lies_there(tmp_path: Path) -> None:
    pixels = stained(768, 512, 0)
    pixels[128:256, 256:384] = (10, 20, 30)
    with open_slide(root_with(tmp_path, pixels, 0.5), "a.tif") as opened:
        shown = opened.region(192, 64, side_px=256, microns=0.5)
    assert np.array_equal(np.asarray(shown), pixels[64:320, 192:448])


def test_half_the_resolution_shows_twice_the_extent(tmp_path: Path) -> None:
    pixels = stained(1024, 512, 0)
    with open_slide(root_with(tmp_path, pixels, 0.25), "a.tif") as opened:
        shown = np.asarray(opened.region(512, 0, side_px=256, microns=0.5)).astype(int)
    expected = pixels[:512, 512:1024].astype(float).reshape(256, 2, 256, 2, 3).mean(axis=(1, 3))
    assert np.abs(shown - expected).max() <= 1


def test_a_finer_pixel_than_was_scanned_is_refused(tmp_path: Path) -> None:
    root = root_with(tmp_path, stained(512, 512, 0), 1.0)
    with open_slide(root, "a.tif") as opened, pytest.raises(CaseError, match="would be made up"):
        opened.region(0, 0, side_px=256, microns=0.5)


@pytest.mark.parametrize(
    ("own", "stated", "said"),
    [(None, None, "does not say the size"), (0.5, 0.25, "are both stated")],
)
def test_an_unknown_or_contradicted_size_of_pixels_is_refused(
    own: float | None, stated: float | None, said: str, tmp_path: Path
) -> None:
    root = root_with(tmp_path, stained(512, 512, 0), own)
    with pytest.raises(CaseError, match=said), open_slide(root, "a.tif", stated):
        pass


def test_what_lies_outside_the_scan_is_white(tmp_path: Path) -> None:
    with open_slide(root_with(tmp_path, stained(512, 512, 0), 0.5), "a.tif") as opened:
        shown = np.asarray(opened.region(384, 384, side_px=256, microns=0.5))
    assert (shown[200, 200] == 255).all()


def test_a_slide_without_smaller_levels_is_refused_where_much_would_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slides, "_READ_PIXELS", 300 * 300)
    with open_slide(root_with(tmp_path, stained(512, 512, 0), 0.5), "a.tif") as opened:
        assert opened.region(0, 0, side_px=256, microns=0.5).size == (256, 256)
        with pytest.raises(CaseError, match="has no smaller level"):
            opened.region(0, 0, side_px=400, microns=0.5)


def test_a_hole_does_not_count_as_marked(tmp_path: Path) -> None:
    whole = Outline(group="_0", points=np.array(square(0, 0, 1024), dtype=float))
    hole = Outline(group="_2", points=np.array(square(0, 0, 512), dtype=float))
    regions = Regions(microns_per_pixel=0.5, side_px=512)
    with open_slide(root_with(tmp_path, stained(1024, 1024, 0), 0.5), "a.tif") as opened:
        found = tiles(opened, [(hole, True), (whole, False)], regions)
    assert [one.marked for one in found] == [0.0, 1.0, 1.0, 1.0]


def test_regions_with_most_marked_are_taken() -> None:
    found = [tile(0, marked=0.1), tile(1, marked=0.9), tile(2, marked=0.5), tile(3)]
    assert [one.left for one in choose_tiles(found, REGIONS, is_free=False)] == [1, 2]


def test_nothing_is_said_of_what_is_not_marked() -> None:
    assert choose_tiles([tile(0), tile(1)], REGIONS, is_free=False) == []


def test_a_slide_free_of_labels_gives_its_tissue_and_no_glass() -> None:
    found = [tile(0, tissue=0.1), tile(1, tissue=0.6), tile(2, tissue=0.9), tile(3, tissue=0.7)]
    assert [one.left for one in choose_tiles(found, REGIONS, is_free=True)] == [2, 3]


def test_an_outline_becomes_the_finding_of_its_region(camelyon: Path) -> None:
    marked = [out for out in outcomes(camelyon) if isinstance(out, Sample) and out.findings]
    sample = marked[0]
    (finding,) = sample.findings
    assert finding.label == "lymph node metastasis"
    assert finding.area_px == SIDE**2 - HOLE**2
    assert finding.area_mm2 == pytest.approx((SIDE**2 - HOLE**2) * 0.0005**2)
    assert finding.box is not None
    assert (finding.box.x_min, finding.box.y_min) == (CORNER, CORNER)
    assert Image.open(io.BytesIO(sample.image)).size == (1024, 1024)


def test_a_normal_slide_says_that_there_is_no_metastasis(camelyon: Path) -> None:
    normal = [out for out in outcomes(camelyon) if "normal_" in str(out)]
    assert normal
    assert all(isinstance(out, Sample) for out in normal)
    assert {out.absent for out in normal if isinstance(out, Sample)} == {("lymph node metastasis",)}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (document([("_9", square(1200, 100, 200))]), "label_unknown"),
        (document([("_0", square(1200, 100, 200)[:2])]), "box_empty"),
        ("<ASAP_Annotations><Annotation", "file_unreadable"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><ASAP_Annotations/>', "file_unreadable"),
        (document([]), "annotation_empty"),
    ],
)
def test_outlines_that_cannot_be_right_reject_their_slide(
    text: str, reason: str, camelyon: Path
) -> None:
    (path,) = camelyon.rglob("tumor_*.xml")
    path.write_text(text)
    found = [out for out in outcomes(camelyon) if isinstance(out, Rejection)]
    assert [out.reason for out in found] == [reason]


def test_a_normal_slide_with_outlines_is_a_contradiction(camelyon: Path) -> None:
    manifest = load_manifest("camelyon16").manifest
    root, _ = locate_root(manifest, camelyon)
    (normal,) = [path for path in root.listing().paths if "normal_" in path]
    name = Path(normal).stem.replace("normal", "tumor")
    (camelyon / "training" / f"{name}.xml").write_text(document([("_0", square(0, 0, 99))]))
    cases = converter_for(manifest).cases(root)
    assert any(case.fault and case.fault.reason == "image_missing" for case in cases)
