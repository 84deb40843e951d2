"""Promises of the text of every source, on its generated twin."""

import re
from functools import cache
from pathlib import Path

import pytest

from converters.files import locate_root
from converters.manifest import load_manifest
from converters.records import Sample
from converters.select import converter_for
from pipeline.cli import FORMATS, LANGUAGES
from pipeline.pairs import Pair, TextFailure
from pipeline.phrasing import spoken
from pipeline.write_text import TextSettings, pairs_of
from tests.fakes import Twin

OPENING = {"en": "This region ", "zh": "该区域"}
NO = {"en": ("No",), "zh": ("否", "不")}
NONE_THERE = {"en": ("No ",), "zh": ("未见", "没有")}
SIDES = {"en": {"left": "left", "right": "right"}, "zh": {"左侧": "left", "右侧": "right"}}
REGION = {"en": r"Region (\d)", "zh": r"区域(\d)"}
REPORT = {
    "en": ["Technique: ", "Findings: ", "Impression: "],
    "zh": ["检查方法：", "所见：", "印象："],
}
BETWEEN = {"en": "; ", "zh": "；"}
SENTENCES = (
    "caption", "region_caption", "judgement", "counting", "position", "open_question",
    "recognition", "multi_region", "report", "conversation", "comparison", "grading",
    "surgical_phase",
)  # fmt: skip
BOX = re.compile(r"\[(\d\.\d+), (\d\.\d+), (\d\.\d+), (\d\.\d+)\]")


