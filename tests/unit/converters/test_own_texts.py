"""Texts of a source: cleaned, never reworded; sentences with gaps are left out."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converters.annotations import own_texts
from converters.annotations.contract import Block, ImageName, Question, Said
from converters.annotations.own_words import cleaned, without_gaps
from converters.errors import CaseError
from converters.files import Root
from converters.imaging.pictures import Picture
from converters.specs.base import TableFile
from converters.specs.own_texts import OwnTexts, TextPart

SPEC = OwnTexts(
    kind="own_texts", completeness="partial", table=TableFile(path="r.csv"), key="{uid}",
    match="{exam}", topic="report", language="en", gaps=["XXXX"],
    parts=[TextPart(column="f", heading="Findings"), TextPart(column="i", heading="Impression")],
)  # fmt: skip


def index_of(folder: Path, table: str) -> own_texts.Index:
    """The index of a table for two images of exam 1."""
    (folder / "r.csv").write_text(table, encoding="utf-8")
    root = Root(source="toy", folder=folder)
    images = tuple(
        ImageName(path=f"{n}.png", fields={"path": f"{n}.png", "exam": "1"}) for n in (1, 2)
    )
    block = Block(source="toy", root=root, listing=root.listing(), images=images)
    return own_texts.index(SPEC, block)


def said_of(folder: Path, table: str) -> Said:
    """What is said of the first image."""
    entry = index_of(folder, table).entries["1.png"]
    picture = Picture.__new__(Picture)
    question = Question(root=Root(source="toy", folder=folder), path="1.png", fields={},
                        entry=entry, picture=picture, spacing_mm=None)  # fmt: skip
    return own_texts.read(SPEC, question)


def test_parts_stand_under_their_headings(tmp_path: Path) -> None:
    (one,) = said_of(tmp_path, "uid,f,i\n1,Clear lungs.,Normal.\n").exchanges
    assert (one.question, one.topic, one.language) == ("", "report", "en")
    assert one.answer == "Findings: Clear lungs.\nImpression: Normal."


def test_a_sentence_with_a_gap_is_left_out_and_counted(tmp_path: Path) -> None:
    said = said_of(tmp_path, "uid,f,i\n1,Clear lungs. Seen by XXXX. No effusion.,\n")
    assert said.exchanges[0].answer == "Findings: Clear lungs. No effusion."
    assert said.transforms == ({"step": "drop_sentences", "with_gaps": 1},)


def test_a_text_of_which_nothing_is_left_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="no text is left"):
        said_of(tmp_path, "uid,f,i\n1,XXXX.,\n")


def test_two_texts_of_one_exam_that_differ_are_refused(tmp_path: Path) -> None:
    index = index_of(tmp_path, "uid,f,i\n1,Clear.,Normal.\n1,Opaque.,Normal.\n2,Clear.,Normal.\n")
    assert set(index.faults) == {"1.png", "2.png"}
    assert index.orphans == (("r.csv:2", "a text without its image"),)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Heart &amp; lungs  are clear .", "Heart & lungs are clear."),
        ("One.<br/>Two.\r\n\r\nThree.", "One.\nTwo.\nThree."),
        ("<image>What is <b>this</b>?", "What is this?"),
        ("&lt;image&gt; seen", "seen"),
        ("p < 0.05 and > 3 mm", "p < 0.05 and > 3 mm"),
        ("zero\u200bwidth\u00a0space\x07", "zerowidth space"),
        ("1 .5 mm", "1 .5 mm"),
        ("双肺 ，清晰。", "双肺 ，清晰。"),
    ],
)
def test_what_no_reader_sees_is_taken_out(text: str, clean: str) -> None:
    assert cleaned(text) == clean


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=80))
def test_cleaning_twice_is_cleaning_once_for_plain_text(text: str) -> None:
    plain = text.replace("&", "").replace("<", "")
    assert cleaned(cleaned(plain)) == cleaned(plain)


@given(st.lists(st.sampled_from(["word", "lungs", "3", "mm", "XXXX"]), max_size=20))
def test_no_gap_is_left_and_no_word_is_added(words: list[str]) -> None:
    text = ". ".join(words)
    kept, dropped = without_gaps(text, ["XXXX"])
    assert "XXXX" not in kept
    assert set(kept.replace(".", "").split()) <= set(words)
    assert (dropped == 0) == ("XXXX" not in text)
