"""Several readers of an image: what all say is taken, what they dispute is not known."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

from converters.annotations import box_table, label_table
from converters.annotations.boxes import Marked
from converters.annotations.contract import Block, ImageName, Index, Question, Said
from converters.annotations.readers import agreed_boxes
from converters.errors import CaseError, SourceError
from converters.files import Root
from converters.imaging.pictures import Picture
from converters.records import Box
from converters.specs.annotations import BoxTable
from converters.specs.labels import LabelTable
from converters.specs.readers import BoxReaders

READERS = BoxReaders(column="rad", count=3, overlap=0.5)
LABELS = LabelTable.model_validate(
    {
        "kind": "label_table", "completeness": "presence", "table": {"path": "labels.csv"},
        "key": "{id}", "match": "{name}", "readers": {"column": "rad", "count": 3},
        "columns": [
            {
                "style": "one_hot", "unknown": ["disputed"], "exclusive": False,
                "labels": {"Mass": "lung mass", "Cyst": "lung cyst", "None": "no finding"},
            }
        ],
    }
)  # fmt: skip
BOXES = {
    "kind": "box_table", "completeness": "partial", "table": {"path": "boxes.csv"},
    "key": "{id}", "match": "{name}", "box": ["x", "y", "u", "v"], "notation": "xyxy",
    "label_column": "class", "labels": {"Mass": "lung mass", "Cyst": "lung cyst"},
    "ignore": ["Other"],
}  # fmt: skip


def read(folder: Path, spec: LabelTable | BoxTable, rows: list[str], header: str) -> Said | str:
    """What a block says of the image x, or the reason why it says nothing."""
    (folder / spec.table.path).write_text("\n".join([header, *rows]) + "\n")
    root = Root(source="toy", folder=folder.resolve())
    images = (ImageName(path="x.png", fields={"name": "x"}),)
    module = label_table if isinstance(spec, LabelTable) else box_table
    block = Block(source="toy", root=root, listing=root.listing(), images=images)
    index: Index = module.index(spec, block)
    if index.faults:
        return index.faults["x.png"].reason
    image = Image.fromarray(np.zeros((60, 80), dtype=np.uint8))
    question = Question(
        root=root, path="x.png", fields={"name": "x"}, entry=index.entries["x.png"],
        picture=Picture(data=b"", format="PNG", image=image, is_turned=False), spacing_mm=None,
    )  # fmt: skip
    said: Said = module.read(spec, question)
    return said


def labels(folder: Path, *rows: str) -> Said | str:
    """The same for rows of labels by readers A, B and C."""
    lines = [f"x,{reader},{row}" for reader, row in zip("ABC", rows, strict=False)]
    return read(folder, LABELS, lines, "id,rad,Mass,Cyst,None")


def boxes(folder: Path, *rows: str, **more) -> Said | str:
    """The same for rows of boxes."""
    spec = BoxTable.model_validate({**BOXES, **more})
    return read(folder, spec, list(rows), "id,rad,class,x,y,u,v")


def test_what_all_say_is_there(tmp_path: Path) -> None:
    said = labels(tmp_path, "1,0,0", "1,0,0", "1,0,0")
    assert [finding.label for finding in said.findings] == ["lung mass"]
    assert said.absent == ("lung cyst", "no finding")


def test_what_is_disputed_is_neither_there_nor_absent(tmp_path: Path) -> None:
    said = labels(tmp_path, "1,0,0", "0,0,1", "1,0,0")
    assert said.findings == ()
    assert said.absent == ("lung cyst",)


def test_no_finding_is_said_where_all_say_it(tmp_path: Path) -> None:
    said = labels(tmp_path, "0,0,1", "0,0,1", "0,0,1")
    assert [finding.label for finding in said.findings] == ["no finding"]
    assert said.absent == ("lung cyst", "lung mass")


def test_image_that_too_few_have_read_is_rejected(tmp_path: Path) -> None:
    assert labels(tmp_path, "1,0,0", "1,0,0") == "annotation_missing"


def test_one_reader_twice_is_one_reader(tmp_path: Path) -> None:
    rows = ["x,A,1,0,0", "x,A,1,0,0", "x,B,1,0,0"]
    assert read(tmp_path, LABELS, rows, "id,rad,Mass,Cyst,None") == "annotation_missing"


def test_unknown_cell_stops_the_source(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is not known"):
        labels(tmp_path, "2,0,0", "0,0,0", "0,0,0")


def test_readers_need_a_code_for_what_they_dispute() -> None:
    content = LABELS.model_dump()
    content["columns"][0]["unknown"] = []
    with pytest.raises(ValidationError, match="a code for what is unknown"):
        LabelTable.model_validate(content)


def test_box_that_all_drew_is_their_mean(tmp_path: Path) -> None:
    rows = ["x,A,Mass,10,10,40,40", "x,B,Mass,13,10,43,40", "x,C,Mass,10,13,40,43"]
    said = boxes(tmp_path, *rows, readers=READERS.model_dump())
    assert [finding.box for finding in said.findings] == [
        Box(x_min=11.0, y_min=11.0, x_max=41.0, y_max=41.0)
    ]
    assert said.transforms == (
        {"step": "consensus_boxes", "readers": 3, "overlap": 0.5, "disputed": []},
    )


@pytest.mark.parametrize(
    "third",
    [
        "x,C,No finding,,,,",
        "x,C,Mass,50,10,79,40",
        "x,C,Cyst,10,10,40,40",
        "x,C,Mass,10,10,40,40\nx,C,Mass,50,10,79,40",
    ],
    ids=["none", "elsewhere", "another label", "two"],
)
def test_disputed_box_is_not_taken(tmp_path: Path, third: str) -> None:
    rows = ["x,A,Mass,10,10,40,40", "x,B,Mass,10,10,40,40", *third.split("\n")]
    said = boxes(tmp_path, *rows, readers=READERS.model_dump())
    assert said.findings == ()
    assert "Mass" in said.transforms[0]["disputed"]


def test_boxes_of_too_few_readers_are_a_reason(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="annotation_missing"):
        boxes(tmp_path, "x,A,Mass,1,1,9,9", readers=READERS.model_dump())


def test_readers_boxes_are_never_complete() -> None:
    with pytest.raises(ValidationError, match="say partial"):
        BoxTable.model_validate(
            {**BOXES, "completeness": "complete", "readers": READERS.model_dump()}
        )


CORNERS = st.tuples(*[st.integers(0, 30)] * 2, *[st.integers(31, 60)] * 2)


@given(st.lists(CORNERS, min_size=3, max_size=3), st.permutations(range(3)))
def test_order_of_readers_does_not_matter(corners, order) -> None:
    def drawn(names: list[int]) -> dict[str, list[Marked]]:
        return {
            str(name): [
                Marked(
                    code="Mass",
                    box=Box(
                        x_min=float(corners[name][0]), y_min=float(corners[name][1]),
                        x_max=float(corners[name][2]), y_max=float(corners[name][3]),
                    ),
                )
            ]
            for name in names
        }  # fmt: skip

    assert agreed_boxes(READERS, drawn([0, 1, 2]), "x") == agreed_boxes(READERS, drawn(order), "x")


# Lists of labels.


def listed(folder: Path, cell: str) -> Said | str:
    """What one row with that cell says."""
    return boxes(folder, f'x,A,"{cell}",1,1,9,9', label_list=True)


def test_box_belongs_to_each_label_of_a_list(tmp_path: Path) -> None:
    said = listed(tmp_path, "['Mass', 'Cyst', 'Other']")
    assert [finding.label for finding in said.findings] == ["lung mass", "lung cyst"]
    assert len({finding.box for finding in said.findings}) == 1


@pytest.mark.parametrize("cell", ["['Mass', 'Wrong']", "['Mass'", "__import__('os')", "[Mass]", ""])
def test_what_is_no_list_of_known_labels_stops_the_source(tmp_path: Path, cell: str) -> None:
    with pytest.raises(SourceError, match="is not known"):
        listed(tmp_path, cell)


def test_row_without_a_box_says_none(tmp_path: Path) -> None:
    said = boxes(tmp_path, "x,A,['No Finding'],,,,", label_list=True)
    assert said.findings == ()
