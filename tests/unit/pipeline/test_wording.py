"""Wording that a clinician would stumble over: each was read in rows of real sources once."""

import re
from collections import Counter
from dataclasses import replace

import pytest

from converters.manifest import Manifest, load_manifest
from converters.records import Box, Finding, Sample
from converters.vocabulary import term
from pipeline.pairs import Pair
from pipeline.phrasing import TEMPLATES
from pipeline.write_text import TextSettings, pairs_of

BLOOD = load_manifest("bccd").manifest
CHEST = load_manifest("chestxray14").manifest
CT = load_manifest("totalsegmentator_v2").manifest
UNIDIOMATIC = (
    r"\bone (sees|can|may)\b", r"\bone see\b", r"which of both", r"\bof both\b", r"at which place",
    r"\bbounds?\b", r"\bsome\", \"roughly", r"\btell what\b", r"\bRight (is|are) ",
    r"采用了哪种", r"全部符合", r"若论", r"\"不，",
)  # fmt: skip


def finding(label: str, at: float | None = None, **changes: object) -> Finding:
    """A finding of the whole image, or of a box that begins at a place."""
    box = None if at is None else Box(x_min=at, y_min=10, x_max=at + 30, y_max=40)
    place = None if at is None else "center left"
    known = Finding(label=label, code=label, role=term(label).role, box=box, position=place)
    return replace(known, **changes)  # type: ignore[arg-type]


def sample(*findings: Finding, **changes: object) -> Sample:
    """A sample that knows what is given."""
    known = Sample(
        sample_id="toy/1", case_key="1", image=b"x", image_format="png", phash="0" * 16, width=800,
        height=100, findings=findings, modality="DX", anatomy=("chest",), source_path="1",
    )  # fmt: skip
    return replace(known, **changes)  # type: ignore[arg-type]


def answers(known: Sample, manifest: Manifest, name: str, language: str = "en") -> list[str]:
    """The answers of one format."""
    made = pairs_of(known, manifest, TextSettings(formats=(name,), languages=(language,)))
    assert all(isinstance(pair, Pair) for pair in made)
    said = [m.content for pair in made if isinstance(pair, Pair) for m in pair.messages]
    return said[1::2]


def test_no_cell_answers_all_questions_because_there_are_many_of_it() -> None:
    cells = [finding("red blood cell", 32.0 * n, is_instance=True) for n in range(20)]
    rare = finding("white blood cell", 700.0, is_instance=True)
    asked = Counter(
        "white" in answers(sample(*cells, rare, sample_id=f"toy/{n}"), BLOOD, name)[0]
        for n in range(100)
        for name in ("single_choice", "detection")
    )
    assert 60 < asked[True] < 140


@pytest.mark.parametrize("name", ["caption", "open_question", "report"])
def test_left_and_right_of_the_picture_are_called_so(name: str) -> None:
    known = sample(finding("lung nodule", 10.0))
    for n in range(20):
        (said,) = answers(replace(known, sample_id=f"toy/{n}"), CHEST, name)
        assert "lung nodule in the center left of the image" in said


def test_a_report_concludes_no_lesion_that_it_has_not_found() -> None:
    known = sample(finding("pleural effusion"), finding("lung nodule", 10.0))
    (said,) = answers(known, CHEST, "report")
    found, concluded = said.split("Findings: ")[1].split("\nImpression: ")
    assert "pleural effusion" in found
    assert "Lung nodule." in concluded
    assert "Pleural effusion." in concluded


def test_a_conversation_names_beside_a_lesion_with_a_place_those_without() -> None:
    known = sample(finding("pleural effusion"), finding("lung nodule", 10.0))
    (*_, seen, _, concluded) = answers(known, CHEST, "conversation")
    for said in (seen, concluded):
        assert "pleural effusion" in said
        assert "lung nodule" in said


def test_a_conclusion_drops_nothing_that_was_seen() -> None:
    whole = ["atelectasis", "consolidation", "infiltration", "pleural effusion", "pulmonary edema"]
    known = sample(*map(finding, whole), finding("lung mass", 10.0))
    concluded = answers(known, CHEST, "conversation")[-1]
    assert all(name in concluded for name in [*whole, "lung mass"])


def test_the_size_of_an_organ_is_in_no_place() -> None:
    known = sample(finding("cardiomegaly", 10.0))
    for name in ("caption", "open_question", "report", "conversation"):
        assert not any("center left" in said for said in answers(known, CHEST, name)), name


@pytest.mark.parametrize(
    ("label", "verbs"),
    [("lung nodule", {"shows", "contains", "includes"}),
     ("infiltration", {"shows", "depicts", "demonstrates"})],
)  # fmt: skip
def test_a_region_contains_things_and_shows_changes(label: str, verbs: set[str]) -> None:
    known = sample(finding(label, 10.0))
    said = {
        answers(replace(known, sample_id=f"toy/{n}"), CHEST, "region_caption")[0].split()[2]
        for n in range(60)
    }
    assert said == verbs


def test_a_selection_of_a_list_is_set_off_by_commas() -> None:
    organs = ("liver", "spleen", "stomach", "pancreas", "gallbladder", "left kidney")
    known = sample(*(finding(name, 30.0 * n, parts=1) for n, name in enumerate(organs)))
    for n in range(40):
        some = replace(known, sample_id=f"toy/{n}", modality="CT", anatomy=("abdomen",))
        said = " ".join(answers(some, CT, "conversation") + answers(some, CT, "position"))
        assert "among others" in said
        assert not re.search(r"among others [a-z]", said)


def test_a_name_that_holds_and_is_not_joined_by_the_same_word() -> None:
    assert "和" not in term("portal and splenic veins").zh


@pytest.mark.parametrize("pattern", UNIDIOMATIC)
def test_no_template_falls_back_to_wording_that_was_mended(pattern: str) -> None:
    for path in TEMPLATES.glob("*/*.j2"):
        if path.parent.name not in ("prompts", "pages"):
            found = re.search(pattern, path.read_text(encoding="utf-8"), re.IGNORECASE)
            assert found is None, (path.name, found)
