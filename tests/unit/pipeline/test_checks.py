"""Checks: a fault of each kind is found, and the text it was made from is not."""

from dataclasses import replace

import pytest

from converters.manifest import load_manifest
from converters.records import Box, Finding, Sample
from pipeline.checks import Text, failed_check
from pipeline.view import Draft, View, labels_of

CT = load_manifest("totalsegmentator_v2").manifest
BOX = Box(x_min=20, y_min=10, x_max=60, y_max=40)
KNOWN = Sample(
    sample_id="toy/1", case_key="1", image=b"x", image_format="png", phash="0" * 16, width=100,
    height=100, modality="CT", anatomy=("whole body",), source_path="1", absent=("spleen",),
    findings=(Finding(label="left kidney", code="k", role="organ", box=BOX, side="left"),),
)  # fmt: skip
VIEW = View(sample=KNOWN, manifest=CT, labels=labels_of(CT))
CAPTION = Draft(
    template="caption/image.en.j2", variables={"diameter": "43 mm"}, labels=("left kidney",)
)
TRUE = Text(
    question="What is shown?",
    answer="It shows the left kidney, which measures about 43 mm.",
    draft=CAPTION,
    view=VIEW,
)
CHOICE = replace(
    TRUE,
    draft=Draft(
        template="single_choice/image.en.j2", variables={}, labels=("left kidney",),
        options=("spleen", "left kidney"), right="left kidney",
    ),
    question="Which organ is shown?\nA. spleen\nB. left kidney",
    answer="B. left kidney",
)  # fmt: skip
NAMED = replace(
    TRUE,
    draft=Draft(
        template="detection/name.en.j2", variables={}, labels=("left kidney",),
        boxes=(("left kidney", BOX),),
    ),
    question="What is in <box>[[0.20, 0.10, 0.60, 0.40]]</box>?",
    answer="<ref>left kidney</ref>",
)  # fmt: skip


@pytest.mark.parametrize("text", [TRUE, CHOICE, NAMED])
def test_true_texts_pass(text: Text) -> None:
    assert failed_check(text) is None


@pytest.mark.parametrize(
    ("text", "changes", "check"),
    [
        (TRUE, {"answer": ""}, "complete"),
        (TRUE, {"answer": "It shows the right kidney."}, "labels"),
        (TRUE, {"answer": "It shows the left kidney and the liver."}, "labels"),
        (TRUE, {"answer": "It shows the left kidney and the spleen."}, "labels"),
        (TRUE, {"answer": "It shows left kidneys and livers."}, "labels"),
        (TRUE, {"answer": "It shows the left kidney, about 53 mm."}, "numbers"),
        (TRUE, {"answer": "It shows 2 objects."}, "numbers"),
        (TRUE, {"answer": "It shows the left kidney <box>[[0.1, 0.1, 0.2, 0.2]]</box>."}, "boxes"),
        (TRUE, {"answer": "它显示左肾。"}, "language"),
        (TRUE, {"answer": "It shows the left kidney {{ x }}."}, "residue"),
        (TRUE, {"answer": "It shows None."}, "residue"),
        (TRUE, {"answer": "It shows the left kidney ."}, "residue"),
        (TRUE, {"answer": "It does not show the left kidney."}, "polarity"),
        (TRUE, {"question": "Does it show the liver?"}, "labels"),
        (CHOICE, {"answer": "A. spleen"}, "labels"),
        (CHOICE, {"answer": "A. left kidney"}, "options"),
        (CHOICE, {"question": "Which side is the left kidney on?\nA. x\nB. y"}, "leak"),
        (NAMED, {"question": "What is in <box>[[0.30, 0.10, 0.60, 0.40]]</box>?"}, "boxes"),
        (
            NAMED,
            {"question": "Is the left kidney in <box>[[0.20, 0.10, 0.60, 0.40]]</box>?"},
            "leak",
        ),
    ],
)
def test_a_fault_is_found(text: Text, changes: dict[str, str], check: str) -> None:
    failed = failed_check(replace(text, **changes))
    assert failed is not None
    assert failed[0] == check


def test_what_is_denied_must_be_absent() -> None:
    draft = replace(CAPTION, labels=(), denied=("liver",))
    text = replace(TRUE, draft=draft, answer="No, it does not show the liver.")
    assert failed_check(text) is not None


def test_what_is_denied_and_absent_may_be_named() -> None:
    draft = replace(CAPTION, labels=(), denied=("spleen",))
    text = replace(TRUE, draft=draft, answer="No, it does not show the spleen.")
    assert failed_check(text) is None


def test_what_is_denied_is_not_affirmed() -> None:
    draft = replace(CAPTION, labels=(), denied=("spleen",))
    failed = failed_check(replace(TRUE, draft=draft, answer="Yes, it shows the spleen."))
    assert failed is not None
    assert failed[0] == "polarity"


