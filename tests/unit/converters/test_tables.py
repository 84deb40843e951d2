"""Tables: what is read, and what stops a source."""

import csv
import io
import zipfile
from contextlib import suppress
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from converters.errors import SourceError
from converters.files import Root
from converters.specs.base import TableFile
from converters.tables import Table, read_table, require_columns, rows_by_key

cells = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=8)
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n"


def read(folder: Path, data: bytes, name: str = "table.csv", **spec) -> Table:
    """Read one table that stands alone in a folder."""
    (folder / name).write_bytes(data)
    root = Root(source="toy", folder=folder)
    return read_table(TableFile(path=name, **spec), root, root.listing())


def values(table: Table) -> list[list[str]]:
    """The cells, row by row."""
    return [list(row.values.values()) for row in table.rows]


def workbook(*sheets: tuple[str, list[list[object]]]) -> bytes:
    """An xlsx file."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets:
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


@given(st.lists(st.lists(cells, min_size=3, max_size=3), min_size=1, max_size=6))
def test_what_is_written_is_read(tmp_path_factory, rows) -> None:
    out = io.StringIO(newline="")
    csv.writer(out).writerows([["a", "b", "c"], *rows])
    table = read(tmp_path_factory.mktemp("table"), out.getvalue().encode())
    assert values(table) == rows


def test_rows_know_their_line(tmp_path: Path) -> None:
    table = read(tmp_path, b'a,b\n1,"two\nlines"\n\n3,4\n')
    assert [row.number for row in table.rows] == [3, 5]


def test_blanks_around_names_and_cells_go(tmp_path: Path) -> None:
    table = read(tmp_path, b"name ,label\nx.png , mass \n")
    assert table.rows[0].values == {"name": "x.png", "label": "mass"}


def test_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    assert read(tmp_path, b"\xef\xbb\xbfname\nx\n").columns == ("name",)


def test_commas_at_the_end_of_lines_are_no_columns(tmp_path: Path) -> None:
    table = read(tmp_path, b"a,b,\n1,2,\n3,4,\n")
    assert table.columns == ("a", "b")


def test_cell_under_no_name_stops(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="row 2: 3 cells for 2 columns"):
        read(tmp_path, b"a,b,\n1,2,3\n")


def test_broken_header_is_replaced(tmp_path: Path) -> None:
    data = b"Image,Size[Width,Height],Spacing[x,y]\nx.png,20,10,0.5,0.6\n"
    names = ["Image", "width", "height", "x", "y"]
    table = read(tmp_path, data, header=names, skip_rows=1)
    assert table.rows[0].values == dict(
        zip(names, ["x.png", "20", "10", "0.5", "0.6"], strict=True)
    )


def test_header_with_commas_in_names_stops_where_it_is_not_replaced(
    tmp_path: Path,
) -> None:
    data = b"Image,Size[Width,Height]\nx.png,20,10,0.5\n"
    with pytest.raises(SourceError, match="row 2: 4 cells for 3 columns"):
        read(tmp_path, data)


def test_tsv_is_split_at_tabs(tmp_path: Path) -> None:
    assert values(read(tmp_path, b"a\tb\n1,5\t2\n", "table.tsv")) == [["1,5", "2"]]


def test_other_encoding_is_taken_where_it_is_stated(tmp_path: Path) -> None:
    data = "name\nStraße\n".encode("cp1252")
    assert values(read(tmp_path, data, encoding="cp1252")) == [["Straße"]]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "0 bytes"),
        (LFS, "git-LFS pointer"),
        (b"\n\n", "no header"),
        (b"a,b\n1,2\n3\n", "row 3: 1 cells for 2 columns"),
        (b"a,b\n1,2,3\n", "row 2: 3 cells for 2 columns"),
        (b"a,a\n1,2\n", "'a' stands twice"),
        (b"a,,c\n1,2,3\n", "column 2 has no name"),
        (b"a\nx\n\xff\n", "line 3: byte 0xff is not utf-8"),
        (b"a\nx\0\n", "line 2: a NUL byte"),
        (b'a\n"x\n', "line 2"),
        (b'a\n"x"y\n', "line 2"),
        ("a\nx\n".encode("utf-16"), "is not utf-8"),
    ],
)
def test_table_that_is_not_whole_stops_the_source(
    tmp_path: Path, data: bytes, message: str
) -> None:
    with pytest.raises(SourceError, match=message) as caught:
        read(tmp_path, data)
    assert caught.value.subject == "toy"


def test_error_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        read(tmp_path, b"a,b\n1\n")
    assert caught.value.remedy


def test_missing_table_names_its_pattern(tmp_path: Path) -> None:
    root = Root(source="toy", folder=tmp_path)
    with pytest.raises(SourceError, match=r"no table matches 'labels\*.csv'"):
        read_table(TableFile(path="labels*.csv"), root, root.listing())


def test_several_tables_are_named(tmp_path: Path) -> None:
    for name in ("labels1.csv", "labels2.csv"):
        (tmp_path / name).write_text("a\n1\n")
    root = Root(source="toy", folder=tmp_path)
    with pytest.raises(SourceError, match=r"labels1.csv, labels2.csv"):
        read_table(TableFile(path="labels*.csv"), root, root.listing())


def test_missing_column_is_named(tmp_path: Path) -> None:
    table = read(tmp_path, b"a,b\n1,2\n")
    with pytest.raises(SourceError, match="has no column 'c'"):
        require_columns(table, ["a", "c"], "toy")


def test_rows_are_found_by_key(tmp_path: Path) -> None:
    keyed, without = rows_by_key(read(tmp_path, b"id,eye\n1,L\n1,R\n,L\n"), "{id}_{eye}")
    assert (sorted(keyed), [row.number for row in without]) == (["1_L", "1_R"], [4])


def test_workbook_gives_text(tmp_path: Path) -> None:
    data = workbook(("A", [["id", "n", "x", "ok"], ["007", 3.0, 0.5, True], ["b", None, 2, None]]))
    table = read(tmp_path, data, "table.xlsx")
    assert values(table) == [["007", "3", "0.5", "TRUE"], ["b", "", "2", ""]]


def test_workbook_formulas_give_the_value_saved_or_nothing(tmp_path: Path) -> None:
    table = read(tmp_path, workbook(("A", [["a", "b"], ["x", "=1+1"]])), "table.xlsx")
    assert values(table) == [["x", ""]]


def test_named_sheet_is_read(tmp_path: Path) -> None:
    data = workbook(("A", [["a"], ["1"]]), ("B", [["b"], ["2"]]))
    assert read(tmp_path, data, "table.xlsx", sheet="B").columns == ("b",)


def test_several_sheets_need_a_name(tmp_path: Path) -> None:
    data = workbook(("A", [["a"]]), ("B", [["b"]]))
    with pytest.raises(SourceError, match=r"several sheets.*A, B"):
        read(tmp_path, data, "table.xlsx")


def test_rows_before_the_header_are_passed_over(tmp_path: Path) -> None:
    data = workbook(("A", [["Title of the table"], ["a", "b"], ["1", "2"]]))
    assert read(tmp_path, data, "table.xlsx", skip_rows=1).columns == ("a", "b")


def rezipped(data: bytes, name: str, change) -> bytes:
    """The workbook with one part changed."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", 8) as new:
        for part in old.namelist():
            content = old.read(part)
            new.writestr(part, change(content) if part == name else content)
    return out.getvalue()


