"""Questions, reports and conversations: what each may say, and where it must keep silent."""

import re
from collections import Counter
from dataclasses import replace

import pytest

from converters.manifest import Manifest, load_manifest
from converters.records import Box, Finding, Sample
from converters.vocabulary import term
from pipeline.clauses import wrong_clause
from pipeline.formats import distractors
from pipeline.languages import LANGUAGES
from pipeline.measures import area, longest_diameter
from pipeline.pairs import Pair
from pipeline.view import View, labels_of
from pipeline.write_text import TextSettings, pairs_of

CT = load_manifest("totalsegmentator_v2").manifest
BRAIN = load_manifest("brain_tumor_sartaj").manifest
BREAST = load_manifest("inbreast").manifest
SURGERY = load_manifest("cholec80").manifest


def box(x: float = 20, y: float = 10, width: float = 40, height: float = 30) -> Box:
    """A box by its corner and extent."""
    return Box(x_min=x, y_min=y, x_max=x + width, y_max=y + height)


def finding(label: str, where: Box | None = None, **changes: object) -> Finding:
    """A finding of a label."""
    known = Finding(
        label=label, code=label, role=term(label).role, box=where, parts=1 if where else None,
        position="center" if where else None, side=term(label).side or None,
    )  # fmt: skip
    return replace(known, **changes)  # type: ignore[arg-type]


def sample(*findings: Finding, **changes: object) -> Sample:
    """A sample that knows what is given."""
    fields: dict[str, object] = {
        "sample_id": "toy/1", "case_key": "1", "image": b"x", "image_format": "png",
        "phash": "0" * 16, "width": 200, "height": 100, "findings": findings, "modality": "CT",
        "anatomy": ("abdomen",), "source_path": "1", "spacing_mm": (1.0, 1.0),
    }  # fmt: skip
    return Sample(**{**fields, **changes})  # type: ignore[arg-type]


def pairs(known: Sample, manifest: Manifest, name: str) -> list[Pair]:
    """The pairs of one format; none may have failed."""
    made = pairs_of(known, manifest, TextSettings(formats=(name,), languages=("en",)))
    assert all(isinstance(pair, Pair) for pair in made)
    return [pair for pair in made if isinstance(pair, Pair)]


def manifest_of(*names: str, completeness: str = "complete") -> Manifest:
    """A manifest with these labels."""
    block = BRAIN.layout.annotations[0].model_copy(
        update={"labels": {n: n for n in names}, "completeness": completeness}
    )
    layout = BRAIN.layout.model_copy(update={"annotations": [block]})
    return BRAIN.model_copy(update={"layout": layout, "name": "_".join(names)})


def cells(*labels: str) -> tuple[Finding, ...]:
    """Cells side by side."""
    return tuple(
        finding(label, box(20.0 * n, 10, 15, 15), is_instance=True, parts=None)
        for n, label in enumerate(labels)
    )


BLOOD = manifest_of("platelet", "red blood cell", "white blood cell", "neutrophil")


def test_objects_are_counted_where_all_are_marked() -> None:
    known = sample(*cells("platelet", "platelet"), countable=("platelet",))
    (pair,) = pairs(known, BLOOD, "counting")
    assert re.search(r"\b(2|[Tt]wo)\b", pair.messages[1].content)
    assert pairs(replace(known, countable=()), BLOOD, "counting") == []


def test_a_label_of_the_whole_image_is_no_object() -> None:
    known = sample(finding("platelet"), *cells("platelet"), countable=("platelet",))
    (pair,) = pairs(known, BLOOD, "counting")
    assert re.search(r"\b(1|[Oo]ne|a|single)\b", pair.messages[1].content)


def test_zero_is_said_of_what_is_absent_and_would_have_been_marked() -> None:
    known = sample(*cells("platelet"), countable=("platelet",), absent=("neutrophil",))
    zero = pairs(known, BLOOD, "counting")[1]
    assert zero.labels == ()
    assert zero.messages[1].content.startswith("No ")
    partial = manifest_of("platelet", "neutrophil", completeness="partial")
    assert len(pairs(known, partial, "counting")) == 1


def test_zero_is_not_said_where_nothing_like_it_is_counted() -> None:
    assert pairs(sample(*cells("platelet"), absent=("neutrophil",)), BLOOD, "counting") == []


def test_a_kind_is_not_left_out_of_the_count_of_its_whole() -> None:
    known = sample(
        *cells("white blood cell", "neutrophil"), countable=("neutrophil", "white blood cell")
    )
    assert [pair.labels for pair in pairs(known, BLOOD, "counting")] == [("neutrophil",)]


