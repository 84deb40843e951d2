"""Evaluation on held-out rows: it sees what a model knows, and whether it looks at images."""

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra 'train', as in the stage 'train' of CI")
pytest.importorskip("transformers", reason="needs the extra 'train'")
import torch
from PIL import Image

from converters.manifest import load_manifest
from pipeline import cli
from pipeline.shards import read_shards
from tests.fakes import build_twin
from trainer.chat import tokenize
from trainer.errors import TrainerError
from trainer.evaluate import Asked, Model, evaluate, generate
from trainer.evaluate_command import load_model, main
from trainer.evaluate_keys import KEYED_FORMATS, answer_key
from trainer.evaluate_rows import HeldOut, held_out
from trainer.images import decode, normalise
from trainer.init_tiny import init_tiny

SOURCES = ("brain_tumor_sartaj", "bccd")
TABLE = (
    "split test, 30 rows",
    "format judgement",
    "department",
)


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of two sources, generated in their layouts."""
    folder = tmp_path_factory.mktemp("held_out")
    for source in SOURCES:
        build_twin(load_manifest(source).manifest, folder / "root" / source, count=24)
    arguments = ["--root", str(folder / "root"), "--out", str(folder / "out"), "--workers", "1"]
    assert cli.main([*arguments, *(word for s in SOURCES for word in ("--source", s))]) == 0
    return folder / "out"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluated") / "model"
    init_tiny(folder)
    return folder


def test_rows_are_those_of_the_split_and_each_has_another_image(build: Path) -> None:
    rows = held_out([build], "test", limit=1000)
    known = {row["pair_id"]: row["split"] for row in read_shards(build, ["pair_id", "split"])}
    assert {known[row.pair_id] for row in rows} == {"test"}
    assert len(rows) == sum(split == "test" for split in known.values())
    assert all(row.image != row.other_image for row in rows)


def test_a_limit_leaves_every_source_and_format_its_share(build: Path) -> None:
    every = held_out([build], "test", limit=1000)
    groups = {(row.source, row.format) for row in every}
    few = held_out([build], "test", limit=len(groups))
    assert {(row.source, row.format) for row in few} == groups


def test_the_draw_depends_on_the_seed_alone(build: Path) -> None:
    first, again, other = (held_out([build], "test", limit=9, seed=seed) for seed in (0, 0, 1))
    assert first == again != other


def test_a_split_without_rows_is_told(build: Path) -> None:
    with pytest.raises(TrainerError, match="holds no rows"):
        held_out([build], "validation", limit=9, formats=["caption of a dream"])


def test_a_folder_without_a_build_is_told(tmp_path: Path) -> None:
    with pytest.raises(TrainerError, match="no finished build"):
        held_out([tmp_path], "test", limit=9)


def test_every_right_answer_with_a_key_has_one(build: Path) -> None:
    for row in read_shards(build, ["format", "messages"]):
        question, answer = (turn["content"] for turn in row["messages"][-2:])
        is_keyed = row["format"] in KEYED_FORMATS and (
            row["format"] != "detection" or "<box>" in question
        )
        assert (answer_key(row["format"], question, answer) is not None) == is_keyed


def test_the_loss_is_that_of_transformers(tiny: Path, build: Path) -> None:
    model = load_model(tiny, "cpu")
    row = held_out([build], "test", limit=1)[0]
    found = evaluate(model, [row], generates=False)["groups"][0]
    tokens = tokenize(row.messages, model.chat)
    labels = [t if learn else -100 for t, learn in zip(tokens.ids, tokens.supervised, strict=True)]
    assert row.image is not None
    pixels = normalise(torch.from_numpy(decode(row.image, model.images))[None], model.images)
    with torch.no_grad():
        known = model.net(
            input_ids=torch.tensor([tokens.ids]), pixel_values=pixels,
            labels=torch.tensor([labels]),
        ).loss.item()  # fmt: skip
    assert found["loss"] == pytest.approx(known, rel=1e-5)


def test_the_command_writes_what_it_prints(
    tiny: Path, build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "evaluation.json"
    words = [str(tiny), "--data", str(build), "--limit", "30", "--out", str(out)]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert all(part in printed for part in TABLE)
    found = json.loads(out.read_text())
    assert found["groups"][0]["rows"] == 30
    assert sum(g["rows"] for g in found["groups"] if g["by"] == "source") == 30


def plain(color: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (28, 28), color).save(out, "PNG")
    return out.getvalue()


def colored_rows() -> list[HeldOut]:
    """A task with a known answer, half of it yes."""
    row = HeldOut(
        pair_id="", source="colors", department="none", format="judgement", language="en",
        messages=(), image=None, other_image=None,
    )  # fmt: skip
    question = {"role": "user", "content": "<image>\nIs it red?"}
    return [
        replace(
            row, pair_id=color, image=plain(color), other_image=plain(other),
            messages=(question, {"role": "assistant", "content": answer}),
        )
        for color, other, answer in (("red", "blue", "Yes."), ("blue", "red", "No."))
    ]  # fmt: skip


def train(model: Model, rows: Sequence[HeldOut], steps: int) -> None:
    """Plain training on all rows at once, with every part learning."""
    torch.manual_seed(0)
    optimizer = torch.optim.AdamW(model.net.parameters(), lr=3e-3)
    tokens = [tokenize(row.messages, model.chat) for row in rows]
    for _ in range(steps):
        optimizer.zero_grad()
        for row, sample in zip(rows, tokens, strict=True):
            assert row.image is not None
            pixels = torch.from_numpy(decode(row.image, model.images))[None]
            labels = [t if learn else -100
                      for t, learn in zip(sample.ids, sample.supervised, strict=True)]  # fmt: skip
            model.net(
                input_ids=torch.tensor([sample.ids]), labels=torch.tensor([labels]),
                pixel_values=normalise(pixels, model.images),
            ).loss.backward()  # fmt: skip
        optimizer.step()


def test_a_model_that_looks_does_well_and_its_control_does_not(tiny: Path) -> None:
    model, rows = load_model(tiny, "cpu"), colored_rows()
    train(model, rows, steps=60)
    found = evaluate(model, rows)["groups"][0]
    assert (found["answers"], found["exact"], found["exact_shuffled"], found["guess"]) == (
        2,
        2,
        0,
        1,
    )
    assert found["loss"] < 0.05 < found["loss_shuffled"]


def test_answers_do_not_depend_on_what_is_answered_beside_them(tiny: Path, build: Path) -> None:
    model = load_model(tiny, "cpu")
    rows = held_out([build], "test", limit=8, formats=KEYED_FORMATS)
    prompts = [Asked(row=row, tokens=tokenize(row.messages, model.chat), key=None).prompt
               for row in rows]  # fmt: skip
    images = [row.image for row in rows]
    assert len({len(prompt) for prompt in prompts}) > 1
    together = generate(model, prompts, images)
    alone = [generate(model, [p], [i])[0] for p, i in zip(prompts, images, strict=True)]
    assert together == alone


def test_a_model_that_learnt_without_images_does_no_better_than_its_control(tiny: Path) -> None:
    model, rows = load_model(tiny, "cpu"), colored_rows()
    blind = [replace(row, image=plain("gray")) for row in rows]
    train(model, blind, steps=30)
    found = evaluate(model, rows)["groups"][0]
    assert found["exact"] == found["exact_shuffled"] == 1


def test_a_row_without_an_image_that_its_text_asks_for_is_counted(tiny: Path) -> None:
    rows = [replace(row, image=None) for row in colored_rows()]
    assert evaluate(load_model(tiny, "cpu"), rows)["left_out"] == {"image_unreadable": 2}
