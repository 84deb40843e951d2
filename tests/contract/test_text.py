"""Promises of the text of every source, on its generated twin."""

import re
from functools import cache
from pathlib import Path

import pytest

from converters.files import locate_root
from converters.manifest import load_manifest
from converters.records import Sample
from converters.select import converter_for
from pipeline.cli import FORMATS
from pipeline.pairs import Pair, TextFailure
from pipeline.write_text import TextSettings, pairs_of
from tests.fakes import Twin

SETTINGS = TextSettings(formats=FORMATS, languages=("en",))
SENTENCES = (
    "caption", "region_caption", "judgement", "counting", "position", "open_question",
    "recognition", "multi_region", "report", "conversation", "comparison", "grading",
    "surgical_phase",
)  # fmt: skip
BOX = re.compile(r"\[(\d\.\d+), (\d\.\d+), (\d\.\d+), (\d\.\d+)\]")


@pytest.fixture
def written(twin: Twin) -> list[tuple[Sample, list[Pair | TextFailure]]]:
    """Every sample of a twin with its pairs."""
    return _written(twin.folder, twin.manifest.name)


@cache
def _written(folder: Path, source: str) -> list[tuple[Sample, list[Pair | TextFailure]]]:
    manifest = load_manifest(source).manifest
    root, _ = locate_root(manifest, folder)
    converter = converter_for(manifest)
    return [
        (out, pairs_of(out, manifest, SETTINGS))
        for case in converter.cases(root)
        for out in converter.convert(root, case)
        if isinstance(out, Sample)
    ]


def pairs(written: list[tuple[Sample, list[Pair | TextFailure]]]) -> list[tuple[Sample, Pair]]:
    """Every pair with its sample."""
    return [(sample, pair) for sample, made in written for pair in made if isinstance(pair, Pair)]


def test_every_text_passes_its_checks(written) -> None:
    assert [pair for _, made in written for pair in made if isinstance(pair, TextFailure)] == []


def test_every_sample_has_a_pair(written) -> None:
    assert all(made for _, made in written)


def test_same_sample_gives_same_pairs(written, twin: Twin) -> None:
    for sample, made in written:
        assert pairs_of(sample, twin.manifest, SETTINGS) == made


def test_no_option_but_the_right_one_is_present(written) -> None:
    for sample, pair in pairs(written):
        if pair.format == "single_choice" and not pair.boxes:
            present = {finding.label for finding in sample.findings}
            options = re.findall(r"^[A-D]\. (.+)$", pair.messages[0].content, re.MULTILINE)
            assert [option for option in options if option in present] == list(pair.labels)


def test_no_is_said_only_of_what_is_absent(written) -> None:
    for sample, pair in pairs(written):
        if pair.format == "judgement" and not pair.boxes:
            is_no = pair.messages[1].content.startswith("No")
            assert is_no == (not pair.labels)
            assert not is_no or sample.absent


def test_boxes_are_inside_and_have_an_area(written) -> None:
    for _, pair in pairs(written):
        text = " ".join(message.content for message in pair.messages)
        found = [tuple(map(float, box)) for box in BOX.findall(text)]
        assert all(0 <= a < c <= 1 and 0 <= b < d <= 1 for a, b, c, d in found)
        assert bool(found) == bool(pair.boxes)


def test_a_region_caption_opens_with_this_region(written) -> None:
    for _, pair in pairs(written):
        if pair.format == "region_caption":
            assert pair.messages[1].content.startswith("This region ")


def test_sentences_are_whole(written) -> None:
    for _, pair in pairs(written):
        if pair.format in SENTENCES:
            for message in pair.messages[1::2]:
                answer = message.content
                assert answer[0].isupper() or answer[0].isdigit() or answer.startswith("<ref>")
                assert answer.endswith((".", "</box>"))
                assert not re.search(
                    r" a [aeiou](?!n? )| an [bcdfgjklmnpqrstvwz]|the the|  | ,", answer
                )


def test_only_what_may_be_counted_is_counted(written) -> None:
    for sample, pair in pairs(written):
        if pair.template == "counting/image.en.j2":
            found = [finding.label for finding in sample.findings]
            assert set(pair.labels) <= set(sample.countable)
            assert pair.labels or pair.messages[1].content.startswith("No ")
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
        if pair.format == "measurement" and pair.template != "measurement/stated.en.j2":
            assert sample.spacing_mm
            assert len(re.findall(r"\d [µcm]m", pair.messages[1].content)) == 2  # and the tolerance


def test_a_side_is_one_that_is_known(written) -> None:
    for sample, pair in pairs(written):
        if pair.template == "position/side.en.j2":
            sides = {f.side for f in sample.findings if (f.label, f.box) in pair.boxes}
            said = re.findall(r"\b(left|right)\b", pair.messages[1].content)
            assert set(said) == sides


def test_of_several_options_the_present_ones_are_right_and_the_others_absent(written) -> None:
    for sample, pair in pairs(written):
        if pair.format == "multiple_choice":
            options = re.findall(r"^([A-G])\. (.+)$", pair.messages[0].content, re.MULTILINE)
            present = {finding.label for finding in sample.findings}
            right = [f"{letter}. {text}" for letter, text in options if text in present]
            wrong = {text for _, text in options if text not in present} - {"none of these"}
            assert wrong <= set(sample.absent)
            assert "; ".join(right) in pair.messages[1].content
            assert right or "none of these" in pair.messages[1].content
            assert not right or "none of these" not in pair.messages[1].content


def test_a_department_is_the_manifests(written, twin: Twin) -> None:
    for _, pair in pairs(written):
        if pair.template == "recognition/department.en.j2":
            assert twin.manifest.department in pair.messages[1].content
            assert twin.manifest.department != "not assigned"


def test_regions_are_told_in_the_order_of_their_numbers(written) -> None:
    for _, pair in pairs(written):
        if pair.format == "multi_region":
            told = [re.findall(r"Region (\d)", message.content) for message in pair.messages]
            assert told[0] == told[1] == [str(n + 1) for n in range(len(pair.boxes))]


def test_a_report_has_its_three_parts(written) -> None:
    for _, pair in pairs(written):
        if pair.format == "report":
            lines = pair.messages[1].content.splitlines()
            heads = [line.split(": ", 1)[0] for line in lines]
            assert heads == ["Technique", "Findings", "Impression"]


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


def test_grades_and_phases_are_told_where_they_are_known(written) -> None:
    for sample, pair in pairs(written):
        if pair.format in ("grading", "surgical_phase"):
            role = "grade" if pair.format == "grading" else "phase"
            labels = [f.label for f in sample.findings if f.role == role]
            assert labels == [pair.labels[0]]
            assert labels[0].lower() in pair.messages[1].content.lower()


def test_pair_ids_are_unique(written) -> None:
    ids = [pair.pair_id for _, pair in pairs(written)]
    assert len(ids) == len(set(ids))