def test_marked_objects_are_counted_though_not_all_objects_are_marked() -> None:
    known = sample(*cells("platelet", "red blood cell", "platelet", "platelet"))
    (pair,) = pairs(known, BLOOD, "counting")
    right = [n for n, (label, _) in enumerate(pair.boxes, start=1) if label in pair.labels]
    assert str(len(right)) in pair.messages[1].content
    assert all(str(number) in pair.messages[1].content for number in right)


def test_marked_objects_are_not_counted_where_one_may_be_of_two_kinds() -> None:
    known = sample(*cells("white blood cell", "neutrophil", "platelet"))
    assert pairs(known, BLOOD, "counting") == []


def test_a_size_has_its_unit_and_its_tolerance() -> None:
    known = sample(finding("liver", box(), longest_diameter_mm=47.3))
    (pair,) = pairs(known, CT, "measurement")
    assert re.findall(r"\d+ mm", pair.messages[1].content) == ["47 mm", "3 mm"]


@pytest.mark.parametrize(
    "changes",
    [
        {"spacing_mm": None},
        {"findings": (finding("liver", box()),)},
        {"findings": (finding("liver", box(0), longest_diameter_mm=47.3),)},
        {"findings": (finding("liver", box(), longest_diameter_mm=47.3, parts=2),)},
        {"spacing_mm": (30.0, 30.0)},
    ],
    ids=["no spacing", "no measure", "cut at the rim", "in parts", "coarser than the thing"],
)
def test_no_size_is_said(changes: dict[str, object]) -> None:
    known = sample(finding("liver", box(), longest_diameter_mm=47.3))
    assert pairs(replace(known, **changes), CT, "measurement") == []  # type: ignore[arg-type]


def test_a_tolerance_is_that_of_the_image_that_was_outlined() -> None:
    known = sample(finding("liver", box(), longest_diameter_mm=47.3))
    coarse = replace(known, transforms=({"step": "resample", "from_mm": [3.0, 4.0]},))
    fine, rough = (longest_diameter(one.findings[0], one) for one in (known, coarse))
    assert fine is not None
    assert rough is not None
    assert (fine.tolerance, rough.tolerance) == ("3 mm", "5 mm")


@pytest.mark.parametrize(
    ("area_mm2", "value"), [(4000.0, "40.0 cm²"), (450.0, "4.5 cm²"), (90.0, "90 mm²")]
)
def test_an_area_has_a_unit_that_fits(area_mm2: float, value: str) -> None:
    known = finding("liver", box(), longest_diameter_mm=20.0, area_mm2=area_mm2)
    measured = area(known, sample(known, spacing_mm=(0.1, 0.1)))
    assert measured is not None
    assert measured.value == value


def test_a_side_is_asked_only_where_it_is_known() -> None:
    known = finding("left kidney", box())
    asked = [p.template for p in pairs(sample(known), CT, "position")]
    silent = [p.template for p in pairs(sample(replace(known, side=None)), CT, "position")]
    assert "position/side.en.j2" in asked
    assert "position/side.en.j2" not in silent


def test_a_question_for_the_side_does_not_name_it() -> None:
    for number in range(50):
        known = sample(finding("left kidney", box()), sample_id=f"toy/{number}")
        for pair in pairs(known, CT, "position"):
            if pair.template == "position/side.en.j2":
                assert "left kidney" not in pair.messages[0].content


def test_objects_in_several_places_are_placed_only_where_all_are_marked() -> None:
    spread = [
        replace(one, position=place)
        for one, place in zip(cells("platelet", "platelet"), ("center", "upper left"), strict=True)
    ]
    known = sample(*spread, countable=("platelet",))
    assert "position/where.en.j2" in [p.template for p in pairs(known, BLOOD, "position")]
    unsure = replace(known, countable=())
    assert "position/where.en.j2" not in [p.template for p in pairs(unsure, BLOOD, "position")]


ORGANS = ("liver", "spleen", "left kidney", "right kidney", "stomach", "pancreas")


def chosen(number: int) -> Pair:
    """A question with several options about a sample of two organs."""
    known = sample(
        finding("liver", box()), finding("spleen", box(120)), sample_id=f"toy/{number}",
        absent=("left kidney", "pancreas", "right kidney", "stomach"),
    )  # fmt: skip
    return pairs(known, manifest_of(*ORGANS), "multiple_choice")[0]


def test_right_options_are_those_that_are_there() -> None:
    for number in range(60):
        pair = chosen(number)
        options = re.findall(r"^([A-G])\. (.+)$", pair.messages[0].content, re.MULTILINE)
        right = "; ".join(f"{a}. {b}" for a, b in options if b in ("liver", "spleen"))
        assert (right or "none of these") in pair.messages[1].content


