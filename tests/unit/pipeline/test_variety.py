"""Every template has many ways to say the same: a target that no template may fall below."""

from dataclasses import replace
from functools import cache

import pytest

from benchmarks.variety import targets, variety
from converters.manifest import Manifest, load_manifest
from converters.records import Box, Exchange, Finding, Sample
from converters.vocabulary import term
from pipeline.cli import FORMATS, LANGUAGES
from pipeline.formats import format_module
from pipeline.phrasing import in_language, render, templates_of
from pipeline.view import Draft, View, labels_of, turns_of

SEEDS = 1500
# Phrasings of one question whose facts are the same. A short order ("Mark it with a box.") in
# the middle of a conversation has fewer.
TARGET, TARGET_OF_A_TURN = 95, 5
REPORT = Exchange(question="", answer="The lungs are clear.", topic="report")
OWN = "own_question/as_given.en.j2"


def _finding(label: str, at: int = 20, **changes: object) -> Finding:
    known = Finding(
        label=label, code=label, role=term(label).role, parts=1, position="center",
        side=term(label).side or None, area_px=300.0 * at,
        box=Box(x_min=at, y_min=10, x_max=at + 40, y_max=50),
    )  # fmt: skip
    return replace(known, **changes)  # type: ignore[arg-type]


def _whole(label: str) -> Finding:
    return _finding(label, box=None, parts=None, position=None, area_px=None)


def _sample(*findings: Finding, **changes: object) -> Sample:
    known = Sample(
        sample_id="toy/1", case_key="1", image=b"x", image_format="png", phash="0" * 16, width=300,
        height=100, findings=findings, modality="CT", anatomy=("abdomen",), source_path="1",
        spacing_mm=(1.0, 1.0),
    )  # fmt: skip
    return replace(known, **changes)  # type: ignore[arg-type]


def _samples() -> list[tuple[Sample, str]]:
    """Samples that between them make every template speak."""
    kidney = _finding("left kidney", 20, longest_diameter_mm=40.0)
    liver = _finding("liver", 120, longest_diameter_mm=90.0)
    opacity = "lung opacity suspicious for pneumonia"
    spots = [_finding(opacity, at, is_instance=True, parts=None) for at in (20, 120)]
    measured = replace(_finding("fetal head", 20), attributes=(("head circumference", "200 mm"),))
    pairs = (("instrument", "grasper"), ("target", "gallbladder"))
    acted = [
        _whole("grasper"),
        _whole("gallbladder"),
        replace(_whole("retraction"), attributes=pairs),
    ]
    kinds = ("platelet", "red blood cell", "platelet")
    cells = [
        _finding(name, 20 + 90 * number, is_instance=True, parts=None)
        for number, name in enumerate(kinds)
    ]
    return [
        (_sample(kidney, liver, view="axial", absent=("spleen", "stomach")),
         "totalsegmentator_v2"),
        (_sample(_finding("left kidney cyst"), absent=("spleen",)), "totalsegmentator_v2"),
        (_sample(*spots, countable=(opacity,)), "rsna_pneumonia"),
        (_sample(measured), "hc18"),
        (_sample(_finding("kidney lesion", longest_diameter_mm=30.0)), "deeplesion"),
        (_sample(*cells, modality="MIC", anatomy=("blood smear",)), "bccd"),
        (_sample(_whole("BI-RADS category 5"), modality="MG"), "inbreast"),
        (_sample(_whole("preparation phase"), modality="ES"), "cholec80"),
        (_sample(exchanges=(REPORT,)), "iu_xray"),
        (_sample(_whole("good image quality"), modality="OP", absent=("poor image quality",)),
         "drimdb"),
        (_sample(*acted, modality="ES", absent=("clipping", "cutting")), "cholect50"),
    ]  # fmt: skip


@cache
def _turns() -> dict[tuple[str, str], Draft]:
    """One draft of every template and block."""
    found: dict[tuple[str, str], Draft] = {}
    for number in range(12):
        for known, source in _samples():
            manifest: Manifest = load_manifest(source).manifest
            view = View(
                sample=replace(known, sample_id=f"toy/{number}"),
                manifest=manifest,
                labels=labels_of(manifest),
            )
            for name in FORMATS:
                for draft in format_module(name).drafts(view):
                    for turn in turns_of(draft):
                        found.setdefault((turn.template, turn.block), turn)
    return found


def _phrasings(draft: Draft, language: str, side: str = "question") -> list[str]:
    """The questions, or answers, of one draft with many seeds."""
    template, block = in_language(draft.template, language), f"{side}{draft.block}"
    return [
        render(template, block, draft.variables, language=language, seed=str(seed))
        for seed in range(SEEDS)
    ]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("template", [t for t in templates_of(FORMATS, ("en",)) if t != OWN])
def test_a_question_has_many_phrasings(template: str, language: str) -> None:
    turns = [draft for (name, _), draft in _turns().items() if name == template]
    assert turns, "no sample of this test makes the template speak"
    for draft in turns:
        least = TARGET_OF_A_TURN if draft.block else TARGET
        assert len(set(_phrasings(draft, language))) >= least, draft.block or template


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", [name for name in FORMATS if name != "own_question"])
def test_phrasings_of_a_format_are_used_evenly(name: str, language: str) -> None:
    # Bits of entropy, as the report on repetition gives them: rare phrasings do not count.
    for side, target in targets()[name].items():
        for draft in _turns_of(name):
            said = _phrasings(draft, language, side)
            found = variety(said, said).entropy
            assert found >= target, f"{draft.template}{draft.block}: {side} {found:.1f} bits"


def _turns_of(name: str) -> list[Draft]:
    """Drafts of a format; the turns of a conversation are short, and vary as a whole."""
    found = [draft for (template, _), draft in _turns().items() if template.startswith(f"{name}/")]
    return [draft for draft in found if not draft.block]


def test_every_format_has_a_target() -> None:
    assert sorted(targets()) == sorted(FORMATS)
