"""Checks of Chinese texts: what a model adds to the facts, or says of itself."""

import pytest

from converters.records import Box, Finding, Sample
from converters.vocabulary import term
from pipeline.claim import Asked
from pipeline.claims import claim, wrongs
from pipeline.known_facts import facts_of
from pipeline.mentions import read_text

BOX = Box(x_min=10, y_min=10, x_max=30, y_max=30)
SAMPLE = Sample(
    sample_id="toy/1", case_key="case_0042.png", image=b"", image_format="png", phash="0" * 16,
    width=100, height=100, modality="DX", anatomy=("chest",), source_path="case_0042.png",
    absent=("fracture",),
    findings=tuple(
        Finding(label=label, code=label, role=term(label).role, box=BOX, position="upper left")
        for label in ("consolidation", "diffuse lung nodules")
    ),
)  # fmt: skip
FACTS = facts_of(SAMPLE, "zh")
PROMPT = "请用通顺的句子描述这幅图像，写给懂医学的读者，列出的每一项所见都要提到。"
TRUE = "这是一幅胸部X线图像。可见肺实变，位于图像左上方。可见弥漫性肺结节。未见骨折。"


def codes(text: str) -> set[str]:
    """The checks that a text fails."""
    asked = Asked(language="zh", prompt=PROMPT)
    return {one.code for one in wrongs(claim(text, FACTS, asked))}


def test_a_true_text_passes() -> None:
    assert codes(TRUE) == set()


@pytest.mark.parametrize(
    ("sentence", "code"),
    [
        ("肺实变为恶性。", "qualifier"),
        ("弥漫性肺结节为急性。", "qualifier"),  # "性" alone is not "急性"
        ("与之前的检查相比有所增大。", "history"),
        ("与既往检查相比无变化。", "history"),
        ("患者有手术史。", "history"),
        ("希望对您有帮助！", "echo"),
        ("如需更多信息请告诉我。", "echo"),
        ("这是根据分割掩膜得出的。", "leak"),
        ("抱歉，我无法解读医学图像。", "refusal"),
        ("其余结构未见异常。", "normal"),
        ("可能为肺炎。", "doubted"),
        ("图像文件为case_0042.png。", "file_name"),
        ("可见肝脏。", "unsupported_anatomy"),
    ],
)
def test_what_the_facts_do_not_say_is_found(sentence: str, code: str) -> None:
    assert code in codes(TRUE + sentence)


@pytest.mark.parametrize("opening", ["好的！", "当然可以。", "答案：", "以下是图像描述："])
def test_an_opening_that_speaks_to_the_user_is_found(opening: str) -> None:
    assert "echo" in codes(opening + TRUE)


def test_a_part_of_the_prompt_is_found() -> None:
    assert "echo" in codes(f"{PROMPT[:26]}。{TRUE}")
    assert "echo" not in codes(f"{PROMPT[:8]}。{TRUE}")


def test_no_change_is_no_negation_but_a_change_that_is_a_term_is_denied() -> None:
    (tumor,) = read_text("There is no change of the glioma.").mentions[:1]
    assert tumor.polarity == "affirmed"
    gone = read_text("There is no change after treatment of the brain.").mentions
    assert [one.polarity for one in gone] == ["negated"]
