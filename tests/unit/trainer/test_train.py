"""Stages: what learns and what does not, what is handed over, what is resumed, what is recorded."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra 'train', as in the stage 'train' of CI")
pytest.importorskip("transformers", reason="needs the extra 'train'")
import torch
from safetensors.torch import load_file

from tests.fakes.pair_build import MadeImage, asked, color_images, square_png, write_build
from trainer.cli import main
from trainer.init_tiny import init_tiny
from trainer.parts import part_of

STAGES = ("shallow_alignment", "deep_alignment", "instruction_tuning")
# The vision layers behind the one whose output is used, of three; see trainer.init_model.
TAIL = ("vision_tower.encoder.layers.2.", "vision_tower.post_layernorm.")


@pytest.fixture
def train(squares: Path, tiny_model: Path) -> Callable[..., int]:
    """Run gmai-train with the recipe smoke."""

    def run(*words: object, data: object = squares, model: object = tiny_model) -> int:
        return main(["--recipe", "smoke", "--cpu", "--quiet", "--data", str(data), "--model",
                     str(model), *map(str, words)])  # fmt: skip

    return run


def lines(stage_folder: Path, name: str = "metrics.jsonl") -> list[dict]:
    return [json.loads(text) for text in (stage_folder / name).read_text().splitlines()]


def numbers(stage_folder: Path) -> list[str]:
    """Loss and gradient norm of every step, to the last bit."""
    return [f"{line['loss']!r} {line['gradient_norm']!r}" for line in lines(stage_folder)]


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


@pytest.fixture(scope="module")
def three_stages(squares: Path, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of all three stages; do not change it."""
    run = tmp_path_factory.mktemp("three") / "run"
    assert main(["--recipe", "smoke", "--cpu", "--quiet", "--data", str(squares), "--model",
                 str(tiny_model), "--out", str(run), "--max-steps", "4"]) == 0  # fmt: skip
    return run


@pytest.mark.parametrize(
    ("number", "learning"),
    [(0, {"projector"}), (1, {"projector", "vision"}), (2, {"projector", "vision", "language"})],
)
def test_a_stage_changes_what_it_trains_and_not_a_bit_of_the_rest(
    three_stages: Path, tiny_model: Path, number: int, learning: set[str]
) -> None:
    start = tiny_model if number == 0 else three_stages / STAGES[number - 1] / "model"
    before, after = tensors(start), tensors(three_stages / STAGES[number] / "model")
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    of_parts = {name for name in before if part_of(_named(name)) in learning}
    expected = {name for name in of_parts if not any(tail in name for tail in TAIL)}
    assert changed == expected


def _named(key: str) -> str:
    """The name of a parameter, of the name it is saved under."""
    parts = {"language_model.model.": "model.language_model.", "language_model.lm_head": "lm_head",
             "vision_tower.": "model.vision_tower.",
             "multi_modal_projector.": "model.multi_modal_projector."}  # fmt: skip
    for saved, name in parts.items():
        if key.startswith(saved):
            return name + key.removeprefix(saved)
    return key


def test_what_gets_no_gradient_in_a_part_that_learns_is_listed(three_stages: Path) -> None:
    record = json.loads((three_stages / STAGES[1] / "stage.json").read_text())
    assert len(record["without_gradient"]) == 18
    assert all(any(t in name for t in TAIL) for name in record["without_gradient"])


def test_each_stage_starts_from_what_the_one_before_has_left(three_stages: Path) -> None:
    records = [json.loads((three_stages / s / "stage.json").read_text()) for s in STAGES]
    assert records[1]["starting_digest"] == records[0]["weights_digest"]
    assert records[2]["starting_digest"] == records[1]["weights_digest"]


def test_a_stage_goes_on_with_the_loss_that_the_one_before_ended_with(three_stages: Path) -> None:
    ended = lines(three_stages / STAGES[0], "evaluation.jsonl")[-1]
    from trainer.corpus import Build
    from trainer.distributed import Ranks
    from trainer.held_out import held_out_loss, mean_loss
    from trainer.recipes import RECIPES
    from trainer.run_stage import StageWork
    from trainer.stage_run import StageRun

    settings = json.loads((three_stages / STAGES[0] / "settings.json").read_text())
    run = StageRun(
        recipe=RECIPES["smoke"], stage=RECIPES["smoke"].stage(STAGES[1]),
        builds=[Build(folder=Path(settings["builds"][0]))], out=three_stages / "unused",
        model=three_stages / STAGES[0],
    )  # fmt: skip
    work = StageWork(run, three_stages / STAGES[0] / "model", "", Ranks())
    _, packs = work.data.held_out
    told = held_out_loss(work.model.trainee, packs, work.data.images, work.ranks, "float32")
    assert mean_loss(told) == ended["loss"]


