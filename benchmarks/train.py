"""gmai-train against transformers' Trainer and TRL's SFTTrainer: the same rows, model and machine.

    python benchmarks/train.py --model start --data ./pairs --rows 96

Each contender trains all parts for one epoch over the same rows, in a process of its own, in
float32 with AdamW. The others pad each batch to its longest row, as they do for models that see.
What is printed: samples and text tokens a second by the clock, seconds of processor time a
sample, which other work on the machine disturbs less, padding, and peak memory. Padding is the
share of the tokens that go through the model and belong to no row, counted in what the model is
given; of TRL, whose collator is its own, it is not counted. The text tokens are those of the rows,
the same for all. TRL is measured where it is installed.
"""

import argparse
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CONTENDERS = ("gmai-train", "gmai-train, joined", "transformers Trainer", "TRL SFTTrainer")
BATCH = 8
RATE = 1e-4


def rows_of(data: Path, count: int) -> list[dict]:
    """The first rows of the split train."""
    from pipeline.shards import read_shards

    columns = ["messages", "image", "split"]
    rows = (row for row in read_shards(data, columns) if row["split"] == "train")
    return [row for row, _ in zip(rows, range(count), strict=False)]


def small_build(data: Path, count: int, out: Path) -> Path:
    """A build of these rows alone, for gmai-train."""
    from pipeline.digests import digest_file
    from pipeline.shards import ShardWriter, read_shards

    every = (row for row in read_shards(data) if row["split"] == "train")
    with ShardWriter(out / "rows.parquet") as writer:
        for row, _ in zip(every, range(count), strict=False):
            image = row.pop("image")
            writer.write_image(image["bytes"], row["image_digest"], [{**row, "image": "x"}])
        writer.commit({})
    shard = {"path": "rows.parquet", "digest": digest_file(out / "rows.parquet")}
    receipt = {"sources": {"rows": {"shards": [shard]}}}
    (out / "build.json").write_text(json.dumps(receipt), encoding="utf-8")
    return out


def ours(model: Path, data: Path, count: int, *, joins: bool) -> dict:
    """One epoch of gmai-train."""
    from dataclasses import replace

    from trainer.batches import NO_DOCUMENT
    from trainer.corpus import Build
    from trainer.distributed import Ranks
    from trainer.recipes import RECIPES
    from trainer.run_stage import StageWork
    from trainer.stage_run import StageRun
    from trainer.stages import Stage

    rates = dict.fromkeys(("projector", "vision", "language"), RATE)
    stage = Stage(name="instruction_tuning", learning_rates=rates)
    recipe = replace(
        RECIPES["laptop"], joins_rows=joins, pack_tokens=1024, packs_per_step=2,
        checkpoint_steps=10**6, evaluation_steps=0,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        run = StageRun(
            recipe=recipe, stage=stage, model=model, out=out, is_shown=False, workers=1,
            builds=[Build(folder=small_build(data, count, out))],
        )  # fmt: skip
        run.folder.mkdir()
        work = StageWork(run, model, "", Ranks())
        sizes = []
        # Loading is not timed.
        work.model.trainee.register_forward_pre_hook(lambda _, given: sizes.append(
            (int((given[0].owner != NO_DOCUMENT).sum()), given[0].ids.numel())
        ))  # fmt: skip
        work.data.plan  # noqa: B018 - nor is planning, which is done once for all runs
        work._finish = lambda _: None  # nor is writing the model
        work._checkpoints.save = lambda *_: out
        start = time.perf_counter(), time.process_time()
        work.work()
        told = timed(start)
        text = (run.folder / "metrics.jsonl").read_text("utf-8")
        lines = [json.loads(line) for line in text.splitlines()]
        waited = sum(line["data_wait"] * line["seconds"] for line in lines)
        seconds = sum(line["seconds"] for line in lines)
    return {**told, "padding": padding(sizes), "data wait": waited / seconds}


def padding(sizes: list[tuple[int, int]]) -> float:
    """Share of the tokens of some batches that belong to no row."""
    real, whole = (sum(column) for column in zip(*sizes, strict=True))
    return 1 - real / whole


def timed(start: tuple[float, float]) -> dict:
    """Wall and processor seconds since a start."""
    return {"wall": time.perf_counter() - start[0], "processor": time.process_time() - start[1]}


def transformers_trainer(model: Path, data: Path, count: int) -> dict:
    """One epoch of transformers' Trainer, with padded batches of the same tokens and pixels."""
    import torch
    from torch.nn.utils.rnn import pad_sequence
    from transformers import Trainer, TrainingArguments

    from trainer.chat import load_chat, tokenize
    from trainer.images import decode, load_image_settings, normalise
    from trainer.load_model import load_trained_model

    chat, settings = load_chat(model), load_image_settings(model)
    sizes = []

    def collate(rows: list[dict]) -> dict:
        made = [tokenize(row["messages"], chat) for row in rows]
        ids = [torch.tensor(row.ids) for row in made]
        labels = [torch.where(torch.tensor(row.supervised), torch.tensor(row.ids), -100)
                  for row in made]  # fmt: skip
        pixels = torch.stack([torch.as_tensor(decode(r["image"]["bytes"], settings)) for r in rows])
        lengths = [len(one) for one in ids]
        sizes.append((sum(lengths), len(lengths) * max(lengths)))
        return {
            "input_ids": pad_sequence(ids, batch_first=True),
            "labels": pad_sequence(labels, batch_first=True, padding_value=-100),
            "attention_mask": pad_sequence([torch.ones_like(one) for one in ids], batch_first=True),
            "pixel_values": normalise(pixels, settings),
        }

    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            model=load_trained_model(model), train_dataset=rows_of(data, count),
            data_collator=collate, args=TrainingArguments(**arguments(folder)),
        )  # fmt: skip
        start = time.perf_counter(), time.process_time()
        trainer.train()
        told = timed(start)
    return {**told, "padding": padding(sizes)}


