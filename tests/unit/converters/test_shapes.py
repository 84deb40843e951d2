"""Run-length tables, outlines and points: which pixels they mean, and what is refused."""

import io
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from converters.annotations import points, polygons, recist, rle
from converters.annotations.contract import Block, ImageName, Index, Question, Said
from converters.errors import CaseError, SourceError
from converters.files import Root
from converters.imaging.pictures import decode_picture
from converters.specs.outlines import Polygons
from converters.specs.shapes import Points, Recist, Rle

WIDTH, HEIGHT = 40, 30
MODULES = {Rle: rle, Polygons: polygons, Points: points, Recist: recist}
LABELS = {"m": "lung mass", "n": "lung nodule"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A source with the pictures x.png and y.png."""
    grey = np.add.outer(np.arange(HEIGHT), np.arange(WIDTH)).astype(np.uint8)
    for name in "xy":
        out = io.BytesIO()
        Image.fromarray(grey).save(out, format="PNG")
        (tmp_path / f"{name}.png").write_bytes(out.getvalue())
    return tmp_path


def indexed(spec: Rle | Polygons | Points | Recist, folder: Path) -> tuple[Block, Index]:
    root = Root(source="toy", folder=folder)
    images = tuple(ImageName(path=f"{n}.png", fields={"path": f"{n}.png", "name": n}) for n in "xy")
    block = Block(source="toy", root=root, listing=root.listing(), images=images)
    return block, module_for(spec).index(spec, block)


def module_for(spec: object) -> ModuleType:
    return MODULES[type(spec)]


def ask(spec: Rle | Polygons | Points | Recist, folder: Path, name: str = "x") -> Said:
    """What a block says of an image."""
    block, index = indexed(spec, folder)
    path = f"{name}.png"
    question = Question(
        root=block.root, path=path, fields={"name": name}, entry=index.entries[path],
        picture=decode_picture(block.root.read(path), path), spacing_mm=None,
    )  # fmt: skip
    said: Said = module_for(spec).read(spec, question)
    return said


def corners(said: Said) -> list[tuple[float, ...]]:
    """Boxes of findings."""
    boxes = [finding.box for finding in said.findings if finding.box]
    return [(box.x_min, box.y_min, box.x_max, box.y_max) for box in boxes]


def reason(spec: Rle | Polygons | Points | Recist, folder: Path) -> str:
    with pytest.raises(CaseError) as caught:
        ask(spec, folder)
    return caught.value.reason


# Run-length codes


def rle_spec(**more: Any) -> Rle:
    content = {
        "kind": "rle", "completeness": "complete", "table": {"path": "masks.csv"}, "key": "{id}",
        "match": "{name}", "column": "runs", "starts": "from_1", "order": "columns",
        "no_mask": ["", "-1"], "labels": {"m": "lung mass"},
    }  # fmt: skip
    return Rle.model_validate({**content, **more})


def write_runs(folder: Path, *rows: str, header: str = "id,runs") -> None:
    (folder / "masks.csv").write_text("\n".join([header, *rows]) + "\n")


def test_columns_of_a_mask_run_down(folder: Path) -> None:
    # Two pixels in the third row of the first column, then the same in the fourth column.
    write_runs(folder, f"x,3 2 {3 * HEIGHT + 3} 2")
    assert corners(ask(rle_spec(), folder)) == [(0, 2, 4, 4)]


def test_rows_of_a_mask_run_to_the_right(folder: Path) -> None:
    write_runs(folder, f"x,3 2 {3 * WIDTH + 3} 2")
    assert corners(ask(rle_spec(order="rows"), folder)) == [(2, 0, 4, 4)]


def test_several_rows_of_an_image_are_one_region(folder: Path) -> None:
    write_runs(folder, "x,1 1", "y,5 1", "x,4 1")
    (finding,) = ask(rle_spec(), folder).findings
    assert (finding.area_px, finding.parts, finding.is_instance) == (2, 2, False)


def test_rows_may_be_objects_and_a_row_written_twice_is_one(folder: Path) -> None:
    write_runs(folder, "x,1 2", "x,2 2", "x,1 2")
    said = ask(rle_spec(objects="rows"), folder)
    assert corners(said) == [(0, 0, 1, 2), (0, 1, 1, 3)]
    assert all(finding.is_instance for finding in said.findings)


def test_a_code_may_be_longer_than_the_limit_of_the_csv_module(folder: Path) -> None:
    write_runs(folder, "x," + "0 " * 100_000 + "1 2")
    # Read as one cell; that a run of 0 pixels is none is said of the image.
    assert reason(rle_spec(), folder) == "value_invalid"


def test_no_mask_is_absence_where_labels_are_complete(folder: Path) -> None:
    write_runs(folder, "x,-1")
    assert ask(rle_spec(), folder).absent == ("lung mass",)
    assert ask(rle_spec(completeness="partial"), folder).absent == ()


def test_a_label_without_a_row_is_unknown(folder: Path) -> None:
    write_runs(folder, "x,m,1 1", header="id,c,runs")
    assert ask(rle_spec(label_column="c", labels=LABELS), folder).absent == ()


def test_a_mask_beside_no_mask_is_a_contradiction(folder: Path) -> None:
    write_runs(folder, "x,-1", "x,1 1")
    assert reason(rle_spec(), folder) == "labels_contradict"


def test_masks_for_another_size_are_refused(folder: Path) -> None:
    write_runs(folder, "x,1 1")
    assert reason(rle_spec(frame=[HEIGHT, WIDTH]), folder) == "size_unexpected"


def test_runs_beyond_the_picture_are_refused(folder: Path) -> None:
    write_runs(folder, f"x,{WIDTH * HEIGHT} 2")
    assert reason(rle_spec(), folder) == "box_outside"


def test_an_unknown_code_of_a_row_stops_the_source(folder: Path) -> None:
    write_runs(folder, "x,k,1 1", header="id,c,runs")
    with pytest.raises(SourceError, match="'k' is not known"):
        indexed(rle_spec(label_column="c", labels=LABELS), folder)


def test_masks_without_an_image_are_orphans(folder: Path) -> None:
    write_runs(folder, "x,1 1", "z,1 1", "z,3 1")
    assert indexed(rle_spec(), folder)[1].orphans == (("masks.csv:z", "2 masks"),)


# Outlines


def polygons_spec(**more: Any) -> Polygons:
    content = {
        "kind": "polygons", "completeness": "complete", "files": "{name}.json",
        "written": {"format": "labelme"}, "labels": LABELS, "ignore": ["other"],
        "origin": "corner", "outside": "reject", "objects": "outlines",
    }  # fmt: skip
    return Polygons.model_validate({**content, **more})


def shape(x_min: float, y_min: float, x_max: float, y_max: float, **more: Any) -> dict[str, Any]:
    outline = [[x_min, y_min], [x_max, y_min], [x_max, y_max], [x_min, y_max]]
    return {"label": "m", "points": outline, "shape_type": "polygon", "group_id": None, **more}


def write_labelme(folder: Path, *shapes: dict[str, Any], size: Any = (WIDTH, HEIGHT)) -> None:
    content = {"shapes": list(shapes), "imageWidth": size[0], "imageHeight": size[1]}
    (folder / "x.json").write_text(json.dumps(content))


def test_an_outline_along_pixel_borders_has_its_own_box(folder: Path) -> None:
    write_labelme(folder, shape(3, 5, 20, 9))
    said = ask(polygons_spec(), folder)
    assert corners(said) == [(3, 5, 20, 9)]
    assert said.findings[0].area_px == 17 * 4
    assert said.absent == ("lung nodule",)


def test_points_may_be_centres_of_pixels(folder: Path) -> None:
    write_labelme(folder, shape(3, 5, 20, 9))
    assert corners(ask(polygons_spec(origin="center"), folder)) == [(3, 5, 20, 9)]
    write_labelme(folder, shape(2.6, 4.6, 20.4, 9.4))
    assert corners(ask(polygons_spec(origin="center"), folder)) == [(3, 5, 21, 10)]


def test_shapes_of_a_group_are_one_object(folder: Path) -> None:
    shapes = [shape(0, 0, 4, 4, group_id=1), shape(8, 0, 12, 4, group_id=1), shape(20, 0, 24, 4)]
    write_labelme(folder, *shapes)
    grouped = polygons_spec(written={"format": "labelme", "grouped": True})
    assert corners(ask(grouped, folder)) == [(0, 0, 12, 4), (20, 0, 24, 4)]
    assert len(ask(polygons_spec(), folder).findings) == 3


def test_what_repeats_a_shape_is_passed_over(folder: Path) -> None:
    write_labelme(folder, shape(0, 0, 4, 4), shape(0, 0, 4, 4, shape_type="rectangle"))
    once = polygons_spec(written={"format": "labelme", "passed_over": ["rectangle"]})
    assert len(ask(once, folder).findings) == 1
    assert reason(polygons_spec(), folder) == "value_invalid"


def test_the_same_outline_twice_is_one_object(folder: Path) -> None:
    write_labelme(folder, shape(0, 0, 4, 4), shape(0, 0, 4, 4))
    assert len(ask(polygons_spec(), folder).findings) == 1


def test_an_outline_out_of_the_picture_is_refused_or_cut(folder: Path) -> None:
    write_labelme(folder, shape(-5, -5, 4, 4))
    assert reason(polygons_spec(), folder) == "box_outside"
    said = ask(polygons_spec(outside="clip"), folder)
    assert corners(said) == [(0, 0, 4, 4)]
    assert said.transforms == ({"step": "clip_outlines", "objects": 1},)


def test_an_outline_that_covers_no_pixel_is_refused(folder: Path) -> None:
    write_labelme(folder, shape(3.6, 3.6, 4.4, 4.4))
    assert reason(polygons_spec(), folder) == "box_empty"
    write_labelme(folder, shape(WIDTH + 3, 0, WIDTH + 9, 5))
    assert reason(polygons_spec(outside="clip"), folder) == "box_empty"


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ({"label": "k"}, "label_unknown"),
        ({"label": None}, "value_invalid"),
        ({"shape_type": "circle"}, "value_invalid"),
        ({"points": [[1, 2], [3, 4]]}, "box_empty"),
        ({"points": [[1, 2, 3]] * 3}, "value_invalid"),
        ({"points": [["1", 2]] * 3}, "value_invalid"),
        ({"points": [[True, 2]] * 3}, "value_invalid"),
        ({"points": [[1e9, 2]] * 3}, "value_invalid"),
        ({"points": None}, "value_invalid"),
    ],
)
def test_what_is_no_shape_is_refused(more: dict[str, Any], wanted: str, folder: Path) -> None:
    write_labelme(folder, shape(0, 0, 4, 4, **more))
    assert reason(polygons_spec(), folder) == wanted


def test_outlines_for_a_picture_of_another_size_are_refused(folder: Path) -> None:
    write_labelme(folder, shape(0, 0, 4, 4), size=(HEIGHT, WIDTH))
    assert reason(polygons_spec(), folder) == "size_unexpected"


@pytest.mark.parametrize("text", ["", "[", "[]", '{"shapes": 1}', '{"shapes": [1]}', "[NaN]"])
def test_what_is_not_labelme_is_refused(text: str, folder: Path) -> None:
    (folder / "x.json").write_text(text)
    assert reason(polygons_spec(), folder) in ("file_unreadable", "value_invalid", "file_empty")


def test_a_contour_file_holds_x_then_y(folder: Path) -> None:
    (folder / "x_m.txt").write_text("3 5\n20 5\n20 9\n\n3 9\n")
    spec = polygons_spec(files="{name}_{c}.txt", written={"format": "contours", "field": "c"})
    said = ask(spec, folder)
    assert corners(said) == [(3, 5, 20, 9)]
    assert said.absent == ()  # of the other label there is no file


def test_a_contour_may_be_a_json_list(folder: Path) -> None:
    (folder / "x.json").write_text("[[3, 5], [20, 5], [20, 9], [3, 9]]")
    spec = polygons_spec(written={"format": "contours"}, labels={"m": "lung mass"}, ignore=[])
    assert corners(ask(spec, folder)) == [(3, 5, 20, 9)]


def test_yolo_outlines_are_parts_of_width_and_height(folder: Path) -> None:
    (folder / "x.txt").write_text("m 0.25 0.1 0.5 0.1 0.5 0.2 0.25 0.2\n")
    spec = polygons_spec(files="{name}.txt", written={"format": "yolo"})
    assert corners(ask(spec, folder)) == [(10, 3, 20, 6)]


def test_an_empty_yolo_file_says_that_there_is_nothing(folder: Path) -> None:
    (folder / "x.txt").write_text("")
    spec = polygons_spec(files="{name}.txt", written={"format": "yolo"})
    assert ask(spec, folder).absent == ("lung mass", "lung nodule")


LISTS = {
    "format": "lists", "match": "{name}.png", "image": "file", "names": "syms",
    "outlines": "polygons",
}  # fmt: skip


def test_lists_run_parallel(folder: Path) -> None:
    outlines = [[[3, 5], [20, 5], [20, 9], [3, 9]], [[0, 0], [2, 0], [2, 2], [0, 2]]]
    content = [{"file": "x.png", "syms": ["n", "other"], "polygons": outlines}]
    (folder / "x.json").write_text(json.dumps(content))
    said = ask(polygons_spec(files="x.json", written=LISTS), folder)
    assert [finding.label for finding in said.findings] == ["lung nodule"]
    assert corners(said) == [(3, 5, 20, 9)]


@pytest.mark.parametrize(
    "content",
    [
        [{"file": "x.png", "syms": ["m"], "polygons": []}],
        [{"file": "x.png", "syms": ["k"], "polygons": [[[0, 0], [2, 0], [2, 2]]]}],
        [{"file": "x.png", "syms": [], "polygons": []}] * 2,
        [{"file": 3, "syms": [], "polygons": []}],
        {"file": "x.png"},
        [1],
    ],
)
def test_lists_that_do_not_hold_stop_the_source(content: Any, folder: Path) -> None:
    (folder / "x.json").write_text(json.dumps(content))
    with pytest.raises(SourceError, match="lists"):
        indexed(polygons_spec(files="x.json", written=LISTS), folder)


@pytest.mark.parametrize("regions", [list, dict])
def test_via_holds_x_and_y_apart(regions: type, folder: Path) -> None:
    region = {
        "shape_attributes": {"name": "polygon", "all_points_x": [3, 20, 20, 3],
                             "all_points_y": [5, 5, 9, 9]},
        "region_attributes": {"class": "m"},
    }  # fmt: skip
    held: Any = [region] if regions is list else {"0": region}
    (folder / "v.json").write_text(json.dumps({"x.png1": {"filename": "x.png", "regions": held}}))
    written = {"format": "via", "match": "{name}.png", "attribute": "class"}
    assert corners(ask(polygons_spec(files="v.json", written=written), folder)) == [(3, 5, 20, 9)]


def write_coco(folder: Path, *segmentations: Any, size: tuple[int, int] = (WIDTH, HEIGHT)) -> None:
    image = {"id": 7, "file_name": "x.png", "width": size[0], "height": size[1]}
    annotations = [
        {"id": at, "image_id": 7, "category_id": 1, "segmentation": one}
        for at, one in enumerate(segmentations)
    ]
    content = {
        "images": [image], "annotations": annotations, "categories": [{"id": 1, "name": "m"}]
    }  # fmt: skip
    (folder / "c.json").write_text(json.dumps(content))


COCO = {"files": "c.json", "written": {"format": "coco", "match": "{name}.png"}}


def test_coco_writes_x_and_y_in_turn_and_an_object_may_have_several_outlines(folder: Path) -> None:
    first, second = [3, 5, 20, 5, 20, 9, 3, 9], [30, 5, 34, 5, 34, 9, 30, 9]
    write_coco(folder, [first, second], [[0, 0, 2, 0, 2, 2, 0, 2]])
    said = ask(polygons_spec(**COCO), folder)
    assert corners(said) == [(3, 5, 34, 9), (0, 0, 2, 2)]
    assert [finding.area_px for finding in said.findings] == [17 * 4 + 4 * 4, 4]


@pytest.mark.parametrize(
    ("segmentation", "wanted"),
    [
        ({"counts": [0, 4], "size": [HEIGHT, WIDTH]}, "file_unsupported"),
        ([], "value_invalid"),
        (None, "value_invalid"),
        ([[1, 2, 3]], "value_invalid"),
        ([[1, 2, 3, 4]], "box_empty"),
        ([["a", 2, 3, 4, 5, 6]], "value_invalid"),
    ],
)
def test_what_is_no_segmentation_is_refused(segmentation: Any, wanted: str, folder: Path) -> None:
    write_coco(folder, segmentation)
    assert reason(polygons_spec(**COCO), folder) == wanted


def test_coco_for_a_picture_of_another_size_is_refused(folder: Path) -> None:
    write_coco(folder, [[0, 0, 2, 0, 2, 2]], size=(HEIGHT, WIDTH))
    assert reason(polygons_spec(**COCO), folder) == "size_unexpected"


RECORDS = {
    "files": "r.json",
    "written": {"format": "records", "match": "{name}", "image": "of", "codes": "ids",
                "points": "data", "names_file": "names.json"},
}  # fmt: skip


def write_records(folder: Path, records: Any, names: Any) -> None:
    (folder / "r.json").write_text(json.dumps(records))
    (folder / "names.json").write_text(json.dumps(names))


def record(*ids: str, of: str = "x", left: int = 3) -> dict[str, Any]:
    corners = [(left, 5), (left + 4, 5), (left + 4, 9), (left, 9)]
    return {"of": of, "ids": list(ids), "data": [{"x": x, "y": y} for x, y in corners]}


NAMES = [{"id": "1", "name": "m"}, {"id": "2", "name": "n"}, {"id": "3", "name": "unheard of"}]


def test_records_of_an_image_may_stand_apart_and_have_several_labels(folder: Path) -> None:
    write_records(folder, [record("1"), record("2", of="y"), record("1", "2", left=20)], NAMES)
    said = ask(polygons_spec(**RECORDS), folder)
    labels = [finding.label for finding in said.findings]
    assert labels == ["lung mass", "lung mass", "lung nodule"]
    assert corners(said) == [(3, 5, 7, 9), (20, 5, 24, 9), (20, 5, 24, 9)]


@pytest.mark.parametrize(
    ("records", "names"),
    [
        ([record("4")], NAMES),
        ([record("3")], NAMES),
        ([record("1")], [*NAMES, {"id": "1", "name": "n"}]),
        ([record("1")], [{"id": "1"}]),
        ([{"of": "x", "ids": "1", "data": []}], NAMES),
        ([{"of": "x", "ids": ["1"], "data": [{"x": 1}]}], NAMES),
    ],
)
def test_records_that_do_not_hold_stop_the_source(records: Any, names: Any, folder: Path) -> None:
    write_records(folder, records, names)
    with pytest.raises(SourceError, match="records"):
        indexed(polygons_spec(**RECORDS), folder)


def ring(x_min: float, y_min: float, x_max: float, y_max: float) -> list[list[float]]:
    corners = [[x_min, y_min], [x_max, y_min], [x_max, y_max], [x_min, y_max]]
    return [*corners, corners[0]]


def write_geojson(folder: Path, kind: str, coordinates: Any, said: Any) -> None:
    feature = {
        "type": "Feature", "geometry": {"type": kind, "coordinates": coordinates},
        "properties": {"classification": said},
    }  # fmt: skip
    content = {"type": "FeatureCollection", "features": [feature]}
    (folder / "x.geojson").write_text(json.dumps(content))


GEOJSON = {"files": "{name}.geojson", "written": {"format": "geojson"}}


@pytest.mark.parametrize("said", [{"name": "m"}, '{"name": "m"}', "m"])
def test_a_ring_within_another_is_a_hole_and_within_it_an_island(said: Any, folder: Path) -> None:
    outer, hole, island = ring(2, 2, 12, 12), ring(4, 4, 10, 10), ring(6, 6, 8, 8)
    write_geojson(folder, "MultiPolygon", [[outer, hole], [island]], said)
    (finding,) = ask(polygons_spec(**GEOJSON), folder).findings
    assert finding.area_px == 100 - 36 + 4
    assert corners(ask(polygons_spec(**GEOJSON), folder)) == [(2, 2, 12, 12)]


@pytest.mark.parametrize(
    ("kind", "coordinates", "said", "wanted"),
    [
        ("Point", [1, 2], {"name": "m"}, "value_invalid"),
        ("Polygon", [], {"name": "m"}, "value_invalid"),
        ("Polygon", None, {"name": "m"}, "value_invalid"),
        ("MultiPolygon", 3, {"name": "m"}, "value_invalid"),
        ("Polygon", [ring(0, 0, 4, 4)], {"name": "k"}, "label_unknown"),
        ("Polygon", [ring(0, 0, 4, 4)], {}, "value_invalid"),
        ("Polygon", [ring(0, 0, 4, 4)], None, "value_invalid"),
        ("Polygon", [[[0, 0, 1]] * 4], {"name": "m"}, "value_invalid"),
    ],
)
def test_what_is_no_feature_is_refused(
    kind: str, coordinates: Any, said: Any, wanted: str, folder: Path
) -> None:
    write_geojson(folder, kind, coordinates, said)
    assert reason(polygons_spec(**GEOJSON), folder) == wanted


def write_aperio(folder: Path, *regions: str, name: str = "m", top: str = "Annotations") -> None:
    attribute = f'<Attribute Name="{name}"/>' if name else ""
    (folder / "x.xml").write_text(
        f"<{top}><Annotation><Attributes>{attribute}</Attributes>"
        f"<Regions>{''.join(regions)}</Regions></Annotation></{top}>"
    )


def region(*points: tuple[Any, Any], **more: str) -> str:
    vertices = "".join(f'<Vertex X="{x}" Y="{y}"/>' for x, y in points)
    said = "".join(f' {key}="{value}"' for key, value in more.items())
    return f"<Region{said}><Vertices>{vertices}</Vertices></Region>"


BLOCK = [(3, 5), (20, 5), (20, 9), (3, 9)]
APERIO = {"files": "{name}.xml", "written": {"format": "aperio", "named": True}}


def test_imagescope_writes_x_and_y_of_pixels_and_points_are_passed_over(folder: Path) -> None:
    write_aperio(folder, region(*BLOCK), region((1, 1), (2, 2)))
    said = ask(polygons_spec(**APERIO), folder)
    assert corners(said) == [(3, 5, 20, 9)]
    assert said.transforms == ({"step": "pass_over_points", "marks": 1},)


@pytest.mark.parametrize(
    ("text", "more", "wanted"),
    [
        (region(*BLOCK, NegativeROA="1"), {}, "value_invalid"),
        (region(*BLOCK, Type="4"), {}, "outline_open"),
        (region(("a", 1), (2, 2), (3, 1)), {}, "value_invalid"),
        (region(*BLOCK), {"name": ""}, "value_invalid"),
        (region(*BLOCK), {"name": "k"}, "label_unknown"),
        (region(*BLOCK), {"top": "Other"}, "file_unreadable"),
        ("<", {}, "file_unreadable"),
    ],
)
def test_what_is_no_region_is_refused(
    text: str, more: dict[str, str], wanted: str, folder: Path
) -> None:
    write_aperio(folder, text, **more)
    assert reason(polygons_spec(**APERIO), folder) == wanted


def test_tiny_outlines_may_be_left_out_and_are_not_absent(folder: Path) -> None:
    write_labelme(folder, shape(3.6, 3.6, 4.4, 4.4))
    said = ask(polygons_spec(tiny="leave_out", completeness="presence"), folder)
    assert (said.findings, said.absent) == ((), ("lung nodule",))
    assert said.transforms == ({"step": "leave_out_tiny", "objects": 1},)
    with pytest.raises(ValidationError, match="labels are not complete"):
        polygons_spec(tiny="leave_out")


def readers_spec(at_least: int) -> Polygons:
    return polygons_spec(
        files="{name}_{c}_{reader}.txt", written={"format": "contours", "field": "c"},
        objects="region", consensus={"field": "reader", "at_least": at_least},
    )  # fmt: skip


def test_readers_agree_on_what_enough_of_them_have_drawn(folder: Path) -> None:
    (folder / "x_m_a.txt").write_text("0 0\n10 0\n10 10\n0 10\n")
    (folder / "x_m_b.txt").write_text("4 2\n20 2\n20 12\n4 12\n")
    said = ask(readers_spec(2), folder)
    assert corners(said) == [(4, 2, 10, 10)]
    assert said.transforms == ({"step": "consensus", "readers": 2, "at_least": 2},)
    assert corners(ask(readers_spec(1), folder)) == [(0, 0, 20, 12)]


def test_too_few_readers_are_refused(folder: Path) -> None:
    (folder / "x_m_a.txt").write_text("0 0\n10 0\n10 10\n0 10\n")
    assert reason(readers_spec(2), folder) == "annotation_missing"


def test_what_readers_do_not_agree_on_is_neither_there_nor_absent(folder: Path) -> None:
    (folder / "x_m_a.txt").write_text("0 0\n5 0\n5 5\n0 5\n")
    (folder / "x_m_b.txt").write_text("20 20\n25 20\n25 25\n20 25\n")
    said = ask(readers_spec(2), folder)
    assert (said.findings, said.absent) == ((), ())


def test_a_consensus_on_objects_is_no_manifest() -> None:
    with pytest.raises(ValidationError, match="which outlines belong together"):
        polygons_spec(consensus={"field": "reader", "at_least": 2})


# Points


def points_spec(**more: Any) -> Points:
    content = {
        "kind": "points", "completeness": "complete", "table": {"path": "points.csv"},
        "key": "{id}", "match": "{name}", "x": "x", "y": "y", "first_pixel": 0,
        "labels": {"m": "lung mass"},
    }  # fmt: skip
    return Points.model_validate({**content, **more})


def write_points(folder: Path, *rows: str, header: str = "id,x,y") -> None:
    (folder / "points.csv").write_text("\n".join([header, *rows]) + "\n")


def test_a_point_has_a_position_and_no_box(folder: Path) -> None:
    write_points(folder, f"x,{WIDTH - 2},1")
    (finding,) = ask(points_spec(), folder).findings
    assert (finding.position, finding.box, finding.is_instance) == ("upper right", None, True)
    assert finding.area_px is finding.longest_diameter_px is None


def test_x_is_across_and_y_is_down(folder: Path) -> None:
    write_points(folder, f"x,1,{HEIGHT - 2}")
    assert ask(points_spec(), folder).findings[0].position == "lower left"


@pytest.mark.parametrize(("first", "row"), [(0, "0,0"), (1, "1,1")])
def test_a_stated_size_makes_a_box_around_the_centre_of_its_pixel(
    first: int, row: str, folder: Path
) -> None:
    write_points(folder, f"x,{row}", f"y,{first + 9},{first + 9}")
    spec = points_spec(first_pixel=first, diameter_px=3)
    assert corners(ask(spec, folder)) == [(0, 0, 2, 2)]
    assert corners(ask(spec, folder, "y")) == [(8, 8, 11, 11)]


@pytest.mark.parametrize("row", ["-1,3", f"{WIDTH},3", f"3,{HEIGHT}", "3,1e6"])
def test_a_point_outside_the_picture_is_refused(row: str, folder: Path) -> None:
    write_points(folder, f"x,{row}")
    assert reason(points_spec(), folder) == "box_outside"


@pytest.mark.parametrize("row", ["a,3", "nan,3", "1_0,3", "3,"])
def test_what_is_no_coordinate_is_refused(row: str, folder: Path) -> None:
    write_points(folder, f"x,{row}")
    assert reason(points_spec(), folder) == "value_invalid"


def test_places_that_are_not_given_are_not_there(folder: Path) -> None:
    write_points(folder, "x,0,0")
    assert ask(points_spec(not_there=["0"]), folder).absent == ("lung mass",)


def test_an_empty_table_of_an_image_says_that_there_is_nothing(folder: Path) -> None:
    (folder / "x.csv").write_text("")
    spec = points_spec(table=None, key=None, match=None, files="{name}.csv", header=["x", "y"])
    assert ask(spec, folder).absent == ("lung mass",)


@pytest.mark.parametrize(
    ("text", "wanted"), [("1,2,k\n", "label_unknown"), ("1,2\n", "value_invalid")]
)
def test_a_table_of_an_image_that_does_not_hold_is_refused(
    text: str, wanted: str, folder: Path
) -> None:
    (folder / "x.csv").write_text(text)
    spec = points_spec(
        table=None, key=None, match=None, files="{name}.csv", header=["x", "y", "c"],
        label_column="c",
    )  # fmt: skip
    assert reason(spec, folder) == wanted


def test_the_same_point_twice_is_one(folder: Path) -> None:
    write_points(folder, "x,3,4", "x,3,4")
    said = ask(points_spec(), folder)
    assert len(said.findings) == 1
    assert said.transforms == ({"step": "drop_repeated_points", "points": 1},)


def test_a_blank_before_the_name_of_a_column_does_not_matter(folder: Path) -> None:
    write_runs(folder, "x,1 2", header="id, runs")
    assert corners(ask(rle_spec(), folder)) == [(0, 0, 1, 2)]


# Diameters


def recist_spec(**more: Any) -> Recist:
    content = {
        "kind": "recist", "completeness": "partial", "table": {"path": "lesions.csv"},
        "key": "{id}", "match": "{name}", "ends": ["ends"], "origin": "corner",
        "labels": {"m": "lung mass"},
    }  # fmt: skip
    return Recist.model_validate({**content, **more})


def write_lesions(folder: Path, *rows: str, header: str = "id,ends") -> None:
    (folder / "lesions.csv").write_text("\n".join([header, *rows]) + "\n")


def test_the_box_goes_around_both_lines_and_the_longest_is_the_diameter(folder: Path) -> None:
    write_lesions(folder, 'x,"10, 4, 13, 8, 9, 7, 12, 6"')
    (finding,) = ask(recist_spec(), folder).findings
    assert finding.box is not None
    assert corners(ask(recist_spec(), folder)) == [(9, 4, 13, 8)]
    assert finding.longest_diameter_px == 5
    assert finding.longest_diameter_mm is None
    assert finding.attributes == ()


def test_a_published_row_has_the_box_and_diameters_that_stand_beside_it(tmp_path: Path) -> None:
    """A row of DeepLesion: its own box has a margin of 5 pixels, its own lengths agree."""
    out = io.BytesIO()
    Image.fromarray(np.arange(512 * 512, dtype=np.uint16).reshape(512, 512)).save(out, format="PNG")
    for name in "xy":
        (tmp_path / f"{name}.png").write_bytes(out.getvalue())
    ends = "233.537, 95.0204, 234.057, 106.977, 231.169, 101.605, 236.252, 101.143"
    write_lesions(tmp_path, f'x,"{ends}","0.488281, 0.488281, 5"', header="id,ends,spacing")
    spec = recist_spec(margin_px=5.0, spacing="spacing")
    said = ask(spec, tmp_path)
    assert corners(said)[0] == pytest.approx((226.169, 90.0204, 241.252, 111.977))
    (finding,) = said.findings
    assert finding.longest_diameter_px == pytest.approx(11.9677, abs=1e-3)
    assert finding.longest_diameter_mm == pytest.approx(11.9677 * 0.488281, abs=1e-3)
    assert finding.attributes == (("short-axis diameter of the lung mass", "2.5 mm"),)
    assert said.spacing_mm == (0.488281, 0.488281)


def test_spacing_of_rows_counts_down_and_of_columns_across(folder: Path) -> None:
    write_lesions(folder, 'x,"10, 4, 10, 14, 8, 8, 12, 8","0.5, 2"', header="id,ends,s")
    (finding,) = ask(recist_spec(spacing="s"), folder).findings
    assert finding.longest_diameter_mm == 5
    assert finding.attributes == (("short-axis diameter of the lung mass", "8.0 mm"),)


def test_a_margin_is_cut_at_the_rim_and_lines_are_not(folder: Path) -> None:
    write_lesions(folder, 'x,"1, 1, 1, 9, 0, 5, 4, 5"')
    assert corners(ask(recist_spec(margin_px=5.0), folder)) == [(0, 0, 9, 14)]
    write_lesions(folder, f'x,"1, 1, 1, {HEIGHT + 9}, 0, 5, 4, 5"')
    assert reason(recist_spec(margin_px=5.0), folder) == "box_outside"


def test_rows_that_the_manifest_leaves_out_say_nothing(folder: Path) -> None:
    write_lesions(
        folder, 'x,"10, 4, 13, 8, 9, 7, 12, 6",1', 'x,"1, 4, 4, 8, 0, 7, 3, 6",0',
        header="id,ends,noisy",
    )  # fmt: skip
    assert corners(ask(recist_spec(leave_out={"noisy": ["1"]}), folder)) == [(0, 4, 4, 8)]


@pytest.mark.parametrize(
    "ends",
    ["1, 2, 3", "1, 2, 3, 4, 5, 6, 7, a", "1, 1, 1, 1, 1, 1, 1, 1", "5, 5, 6, 6, 1, 1, 9, 9"],
)
def test_what_are_no_diameters_is_refused(ends: str, folder: Path) -> None:
    write_lesions(folder, f'x,"{ends}"')
    assert reason(recist_spec(), folder) == "value_invalid"


def test_rows_of_an_image_that_agree_give_fields(folder: Path) -> None:
    lesions = ['"10, 4, 13, 8, 9, 7, 12, 6"', '"1, 4, 4, 8, 0, 7, 3, 6"']
    write_lesions(
        folder, f"x,{lesions[0]},P1,a", f"x,{lesions[1]},P1,b", header="id,ends,person,window"
    )
    _, index = indexed(recist_spec(fields=["person", "window"]), folder)
    assert index.columns["x.png"]["person"] == "P1"
    assert "window" not in index.columns["x.png"]
