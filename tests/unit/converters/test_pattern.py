"""Patterns: what they match, and what they refuse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converters.errors import CaseError
from converters.pattern import check_pattern, compile_pattern, fill, match_paths

NAMES = st.text("abcXYZ019._- ()", min_size=1, max_size=12)


@given(split=NAMES, name=NAMES)
def test_placeholders_capture_what_stands_there(split: str, name: str) -> None:
    found = match_paths("{split}/images/{name}.png", [f"{split}/images/{name}.png"])
    assert found == [(f"{split}/images/{name}.png", {"split": split, "name": name})]


@given(name=NAMES, other=NAMES)
def test_a_repeated_placeholder_must_repeat(name: str, other: str) -> None:
    path = f"{name}/images/{other}.png"
    assert bool(match_paths("{id}/images/{id}.png", [path])) == (name == other)


@given(text=st.text(".+*?()[]{}^$|\\ab", max_size=8).filter(lambda t: not set(t) & set("{}*?")))
def test_other_characters_stand_for_themselves(text: str) -> None:
    assert compile_pattern(f"x{text}").fullmatch(f"x{text}")


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("{n:\\d{3}}.png", "012.png", True),
        ("{n:\\d{3}}.png", "12.png", False),
        ("**/images/{n}.png", "images/a.png", True),
        ("**/images/{n}.png", "x/y/images/a.png", True),
        ("*/a.png", "x/a.png", True),
        ("*/a.png", "x/y/a.png", False),
        ("{a:train|test}/x", "test/x", True),
        ("{a}.png", "x/y.png", False),
    ],
)
def test_pattern_matches(pattern: str, path: str, *, matches: bool) -> None:
    assert bool(compile_pattern(pattern).fullmatch(path)) == matches


@pytest.mark.parametrize(
    "pattern", ["/etc/{x}", "../{x}", "a/../{x}", "{x", "{1}", "{x}/{x:\\d}", "{x:(}"]
)
def test_unusable_patterns_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        check_pattern(pattern)


def test_a_template_needs_its_fields() -> None:
    with pytest.raises(CaseError, match="needs 'patient'"):
        fill("{patient}", {"eye": "L"})


def test_an_empty_field_is_no_field() -> None:
    with pytest.raises(CaseError, match="needs 'patient'"):
        fill("{patient}", {"patient": ""})
