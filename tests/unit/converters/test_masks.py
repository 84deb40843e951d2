"""Masks: what a pixel stands for, and which masks are refused."""

import io
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image, ImageDraw
from pydantic import ValidationError
from scipy import ndimage

from converters.annotations import masks, sidecar
from converters.annotations.contract import Block, ImageName, Index, Question, Said
from converters.errors import CaseError, ManifestError, SourceError
from converters.files import Root
from converters.imaging.masks import _filled, fill_outline, snap_values
from converters.imaging.pictures import Picture
from converters.pattern import match_paths
from converters.specs.annotations import Sidecar
from converters.specs.masks import Masks

SIZE = (40, 30)


def spec_of(codes: dict[str, Any], **more: Any) -> Masks:
    """Masks m/<name>.png beside images i/<name>.png."""
    content = {
        "kind": "masks",
        "completeness": "complete",
        "files": "m/{name}.png",
        "codes": codes,
    }
    return Masks.model_validate({**content, **more})


def binary(**more: Any) -> dict[str, Any]:
    """Codes of a mask of one label."""
    return {"encoding": "binary", "label": "lung mass", **more}


INDEX = {
    "encoding": "index",
    "labels": {128: "cytoplasm", 255: "cell nucleus"},
    "ignore": [0],
}
COLOR = {
    "encoding": "color",
    "labels": {"#ff0000": "lung mass", "#0000ff": "lung nodule"},
    "ignore": ["#000000"],
}
PER_CLASS = {
    "encoding": "file_per_class",
    "field": "class",
    "labels": {"M": "lung mass", "N": "lung nodule"},
    "ignore": ["X"],
}
PER_INSTANCE = {"encoding": "file_per_instance", "label": "cell nucleus"}
INSTANCES = {"encoding": "instances", "label": "cell nucleus"}


def blank(dtype: type = np.uint8, channels: int | None = None) -> np.ndarray:
    """A mask of zeros in the size of the image."""
    shape = (SIZE[1], SIZE[0])
    return np.zeros(shape if channels is None else (*shape, channels), dtype)


def boxed(value: int = 255, *, dtype: type = np.uint8) -> np.ndarray:
    """A mask with one rectangle, rows 5 to 14, columns 10 to 29."""
    mask = blank(dtype)
    mask[5:15, 10:30] = value
    return mask