def test_xml_entities_are_refused(tmp_path: Path) -> None:
    entity = b'<!DOCTYPE x [<!ENTITY e "boom">]>'
    data = rezipped(
        workbook(("A", [["a"], ["1"]])),
        "xl/worksheets/sheet1.xml",
        lambda old: b'<?xml version="1.0"?>' + entity + old,
    )
    with pytest.raises(SourceError, match="declares XML entities"):
        read(tmp_path, data, "table.xlsx")


def test_zip_bomb_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("converters.sheets.UNPACKED_BYTES", 1 << 16)
    data = rezipped(workbook(("A", [["a"]])), "xl/styles.xml", lambda old: old + b" " * (1 << 20))
    with pytest.raises(SourceError, match="would unpack to"):
        read(tmp_path, data, "table.xlsx")


def test_far_away_row_is_refused(tmp_path: Path) -> None:
    data = rezipped(
        workbook(("A", [["a"], ["1"]])),
        "xl/worksheets/sheet1.xml",
        lambda old: old.replace(b'r="2"', b'r="99999999"').replace(b"A2", b"A99999999"),
    )
    with pytest.raises(SourceError, match="is larger than"):
        read(tmp_path, data, "table.xlsx")


@pytest.fixture(scope="module")
def one_workbook() -> bytes:
    """A workbook written once: it holds the time of writing."""
    return workbook(("A", [["a", "b"], ["1", "2"]]))


@given(data=st.data())
def test_mutated_workbook_is_read_or_refused(tmp_path_factory, one_workbook, data) -> None:
    whole = bytearray(one_workbook)
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(1, len(whole)))
    with suppress(SourceError):
        read(tmp_path_factory.mktemp("table"), bytes(whole[:cut]), "table.xlsx")


@given(st.binary(min_size=1, max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path_factory, data: bytes) -> None:
    with suppress(SourceError):
        table = read(tmp_path_factory.mktemp("table"), b"a,b\n" + data)
        assert all(len(row.values) == 2 for row in table.rows)


def test_cells_are_mended_before_rows_are_chosen(tmp_path: Path) -> None:
    data = b"name,kind\nCase 1 - A,x\nCase - 2,y\n"
    mend = {"name": {" *- *": "-", " +": "-"}, "kind": {"^x$": "z"}}
    table = read(tmp_path, data, mend=mend, only={"kind": ["z"]})
    assert values(table) == [["Case-1-A", "z"]]


def test_rows_are_left_out_by_the_cells_of_a_column(tmp_path: Path) -> None:
    data = b"name,qc\na,\nb,3 Wrongly labelled\nc,1 Diagnostic\n"
    table = read(tmp_path, data, leave_out={"qc": ["3 Wrongly labelled"]})
    assert values(table) == [["a", ""], ["c", "1 Diagnostic"]]


@pytest.mark.parametrize(
    "asked", [{"mend": {"no": {"a": "b"}}}, {"only": {"no": ["a"]}}, {"leave_out": {"no": ["a"]}}]
)
def test_a_column_that_rows_are_chosen_by_must_be_there(tmp_path: Path, asked: dict) -> None:
    with pytest.raises(SourceError, match=r"has no column 'no'"):
        read(tmp_path, b"name\na\n", **asked)
