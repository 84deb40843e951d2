"""Formats: what they may say, and what they must not, over any state of knowledge."""

import re
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converters.annotations.contract import surely_absent
from converters.manifest import Manifest, load_manifest
from converters.records import Box, Finding, Sample
from converters.vocabulary import term
from pipeline.box_notation import box_numbers
from pipeline.cli import FORMATS
from pipeline.pairs import Pair, TextFailure
from pipeline.view import View, diameter, labels_of, length, overlap
from pipeline.write_text import TextSettings, pairs_of

BRAIN = load_manifest("brain_tumor_sartaj").manifest
CT = load_manifest("totalsegmentator_v2").manifest
ORGANS = sorted(name for block in labels_of(CT) for name in block)
SETTINGS = TextSettings(formats=FORMATS, languages=("en",))


def finding(label: str, box: Box | None = None, *, is_instance: bool = False) -> Finding:
    """A finding of a label."""
    return Finding(
        label=label, code=label, role=term(label).role, box=box, is_instance=is_instance,
        position="center" if box else None, parts=None if is_instance else 1,
    )  # fmt: skip


def sample(**changes: object) -> Sample:
    """A sample that knows nothing but what is given."""
    fields: dict[str, object] = {
        "sample_id": "toy/1", "case_key": "1", "image": b"x", "image_format": "png",
        "phash": "0" * 16, "width": 200, "height": 100, "findings": (), "modality": "CT",
        "anatomy": ("whole body",), "source_path": "1",
    }  # fmt: skip
    return Sample(**{**fields, **changes})  # type: ignore[arg-type]


def texts(made: list[Pair | TextFailure]) -> list[Pair]:
    """The pairs; none may have failed."""
    assert [pair for pair in made if isinstance(pair, TextFailure)] == []
    return [pair for pair in made if isinstance(pair, Pair)]


def options(pair: Pair) -> list[str]:
    """The options of a choice."""
    return re.findall(r"^[A-H]\. (.+)$", pair.messages[0].content, re.MULTILINE)


boxes = st.builds(
    lambda x, y, w, h: Box(x_min=x, y_min=y, x_max=min(200, x + w), y_max=min(100, y + h)),
    st.floats(0, 195), st.floats(0, 95), st.floats(0.5, 80), st.floats(0.5, 60),
)  # fmt: skip


@st.composite
def knowledge(draw: st.DrawFn) -> Sample:
    """Any split of some labels into present, absent and unknown."""
    names = draw(st.lists(st.sampled_from(ORGANS), min_size=1, max_size=12, unique=True))
    states = {name: draw(st.sampled_from(["present", "absent", "unknown"])) for name in names}
    return sample(
        sample_id=f"toy/{draw(st.integers(0, 10**6))}",
        view="axial",
        findings=tuple(finding(n, draw(boxes)) for n in names if states[n] == "present"),
        absent=tuple(sorted(n for n in names if states[n] == "absent")),
    )


@given(known=knowledge())
def test_a_wrong_option_is_surely_absent_or_elsewhere(known: Sample) -> None:
    present = {f.label: f.box for f in known.findings}
    for pair in texts(pairs_of(known, CT, SETTINGS)):
        if pair.format == "single_choice":
            right = pair.labels[0]
            for option in set(options(pair)) - {right}:
                away = (
                    option in present and pair.boxes and _apart(present[option], pair.boxes[0][1])
                )
                assert option in known.absent or away


def _apart(first: Box | None, second: Box) -> bool:
    return first is not None and overlap(first, second) == 0


@given(known=knowledge())
def test_what_is_unknown_is_never_spoken_of(known: Sample) -> None:
    spoken = {f.label for f in known.findings} | set(known.absent)
    for pair in texts(pairs_of(known, CT, SETTINGS)):
        text = " ".join(message.content for message in pair.messages)
        said = {name for name in ORGANS if re.search(rf"\b{name}\b", text)}
        # "aorta" inside no longer term; sides make terms differ, so a part of one may match.
        assert all(name in spoken or any(name in other for other in spoken) for name in said)


@given(known=knowledge())
def test_every_pair_passes_its_checks(known: Sample) -> None:
    texts(pairs_of(known, CT, SETTINGS))


@given(box=boxes)
def test_a_box_keeps_an_area_when_it_is_written(box: Box) -> None:
    x_min, y_min, x_max, y_max = map(float, box_numbers(box, (200, 100)))
    assert 0 <= x_min < x_max <= 1
    assert 0 <= y_min < y_max <= 1


def test_the_place_of_the_right_option_is_balanced() -> None:
    letters: Counter[str] = Counter()
    for number in range(600):
        known = sample(
            sample_id=f"toy/{number}", modality="MR", anatomy=("brain",),
            findings=(finding("glioma"),),
            absent=("meningioma", "no brain tumor", "pituitary tumor"),
        )  # fmt: skip
        pair = next(
            p for p in texts(pairs_of(known, BRAIN, SETTINGS)) if p.format == "single_choice"
        )
        letters[pair.messages[1].content.split(". glioma")[0][-1]] += 1
    assert min(letters[letter] for letter in "ABC") > 600 / 5


