"""Boxes: what fits a picture, and each way of writing them."""

import contextlib
import io
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from converters.annotations import box_table, coco, voc, yolo_boxes
from converters.annotations.boxes import Marked, fit_box, say_boxes
from converters.annotations.contract import Block, ImageName, Index, Question, Said
from converters.errors import CaseError, SourceError
from converters.files import Root
from converters.imaging.pictures import decode_picture
from converters.records import Box
from converters.specs.annotations import BoxTable, Coco, Voc
from converters.specs.base import TableFile
from converters.specs.shapes import YoloBoxes
from converters.vocabulary import term

SIZE = (80, 60)
LABELS = {"RBC": "red blood cell", "WBC": "white blood cell"}
VOC = Voc(
    kind="voc", completeness="partial", files="{name}.xml", labels=LABELS, ignore=["text"],
    first_pixel=1, inclusive=True,
)  # fmt: skip
COCO = Coco(
    kind="coco", completeness="complete", files=["a.json"], match="{name}.png", labels=LABELS
)

YOLO = YoloBoxes(
    kind="yolo_boxes", completeness="complete", files="{name}.txt",
    labels={"0": "red blood cell", "1": "white blood cell"}, ignore=["7"],
)  # fmt: skip


def picture() -> bytes:
    """A picture of 80x60 pixels."""
    out = io.BytesIO()
    grey = np.add.outer(np.arange(60), np.arange(80)).astype(np.uint8)
    Image.fromarray(grey).save(out, format="PNG")
    return out.getvalue()


@pytest.fixture
def block(tmp_path: Path) -> Block:
    """A source with the images x.png and y.png."""
    for name in "xy":
        (tmp_path / f"{name}.png").write_bytes(picture())
    return fresh(tmp_path)


def fresh(folder: Path) -> Block:
    """The block of a folder, listed anew."""
    root = Root(source="toy", folder=folder)
    images = tuple(ImageName(path=f"{n}.png", fields={"path": f"{n}.png", "name": n}) for n in "xy")
    return Block(source="toy", root=root, listing=root.listing(), images=images)


def ask(module: ModuleType, spec: object, block: Block, name: str = "x") -> Said:
    """What a block says of an image."""
    index: Index = module.index(spec, block)
    path = f"{name}.png"
    question = Question(
        root=block.root, path=path, fields={"name": name}, entry=index.entries[path],
        picture=decode_picture(block.root.read(path), path), spacing_mm=None,
    )  # fmt: skip
    said: Said = module.read(spec, question)
    return said


def corners(said: Said) -> list[tuple[str, float, float, float, float]]:
    """Labels and boxes of findings."""
    boxes = [(f.label, f.box) for f in said.findings if f.box]
    return [(label, b.x_min, b.y_min, b.x_max, b.y_max) for label, b in boxes]


boxes = st.builds(
    lambda x, y, w, h: Box(x_min=x, y_min=y, x_max=x + w, y_max=y + h),
    st.floats(-5, 90), st.floats(-5, 70), st.floats(0, 40), st.floats(0, 40),
)  # fmt: skip


@given(box=boxes)
def test_a_box_that_fits_lies_inside_and_has_an_area(box: Box) -> None:
    fitted = is_clipped = None
    with contextlib.suppress(CaseError):
        fitted, is_clipped = fit_box(box, SIZE, "x")
    if fitted is None:
        return
    assert 0 <= fitted.x_min < fitted.x_max <= SIZE[0]
    assert 0 <= fitted.y_min < fitted.y_max <= SIZE[1]
    assert is_clipped == (fitted != box)


def test_the_same_box_twice_is_one_finding_and_on_record() -> None:
    one = Marked(code="RBC", box=Box(x_min=1, y_min=1, x_max=5, y_max=5))
    said = say_boxes([one, one], LABELS, size=SIZE, completeness="complete", where="x")
    assert len(said.findings) == 1
    assert said.transforms == ({"step": "drop_repeated_boxes", "boxes": 1},)


@pytest.mark.parametrize(
    ("completeness", "absent"), [("complete", 1), ("presence", 1), ("partial", 0)]
)
def test_only_known_absence_is_absence(completeness: str, absent: int) -> None:
    one = Marked(code="RBC", box=Box(x_min=1, y_min=1, x_max=5, y_max=5))
    said = say_boxes([one], LABELS, size=SIZE, completeness=completeness, where="x")  # type: ignore[arg-type]
    assert len(said.absent) == absent