def test_places_and_numbers_of_right_options_vary() -> None:
    letters: Counter[str] = Counter()
    sizes: Counter[int] = Counter()
    for number in range(300):
        pair = chosen(number)
        sizes[len(re.findall(r"^[A-G]\. ", pair.messages[0].content, re.MULTILINE))] += 1
        letters.update(re.findall(r"\b([A-G])\. (?:liver|spleen)", pair.messages[1].content))
    assert len(sizes) >= 4
    assert min(letters[letter] for letter in "ABC") > 40


def test_none_of_these_is_right_as_well_as_wrong() -> None:
    said = Counter(
        "none of these" in pair.messages[1].content
        for pair in map(chosen, range(200))
        if "none of these" in pair.messages[0].content
    )
    assert min(said[True], said[False]) > 20


def test_no_options_are_offered_where_absence_is_not_known() -> None:
    known = sample(finding("liver", box()), finding("spleen", box(120)))
    assert pairs(known, manifest_of(*ORGANS), "multiple_choice") == []


def test_the_other_side_is_offered_first() -> None:
    ranked = distractors.ranked("seed", "left kidney", ["liver", "right kidney", "spleen"])
    assert ranked[0] == "right kidney"


def test_a_kind_of_what_is_there_is_never_offered() -> None:
    known = sample(*cells("white blood cell"), absent=("neutrophil", "platelet"))
    view = View(sample=known, manifest=BLOOD, labels=labels_of(BLOOD))
    assert distractors.of_image(view, "white blood cell") == ["platelet"]


def test_a_department_that_is_not_assigned_is_not_asked_for() -> None:
    manifest = CT.model_copy(update={"department": "not assigned"})
    for number in range(20):
        known = sample(finding("liver", box()), sample_id=f"toy/{number}")
        made = pairs(known, manifest, "recognition")
        assert "recognition/department.en.j2" not in [pair.template for pair in made]


def test_a_modality_without_a_name_is_not_asked_for() -> None:
    known = sample(finding("liver", box()), modality="MIXED", anatomy=("whole body",))
    made = [pair.template for pair in pairs(known, CT, "recognition")]
    assert made == ["recognition/department.en.j2"]


def test_regions_that_could_be_taken_for_each_other_are_not_told_together() -> None:
    twins = (finding("liver", box()), finding("spleen", box(21)))
    assert pairs(sample(*twins), CT, "multi_region") == []
    apart = (finding("liver", box()), finding("spleen", box(120)))
    (pair,) = pairs(sample(*apart), CT, "multi_region")
    assert len(pair.boxes) == 2


def test_a_report_needs_something_to_conclude() -> None:
    assert pairs(sample(finding("liver", box())), CT, "report") == []
    (pair,) = pairs(sample(finding("left kidney cyst", box())), CT, "report")
    assert pair.messages[1].content.endswith("Impression: Left kidney cyst.")


def test_other_steps_of_a_scale_are_not_denied_in_a_report() -> None:
    density = "almost entirely fatty breast"
    manifest = manifest_of(density, "extremely dense breast", "breast mass", "skin thickening")
    known = sample(
        finding(density), finding("breast mass", box()),
        absent=("extremely dense breast", "skin thickening"),
    )  # fmt: skip
    (pair,) = pairs(known, manifest, "report")
    assert "extremely dense" not in pair.messages[1].content
    assert "skin thickening" in pair.messages[1].content


def test_a_report_denies_only_what_is_absent() -> None:
    known = sample(finding("liver", box()), absent=("left kidney cyst",))
    (pair,) = pairs(known, CT, "report")
    assert "No left kidney cyst " in pair.messages[1].content
    assert pair.labels == ("liver",)


def test_clauses_that_deny_and_affirm_are_told_apart() -> None:
    english = LANGUAGES["en"]
    there, away = ("liver",), ("spleen",)
    assert wrong_clause("The liver is seen. No spleen is seen.", there, away, english) == ""
    assert wrong_clause("The liver is seen. The spleen is seen.", there, away, english)
    assert wrong_clause("No liver is seen. No spleen is seen.", there, away, english)
    assert wrong_clause("The liver is seen.", there, away, english)


def test_a_conversation_goes_from_the_image_to_its_end() -> None:
    known = sample(
        finding("liver", box(), longest_diameter_mm=47.3), finding("left kidney cyst", box(120)),
        absent=("spleen",), view="axial",
    )  # fmt: skip
    (pair,) = pairs(known, CT, "conversation")
    assert len(pair.messages) >= 8
    assert pair.messages[0].content.startswith("<image>\n")
    assert "axial CT image" in pair.messages[1].content
    assert "left kidney cyst" in pair.messages[-1].content
    assert set(pair.labels) == {"liver", "left kidney cyst"}