def save(folder: Path, path: str, pixels: np.ndarray | Image.Image, **options: Any) -> None:
    """Write a picture below a folder."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    image.save(folder / path, **options)


def indexed(spec: Masks | Sidecar, folder: Path, images: str = "i/{name}.png") -> Index:
    """The index over images that lie in a folder."""
    root = Root(source="toy", folder=folder)
    listing = root.listing()
    found = tuple(
        ImageName(path=path, fields={"path": path, **fields})
        for path, fields in match_paths(images, listing.paths)
    )
    module = masks if isinstance(spec, Masks) else sidecar
    return module.index(spec, Block(source="toy", root=root, listing=listing, images=found))


def said(
    spec: Masks | Sidecar, folder: Path, spacing_mm: tuple[float, float] | None = None
) -> Said:
    """What is said of image a."""
    picture = Image.new("L", SIZE)
    save(folder, "i/a.png", picture)
    question = Question(
        root=Root(source="toy", folder=folder),
        path="i/a.png",
        fields={"name": "a"},
        entry=indexed(spec, folder).entries["i/a.png"],
        picture=Picture(data=b"", format="PNG", image=picture, is_turned=False),
        spacing_mm=spacing_mm,
    )
    return (masks if isinstance(spec, Masks) else sidecar).read(spec, question)


def refused(spec: Masks | Sidecar, folder: Path) -> CaseError:
    """Why the annotation of image a is refused."""
    with pytest.raises(CaseError) as caught:
        said(spec, folder)
    return caught.value


def bounds(found: Said) -> list[tuple[str, float, float, float, float]]:
    """Label and box of every finding."""
    return [
        (f.label, f.box.x_min, f.box.y_min, f.box.x_max, f.box.y_max)
        for f in found.findings
        if f.box
    ]


def test_binary_mask_is_one_region(tmp_path: Path) -> None:
    save(tmp_path, "m/a.png", boxed(1))
    assert bounds(said(spec_of(binary()), tmp_path)) == [("lung mass", 10, 5, 30, 15)]


def test_area_is_in_millimetres_where_spacing_is_known(tmp_path: Path) -> None:
    save(tmp_path, "m/a.png", boxed())
    (finding,) = said(spec_of(binary()), tmp_path, (0.5, 0.25)).findings
    assert (finding.area_px, finding.area_mm2) == (200.0, 25.0)


def test_region_is_no_object_that_can_be_counted(tmp_path: Path) -> None:
    save(tmp_path, "m/a.png", boxed())
    assert not said(spec_of(binary()), tmp_path).findings[0].is_instance


def test_region_of_several_parts_has_no_diameter(tmp_path: Path) -> None:
    mask = boxed()
    mask[20:24, 0:4] = 255
    save(tmp_path, "m/a.png", mask)
    (finding,) = said(spec_of(binary()), tmp_path).findings
    assert finding.longest_diameter_px is None


def test_components_are_objects(tmp_path: Path) -> None:
    mask = boxed()
    mask[20:24, 0:4] = 255
    save(tmp_path, "m/a.png", mask)
    found = said(spec_of(binary(), objects="components"), tmp_path)
    assert bounds(found) == [("lung mass", 10, 5, 30, 15), ("lung mass", 0, 20, 4, 24)]
    assert all(finding.is_instance for finding in found.findings)


def test_speck_is_no_object_and_not_absent(tmp_path: Path) -> None:
    mask = blank()
    mask[3, 3] = 255
    save(tmp_path, "m/a.png", mask)
    found = said(spec_of(binary(), objects="components", min_area_px=4), tmp_path)
    assert (found.findings, found.absent) == ((), ())


@pytest.mark.parametrize(
    ("completeness", "absent"),
    [("complete", ("lung mass",)), ("presence", ("lung mass",)), ("partial", ())],
)
def test_empty_mask_means_absent_where_labels_are_complete(
    tmp_path: Path, completeness: str, absent: tuple[str, ...]
) -> None:
    save(tmp_path, "m/a.png", blank())
    assert said(spec_of(binary(), completeness=completeness), tmp_path).absent == absent


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "1", "I;16"])
def test_grey_mask_saved_in_another_mode_is_the_same(tmp_path: Path, mode: str) -> None:
    save(tmp_path, "m/a.png", Image.fromarray(boxed()).convert(mode))
    assert bounds(said(spec_of(INDEX), tmp_path)) == [("cell nucleus", 10, 5, 30, 15)]


@pytest.mark.parametrize("alpha", [0, 255])
def test_transparency_that_says_nothing_is_passed_over(tmp_path: Path, alpha: int) -> None:
    image = Image.fromarray(boxed()).convert("RGBA")
    image.putalpha(alpha)
    save(tmp_path, "m/a.png", image)
    assert len(said(spec_of(INDEX), tmp_path).findings) == 1


def test_transparency_that_says_something_is_refused(tmp_path: Path) -> None:
    image = Image.fromarray(boxed()).convert("RGBA")
    image.putalpha(Image.fromarray(boxed()))
    save(tmp_path, "m/a.png", image)
    assert refused(spec_of(INDEX), tmp_path).reason == "file_unsupported"


@pytest.mark.parametrize("mode", ["RGB", "P"])
def test_colours_are_no_grey_mask(tmp_path: Path, mode: str) -> None:
    mask = blank(channels=3)
    mask[5:9, 5:9] = (255, 0, 0)
    save(tmp_path, "m/a.png", Image.fromarray(mask).convert(mode))
    assert refused(spec_of(INDEX), tmp_path).reason == "file_unsupported"


def test_sixteen_bits_keep_their_values(tmp_path: Path) -> None:
    codes = {"encoding": "index", "labels": {1000: "lung mass"}, "ignore": [0]}
    save(tmp_path, "m/a.png", boxed(1000, dtype=np.uint16))
    assert len(said(spec_of(codes), tmp_path).findings) == 1


def test_unknown_code_is_named_with_its_pixels(tmp_path: Path) -> None:
    mask = boxed()
    mask[0, 0:3] = 7
    save(tmp_path, "m/a.png", mask)
    error = refused(spec_of(INDEX), tmp_path)
    assert (error.reason, error.message) == (
        "label_unknown",
        "m/a.png: code 7 on 3 pixels",
    )


def test_stray_values_are_moved_and_on_record(tmp_path: Path) -> None:
    mask = boxed()
    mask[0, 0:3] = 7
    save(tmp_path, "m/a.png", mask)
    found = said(spec_of({**INDEX, "snap": 10}), tmp_path)
    assert found.transforms == ({"step": "snap_codes", "within": 10, "moved_px": 3},)


def test_value_between_two_codes_is_refused() -> None:
    with pytest.raises(CaseError, match="code 64 on 1 pixels"):
        snap_values(np.array([[0, 64]], np.uint8), [0, 128], snap=64, name="m")


@given(
    arrays.arrays(np.uint8, (4, 5)),
    st.sets(st.integers(0, 255), min_size=1, max_size=5),
    st.integers(0, 40),
)
def test_snap_gives_codes_that_are_near_or_refuses(
    values: np.ndarray, codes: set[int], snap: int
) -> None:
    away = np.abs(values[..., None].astype(int) - np.array(sorted(codes)))
    clear = (away == away.min(-1, keepdims=True)).sum(-1) == 1
    if not ((away.min(-1) <= snap) & clear).all():
        with pytest.raises(CaseError):
            snap_values(values, list(codes), snap=snap, name="m")
        return
    snapped, moved = snap_values(values, list(codes), snap=snap, name="m")
    assert np.array_equal(snapped, np.array(sorted(codes))[away.argmin(-1)])
    assert moved == np.count_nonzero(snapped != values)


def test_label_that_no_pixel_has_is_absent(tmp_path: Path) -> None:
    save(tmp_path, "m/a.png", boxed())
    assert said(spec_of(INDEX), tmp_path).absent == ("cytoplasm",)


def test_colours_are_codes(tmp_path: Path) -> None:
    mask = blank(channels=3)
    mask[5:9, 5:9] = (255, 0, 0)
    save(tmp_path, "m/a.png", mask)
    found = said(spec_of(COLOR), tmp_path)
    assert (bounds(found), found.absent) == (
        [("lung mass", 5, 5, 9, 9)],
        ("lung nodule",),
    )


def test_unknown_colour_is_named(tmp_path: Path) -> None:
    mask = blank(channels=3)
    mask[0, 0] = (0, 255, 16)
    save(tmp_path, "m/a.png", mask)
    assert "code #00ff10 on 1 pixels" in refused(spec_of(COLOR), tmp_path).message


def test_colour_near_to_a_code_is_moved(tmp_path: Path) -> None:
    mask = blank(channels=3)
    mask[5:9, 5:9] = (250, 3, 0)
    save(tmp_path, "m/a.png", mask)
    found = said(spec_of({**COLOR, "snap": 5}), tmp_path)
    assert bounds(found) == [("lung mass", 5, 5, 9, 9)]


def test_jpeg_mask_needs_a_threshold() -> None:
    with pytest.raises(ValidationError, match="JPEG masks are never exact"):
        spec_of(binary(), files="m/{name}.jpg")


def test_jpeg_mask_is_cut_at_its_threshold(tmp_path: Path) -> None:
    mask = blank()
    mask[8:16, 8:32] = 255
    save(tmp_path, "m/a.jpg", mask, quality=60)
    spec = spec_of(binary(threshold=127), files="m/{name}.jpg", objects="components")
    assert bounds(said(spec, tmp_path)) == [("lung mass", 8, 8, 32, 16)]


def ring(*, closed: bool = True) -> Image.Image:
    """The line of a circle, or of three quarters of it."""
    image = Image.new("L", SIZE)
    ImageDraw.Draw(image).arc((8, 3, 31, 26), 0, 360 if closed else 270, fill=255)
    return image


def test_outline_is_filled(tmp_path: Path) -> None:
    save(tmp_path, "m/a.png", ring())
    (finding,) = said(spec_of(binary(outline=True)), tmp_path).findings
    assert finding.area_px == pytest.approx(np.pi * 12**2, rel=0.05)


@given(arrays.arrays(bool, (9, 9)))
def test_filling_is_that_of_scipy(mask: np.ndarray) -> None:
    assert np.array_equal(_filled(mask), ndimage.binary_fill_holes(mask))


def test_outline_that_does_not_close_is_refused(tmp_path: Path) -> None:
    save(tmp_path, "m/a.png", ring(closed=False))
    assert refused(spec_of(binary(outline=True)), tmp_path).reason == "outline_open"


def test_outline_that_leaves_the_image_is_refused() -> None:
    mask = np.zeros((30, 40), bool)
    mask[0:20, 10] = mask[0:20, 30] = mask[20, 10:31] = True
    with pytest.raises(CaseError, match="does not close"):
        fill_outline(mask, "m")


def test_open_line_beside_a_closed_one_is_refused() -> None:
    mask = np.array(ring()) > 0
    mask[29, 0:40] = True
    with pytest.raises(CaseError, match="does not close"):
        fill_outline(mask, "m")


def test_region_that_is_filled_already_is_taken(tmp_path: Path) -> None:
    save(tmp_path, "m/a.png", boxed())
    found = said(spec_of(binary(outline=True)), tmp_path)
    assert (found.findings[0].area_px, found.transforms) == (200.0, ())


def test_file_per_class_names_its_label(tmp_path: Path) -> None:
    save(tmp_path, "m/a_M.png", boxed())
    save(tmp_path, "m/a_N.png", blank())
    save(tmp_path, "m/a_X.png", boxed())
    found = said(spec_of(PER_CLASS, files="m/{name}_{class}.png"), tmp_path)
    assert (bounds(found), found.absent) == (
        [("lung mass", 10, 5, 30, 15)],
        ("lung nodule",),
    )


@pytest.mark.parametrize(("if_missing", "absent"), [("reject", ()), ("absent", ("lung nodule",))])
def test_class_without_a_file_is_unknown_unless_missing_means_absent(
    tmp_path: Path, if_missing: str, absent: tuple[str, ...]
) -> None:
    save(tmp_path, "m/a_M.png", boxed())
    spec = spec_of(PER_CLASS, files="m/{name}_{class}.png", if_missing=if_missing)
    assert said(spec, tmp_path).absent == absent


def test_unknown_class_in_a_name_stops_the_source(tmp_path: Path) -> None:
    save(tmp_path, "i/a.png", blank())
    save(tmp_path, "m/a_Q.png", boxed())
    with pytest.raises(SourceError, match="class 'Q' is not in the label map"):
        indexed(spec_of(PER_CLASS, files="m/{name}_{class}.png"), tmp_path)


def test_file_per_instance_gives_objects_that_may_overlap(tmp_path: Path) -> None:
    other = blank()
    other[10:20, 20:35] = 255
    save(tmp_path, "m/a/1.png", boxed())
    save(tmp_path, "m/a/2.png", other)
    found = said(spec_of(PER_INSTANCE, files="m/{name}/{n}.png"), tmp_path)
    assert [finding.area_px for finding in found.findings] == [200.0, 150.0]


def test_object_that_stands_twice_is_one(tmp_path: Path) -> None:
    save(tmp_path, "m/a/1.png", boxed())
    save(tmp_path, "m/a/2.png", boxed())
    found = said(spec_of(PER_INSTANCE, files="m/{name}/{n}.png"), tmp_path)
    assert (len(found.findings), found.transforms[0]["step"]) == (
        1,
        "drop_repeated_objects",
    )


def test_object_without_pixels_is_refused(tmp_path: Path) -> None:
    save(tmp_path, "m/a/1.png", blank())
    assert refused(spec_of(PER_INSTANCE, files="m/{name}/{n}.png"), tmp_path).reason == "box_empty"


def test_object_numbers_tell_neighbours_apart(tmp_path: Path) -> None:
    mask = blank(np.uint16)
    mask[5:9, 5:9], mask[5:9, 9:14] = 40_000, 3
    save(tmp_path, "m/a.png", mask)
    found = said(spec_of(INSTANCES), tmp_path)
    assert sorted(bounds(found)) == [
        ("cell nucleus", 5, 5, 9, 9),
        ("cell nucleus", 9, 5, 14, 9),
    ]


def test_objects_that_fill_the_image_are_counted_from_the_first(tmp_path: Path) -> None:
    mask = blank(np.uint16) + 2
    mask[:, 20:] = 1
    save(tmp_path, "m/a.png", mask.astype(np.uint16))
    assert len(said(spec_of(INSTANCES), tmp_path).findings) == 2


def test_mask_of_another_size_is_refused(tmp_path: Path) -> None:
    save(tmp_path, "m/a.png", boxed()[:-1])
    error = refused(spec_of(binary()), tmp_path)
    assert (error.reason, error.message) == (
        "shape_mismatch",
        "m/a.png has 40x29 pixels, image 40x30",
    )


def png(pixels: np.ndarray) -> bytes:
    """Bytes of a PNG."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format="PNG")
    return out.getvalue()


