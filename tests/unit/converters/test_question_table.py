"""Questions in tables: joined by a key or a file an image, each once, with one answer."""

import json
from pathlib import Path

import pytest

from converters.annotations import question_table
from converters.annotations.contract import Block, ImageName, Index, Question, Said
from converters.errors import CaseError
from converters.files import Root
from converters.specs.own_texts import QuestionTable

SHARED = {
    "kind": "question_table", "completeness": "partial", "question": "q", "answer": "a",
    "language": "en",
}  # fmt: skip


def spec(**more: object) -> QuestionTable:
    """A block whose questions stand in t.txt, parted by bars."""
    table = {"path": "t.txt", "delimiter": "|", "quoted": False, "header": ["image", "q", "a"]}
    return QuestionTable.model_validate(
        {**SHARED, "table": table, "key": "{image}", "match": "{name}", **more}
    )


def indexed(one: QuestionTable, folder: Path) -> tuple[Index, Root]:
    """The index of a source with the image x.png."""
    (folder / "x.png").write_bytes(b"")
    root = Root(source="toy", folder=folder)
    image = ImageName(path="x.png", fields={"path": "x.png", "name": "x"})
    block = Block(source="toy", root=root, listing=root.listing(), images=(image,))
    return question_table.index(one, block), root


def said(one: QuestionTable, folder: Path) -> Said:
    """What is said of x.png."""
    index, root = indexed(one, folder)
    question = Question(
        root=root, path="x.png", fields={"name": "x"}, entry=index.entries["x.png"],
        picture=None, spacing_mm=None,
    )  # fmt: skip
    return question_table.read(one, question)


def pairs(found: Said) -> list[tuple[str, str]]:
    """Questions and answers."""
    return [(one.question, one.answer) for one in found.exchanges]


def test_a_quotation_mark_may_be_a_letter(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text('x|is there a "shadow?|"yes\n')
    assert pairs(said(spec(), tmp_path)) == [('is there a "shadow?', '"yes')]


def test_a_question_with_two_answers_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("x|side?|left\nx|Side? |right\nx|what?|a lung\nx|what?|\n")
    found = said(spec(), tmp_path)
    assert pairs(found) == [("what?", "a lung")]
    assert found.transforms[0]["contradicting"] == 2


def test_questions_of_no_image_are_on_record(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("x|what?|a lung\ny|what?|a liver\n")
    index, _ = indexed(spec(), tmp_path)
    assert index.orphans == (("t.txt:y", "1 questions about an image that is not there"),)


def test_rows_that_are_not_meant_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("x|what?|a lung\nx|why?|so\n")
    assert pairs(said(spec(only={"a": ["so"]}), tmp_path)) == [("why?", "so")]


def test_an_image_may_have_a_table_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "x_QA.txt").write_text("what?|a lung\n")
    table = {"path": "{name}_QA.txt", "delimiter": "|", "header": ["q", "a"]}
    one = spec(table=table, key=None, match=None)
    assert pairs(said(one, tmp_path)) == [("what?", "a lung")]


def test_an_image_without_a_usable_question_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("x|what?|\n")
    with pytest.raises(CaseError, match="none usable"):
        said(spec(), tmp_path)


def test_fields_that_differ_are_a_fault(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("x|what?|a lung\nx|why?|so\n")
    index, _ = indexed(spec(fields=["a"]), tmp_path)
    assert index.faults["x.png"].reason == "labels_contradict"


def test_lists_of_an_object_are_told_by_their_key(tmp_path: Path) -> None:
    content = {"train": [{"image": "x", "q": "what?", "a": "a lung"}], "val": []}
    (tmp_path / "t.json").write_text(json.dumps(content))
    one = spec(table={"path": "t.json", "within": "*"}, fields=["list"])
    index, _ = indexed(one, tmp_path)
    assert index.columns["x.png"] == {"list": "train"}


def test_a_line_may_be_an_object(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"image": "x", "q": "what?", "a": "a lung"}\n\n')
    assert pairs(said(spec(table={"path": "t.jsonl"}), tmp_path)) == [("what?", "a lung")]
