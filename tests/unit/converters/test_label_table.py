"""Label tables: what a row says of an image, and what it leaves open."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from converters.annotations import label_table
from converters.annotations.contract import (
    Block,
    ImageName,
    Index,
    Question,
    Said,
    join_measurements,
)
from converters.errors import SourceError
from converters.files import Root
from converters.imaging.pictures import Picture
from converters.records import Box, Finding
from converters.specs.labels import LabelTable

PICTURE = Picture(data=b"", format="PNG", image=Image.new("L", (8, 6)), is_turned=False)
CHEST = {
    "Mass": "lung mass",
    "Nodule": "lung nodule",
    "Effusion": "pleural effusion",
    "None": "no finding",
}


def spec_of(*columns: dict[str, Any], **more: Any) -> LabelTable:
    """A label table over `{image}` of table.csv."""
    content = {
        "kind": "label_table",
        "completeness": "complete",
        "table": {"path": "table.csv"},
        "key": "{image}",
        "match": "{name}",
        "columns": list(columns),
    }
    return LabelTable.model_validate({**content, **more})


def column(**more: Any) -> dict[str, Any]:
    """A block of one column."""
    return {
        "style": "column",
        "column": "label",
        "labels": CHEST,
        "exclusive": False,
        **more,
    }


def one_hot(**more: Any) -> dict[str, Any]:
    """A block of one column a label."""
    return {
        "style": "one_hot",
        "labels": CHEST,
        "exclusive": False,
        "unknown": ["", "-1"],
        **more,
    }


def measurement(**more: Any) -> dict[str, Any]:
    """A block with a number."""
    return {
        "style": "measurement",
        "column": "hc",
        "label": "fetal head",
        "quantity": "head circumference",
        "unit": "mm",
        **more,
    }


def indexed(spec: LabelTable, folder: Path, table: str, names: tuple[str, ...] = ("a",)) -> Index:
    """The index of a table beside images of these names."""
    (folder / "table.csv").write_text(table, encoding="utf-8")
    root = Root(source="toy", folder=folder)
    images = tuple(
        ImageName(path=f"{name}.png", fields={"path": f"{name}.png", "name": name})
        for name in names
    )
    block = Block(source="toy", root=root, listing=root.listing(), images=images)
    return label_table.index(spec, block)


def said(spec: LabelTable, folder: Path, table: str) -> Said:
    """What a table says of image a."""
    entry = indexed(spec, folder, table).entries["a.png"]
    question = Question(
        root=Root(source="toy", folder=folder),
        path="a.png",
        fields={"name": "a"},
        entry=entry,
        picture=PICTURE,
        spacing_mm=None,
    )
    return label_table.read(spec, question)


def labels(found: Said) -> list[str]:
    """Labels that are there."""
    return [finding.label for finding in found.findings]


def test_codes_are_split_at_the_separator(tmp_path: Path) -> None:
    found = said(spec_of(column(separator="|")), tmp_path, "image,label\na,Mass|Nodule\n")
    assert labels(found) == ["lung mass", "lung nodule"]


def test_partial_labels_leave_the_rest_unknown(tmp_path: Path) -> None:
    spec = spec_of(column(separator="|"), completeness="partial")
    assert said(spec, tmp_path, "image,label\na,Mass\n").absent == ()


def test_complete_labels_make_the_rest_absent(tmp_path: Path) -> None:
    found = said(spec_of(column(separator="|")), tmp_path, "image,label\na,Mass\n")
    assert found.absent == ("lung nodule", "no finding", "pleural effusion")


def test_normal_alone_makes_the_rest_absent_even_where_labels_are_partial(
    tmp_path: Path,
) -> None:
    spec = spec_of(column(separator="|"), completeness="partial")
    found = said(spec, tmp_path, "image,label\na,None\n")
    assert found.absent == ("lung mass", "lung nodule", "pleural effusion")


@pytest.mark.parametrize(
    ("columns", "table"),
    [
        (column(separator="|"), "image,label\na,None|Mass\n"),
        (column(separator="|", exclusive=True), "image,label\na,Nodule|Mass\n"),
        (one_hot(), "image,Mass,Nodule,Effusion,None\na,1,0,0,1\n"),
        (one_hot(exclusive=True), "image,Mass,Nodule,Effusion,None\na,1,1,0,0\n"),
    ],
)
def test_labels_that_cannot_both_hold_are_a_fault(
    tmp_path: Path, columns: dict[str, Any], table: str
) -> None:
    found = indexed(spec_of(columns), tmp_path, table)
    assert found.faults["a.png"].reason == "labels_contradict"


def test_exclusive_label_makes_the_rest_absent(tmp_path: Path) -> None:
    spec = spec_of(column(exclusive=True), completeness="partial")
    found = said(spec, tmp_path, "image,label\na,Mass\n")
    assert found.absent == ("lung nodule", "no finding", "pleural effusion")


def test_empty_cell_says_nothing(tmp_path: Path) -> None:
    found = said(spec_of(column(exclusive=True)), tmp_path, "image,label\na,\n")
    assert (found.findings, found.absent) == ((), ())


def test_ignored_code_says_nothing(tmp_path: Path) -> None:
    spec = spec_of(column(exclusive=True, ignore=["unsure"]))
    found = said(spec, tmp_path, "image,label\na,unsure\n")
    assert (found.findings, found.absent) == ((), ())


def test_unknown_code_stops_the_source(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"table.csv, row 2: label 'Hernia' is not known"):
        indexed(spec_of(column()), tmp_path, "image,label\na,Hernia\n")


def test_missing_column_stops_the_source(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="has no column 'label'"):
        indexed(spec_of(column()), tmp_path, "image,labels\na,Mass\n")


def test_one_hot_cells_say_present_and_absent(tmp_path: Path) -> None:
    found = said(spec_of(one_hot()), tmp_path, "image,Mass,Nodule,Effusion,None\na,1,0,0,0\n")
    assert (labels(found), found.absent) == (
        ["lung mass"],
        ("lung nodule", "no finding", "pleural effusion"),
    )


def test_uncertain_cell_is_never_absent(tmp_path: Path) -> None:
    found = said(spec_of(one_hot()), tmp_path, "image,Mass,Nodule,Effusion,None\na,0,-1,,1\n")
    assert found.absent == ("lung mass",)


def test_zeros_of_partial_labels_are_not_absent(tmp_path: Path) -> None:
    spec = spec_of(one_hot(), completeness="partial")
    found = said(spec, tmp_path, "image,Mass,Nodule,Effusion,None\na,1,0,0,0\n")
    assert found.absent == ()


def test_unknown_cell_of_one_hot_stops_the_source(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="Nodule '2' is not known"):
        indexed(spec_of(one_hot()), tmp_path, "image,Mass,Nodule,Effusion,None\na,0,2,0,0\n")


def test_several_blocks_of_columns_speak_of_one_image(tmp_path: Path) -> None:
    other = column(column="eye", labels={"A": "atelectasis"}, exclusive=True)
    found = said(spec_of(column(), other), tmp_path, "image,label,eye\na,Mass,A\n")
    assert labels(found) == ["lung mass", "atelectasis"]


def test_measurement_is_an_attribute_with_its_unit(tmp_path: Path) -> None:
    found = said(spec_of(measurement()), tmp_path, "image,hc\na,44.3\n")
    assert found.findings[0].attributes == (("head circumference", "44.3 mm"),)


@pytest.mark.parametrize("cell", ["-3", "nan", "12 mm", "1e400", "inf", "4,5"])
def test_number_that_is_none_is_a_fault(tmp_path: Path, cell: str) -> None:
    found = indexed(spec_of(measurement()), tmp_path, f'image,hc\na,"{cell}"\n')
    assert found.faults["a.png"].reason == "value_invalid"


def test_measurement_goes_to_the_one_finding_of_its_label() -> None:
    box = Box(x_min=0, y_min=0, x_max=2, y_max=2)
    region = Finding(label="fetal head", code="255", role="structure", box=box)
    size = Finding(
        label="fetal head",
        code="hc",
        role="structure",
        attributes=(("circumference", "5 mm"),),
    )
    (found,) = join_measurements([size, region])
    assert (found.box, found.attributes) == (box, (("circumference", "5 mm"),))


def test_measurement_of_one_of_several_stays_apart() -> None:
    box = Box(x_min=0, y_min=0, x_max=2, y_max=2)
    region = Finding(label="fetal head", code="255", role="structure", box=box)
    size = Finding(
        label="fetal head",
        code="hc",
        role="structure",
        attributes=(("circumference", "5 mm"),),
    )
    assert join_measurements([size, region, region]) == (region, region, size)


def test_spacing_comes_from_one_column_or_two(tmp_path: Path) -> None:
    table = "image,label,row,col\na,Mass,0.5,0.25\n"
    two = said(spec_of(column(), spacing=["row", "col"]), tmp_path, table).spacing_mm
    one = said(spec_of(column(), spacing=["row"]), tmp_path, table).spacing_mm
    assert (two, one) == ((0.5, 0.25), (0.5, 0.5))


@pytest.mark.parametrize("cell", ["0", "-1", "x", "nan", "1000"])
def test_spacing_that_is_none_is_a_fault(tmp_path: Path, cell: str) -> None:
    spec = spec_of(column(), spacing=["row"])
    found = indexed(spec, tmp_path, f"image,label,row\na,Mass,{cell}\n")
    assert found.faults["a.png"].reason == "geometry_invalid"


def test_view_is_said_by_its_name(tmp_path: Path) -> None:
    spec = spec_of(column(), view={"column": "v", "names": {"1": "PA"}})
    assert said(spec, tmp_path, "image,label,v\na,Mass,1\n").view == "PA"


def test_unknown_view_stops_the_source(tmp_path: Path) -> None:
    spec = spec_of(column(), view={"column": "v", "names": {"1": "PA"}})
    with pytest.raises(SourceError, match="v '2' is not known"):
        indexed(spec, tmp_path, "image,label,v\na,Mass,2\n")


def test_row_that_stands_twice_is_one(tmp_path: Path) -> None:
    found = indexed(spec_of(column()), tmp_path, "image,label\na,Mass\na,Mass\n")
    assert found.entries["a.png"].labels == ("Mass",)


def test_rows_that_differ_are_a_fault(tmp_path: Path) -> None:
    found = indexed(spec_of(column()), tmp_path, "image,label\na,Mass\na,Nodule\n")
    assert found.faults["a.png"].message == "table.csv: rows 2 and 3 differ"


def test_row_without_an_image_is_an_orphan(tmp_path: Path) -> None:
    found = indexed(spec_of(column()), tmp_path, "image,label\na,Mass\nb,Mass\n,Mass\n")
    assert found.orphans == (
        ("table.csv:b", "row 3 of table.csv"),
        ("table.csv:row 4", "row 4 of table.csv"),
    )


def test_image_without_a_row_has_no_entry(tmp_path: Path) -> None:
    found = indexed(spec_of(column()), tmp_path, "image,label\na,Mass\n", ("a", "b"))
    assert list(found.entries) == ["a.png"]


def test_columns_are_given_to_subject_and_split(tmp_path: Path) -> None:
    found = indexed(spec_of(column()), tmp_path, "image,label,Patient ID\na,Mass,7\n")
    assert found.columns["a.png"]["Patient ID"] == "7"


def test_column_never_replaces_a_part_of_the_path(tmp_path: Path) -> None:
    found = indexed(spec_of(column()), tmp_path, "image,label,name\na,Mass,other\n")
    assert found.columns["a.png"]["name"] == "a"


def test_other_rows_do_not_change_an_entry(tmp_path: Path) -> None:
    one = indexed(spec_of(column()), tmp_path, "image,label\na,Mass\nb,Mass\n").entries
    two = indexed(spec_of(column()), tmp_path, "image,label\nc,Nodule\na,Mass\n").entries
    assert one["a.png"] == two["a.png"]


@given(
    cells=st.lists(st.sampled_from(["0", "1", "-1", ""]), min_size=4, max_size=4),
    completeness=st.sampled_from(["complete", "presence", "partial"]),
    exclusive=st.booleans(),
)
def test_nothing_is_present_and_absent_and_nothing_uncertain_is_absent(
    tmp_path_factory, cells, completeness, exclusive
) -> None:
    spec = spec_of(one_hot(exclusive=exclusive), completeness=completeness)
    table = f"image,{','.join(CHEST)}\na,{','.join(cells)}\n"
    folder = tmp_path_factory.mktemp("table")
    found = said(spec, folder, table) if indexed(spec, folder, table).entries else Said()
    uncertain = {CHEST[name] for name, cell in zip(CHEST, cells, strict=True) if cell in ("-1", "")}
    assert not set(found.absent) & (set(labels(found)) | uncertain)


def test_a_table_may_say_what_part_its_images_are(tmp_path: Path) -> None:
    spec = spec_of(column(), says={"part": "test"})
    found = indexed(spec, tmp_path, "image,label\na,Mass\n", ("a", "b"))
    assert {path: row["part"] for path, row in found.columns.items()} == {"a.png": "test"}