def bomb() -> bytes:
    """A small PNG whose header claims ten thousand million pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    data = png(boxed())
    return data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "file_empty"),
        (b"version https://git-lfs.github.com/spec/v1\n", "file_pointer"),
        (png(boxed())[:-30], "file_unreadable"),
        (b"no picture", "file_unreadable"),
        (bomb(), "file_too_large"),
    ],
)
def test_file_that_is_no_whole_mask_is_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m/a.png").write_bytes(data)
    assert refused(spec_of(binary()), tmp_path).reason == reason


def test_mask_that_asks_to_be_turned_is_refused(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    save(tmp_path, "m/a.png", boxed(), exif=exif)
    assert refused(spec_of(binary()), tmp_path).reason == "orientation_ambiguous"


def test_fractions_are_no_codes(tmp_path: Path) -> None:
    save(tmp_path, "m/a.tif", boxed().astype(np.float32) / 2)
    spec = spec_of(INDEX, files="m/{name}.tif")
    assert refused(spec, tmp_path).reason == "file_unsupported"


def test_mask_without_an_image_is_an_orphan(tmp_path: Path) -> None:
    save(tmp_path, "i/a.png", blank())
    save(tmp_path, "m/b.png", boxed())
    found = indexed(spec_of(binary()), tmp_path)
    assert (found.orphans, dict(found.entries)) == (
        (("m/b.png", "a mask without its image"),),
        {},
    )


def test_two_masks_of_one_image_are_a_fault(tmp_path: Path) -> None:
    for path in ("i/a.png", "m/a_1.png", "m/a_2.png"):
        save(tmp_path, path, boxed())
    found = indexed(spec_of(binary(), files="m/{name}_{n}.png"), tmp_path)
    assert found.faults["i/a.png"].reason == "name_duplicate"


def test_pattern_without_a_shared_placeholder_is_a_mistake_of_the_manifest(
    tmp_path: Path,
) -> None:
    save(tmp_path, "i/a.png", blank())
    save(tmp_path, "i/b.png", blank())
    with pytest.raises(ManifestError, match="shares no placeholder"):
        indexed(spec_of(binary(), files="m/{other}.png"), tmp_path)


def test_placeholder_may_equal_a_template_over_the_image(tmp_path: Path) -> None:
    save(tmp_path, "i/a.png", blank())
    save(tmp_path, "m/mask_a.png", boxed())
    spec = spec_of(binary(), files="m/{stem}.png", fields={"stem": "mask_{name}"})
    assert indexed(spec, tmp_path).entries["i/a.png"].files == ("m/mask_a.png",)


@given(arrays.arrays(bool, (7, 9)))
def test_every_marked_pixel_is_in_one_component(tmp_path_factory, mask: np.ndarray) -> None:
    folder = tmp_path_factory.mktemp("masks")
    pixels = blank()
    pixels[4:11, 6:15] = np.where(mask, 255, 0)
    save(folder, "m/a.png", pixels)
    found = said(spec_of(binary(), objects="components"), folder)
    assert sum(f.area_px or 0 for f in found.findings) == np.count_nonzero(mask)


SIDECAR = Sidecar(
    kind="sidecar",
    completeness="partial",
    if_missing="unknown",
    files=["i/{name}.json", "i/all.json"],
    size="PixelSize",
    unit="Unit",
)


def test_sidecar_gives_row_and_column_spacing(tmp_path: Path) -> None:
    (tmp_path / "i").mkdir()
    (tmp_path / "i/a.json").write_text('{"PixelSize": [0.1, 0.2], "Unit": "um"}')
    spec = SIDECAR.model_copy(update={"files": ["i/{name}.json"]})
    assert said(spec, tmp_path).spacing_mm == (0.0002, 0.0001)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"PixelSize": [0.1, 0.1]},
        {"PixelSize": [0.1], "Unit": "um"},
        {"PixelSize": [0.1, -1], "Unit": "um"},
        {"PixelSize": [0.1, "0.1"], "Unit": "um"},
        {"PixelSize": [0.1, True], "Unit": "um"},
        {"PixelSize": [0.1, 10**400], "Unit": "um"},
        {"PixelSize": [0.1, float("nan")], "Unit": "um"},
        {"PixelSize": [0.1, 0.1], "Unit": "inch"},
        {"PixelSize": [0.1, 0.1], "Unit": ["um"]},
    ],
)
def test_sidecar_without_a_size_is_refused(tmp_path: Path, content: dict[str, Any]) -> None:
    (tmp_path / "i").mkdir()
    (tmp_path / "i/a.json").write_text(json.dumps(content))
    spec = SIDECAR.model_copy(update={"files": ["i/{name}.json"]})
    assert refused(spec, tmp_path).reason == "geometry_invalid"


@pytest.mark.parametrize("data", [b"{", b"[]", b"\xff", b"[" * 100_000])
def test_sidecar_that_is_no_object_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "i").mkdir()
    (tmp_path / "i/a.json").write_bytes(data)
    spec = SIDECAR.model_copy(update={"files": ["i/{name}.json"]})
    assert refused(spec, tmp_path).reason == "file_unreadable"


def test_shared_sidecar_serves_what_has_none_of_its_own(tmp_path: Path) -> None:
    spec = SIDECAR.model_copy(update={"files": ["{s}/{name}.json", "{s}/all.json"]})
    for name in ("a", "b"):
        save(tmp_path, f"s1/{name}.png", blank())
    for name in ("a", "all"):
        (tmp_path / f"s1/{name}.json").write_text("{}")
    found = indexed(spec, tmp_path, "{s}/{name}.png")
    assert [found.entries[f"s1/{name}.png"].files for name in "ab"] == [
        ("s1/a.json",),
        ("s1/all.json",),
    ]