def test_a_conversation_of_too_few_turns_is_not_held() -> None:
    known = sample(finding("glioma"), modality="MIXED", anatomy=("whole body",))
    assert pairs(known, BRAIN, "conversation") == []


def test_what_is_compared_is_measured_in_one_unit() -> None:
    one = finding("liver", box(), longest_diameter_mm=80.0, area_px=900.0)
    two = finding("spleen", box(120), longest_diameter_mm=40.0)
    (pair,) = pairs(sample(one, two), CT, "comparison")
    assert re.search(r"80 mm.* 40 mm|40 mm.* 80 mm", pair.messages[1].content)
    unmeasured = replace(two, longest_diameter_mm=None)
    assert pairs(sample(one, unmeasured), CT, "comparison") == []


def test_what_is_nearly_equal_is_not_compared() -> None:
    one = finding("liver", box(), longest_diameter_mm=44.0)
    two = finding("spleen", box(120), longest_diameter_mm=40.0)
    assert pairs(sample(one, two), CT, "comparison") == []


def test_the_larger_one_is_said_to_be_larger() -> None:
    one = finding("liver", box(), area_px=900.0)
    two = finding("spleen", box(120), area_px=300.0)
    manifest = manifest_of("liver", "spleen")
    for number in range(40):
        (pair,) = pairs(sample(one, two, sample_id=f"toy/{number}"), manifest, "comparison")
        asked, answer = (message.content for message in pair.messages)
        is_larger = bool(re.search(r"larger|more of", asked))
        assert answer.lower().startswith("the liver" if is_larger else "the spleen")


def test_a_grade_is_told_with_its_scale() -> None:
    known = sample(finding("BI-RADS category 5"), modality="MG", anatomy=("breast",))
    (pair,) = pairs(known, BREAST, "grading")
    assert "BI-RADS category 5" in pair.messages[1].content
    assert "highly suggestive of cancer" in pair.messages[1].content
    assert "BI-RADS category 5" not in pair.messages[0].content


def test_two_grades_are_not_one() -> None:
    known = sample(finding("BI-RADS category 5"), finding("BI-RADS category 2"))
    assert pairs(known, BREAST, "grading") == []


def test_a_phase_is_told_with_the_instruments_in_view() -> None:
    known = sample(finding("preparation phase"), finding("grasper"), modality="ES")
    (pair,) = pairs(known, SURGERY, "surgical_phase")
    assert "preparation phase" in pair.messages[1].content
    assert "a grasper" in pair.messages[1].content


def test_all_that_lies_in_a_place_is_named() -> None:
    known = sample(*cells("platelet", "red blood cell", "red blood cell"))
    for number in range(20):
        made = pairs(replace(known, sample_id=f"toy/{number}"), BLOOD, "position")
        (pair,) = [p for p in made if p.template == "position/what.en.j2"]
        assert set(pair.labels) == {"platelet", "red blood cell"}
        assert "red blood cells" in pair.messages[1].content.lower()


def test_a_disease_has_no_position() -> None:
    known = sample(finding("cardiomegaly", box()), modality="DX", anatomy=("chest",))
    assert pairs(known, load_manifest("chestxray14").manifest, "position") == []


def test_a_step_that_may_be_the_same_is_neither_offered_nor_denied() -> None:
    grades = [f"ulcerative colitis of Mayo grade {n}" for n in ("0 to 1", "1", "2")]
    known = sample(finding(grades[1]), absent=(grades[0], grades[2]))
    view = View(sample=known, manifest=CT, labels=(frozenset(grades),))
    assert distractors.absent(view) == [grades[2]]


def test_a_grade_of_another_scale_with_the_same_words_is_not_explained() -> None:
    mild = "mild non-proliferative diabetic retinopathy"
    severe = "very severe non-proliferative diabetic retinopathy"
    known = sample(finding(mild), modality="OP", anatomy=("retina",))
    assert len(pairs(known, manifest_of(mild), "grading")) == 1
    assert pairs(known, manifest_of(mild, severe), "grading") == []


def test_what_is_spread_over_several_parts_has_no_one_position() -> None:
    spread = sample(finding("gray matter", box(), parts=3))
    whole = sample(finding("gray matter", box()))
    manifest = manifest_of("gray matter")
    assert pairs(spread, manifest, "position") == []
    assert pairs(whole, manifest, "position")


def test_a_lesion_of_an_organ_is_no_kind_of_it() -> None:
    known = sample(finding("brain", box()), absent=("brain infarction",))
    view = View(sample=known, manifest=CT, labels=(frozenset({"brain", "brain infarction"}),))
    assert distractors.absent(view) == ["brain infarction"]
