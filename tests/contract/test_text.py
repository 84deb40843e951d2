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
        text = pair.messages[0].content + pair.messages[1].content
        found = [tuple(map(float, box)) for box in BOX.findall(text)]
        assert all(0 <= a < c <= 1 and 0 <= b < d <= 1 for a, b, c, d in found)
        assert bool(found) == bool(pair.boxes)


def test_a_region_caption_opens_with_this_region(written) -> None:
    for _, pair in pairs(written):
        if pair.format == "region_caption":
            assert pair.messages[1].content.startswith("This region ")


def test_sentences_are_whole(written) -> None:
    for _, pair in pairs(written):
        answer = pair.messages[1].content
        if pair.format in ("caption", "region_caption", "judgement"):
            assert answer[0].isupper()
            assert answer.endswith(".")
            assert not re.search(
                r" a [aeiou](?!n? )| an [bcdfgjklmnpqrstvwz]|the the|  | ,", answer
            )


def test_pair_ids_are_unique(written) -> None:
    ids = [pair.pair_id for _, pair in pairs(written)]
    assert len(ids) == len(set(ids))