def xml(objects: str, size: tuple[int, int] = SIZE) -> str:
    """A VOC file."""
    width, height = size
    said = f"<size><width>{width}</width><height>{height}</height></size>"
    return f"<annotation>{said}{objects}</annotation>"


def voc_object(name: str, *numbers: object) -> str:
    """A VOC object."""
    tags = ("xmin", "ymin", "xmax", "ymax")
    box = "".join(f"<{t}>{n}</{t}>" for t, n in zip(tags, numbers, strict=True))
    return f"<object><name>{name}</name><bndbox>{box}</bndbox></object>"


def test_voc_counts_from_one_and_includes_the_last_pixel(block: Block) -> None:
    (block.root.folder / "x.xml").write_text(xml(voc_object("RBC", 1, 1, 80, 60)))
    assert corners(ask(voc, VOC, fresh(block.root.folder))) == [("red blood cell", 0, 0, 80, 60)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (xml(voc_object("dog", 1, 1, 9, 9)), "label_unknown"),
        (xml(voc_object("RBC", 1, 1, 99, 9)), "box_outside"),
        (xml(voc_object("RBC", 9, 9, 9, 9)), "box_empty"),
        (xml(voc_object("RBC", 9, 9, 4, 12)), "box_empty"),
        (xml(voc_object("RBC", "one", 1, 9, 9)), "value_invalid"),
        (xml(voc_object("RBC", "nan", 1, 9, 9)), "value_invalid"),
        (xml(voc_object("RBC", "1_0", 1, 99, 9)), "value_invalid"),
        (xml("<object><name>RBC</name></object>"), "value_invalid"),
        (xml("", (81, 60)), "size_unexpected"),
        ("<annotation>", "file_unreadable"),
        ('<!DOCTYPE a [<!ENTITY x "y">]><annotation>&x;</annotation>', "file_unreadable"),
    ],
)
def test_voc_that_cannot_be_used_is_refused(block: Block, text: str, reason: str) -> None:
    (block.root.folder / "x.xml").write_text(text)
    with pytest.raises(CaseError) as error:
        ask(voc, VOC, fresh(block.root.folder))
    assert error.value.reason == reason


def test_voc_passes_over_what_the_manifest_ignores(block: Block) -> None:
    (block.root.folder / "x.xml").write_text(xml(voc_object("text", 1, 1, 9, 9)))
    assert ask(voc, VOC, fresh(block.root.folder)).findings == ()


def test_voc_without_its_image_is_an_orphan(block: Block) -> None:
    (block.root.folder / "z.xml").write_text(xml(""))
    assert voc.index(VOC, fresh(block.root.folder)).orphans[0][0] == "z.xml"


def write_coco(folder: Path, **changes: object) -> None:
    """A COCO file with one box on each of two images, one of them not on disk."""
    content: dict[str, object] = {
        "images": [
            {"id": 7, "file_name": "x.png", "width": 80, "height": 60},
            {"id": 8, "file_name": "z.png", "width": 80, "height": 60},
        ],
        "categories": [{"id": 3, "name": "RBC"}, {"id": 4, "name": "WBC"}],
        "annotations": [{"id": 1, "image_id": 7, "category_id": 4, "bbox": [2.5, 3, 10, 20]}],
    }
    (folder / "a.json").write_text(json.dumps({**content, **changes}))


def test_coco_boxes_are_x_y_width_height(block: Block) -> None:
    write_coco(block.root.folder)
    said = ask(coco, COCO, fresh(block.root.folder))
    assert corners(said) == [("white blood cell", 2.5, 3, 12.5, 23)]
    assert said.absent == ("red blood cell",)


def test_coco_images_that_are_not_there_are_orphans(block: Block) -> None:
    write_coco(block.root.folder)
    assert [key for key, _ in coco.index(COCO, fresh(block.root.folder)).orphans] == [
        "a.json:z.png"
    ]


