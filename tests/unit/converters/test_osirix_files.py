"""Property lists of OsiriX: what is drawn comes out, what is not one is a reason."""

import contextlib
import plistlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converters.annotations.osirix_files import read_osirix
from converters.annotations.outline_files import Drawing
from converters.errors import CaseError
from converters.files import Root

SQUARE = ["(1.0, 2.0)", "(9.5, 2)", "(9.5, 8.25)", "(1, 8.25)"]


def drawing(folder: Path, content: Any) -> Drawing:
    """What a file of that content holds."""
    data = content if isinstance(content, bytes) else plistlib.dumps(content)
    (folder / "a.xml").write_bytes(data)
    return read_osirix(Root(source="toy", folder=folder.resolve()), "a.xml")


def regions(*found: Any) -> dict[str, Any]:
    """A list with those regions."""
    return {"Images": [{"ImageIndex": 0, "NumberOfROIs": len(found), "ROIs": list(found)}]}


def test_outline_has_its_name_and_points(tmp_path: Path) -> None:
    (shape,) = drawing(tmp_path, regions({"Name": "Mass ", "Point_px": SQUARE})).shapes
    assert shape.code == "Mass"
    assert shape.points.tolist() == [[1.0, 2.0], [9.5, 2.0], [9.5, 8.25], [1.0, 8.25]]


def test_points_without_an_outline_are_counted(tmp_path: Path) -> None:
    marks = [{"Name": "Calcification", "Point_px": SQUARE[:n]} for n in (1, 2, 3)]
    found = drawing(tmp_path, regions(*marks))
    assert (len(found.shapes), found.left_out) == (1, 2)


def test_file_without_regions_draws_nothing(tmp_path: Path) -> None:
    assert drawing(tmp_path, regions()).shapes == ()


ENTITY = b"""<?xml version="1.0"?><!DOCTYPE plist [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>
<plist version="1.0"><dict><key>Images</key><string>&b;</string></dict></plist>"""


@pytest.mark.parametrize("content", [b"no xml", ENTITY, b"bplist00\0\0", b"<plist><dict>"])
def test_what_is_no_xml_list_is_unreadable(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(CaseError, match="file_unreadable"):
        drawing(tmp_path, content)


@pytest.mark.parametrize(
    "content",
    [
        [],
        {"Images": []},
        {"Images": [{"ROIs": 5}]},
        regions("x"),
        regions({"Name": "Mass"}),
        regions({"Name": 5, "Point_px": SQUARE}),
        regions({"Name": "Mass", "Point_px": ["1, 2", "3, 4", "5, 6"]}),
        regions({"Name": "Mass", "Point_px": ["(1, 2, 3)"] * 3}),
        regions({"Name": "Mass", "Point_px": ["(1.2.3, 4)"] * 3}),
    ],
)
def test_list_of_another_kind_is_invalid(tmp_path: Path, content: Any) -> None:
    with pytest.raises(CaseError, match="value_invalid"):
        drawing(tmp_path, content)


@given(at=st.integers(0, 2000), value=st.integers(0, 255))
def test_damaged_list_is_read_or_a_reason(
    tmp_path_factory: pytest.TempPathFactory, at: int, value: int
) -> None:
    data = bytearray(plistlib.dumps(regions({"Name": "Mass", "Point_px": SQUARE})))
    data[at % len(data)] = value
    folder = tmp_path_factory.mktemp("damaged")
    (folder / "a.xml").write_bytes(bytes(data))
    root = Root(source="toy", folder=folder.resolve())
    with contextlib.suppress(CaseError):
        assert isinstance(read_osirix(root, "a.xml"), Drawing)
