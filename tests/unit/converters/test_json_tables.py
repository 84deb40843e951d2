"""Rows of JSON files: named by their paths, taken apart, refused where they are no table."""

import json

import pytest

from converters.errors import SourceError
from converters.json_tables import json_rows


def rows(content: object, *explode: str) -> list[list[str]]:
    data = json.dumps(content).encode()
    return [cells for _, cells in json_rows(data, list(explode), "toy", "a.json")]


def test_a_value_is_named_by_its_path() -> None:
    content = [{"image": {"name": "a.png"}, "box": [1, 2.5]}]
    assert rows(content) == [["image.name", "box.0", "box.1"], ["a.png", "1", "2.5"]]


def test_lists_are_taken_apart_together() -> None:
    content = [{"file": "a", "kinds": ["x", "y"], "boxes": [[1], [2]]}]
    found = rows(content, "kinds", "boxes")
    assert found == [["file", "kinds", "boxes.0"], ["a", "x", "1"], ["a", "y", "2"]]


def test_an_object_with_empty_lists_is_a_row() -> None:
    content = [{"file": "a", "kinds": []}, {"file": "b", "kinds": ["x"]}]
    assert rows(content, "kinds") == [["file", "kinds"], ["a", ""], ["b", "x"]]


def test_a_value_that_is_null_is_an_empty_cell() -> None:
    assert rows([{"a": None, "b": 1}]) == [["a", "b"], ["", "1"]]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ({"a": 1}, "not a list"),
        ([1], "not an object"),
        ([{"a": 1}], "no list"),
        ([{"kinds": ["x"], "boxes": []}], "differ in length"),
    ],
)
def test_what_is_no_table_is_refused(content: object, why: str) -> None:
    with pytest.raises(SourceError, match=why):
        rows(content, "kinds", "boxes")


def test_objects_that_lie_too_deep_are_refused() -> None:
    content: object = 1
    for _ in range(12):
        content = {"a": content}
    with pytest.raises(SourceError, match="too deep"):
        rows([content])


def test_a_key_that_stands_twice_is_refused() -> None:
    with pytest.raises(SourceError, match="twice"):
        list(json_rows(b'[{"a": 1, "a": 2}]', [], "toy", "a.json"))


def test_objects_of_one_name_give_the_name_a_column() -> None:
    data = b'[{"a.jpg": {"text": "drusen"}}, {"b.jpg": {"text": "normal"}}]'
    found = [cells for _, cells in json_rows(data, [], "toy", "a.json", named="image")]
    assert found == [["image", "text"], ["a.jpg", "drusen"], ["b.jpg", "normal"]]


@pytest.mark.parametrize("one", [b'{"a": {}, "b": {}}', b'{"a": "text"}', b'{"a": {"image": 1}}'])
def test_an_object_that_is_not_one_name_stops_the_source(one: bytes) -> None:
    with pytest.raises(SourceError, match="is not one name with what is said of it"):
        list(json_rows(b"[" + one + b"]", [], "toy", "a.json", named="image"))