def test_a_crowd_is_not_an_object(block: Block) -> None:
    crowd = {"id": 1, "image_id": 7, "category_id": 4, "bbox": [2, 3, 10, 20], "iscrowd": 1}
    write_coco(block.root.folder, annotations=[crowd])
    assert not ask(coco, COCO, fresh(block.root.folder)).findings[0].is_instance


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"categories": [{"id": 4, "name": "dog"}]}, "'dog' is not in the label map"),
        ({"annotations": [{"image_id": 99, "category_id": 4, "bbox": [1, 1, 2, 2]}]}, "not listed"),
        ({"categories": [{"id": 4, "name": "RBC"}, {"id": 4, "name": "WBC"}]}, "id 4 stands twice"),
        ({"images": [{"id": 7, "file_name": n, "width": 8, "height": 8} for n in "xy"]}, "twice"),
        ({"images": [{"id": "7", "file_name": "x.png", "width": 8, "height": 8}]}, "is not COCO"),
        ({"categories": None}, "is not COCO"),
        (
            {"annotations": [{"image_id": "7", "category_id": 4, "bbox": [1, 1, 2, 2]}]},
            "is not COCO",
        ),
        (
            {"annotations": [{"image_id": 7, "category_id": 99, "bbox": [1, 1, 2, 2]}]},
            "is not COCO",
        ),
    ],
)
def test_coco_that_is_not_coco_stops_the_source(
    block: Block, changes: dict[str, object], said: str
) -> None:
    write_coco(block.root.folder, **changes)
    with pytest.raises(SourceError, match=said):
        coco.index(COCO, fresh(block.root.folder))


@pytest.mark.parametrize(
    "text", ['{"a": 1, "a": 2}', '{"a": NaN}', r'{"a": "\ud800"}', "[", "\xff", "[" * 100_000]
)
def test_json_that_is_not_strict_stops_the_source(block: Block, text: str) -> None:
    (block.root.folder / "a.json").write_text(text, encoding="latin-1")
    with pytest.raises(SourceError, match=r"a\.json"):
        coco.index(COCO, fresh(block.root.folder))


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1" + "0" * 400, "true", '"5"', "null"])
def test_coco_numbers_that_are_none_are_refused(block: Block, number: str) -> None:
    write_coco(block.root.folder)
    path = block.root.folder / "a.json"
    path.write_text(path.read_text().replace("2.5", number))
    with pytest.raises(CaseError, match="value_invalid"):
        ask(coco, COCO, fresh(block.root.folder))


def test_coco_of_another_size_is_refused(block: Block) -> None:
    image = {"id": 7, "file_name": "x.png", "width": 8, "height": 6}
    write_coco(block.root.folder, images=[image])
    with pytest.raises(CaseError, match="size_unexpected"):
        ask(coco, COCO, fresh(block.root.folder))


def table(notation: str, **changes: object) -> BoxTable:
    """A box table of a notation."""
    fields: dict[str, object] = {
        "kind": "box_table", "completeness": "partial", "table": TableFile(path="t.csv"),
        "key": "{image}", "match": "{name}.png", "box": ["a", "b", "c", "d"],
        "notation": notation, "label_column": "what", "labels": LABELS,
    }  # fmt: skip
    return BoxTable.model_validate({**fields, **changes})


@pytest.mark.parametrize(
    ("notation", "cells"),
    [
        ("xyxy", "8,6,24,36"),
        ("xywh", "8,6,16,30"),
        ("cxcywh", "16,21,16,30"),
        ("relative_xyxy", "0.1,0.1,0.3,0.6"),
        ("relative_cxcywh", "0.2,0.35,0.2,0.5"),
    ],
)
def test_every_notation_gives_the_same_box(block: Block, notation: str, cells: str) -> None:
    (block.root.folder / "t.csv").write_text(f"image,what,a,b,c,d\nx.png,RBC,{cells}\n")
    found = corners(ask(box_table, table(notation), fresh(block.root.folder)))
    assert found == [("red blood cell", *map(pytest.approx, (8, 6, 24, 36)))]


def test_boxes_of_another_frame_are_refused_or_scaled(block: Block) -> None:
    (block.root.folder / "t.csv").write_text("image,what,a,b,c,d\nx.png,RBC,16,12,32,60\n")
    with pytest.raises(CaseError, match="size_unexpected"):
        ask(box_table, table("xywh", frame=[160, 120]), fresh(block.root.folder))
    spec = table("xywh", frame=[160, 120], rescale=True)
    assert corners(ask(box_table, spec, fresh(block.root.folder))) == [
        ("red blood cell", 8, 6, 24, 36)
    ]


