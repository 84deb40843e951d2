"""What an answer comes down to, however it is put."""

import pytest

from trainer.evaluate_keys import answer_key

CHOICE = "Which? Answer with one option.\nA. glioma\nB. grade B. tumor\nC. none of these"


@pytest.mark.parametrize(
    ("answer", "key"),
    [
        ("Yes.", "yes"), ("yes, a polyp is seen.", "yes"), ("No, that is a nucleus.", "no"),
        ("是的，海马后部可以看到。", "yes"), ("不是，标出的是红细胞。", "no"), ("否。", "no"),
        ("不，该图像没有显示脑膜瘤。", "no"), ("Normal.", None), ("", None), ("A polyp.", None),
    ],
)  # fmt: skip
def test_a_judgement_is_yes_or_no(answer: str, key: str | None) -> None:
    assert answer_key("judgement", "Is there a polyp?", answer) == key


@pytest.mark.parametrize(
    ("answer", "key"),
    [
        ("A. glioma", "A"), ("The answer is A. glioma", "A"), ("应选A. 胶质瘤", "A"), ("C.", "C"),
        ("C. none of these, not A. glioma", "AC"), ("D. sarcoma", None), ("glioma", None),
        ("A glioma", None), ("", None),
    ],
)  # fmt: skip
def test_a_choice_is_its_letters_among_those_offered(answer: str, key: str | None) -> None:
    assert answer_key("single_choice", CHOICE, answer) == key


def test_letters_of_several_right_options_have_no_order() -> None:
    question = "Mark all.\nA. x\nB. y\nC. z"
    first, second = (
        answer_key("multiple_choice", question, text) for text in ("C. z\nA. x", "A. x, C. z")
    )
    assert first == second == "AC"


def test_the_name_of_a_box_is_what_is_between_its_marks() -> None:
    question = "What does the box <box>[[0.1, 0.2, 0.3, 0.4]]</box> mark?"
    answer = "<ref>red blood cell</ref><box>[[0.1, 0.2, 0.3, 0.4]]</box>"
    assert answer_key("detection", question, answer) == "red blood cell"


def test_where_boxes_are_asked_for_names_are_no_answer() -> None:
    assert answer_key("detection", "Where are the cells?", "<ref>cell</ref>") is None


@pytest.mark.parametrize("row_format", ["caption", "measurement", "unheard_of"])
def test_free_text_comes_down_to_nothing(row_format: str) -> None:
    assert answer_key(row_format, "What is shown?", "Yes.") is None
