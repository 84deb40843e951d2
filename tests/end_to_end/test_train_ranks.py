"""Several processes train as one does; a run that is killed goes on as if it had not been."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra 'train', as in the stage 'train' of CI")
pytest.importorskip("transformers", reason="needs the extra 'train'")

from tests.fakes.pair_build import MadeImage, asked, color_images, write_build
from trainer.init_tiny import init_tiny

STAGES = ("shallow_alignment", "deep_alignment", "instruction_tuning")
STEPS = 6


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A build with images and texts, and a tiny model."""
    folder = tmp_path_factory.mktemp("ranks")
    texts = [MadeImage(data=b"", source="texts", format="text", conversations=[
        asked(f"How are {n}? " * 12, f"Well, {n} times. " * 8, sees=False)
    ]) for n in range(24)]  # fmt: skip
    build = write_build(folder / "build", [*color_images(4), *texts])
    init_tiny(folder / "model", chat_format="qwen3")
    return build, folder / "model"


def start(
    made: tuple[Path, Path], out: Path, world: int = 1, *words: object
) -> list[subprocess.Popen[str]]:
    """Start the processes of a run."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    build, model = made
    command = [
        sys.executable, "-m", "trainer.cli", "--recipe", "smoke", "--cpu", "--quiet", "--data",
        str(build), "--model", str(model), "--out", str(out), *map(str, words),
    ]  # fmt: skip
    rank = {"WORLD_SIZE": str(world), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
            "OMP_NUM_THREADS": "1"}  # fmt: skip
    return [
        subprocess.Popen(
            command, env={**os.environ, **rank, "RANK": str(n), "LOCAL_RANK": str(n)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for n in range(world)
    ]  # fmt: skip


def finish(processes: list[subprocess.Popen[str]]) -> None:
    told = [process.communicate(timeout=240) for process in processes]
    assert [process.returncode for process in processes] == [0] * len(told), told


def train(made: tuple[Path, Path], out: Path, world: int = 1, *words: object) -> list[dict]:
    """Train, and the lines of the metrics."""
    finish(start(made, out, world, *words))
    stage = words[words.index("--stage") + 1]
    return [json.loads(t) for t in (out / str(stage) / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module", params=[STAGES[0], STAGES[2]])
def alone(
    request: pytest.FixtureRequest, made: tuple[Path, Path], tmp_path_factory
) -> tuple[str, Path, list[dict]]:
    """A stage by one process."""
    out = tmp_path_factory.mktemp("alone") / "run"
    return request.param, out, train(made, out, 1, "--stage", request.param, "--max-steps", STEPS)


@pytest.mark.parametrize(("world", "layout"), [(2, "sharded"), (2, "replicated"), (4, "sharded")])
def test_as_many_ranks_as_there_are_train_alike(
    made: tuple[Path, Path], alone: tuple[str, Path, list[dict]], tmp_path: Path, world: int,
    layout: str,
) -> None:  # fmt: skip
    stage, out, expected = alone
    words = ("--stage", stage, "--max-steps", STEPS, "--layout", layout)
    found = train(made, tmp_path / "run", world, *words)
    for one, other in zip(expected, found, strict=True):
        assert other["loss"] == pytest.approx(one["loss"], rel=1e-5)
        assert other["gradient_norm"] == pytest.approx(one["gradient_norm"], rel=2e-4)
    ledgers = [(run / stage / "ledger.jsonl").read_text().splitlines()
               for run in (out, tmp_path / "run")]  # fmt: skip
    seen = [[json.loads(line)["documents"] for line in ledger] for ledger in ledgers]
    assert seen[0] == seen[1]


def test_a_run_goes_on_with_another_number_of_ranks(
    made: tuple[Path, Path], alone: tuple[str, Path, list[dict]], tmp_path: Path
) -> None:
    stage, _, expected = alone
    words = ("--stage", stage, "--max-steps", STEPS)
    train(made, tmp_path / "run", 2, *words, "--stop-after", 3)
    found = train(made, tmp_path / "run", 1, *words)
    assert [line["step"] for line in found] == list(range(STEPS))
    for one, other in zip(expected, found, strict=True):
        assert other["loss"] == pytest.approx(one["loss"], rel=1e-5)


def test_a_run_that_is_killed_goes_on_to_the_last_bit(
    made: tuple[Path, Path], tmp_path: Path
) -> None:
    words = ("--stage", STAGES[2], "--epochs", 5, "--packs-per-step", 1)
    whole = train(made, tmp_path / "whole", 1, *words)
    checkpoints = tmp_path / "killed" / STAGES[2] / "checkpoints"
    for kill in range(2):
        process = start(made, tmp_path / "killed", 1, *words)[0]
        until = time.monotonic() + 120
        # Killed while a checkpoint is being written, where that can be seen.
        while not list(checkpoints.glob(".unfinished-*")) and process.poll() is None:
            assert time.monotonic() < until
            time.sleep(0.0005)
            if kill and len(list(checkpoints.glob("step-*"))) > 1:
                break
        process.send_signal(signal.SIGKILL)
        process.communicate()
    found = train(made, tmp_path / "killed", 1, *words)
    assert [(x["loss"], x["gradient_norm"]) for x in found] == [
        (x["loss"], x["gradient_norm"]) for x in whole
    ]
    records = [json.loads((tmp_path / run / STAGES[2] / "stage.json").read_text())
               for run in ("whole", "killed")]  # fmt: skip
    assert records[0]["weights_digest"] == records[1]["weights_digest"]