def test_a_row_without_a_box_says_that_there_is_none(block: Block) -> None:
    (block.root.folder / "t.csv").write_text("image,what,a,b,c,d\nx.png,,,,,\n")
    said = ask(box_table, table("xywh", completeness="complete"), fresh(block.root.folder))
    assert said.findings == ()
    assert len(said.absent) == 2


def test_an_unknown_label_stops_the_source(block: Block) -> None:
    (block.root.folder / "t.csv").write_text("image,what,a,b,c,d\nx.png,dog,1,1,2,2\n")
    with pytest.raises(SourceError, match="'dog' is not known"):
        box_table.index(table("xywh"), fresh(block.root.folder))


def test_terms_of_a_block_are_those_of_its_labels() -> None:
    for module, spec in ((voc, VOC), (coco, COCO), (box_table, table("xywh"))):
        assert set(module.terms_of(spec)) == {term(name).term for name in LABELS.values()}


def yolo(block: Block, text: str) -> Said:
    """What a YOLO file says of x.png."""
    (block.root.folder / "x.txt").write_text(text)
    return ask(yolo_boxes, YOLO, fresh(block.root.folder))


def test_yolo_centres_and_sizes_are_parts_of_the_picture(block: Block) -> None:
    assert corners(yolo(block, "1 0.5 0.25 0.25 0.5\n7 0.5 0.5 0.1 0.1\n")) == [
        ("white blood cell", 30, 0, 50, 30)
    ]


def test_a_yolo_file_of_an_empty_line_marks_nothing(block: Block) -> None:
    assert yolo(block, "\n").absent == ("red blood cell", "white blood cell")


@given(
    center=st.tuples(st.floats(0.2, 0.8), st.floats(0.2, 0.8)),
    side=st.tuples(st.floats(0.05, 0.4), st.floats(0.05, 0.4)),
)
def test_a_yolo_box_comes_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory,
    center: tuple[float, float],
    side: tuple[float, float],
) -> None:
    folder = tmp_path_factory.mktemp("yolo")
    for name in "xy":
        (folder / f"{name}.png").write_bytes(picture())
    said = yolo(fresh(folder), f"0 {center[0]} {center[1]} {side[0]} {side[1]}")
    ((_, left, top, right, bottom),) = corners(said)
    assert ((left + right) / 2, (top + bottom) / 2) == pytest.approx(
        (center[0] * SIZE[0], center[1] * SIZE[1])
    )
    assert (right - left, bottom - top) == pytest.approx((side[0] * SIZE[0], side[1] * SIZE[1]))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2 0.5 0.5 0.1 0.1", "label_unknown"),
        ("0 0.5 0.5 0.1", "value_invalid"),
        ("0 0.5 0.5 0.1 0.1 0.9", "value_invalid"),
        ("0 40 30 20 10", "value_invalid"),
        ("0 0.5 0.5 -0.1 0.1", "value_invalid"),
        ("0 0.5 nan 0.1 0.1", "value_invalid"),
        ("0 0.1 0.5 0.9 0.1", "box_outside"),
        ("0 0.5 0.5 0 0.1", "box_empty"),
        ("", "file_empty"),
    ],
)
def test_a_yolo_line_that_is_no_box_is_refused(block: Block, text: str, reason: str) -> None:
    with pytest.raises(CaseError) as found:
        yolo(block, text)
    assert found.value.reason == reason


def test_coco_categories_may_have_keys_of_their_own(block: Block) -> None:
    content = {
        "images": [{"id": 1, "file_name": "x.png", "width": 80, "height": 60}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id_3": 0, "bbox": [1, 2, 3, 4], "iscrowd": 0}
        ],
        "categories_1": [{"id": 0, "name": "WBC"}],
        "categories_3": [{"id": 0, "name": "RBC"}],
    }
    (block.root.folder / "a.json").write_text(json.dumps(content))
    spec = COCO.model_copy(update={"category": "category_id_3", "categories": "categories_3"})
    assert corners(ask(coco, spec, fresh(block.root.folder))) == [("red blood cell", 1, 2, 4, 6)]