def test_changed_weights_are_not_taken_over(
    train: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert train("--out", run, "--stage", STAGES[0], "--max-steps", 1) == 0
    weights = run / STAGES[0] / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x7f")
    words = ("--out", run, "--stage", STAGES[1], "--max-steps", 1)
    assert train(*words, model=run / STAGES[0]) == 2
    assert "weights are not those that the stage has left" in capsys.readouterr().err


def test_a_stage_that_has_not_ended_is_not_taken_over(
    train: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert train("--out", run, "--stage", STAGES[0], "--max-steps", 3, "--stop-after", 1) == 0
    assert train("--out", run, "--stage", STAGES[1], model=run / STAGES[0]) == 2
    assert "neither a starting model nor a finished stage" in capsys.readouterr().err


@pytest.mark.parametrize("stop", [1, 7, 10])
def test_a_stopped_stage_goes_on_to_the_last_bit(
    train: Callable[..., int], tmp_path: Path, stop: int
) -> None:
    words = ("--stage", STAGES[2], "--packs-per-step", 2, "--epochs", 2)
    assert train(*words, "--out", tmp_path / "whole", "--workers", 1) == 0
    assert train(*words, "--out", tmp_path / "parts", "--workers", 3, "--stop-after", stop) == 0
    assert train(*words, "--out", tmp_path / "parts", "--workers", 2) == 0
    whole, parts = (tmp_path / name / STAGES[2] for name in ("whole", "parts"))
    assert numbers(whole) == numbers(parts)
    assert len(numbers(whole)) > 12  # an epoch has seven: the border lies in between
    assert (whole / "ledger.jsonl").read_text() == (parts / "ledger.jsonl").read_text()
    records = [json.loads((f / "stage.json").read_text()) for f in (whole, parts)]
    assert records[0]["weights_digest"] == records[1]["weights_digest"]


@pytest.fixture(scope="module")
def by_one_worker(
    squares: Path, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[str], str]:
    """Losses and ledger of a stage whose packs are made by one worker."""
    run = tmp_path_factory.mktemp("worker")
    assert main(["--recipe", "smoke", "--cpu", "--quiet", "--data", str(squares), "--model",
                 str(tiny_model), "--out", str(run), "--stage", STAGES[2], "--packs-per-step", "1",
                 "--max-steps", "6", "--workers", "1"]) == 0  # fmt: skip
    return numbers(run / STAGES[2]), (run / STAGES[2] / "ledger.jsonl").read_text()


@pytest.mark.parametrize("workers", [2, 5])
def test_order_and_losses_are_the_same_bits_with_any_number_of_workers(
    train: Callable[..., int], tmp_path: Path, by_one_worker: tuple[list[str], str], workers: int
) -> None:
    words = ("--stage", STAGES[2], "--packs-per-step", 1, "--max-steps", 6)
    assert train(*words, "--out", tmp_path, "--workers", workers) == 0
    folder = tmp_path / STAGES[2]
    assert (numbers(folder), (folder / "ledger.jsonl").read_text()) == by_one_worker


@pytest.mark.parametrize("change", [("--seed", 1), ("--max-steps", 5), ("--packs-per-step", 2)])
def test_a_stage_is_not_resumed_with_other_settings(
    train: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    change: tuple[str, int],
) -> None:  # fmt: skip
    words = ("--out", tmp_path / "run", "--stage", STAGES[0], "--max-steps", 3)
    assert train(*words, "--stop-after", 1) == 0
    assert train(*words, *change) == 2
    assert "was saved with other settings" in capsys.readouterr().err


def test_a_stage_that_has_ended_is_not_run_again(three_stages: Path, squares: Path) -> None:
    before = (three_stages / STAGES[2] / "metrics.jsonl").read_bytes()
    settings = json.loads((three_stages / STAGES[0] / "settings.json").read_text())
    words = ["--recipe", "smoke", "--cpu", "--quiet", "--data", str(squares), "--max-steps", "4"]
    assert main([*words, "--model", settings["model"], "--out", str(three_stages)]) == 0
    assert (three_stages / STAGES[2] / "metrics.jsonl").read_bytes() == before


def test_only_so_many_checkpoints_are_kept(train: Callable[..., int], tmp_path: Path) -> None:
    words = ("--stage", STAGES[0], "--max-steps", 3, "--checkpoints", 1)
    for stop in (1, 2, 3):
        assert train(*words, "--out", tmp_path, "--stop-after", stop) == 0
    assert [p.name for p in (tmp_path / STAGES[0] / "checkpoints").iterdir()] == ["step-00000003"]


def test_every_conversation_is_in_the_ledger_or_counted(
    train: Callable[..., int], tmp_path: Path
) -> None:
    assert train("--out", tmp_path, "--stage", STAGES[2]) == 0
    ledger = lines(tmp_path / STAGES[2], "ledger.jsonl")
    seen = sorted(number for line in ledger for number in line["documents"])
    assert seen == list(range(6 * 8 * 2 + 3 * 8 * 2 + 12))


def test_the_loss_of_sources_and_formats_adds_up(three_stages: Path) -> None:
    line = lines(three_stages / STAGES[2])[0]
    assert set(line["loss_by_source"]) >= {"squares", "others"}
    low, high = min(line["loss_by_format"].values()), max(line["loss_by_format"].values())
    assert low < line["loss"] < high


def test_a_step_is_traced_to_its_sentences(
    three_stages: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["trace", str(three_stages), "--step", "1", "--json"]) == 0
    rows = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    ledger = lines(three_stages / STAGES[2], "ledger.jsonl")[1]
    assert [row["conversation"] for row in rows] == ledger["documents"]
    for row in rows:
        assert Path(row["shard"]).is_file()
        assert row["messages"][1]["role"] == "assistant"


def test_a_step_that_did_not_run_is_told(
    three_stages: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["trace", str(three_stages), "--step", "99"]) == 2
    assert "step 99 is not in the ledger" in capsys.readouterr().err


def test_unreadable_pictures_are_masked_and_counted(
    train: Callable[..., int], tmp_path: Path
) -> None:
    broken = MadeImage(data=square_png((1, 2, 3))[:60], conversations=[asked("Which?", "None.")])
    build = write_build(tmp_path / "build", [*color_images(4), broken])
    assert train("--out", tmp_path / "run", "--stage", STAGES[2], data=build) == 0
    record = json.loads((tmp_path / "run" / STAGES[2] / "stage.json").read_text())
    assert record["bad"] == {"image_unreadable": 1}
    masked = [line for line in lines(tmp_path / "run" / STAGES[2], "ledger.jsonl") if line["bad"]]
    place = masked[0]["documents"].index(masked[0]["bad"][0][0])
    assert masked[0]["tokens"][place] == 0


def test_too_many_unreadable_pictures_stop_a_run(
    train: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = [MadeImage(data=square_png((n, 2, 3))[:60], conversations=[asked("Which?", "None.")])
              for n in range(20)]  # fmt: skip
    build = write_build(tmp_path / "build", [*color_images(16), *broken])
    assert train("--out", tmp_path / "run", "--stage", STAGES[2], data=build) == 2
    assert "conversations cannot be read: image_unreadable" in capsys.readouterr().err


def test_a_run_that_was_stopped_for_bad_pictures_goes_on_where_more_are_allowed(
    train: Callable[..., int], tmp_path: Path
) -> None:
    broken = [MadeImage(data=square_png((n, 2, 3))[:60], conversations=[asked("Which?", "None.")])
              for n in range(20)]  # fmt: skip
    build = write_build(tmp_path / "build", [*color_images(16), *broken])
    words = ("--out", tmp_path / "run", "--stage", STAGES[2])
    assert train(*words, "--stop-after", 1, data=build) == 0
    assert train(*words, data=build) == 2
    assert train(*words, "--bad-share", 0.5, data=build) == 0
    assert [line["step"] for line in lines(tmp_path / "run" / STAGES[2])][:2] == [0, 1]


@pytest.mark.parametrize("share", ["-0.1", "1.5", "nan", "few"])
def test_a_share_that_is_none_is_refused(train: Callable[..., int], share: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        train("--out", "unused", "--bad-share", share)


def test_rows_that_cannot_be_trained_on_are_counted_before(
    train: Callable[..., int], tmp_path: Path
) -> None:
    useless = [
        MadeImage(data=square_png((9, 9, 9)), conversations=[[], asked("No image here", "a",
                                                                       sees=False)]),
        MadeImage(data=square_png((8, 9, 9)), conversations=[asked("Which?", " ")]),
        MadeImage(data=square_png((7, 9, 9)), conversations=[[]], split="validation"),
        MadeImage(data=square_png((6, 9, 9)), conversations=[[]], split="test"),
    ]  # fmt: skip
    build = write_build(tmp_path / "build", [*color_images(1), *useless])
    assert train("--out", tmp_path / "run", "--stage", STAGES[2], data=build) == 0
    record = json.loads((tmp_path / "run" / STAGES[2] / "stage.json").read_text())
    assert record["unusable"] == {
        "squares image_count": 1, "squares no_conversation": 1, "squares nothing_to_learn": 1,
    }  # fmt: skip


@pytest.mark.parametrize("cut", [0.5, 0.999])
def test_a_shard_that_was_cut_off_is_told(
    train: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str], cut: float
) -> None:
    build = write_build(tmp_path / "build", color_images(1))
    shard = next(build.rglob("*.parquet"))
    shard.write_bytes(shard.read_bytes()[: int(shard.stat().st_size * cut)])
    assert train("--out", tmp_path / "run", "--stage", STAGES[2], data=build) == 2
    assert "the shard cannot be read" in capsys.readouterr().err


def test_a_folder_without_a_build_is_told(
    train: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train("--out", tmp_path / "run", data=tmp_path) == 2
    assert "no build was finished there" in capsys.readouterr().err


def test_rows_of_one_image_are_one_conversation_where_the_recipe_says_so(
    tiny_model: Path, tmp_path: Path
) -> None:
    build = write_build(tmp_path / "build", color_images(2))
    words = ["--recipe", "laptop", "--cpu", "--quiet", "--data", str(build), "--stage", STAGES[2]]
    assert main([*words, "--model", str(tiny_model), "--out", str(tmp_path / "run")]) == 0
    ledger = lines(tmp_path / "run" / STAGES[2], "ledger.jsonl")
    assert sum(len(line["documents"]) for line in ledger) == 16


def test_a_model_learns_colors_and_looks_at_pictures(tmp_path: Path) -> None:
    init_tiny(tmp_path / "model")
    images = [
        MadeImage(data=image.data, conversations=image.conversations[:1], split=split)
        for split in ("train", "validation")
        for image in color_images(1)
    ]
    build = write_build(tmp_path / "build", images)
    words = ["--recipe", "smoke", "--cpu", "--quiet", "--data", str(build), "--stage", STAGES[2]]
    words += ["--epochs", "150", "--packs-per-step", "1", "--out", str(tmp_path / "run")]
    assert main([*words, "--model", str(tmp_path / "model")]) == 0
    folder = tmp_path / "run" / STAGES[2]
    assert lines(folder)[-1]["loss"] < 0.05
    seen = lines(folder, "evaluation.jsonl")[-1]
    assert seen["loss"] < 0.05
    assert seen["loss_shuffled_images"] > 1


def test_the_losses_of_ten_steps_are_known(
    train: Callable[..., int], tmp_path: Path, golden: Callable[[str, str], None]
) -> None:
    assert (
        train("--out", tmp_path, "--stage", STAGES[2], "--max-steps", 10, "--packs-per-step", 1)
        == 0
    )
    golden("trainer/losses.txt", "".join(
        f"{line['step']} {line['loss']:.3f}\n" for line in lines(tmp_path / STAGES[2])
    ))  # fmt: skip


@pytest.mark.parametrize("is_ended", [False, True])
def test_the_same_words_about_other_pictures_are_other_data(
    train: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str], is_ended: bool
) -> None:
    images = color_images(1)
    build = write_build(tmp_path / "build", images)
    words = ("--out", tmp_path / "run", "--stage", STAGES[0], "--max-steps", 2)
    assert train(*words, *(() if is_ended else ("--stop-after", 1)), data=build) == 0
    swapped = zip(images, reversed(images), strict=True)
    write_build(build, [replace(image, data=other.data) for image, other in swapped])
    assert train(*words, data=build) == 2
    assert "other data" in capsys.readouterr().err


def test_a_step_is_not_traced_to_what_a_build_holds_now(
    train: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build = write_build(tmp_path / "build", color_images(1))
    words = ("--out", tmp_path / "run", "--stage", STAGES[0], "--max-steps", 1)
    assert train(*words, data=build) == 0
    write_build(build, color_images(1)[::-1])
    assert main(["trace", str(tmp_path / "run"), "--step", "0"]) == 2
    assert "holds other shards than were trained on" in capsys.readouterr().err
