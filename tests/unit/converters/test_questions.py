"""Questions of a source: in its own words, each once, and none of another split."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from converters.annotations import questions
from converters.annotations.contract import Block, ImageName, Question, Said
from converters.errors import CaseError, SourceError
from converters.files import Root
from converters.imaging.pictures import decode_picture
from converters.specs.own_texts import Questions

SPEC = Questions(
    kind="questions", completeness="partial", files="{split:train|test}.json", image="{img}",
    match="{name}.png", question="q", answer="a", topic=None, modality_key="m",
    modalities={"CT": "CT", "X": "DX"},
)  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A source with the image x.png."""
    out = io.BytesIO()
    Image.fromarray(np.eye(30, dtype=np.uint8) * 200).save(out, format="PNG")
    (tmp_path / "x.png").write_bytes(out.getvalue())
    return tmp_path


def row(question: object, answer: object, image: str = "x.png", modality: str = "CT") -> object:
    """An object of a file."""
    return {"img": image, "q": question, "a": answer, "m": modality}


def block(folder: Path, **files: list[object]) -> Block:
    """The block of a folder with some files of questions."""
    for name, rows in files.items():
        (folder / f"{name}.json").write_text(json.dumps(rows))
    root = Root(source="toy", folder=folder)
    image = ImageName(path="x.png", fields={"path": "x.png", "name": "x"})
    return Block(source="toy", root=root, listing=root.listing(), images=(image,))


def ask(one: Block) -> Said:
    """What is said of x.png."""
    index = questions.index(SPEC, one)
    picture = decode_picture(one.root.read("x.png"), "x.png")
    return questions.read(
        SPEC,
        Question(root=one.root, path="x.png", fields={}, entry=index.entries["x.png"],
                 picture=picture, spacing_mm=None),
    )  # fmt: skip


def pairs(said: Said) -> list[tuple[str, str]]:
    """Questions and answers."""
    return [(one.question, one.answer) for one in said.exchanges]


def test_words_are_kept_and_numbers_become_text(folder: Path) -> None:
    said = ask(block(folder, train=[row("How many? ", 3), row("Where?", "Left lung")]))
    assert pairs(said) == [("How many?", "3"), ("Where?", "Left lung")]
    assert said.transforms == ()


def test_a_question_asked_twice_is_used_once(folder: Path) -> None:
    said = ask(block(folder, train=[row("Is it?", "Yes"), row("is  it? ", "yes")]))
    assert pairs(said) == [("Is it?", "Yes")]
    assert said.transforms[0]["repeated"] == 1


def test_contradicting_answers_are_left_out_and_counted(folder: Path) -> None:
    rows = [row("Side?", "left"), row("Side?", "right"), row("Is it?", "yes")]
    said = ask(block(folder, train=rows))
    assert pairs(said) == [("Is it?", "yes")]
    assert said.transforms[0]["contradicting"] == 2


def test_questions_without_an_answer_are_left_out_and_counted(folder: Path) -> None:
    said = ask(block(folder, train=[row("Is it?", ""), row("What?", None), row("Why?", "so")]))
    assert pairs(said) == [("Why?", "so")]
    assert said.transforms[0]["empty"] == 2


def test_an_image_of_the_test_split_keeps_its_test_questions_alone(folder: Path) -> None:
    one = block(folder, train=[row("A?", "a"), row("B?", "b")], test=[row("C?", "c")])
    assert questions.index(SPEC, one).columns["x.png"] == {"split": "test"}
    said = ask(one)
    assert pairs(said) == [("C?", "c")]
    assert said.transforms[0]["other_split"] == 2


def test_nothing_usable_is_a_rejection(folder: Path) -> None:
    with pytest.raises(CaseError, match="question_unusable"):
        ask(block(folder, train=[row("Side?", "left"), row("Side?", "right")]))


def test_modality_is_that_of_the_questions(folder: Path) -> None:
    assert ask(block(folder, train=[row("A?", "a", modality="X")])).modality == "DX"


def test_two_modalities_of_one_image_are_a_rejection(folder: Path) -> None:
    rows = [row("A?", "a", modality="X"), row("B?", "b", modality="CT")]
    with pytest.raises(CaseError, match="m is CT, X"):
        ask(block(folder, train=rows))


def test_images_that_are_not_there_are_orphans(folder: Path) -> None:
    one = block(folder, train=[row("A?", "a", "gone.png"), row("B?", "b", "gone.png")])
    assert questions.index(SPEC, one).orphans == (
        ("gone.png", "2 questions about an image that is not there"),
    )


@pytest.mark.parametrize("content", [{"a": 1}, [1], [{"q": "A?"}]])
def test_a_file_of_another_shape_stops_the_source(folder: Path, content: object) -> None:
    (folder / "train.json").write_text(json.dumps(content))
    with pytest.raises(SourceError, match=r"train\.json"):
        questions.index(SPEC, block(folder))
