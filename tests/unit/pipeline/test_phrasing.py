"""Phrasing: words drawn by digest, in a sandbox."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError
from jinja2.exceptions import SecurityError

from converters.errors import SettingsError
from pipeline.languages import LANGUAGES
from pipeline.phrasing import (
    TEMPLATES,
    Draws,
    _phrasing,
    digest_order,
    render,
    spoken,
    template_digest,
    templates_of,
)


def test_same_seed_gives_same_words() -> None:
    variables = {"question": "a", "answer": "b"}
    text = [
        render("own_question/as_given.en.j2", "answer", variables, language="en", seed="x")
        for _ in range(2)
    ]
    assert text == ["b", "b"]


def test_draws_are_spread_evenly() -> None:
    draws, count = Draws(), Counter[object]()
    for number in range(4000):
        draws.start(f"pair {number}")
        count[draws.pick("a", "b", "c", "d")] += 1
    assert min(count.values()) > 900


def test_a_long_stream_of_draws_does_not_repeat_itself() -> None:
    draws = Draws()
    draws.start("x")
    stream = [draws.pick(*range(50)) for _ in range(400)]
    assert stream[:32] != stream[32:64]


@given(names=st.lists(st.text(min_size=1), unique=True, max_size=20), more=st.text(min_size=1))
def test_an_order_does_not_depend_on_what_else_is_there(names: list[str], more: str) -> None:
    with_more = digest_order("s", [*names, more] if more not in names else names)
    assert [name for name in with_more if name in names] == digest_order("s", names)


def test_a_missing_variable_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        render("own_question/as_given.en.j2", "answer", {}, language="en", seed="x")


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__ }}",
        "{{ say.__init__ }}",
        "{{ x.append(1) }}",
        "{{ d.update(a=1) }}",
        "{{ pick.__globals__ }}",
    ],
)
def test_a_template_reaches_nothing_but_its_words(source: str) -> None:
    template = _phrasing("en").environment.from_string(source)
    with pytest.raises((SecurityError, UndefinedError)):
        template.render(x=[], d={})


def test_a_language_without_templates_is_said() -> None:
    with pytest.raises(SettingsError, match="no templates in 'xx'"):
        render("caption/image.en.j2", "answer", {}, language="xx", seed="x")


def test_every_template_has_a_question_and_an_answer() -> None:
    from pipeline.cli import FORMATS

    names = templates_of(FORMATS, ("en",))
    assert len({name.split("/")[0] for name in names}) == len(FORMATS)
    for name in names:
        blocks = set(_phrasing("en").template(name).blocks)
        asked = {block for block in blocks if block.startswith("question")}
        assert asked
        assert blocks == asked | {block.replace("question", "answer", 1) for block in asked}


def test_every_template_is_there_in_every_language() -> None:
    english = set(TEMPLATES.rglob("*.en.j2"))
    chinese = {
        path.with_name(path.name.replace(".zh.", ".en.")) for path in TEMPLATES.rglob("*.zh.j2")
    }
    assert english == chinese


@pytest.mark.parametrize(
    ("text", "closed_up"),
    [
        ("图像显示肝脏。 约 182 mm 。", "图像显示肝脏。约182 mm。"),
        ("A. 肝脏", "A. 肝脏"),
        ("- 左肾", "- 左肾"),
        ("BI-RADS 4类", "BI-RADS 4类"),
        ("<box>[[0.1, 0.2]]</box> 标出", "<box>[[0.1, 0.2]]</box>标出"),
    ],
)
def test_chinese_has_no_blanks_between_its_characters(text: str, closed_up: str) -> None:
    assert LANGUAGES["zh"].close_up(text) == closed_up


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("三个", "3个"),
        ("十二处", "12处"),
        ("二十个", "20个"),
        ("四十五枚", "45枚"),
        ("一致", "一致"),
    ],
)
def test_chinese_numerals_are_numbers(text: str, digits: str) -> None:
    assert LANGUAGES["zh"].numbers(text) == digits


def test_a_closed_word_is_spoken_in_chinese() -> None:
    assert spoken("zh", "left kidney") == "左肾"
    assert spoken("zh", "General Surgery") == "普通外科"
    assert spoken("en", "left kidney") == "left kidney"


def test_a_digest_is_a_digest() -> None:
    assert template_digest("caption/image.en.j2").startswith("sha256:")
