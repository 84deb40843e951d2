"""Wrong answers: surely wrong, like the right one, in a place that tells nothing."""

import re
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from converters.annotations.contract import surely_absent
from converters.manifest import load_manifest
from converters.records import Box, Finding, Sample
from converters.vocabulary import term
from pipeline.formats import distractors
from pipeline.pairs import Pair
from pipeline.view import View, labels_of
from pipeline.write_text import TextSettings, pairs_of

CT = load_manifest("totalsegmentator_v2").manifest
NAMES = ("liver", "spleen", "stomach", "pancreas", "gallbladder", "duodenum", "left kidney")


def finding(label: str, left: float | None = None) -> Finding:
    """A finding of a label: in a box, or of the whole image."""
    where = None if left is None else Box(x_min=left, y_min=10, x_max=left + 40, y_max=50)
    return Finding(label=label, code=label, role=term(label).role, box=where,
                   parts=1 if where else None, position="center" if where else None)  # fmt: skip


def sample(*findings: Finding, number: int = 1, absent: tuple[str, ...] = ()) -> Sample:
    """An image that knows what is given."""
    return Sample(
        sample_id=f"toy/{number}", case_key="1", image=b"x", image_format="png", phash="0" * 16,
        width=800, height=100, findings=findings, absent=absent, modality="CT",
        anatomy=("abdomen",), source_path="1",
    )  # fmt: skip


def asked(number: int, here: int) -> tuple[Pair, list[str]]:
    """A question about an image with some organs and without the others, and its options."""
    found = [finding(name, 10 + 60 * at) for at, name in enumerate(NAMES[:here])]
    known = sample(*found, number=number, absent=tuple(sorted(NAMES[here:])))
    made = pairs_of(known, CT, TextSettings(formats=("single_choice",), languages=("en",)))
    (pair,) = [one for one in made if isinstance(one, Pair) and not one.boxes]
    return pair, re.findall(r"^[A-H]\. (.+)$", pair.messages[0].content, re.MULTILINE)


def test_other_steps_of_the_scale_are_offered_after_the_other_side_only() -> None:
    grade = "knee osteoarthritis of Kellgren-Lawrence grade 2"
    near = "knee osteoarthritis of Kellgren-Lawrence grade 3"
    ranked = distractors.ranked("seed", grade, ["musculoskeletal abnormality", near, "glaucoma"])
    assert ranked == [near, "musculoskeletal abnormality", "glaucoma"]


def test_normal_is_no_other_answer_than_a_device() -> None:
    manifest = load_manifest("chexpert").manifest
    known = sample(finding("support device"), absent=("no finding", "pneumonia"))
    view = View(sample=known, manifest=manifest, labels=labels_of(manifest))
    assert distractors.of_image(view, "support device") == []
    known = sample(finding("atelectasis"), absent=("no finding", "fracture"))
    view = View(sample=known, manifest=manifest, labels=labels_of(manifest))
    assert distractors.of_image(view, "atelectasis") == ["fracture", "no finding"]


def test_what_is_implied_is_never_offered() -> None:
    found = [finding("consolidation", 10)]
    assert surely_absent(("lung opacity", "pneumothorax"), found) == ("pneumothorax",)


def test_steps_that_a_grade_rules_out_are_wrong_though_no_absence_is_known() -> None:
    grade = "mild non-proliferative diabetic retinopathy"
    manifest = load_manifest("deepdrid").manifest
    known = sample(finding(grade))
    view = View(sample=known, manifest=manifest, labels=labels_of(manifest))
    offered = distractors.of_image(view, grade)
    assert "severe non-proliferative diabetic retinopathy" in offered
    assert "no diabetic retinopathy" not in offered  # it would always be the wrong one
    assert grade not in offered


@given(st.integers(0, 10**6), st.integers(1, 3))
def test_one_option_is_right_and_the_others_are_absent(number: int, here: int) -> None:
    pair, options = asked(number, here)
    assert 3 <= len(options) <= 5
    assert [name for name in options if name in NAMES[:here]] == list(pair.labels)
    assert set(options) - set(NAMES[:here]) <= set(NAMES[here:])


def test_the_right_option_stands_in_every_place_and_options_vary_in_number() -> None:
    places: Counter[tuple[int, int]] = Counter()
    for number in range(600):
        pair, options = asked(number, 1)
        places[len(options), options.index(pair.labels[0])] += 1
    for count in (3, 4, 5):
        total = sum(times for (of, _), times in places.items() if of == count)
        assert 150 < total < 250
        assert all(0.6 < places[count, at] * count / total < 1.4 for at in range(count))