@pytest.fixture(params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> str:
    """Each language in turn."""
    return request.param


@pytest.fixture
def written(twin: Twin, language: str) -> list[tuple[Sample, list[Pair | TextFailure]]]:
    """Every sample of a twin with its pairs in a language."""
    return _written(twin.folder, twin.manifest.name, language)


@pytest.fixture
def english(twin: Twin) -> list[tuple[Sample, list[Pair | TextFailure]]]:
    """Every sample of a twin with its English pairs."""
    return _written(twin.folder, twin.manifest.name, "en")


@pytest.fixture
def chinese(twin: Twin) -> list[tuple[Sample, list[Pair | TextFailure]]]:
    """Every sample of a twin with its Chinese pairs."""
    return _written(twin.folder, twin.manifest.name, "zh")


def settings(language: str) -> TextSettings:
    """Every format in a language."""
    return TextSettings(formats=FORMATS, languages=(language,))


@cache
def _samples(folder: Path, source: str) -> list[Sample]:
    manifest = load_manifest(source).manifest
    root, _ = locate_root(manifest, folder)
    converter = converter_for(manifest)
    return [
        out
        for case in converter.cases(root)
        for out in converter.convert(root, case)
        if isinstance(out, Sample)
    ]


@cache
def _written(
    folder: Path, source: str, language: str
) -> list[tuple[Sample, list[Pair | TextFailure]]]:
    manifest = load_manifest(source).manifest
    return [
        (sample, pairs_of(sample, manifest, settings(language)))
        for sample in _samples(folder, source)
    ]


def pairs(written: list[tuple[Sample, list[Pair | TextFailure]]]) -> list[tuple[Sample, Pair]]:
    """Every pair with its sample."""
    return [(sample, pair) for sample, made in written for pair in made if isinstance(pair, Pair)]


def test_every_text_passes_its_checks(written) -> None:
    assert [pair for _, made in written for pair in made if isinstance(pair, TextFailure)] == []


def test_every_sample_has_a_pair(written, language: str) -> None:
    # The source's own questions are in its own language alone.
    assert all(made for sample, made in written if language == "en" or not sample.exchanges)


def test_same_sample_gives_same_pairs(written, twin: Twin, language: str) -> None:
    for sample, made in written:
        assert pairs_of(sample, twin.manifest, settings(language)) == made


def test_no_option_but_the_right_one_is_present(written, language: str) -> None:
    for sample, pair in pairs(written):
        if pair.format == "single_choice" and not pair.boxes:
            present = {spoken(language, finding.label) for finding in sample.findings}
            right = [spoken(language, label) for label in pair.labels]
            options = re.findall(r"^[A-H]\. (.+)$", pair.messages[0].content, re.MULTILINE)
            assert [option for option in options if option in present] == right


def test_no_is_said_only_of_what_is_absent(written, language: str) -> None:
    for sample, pair in pairs(written):
        if pair.format == "judgement" and not pair.boxes:
            is_no = pair.messages[1].content.startswith(NO[language])
            assert is_no == (not pair.labels)
            assert not is_no or sample.absent


def test_boxes_are_inside_and_have_an_area(written) -> None:
    for _, pair in pairs(written):
        text = " ".join(message.content for message in pair.messages)
        found = [tuple(map(float, box)) for box in BOX.findall(text)]
        assert all(0 <= a < c <= 1 and 0 <= b < d <= 1 for a, b, c, d in found)
        assert bool(found) == bool(pair.boxes)


def test_a_region_caption_opens_with_this_region(written, language: str) -> None:
    for _, pair in pairs(written):
        if pair.format == "region_caption":
            assert pair.messages[1].content.startswith(OPENING[language])


def test_sentences_are_whole(english) -> None:
    for _, pair in pairs(english):
        if pair.format in SENTENCES:
            for message in pair.messages[1::2]:
                answer = message.content
                assert answer[0].isupper() or answer[0].isdigit() or answer.startswith("<ref>")
                assert answer.endswith((".", "</box>"))
                assert not re.search(
                    r" a [aeiou](?!n? )| an [bcdfgjklmnpqrstvwz]|the the|  | ,", answer
                )


def test_chinese_sentences_are_whole(chinese) -> None:
    for _, pair in pairs(chinese):
        if pair.format in SENTENCES:
            for message in pair.messages[1::2]:
                assert message.content.endswith(("。", "</box>"))
                prose = re.sub(r"<box>.*?</box>", "", message.content)
                assert not re.search(r"[,;:?!]|\.(?!\d)", prose)


def test_both_languages_say_the_same(english, chinese) -> None:
    said = [
        [
            (sample.sample_id, pair.format, pair.labels, pair.boxes, len(pair.messages))
            for sample, pair in pairs(made)
            if not pair.format.startswith("own_")
        ]
        for made in (english, chinese)
    ]
    assert said[0] == said[1]


def test_only_what_may_be_counted_is_counted(written, language: str) -> None:
    for sample, pair in pairs(written):
        if pair.template == "counting/image.en.j2":
            found = [finding.label for finding in sample.findings if finding.is_instance]
            assert set(pair.labels) <= set(sample.countable)
            assert pair.labels or pair.messages[1].content.startswith(NONE_THERE[language])
            if pair.labels:
                count = found.count(pair.labels[0])
                numbers = re.findall(r"\d+", pair.messages[1].content)
                assert numbers in ([], [str(count)])


def test_marked_objects_of_a_kind_are_counted(written) -> None:
    for _, pair in pairs(written):
        if pair.template == "counting/marked.en.j2":
            right = [n for n, (label, _) in enumerate(pair.boxes, start=1) if label in pair.labels]
            told = pair.messages[1].content
            numbers = {int(number) for number in re.findall(r"\d+", told)}
            assert numbers - {len(pair.boxes)} == {*right, len(right)} - {len(pair.boxes)}


def test_millimetres_are_said_only_where_the_spacing_is_known(written) -> None:
    for sample, pair in pairs(written):
        if pair.format == "measurement" and "/stated." not in pair.template:
            assert sample.spacing_mm
            assert len(re.findall(r"\d [µcm]m", pair.messages[1].content)) == 2  # and the tolerance


def test_a_side_is_one_that_is_known(written, language: str) -> None:
    for sample, pair in pairs(written):
        if pair.template.startswith("position/side."):
            sides = {f.side for f in sample.findings if (f.label, f.box) in pair.boxes}
            words = SIDES[language]
            said = re.findall("|".join(words), pair.messages[1].content)
            assert {words[word] for word in said} == sides


def test_of_several_options_the_present_ones_are_right_and_the_others_absent(
    written, language: str
) -> None:
    none = spoken(language, "none of these")
    for sample, pair in pairs(written):
        if pair.format == "multiple_choice":
            options = re.findall(r"^([A-G])\. (.+)$", pair.messages[0].content, re.MULTILINE)
            present = {spoken(language, finding.label) for finding in sample.findings}
            right = [f"{letter}. {text}" for letter, text in options if text in present]
            wrong = {text for _, text in options if text not in present} - {none}
            assert wrong <= {spoken(language, name) for name in sample.absent}
            assert BETWEEN[language].join(right) in pair.messages[1].content
            assert right or none in pair.messages[1].content
            assert not right or none not in pair.messages[1].content


def test_a_department_is_the_manifests(written, twin: Twin, language: str) -> None:
    for _, pair in pairs(written):
        if pair.template.startswith("recognition/department."):
            assert spoken(language, twin.manifest.department) in pair.messages[1].content
            assert twin.manifest.department != "not assigned"


def test_regions_are_told_in_the_order_of_their_numbers(written, language: str) -> None:
    for _, pair in pairs(written):
        if pair.format == "multi_region":
            told = [re.findall(REGION[language], message.content) for message in pair.messages]
            assert told[0] == told[1] == [str(n + 1) for n in range(len(pair.boxes))]


def test_a_report_has_its_three_parts(written, language: str) -> None:
    for _, pair in pairs(written):
        if pair.format == "report":
            lines = pair.messages[1].content.splitlines()
            assert len(lines) == 3
            assert all(map(str.startswith, lines, REPORT[language]))


def test_a_conversation_has_several_turns(written) -> None:
    for _, pair in pairs(written):
        if pair.format == "conversation":
            roles = [message.role for message in pair.messages]
            assert len(roles) >= 6
            assert roles == ["user", "assistant"] * (len(roles) // 2)
            asked = [message.content for message in pair.messages[::2]]
            assert [text.startswith("<image>\n") for text in asked] == [
                n == 0 for n in range(len(asked))
            ]


def test_grades_and_phases_are_told_where_they_are_known(written, language: str) -> None:
    for sample, pair in pairs(written):
        if pair.format in ("grading", "surgical_phase"):
            role = "grade" if pair.format == "grading" else "phase"
            labels = [f.label for f in sample.findings if f.role == role]
            assert labels == [pair.labels[0]]
            assert spoken(language, labels[0]).lower() in pair.messages[1].content.lower()


def test_pair_ids_are_unique(written) -> None:
    ids = [pair.pair_id for _, pair in pairs(written)]
    assert len(ids) == len(set(ids))