def test_captions_of_equal_findings_differ_in_words() -> None:
    said = {
        texts(pairs_of(sample(sample_id=f"toy/{n}", findings=(finding("glioma"),), modality="MR",
                              anatomy=("brain",)), BRAIN, SETTINGS))[0].messages
        for n in range(300)
    }  # fmt: skip
    assert len(said) > 200


def test_nothing_is_counted_that_may_not_be_counted() -> None:
    spread = tuple(
        finding(
            "cell nucleus", Box(x_min=n * 20, y_min=1, x_max=n * 20 + 9, y_max=9), is_instance=True
        )
        for n in range(5)
    )
    manifest = _with_labels("cell nucleus")
    unsure = texts(pairs_of(sample(findings=spread), manifest, SETTINGS))
    sure = texts(pairs_of(sample(findings=spread, countable=("cell nucleus",)), manifest, SETTINGS))
    assert "5 cell nuclei" not in unsure[0].messages[1].content
    assert "cell nuclei" in unsure[0].messages[1].content
    assert "5 cell nuclei" in sure[0].messages[1].content


def _with_labels(*names: str) -> Manifest:
    block = BRAIN.layout.annotations[0].model_copy(update={"labels": {n: n for n in names}})
    layout = BRAIN.layout.model_copy(update={"annotations": [block]})
    return BRAIN.model_copy(update={"layout": layout, "name": "_".join(names)})


def test_a_normal_image_is_said_to_be_normal() -> None:
    known = sample(findings=(finding("no brain tumor"),), absent=("glioma", "meningioma"),
                   modality="MR", anatomy=("brain",))  # fmt: skip
    made = texts(pairs_of(known, BRAIN, SETTINGS))
    assert re.search(r"No brain tumor is (seen|visible|found)\.", made[0].messages[1].content)
    judged = [pair for pair in made if pair.format == "judgement"]
    assert [pair.messages[1].content[:2] for pair in judged] == ["No"]


def test_nothing_known_gives_no_pair() -> None:
    assert pairs_of(sample(), CT, SETTINGS) == []


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (0.0123, "12 µm"), (0.5, "0.5 mm"), (9.96, "10.0 mm"), (43.4, "43 mm")],
)
def test_lengths_are_rounded_to_what_a_reader_can_use(value: float | None, text: str) -> None:
    assert length(value) == text


def test_a_view_keeps_the_first_of_each_term_in_front() -> None:
    found = [finding("liver", Box(x_min=n, y_min=0, x_max=n + 5, y_max=5)) for n in range(9)]
    found.append(finding("spleen", Box(x_min=50, y_min=0, x_max=60, y_max=9)))
    view = View(sample=sample(findings=tuple(found)), manifest=CT, labels=labels_of(CT))
    assert {f.label for f in view.ordered("x", found)[:2]} == {"liver", "spleen"}


def test_a_whole_is_not_offered_beside_its_part() -> None:
    """Where the duodenum is, the small intestine is, whatever its own mask holds."""
    found = (finding("duodenum", Box(x_min=10, y_min=10, x_max=50, y_max=50)),)
    assert surely_absent(("small intestine", "spleen"), found) == ("spleen",)


def test_what_is_cut_off_at_the_rim_has_no_diameter() -> None:
    inside = replace(
        finding("liver", Box(x_min=10, y_min=9, x_max=90, y_max=80)), longest_diameter_mm=99.0
    )
    at_rim = replace(inside, box=Box(x_min=10, y_min=9, x_max=90, y_max=100))
    assert diameter(inside, (200, 100)) == "99 mm"
    assert diameter(at_rim, (200, 100)) == ""


def test_a_tissue_has_no_diameter() -> None:
    gray = finding("gray matter", Box(x_min=10, y_min=9, x_max=90, y_max=80))
    assert diameter(replace(gray, longest_diameter_mm=99.0), (200, 100)) == ""


def test_where_absence_is_known_of_normal_images_alone_nothing_is_asked() -> None:
    block = BRAIN.layout.annotations[0].model_copy(update={"completeness": "partial"})
    layout = BRAIN.layout.model_copy(update={"annotations": [block]})
    manifest = BRAIN.model_copy(update={"layout": layout, "name": "partial"})
    known = sample(findings=(finding("no brain tumor"),), absent=("glioma",), modality="MR",
                   anatomy=("brain",))  # fmt: skip
    formats = {pair.format for pair in texts(pairs_of(known, manifest, SETTINGS))}
    assert formats == {"caption", "conversation", "open_question", "recognition", "report"}


def test_a_region_that_may_be_one_or_several_is_not_spoken_of() -> None:
    cyst = finding("left kidney cyst", Box(x_min=10, y_min=9, x_max=90, y_max=80))
    assert texts(pairs_of(sample(findings=(replace(cyst, parts=2),)), CT, SETTINGS)) == []
    assert texts(pairs_of(sample(findings=(cyst,)), CT, SETTINGS))