def test_a_box_that_no_finding_has_is_refused() -> None:
    box = replace(BOX, x_max=70)
    draft = replace(NAMED.draft, boxes=(("left kidney", box),))
    question = "What is in <box>[[0.20, 0.10, 0.70, 0.40]]</box>?"
    failed = failed_check(replace(NAMED, draft=draft, question=question))
    assert failed is not None
    assert failed[0] == "boxes"


def test_two_right_options_are_refused() -> None:
    both = replace(KNOWN, findings=(*KNOWN.findings, replace(KNOWN.findings[0], label="spleen")))
    view = replace(VIEW, sample=replace(both, absent=()))
    assert failed_check(replace(CHOICE, view=view)) is not None


CHINESE = replace(
    TRUE, question="图中显示了什么？", answer="图中可见左肾，最大径约43 mm。", language="zh"
)
CHINESE_CHOICE = replace(
    CHOICE, language="zh", question="图中可见哪个器官？\nA. 脾脏\nB. 左肾", answer="B. 左肾"
)
CHINESE_NAMED = replace(
    NAMED,
    language="zh",
    question="<box>[[0.20, 0.10, 0.60, 0.40]]</box>标出的是什么？",
    answer="<ref>左肾</ref>",
)


@pytest.mark.parametrize("text", [CHINESE, CHINESE_CHOICE, CHINESE_NAMED])
def test_true_chinese_texts_pass(text: Text) -> None:
    assert failed_check(text) is None


@pytest.mark.parametrize(
    ("text", "changes", "check"),
    [
        (CHINESE, {"answer": "图中可见右肾。"}, "labels"),
        (CHINESE, {"answer": "图中可见左肾和肝脏。"}, "labels"),
        (CHINESE, {"answer": "图中可见左侧肾上腺。"}, "labels"),
        (CHINESE, {"answer": "图中可见左肾，最大径约53 mm。"}, "numbers"),
        (CHINESE, {"answer": "图中可见两个左肾。"}, "numbers"),
        (CHINESE, {"answer": "图中没有左肾。"}, "polarity"),
        (CHINESE, {"answer": "未见左肾。"}, "polarity"),
        (CHINESE, {"answer": "图中无左肾。"}, "polarity"),
        (CHINESE, {"answer": "图中可见左肾，it is large。"}, "language"),
        (CHINESE, {"answer": "The image shows it."}, "language"),
        (CHINESE, {"answer": "圖中可見左肾。"}, "language"),
        (CHINESE, {"answer": "画像には左肾がある。"}, "language"),
        (CHINESE, {"answer": "43 mm"}, "language"),
        (CHINESE, {"answer": "图中可见左肾, 最大径约43 mm。"}, "residue"),
        (CHINESE, {"answer": "图中可见左肾."}, "residue"),
        (CHINESE, {"answer": "图中可见左肾。。"}, "residue"),
        (CHINESE, {"answer": "图中可见左肾的的。"}, "residue"),
        (CHINESE, {"question": "图中是否可见肝脏？"}, "labels"),
        (CHINESE_CHOICE, {"answer": "A. 左肾"}, "options"),
        (CHINESE_CHOICE, {"question": "左肾在哪一侧？\nA. 脾脏\nB. 左肾"}, "leak"),
        (
            CHINESE_NAMED,
            {"question": "<box>[[0.20, 0.10, 0.60, 0.40]]</box>标出的是左肾吗？"},
            "leak",
        ),
    ],
)
def test_a_fault_in_chinese_is_found(text: Text, changes: dict[str, str], check: str) -> None:
    failed = failed_check(replace(text, **changes))
    assert failed is not None
    assert failed[0] == check


@pytest.mark.parametrize("answer", ["否，图中未见脾脏。", "没有，未见脾脏。", "未见脾脏。"])
def test_what_is_absent_is_denied_in_chinese(answer: str) -> None:
    draft = replace(CAPTION, labels=(), denied=("spleen",))
    assert failed_check(replace(CHINESE, draft=draft, answer=answer)) is None


def test_what_is_absent_is_not_affirmed_in_chinese() -> None:
    draft = replace(CAPTION, labels=(), denied=("spleen",))
    failed = failed_check(replace(CHINESE, draft=draft, answer="图中可见脾脏。"))
    assert failed is not None
    assert failed[0] == "polarity"


@pytest.mark.parametrize(
    ("answer", "is_right"),
    [
        ("可见左肾。未见脾脏。", True),
        ("可见左肾。可见脾脏。", False),
        ("未见左肾。未见脾脏。", False),
        ("可见左肾。", False),
    ],
)
def test_chinese_clauses_affirm_or_deny(answer: str, is_right: bool) -> None:
    draft = replace(CAPTION, denied=("spleen",))
    failed = failed_check(replace(CHINESE, draft=draft, answer=answer))
    assert (failed is None) == is_right