def arguments(folder: str) -> dict:
    """What both trainers of Hugging Face are told."""
    return {
        "output_dir": folder, "per_device_train_batch_size": BATCH, "num_train_epochs": 1,
        "learning_rate": RATE, "use_cpu": True, "report_to": [], "save_strategy": "no",
        "remove_unused_columns": False, "disable_tqdm": True, "bf16": False,
        "gradient_checkpointing": False, "logging_steps": 10**6,
    }  # fmt: skip


def trl_trainer(model: Path, data: Path, count: int) -> dict:
    """One epoch of TRL's SFTTrainer, with its own collator for models that see."""
    from datasets import Dataset
    from PIL import Image
    from transformers import AutoProcessor
    from trl import SFTConfig, SFTTrainer

    from trainer.load_model import load_trained_model

    rows = [
        {
            "messages": [{"role": turn["role"], "content": turn["content"].replace("<image>\n", "")}
                         for turn in row["messages"]],
            "images": [Image.open(io.BytesIO(row["image"]["bytes"])).convert("RGB")],
        }
        for row in rows_of(data, count)
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        trainer = SFTTrainer(
            model=load_trained_model(model), train_dataset=Dataset.from_list(rows),
            processing_class=AutoProcessor.from_pretrained(model),
            args=SFTConfig(**arguments(folder), max_length=None),
        )  # fmt: skip
        start = time.perf_counter(), time.process_time()
        trainer.train()
        told = timed(start)
    return told


def text_tokens(model: Path, data: Path, count: int) -> int:
    """Tokens of the rows without those of images."""
    from trainer.chat import load_chat, tokenize

    chat = load_chat(model)
    return sum(len(tokenize(row["messages"], chat).ids) - chat.tokens_per_image
               for row in rows_of(data, count))  # fmt: skip


def one(name: str, model: Path, data: Path, count: int) -> dict:
    """What one contender does, in this process."""
    if name.startswith("gmai-train"):
        told = ours(model, data, count, joins="joined" in name)
    elif name.startswith("TRL"):
        told = trl_trainer(model, data, count)
    else:
        told = transformers_trainer(model, data, count)
    told["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return told


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=96)
    parser.add_argument("--only", choices=CONTENDERS)
    chosen = parser.parse_args()
    words = (chosen.model, chosen.data, chosen.rows)
    if chosen.only:
        print("TOLD", json.dumps(one(chosen.only, *words)))
        return
    tokens = text_tokens(*words)
    print(f"{chosen.rows} rows, {tokens} text tokens\n")
    print("| | samples/s | text tokens/s | processor s/sample | padding | data wait | memory GB |")
    print("|---|---|---|---|---|---|---|")
    for name in CONTENDERS:
        command = [sys.executable, __file__, *sys.argv[1:], "--only", name]
        # One thread each: with more, what is measured is how busy the machine is.
        run = subprocess.run(command, capture_output=True, text=True, check=False,
                             env={**os.environ, "OMP_NUM_THREADS": "1"})  # fmt: skip
        if run.returncode:
            print(f"| {name} | not measured: {run.stderr.strip().splitlines()[-1]} |")
            continue
        told = json.loads(run.stdout.split("TOLD", 1)[1])
        shares = [f"{told[k]:.1%}" if k in told else "" for k in ("padding", "data wait")]
        print(f"| {name} | {chosen.rows / told['wall']:.2f} | {tokens / told['wall']:.0f} "
              f"| {told['processor'] / chosen.rows:.2f} | {shares[0]} | {shares[1]} "
              f"| {told['memory']:.1f} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    main()
