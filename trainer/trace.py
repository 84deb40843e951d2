"""What a step saw: the sources, files and sentences, out of the ledger and the shards."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from trainer.chat import load_chat
from trainer.corpus import Build, Corpus, Document, load_corpus
from trainer.errors import TrainerError
from trainer.ledger import LedgerLine, read_ledger
from trainer.lengths import LengthSettings
from trainer.stage_record import SETTINGS_FILE
from trainer.stages import STAGE_NAMES, Stage

_COLUMNS = ["pair_id", "sample_id", "source", "source_path", "source_index", "format", "messages"]


def stage_folder(run: Path) -> Path:
    """The stage that is meant: the folder itself, or the last one of a run.

    Raises:
        TrainerError: No stage has run there.
    """
    found = [f for f in (run, *(run / name for name in reversed(STAGE_NAMES)))
             if (f / SETTINGS_FILE).is_file()]  # fmt: skip
    if not found:
        raise TrainerError(str(run), "no stage has run there", "name the --out of gmai-train")
    return found[0]


def corpus_of_stage(folder: Path) -> Corpus:
    """The conversations that a stage was trained on, numbered as it numbered them.

    Raises:
        TrainerError: Builds or model have gone, or a build was made anew since.
    """
    content = json.loads((folder / SETTINGS_FILE).read_text("utf-8"))
    settings = content["settings"]
    shares = zip(content["builds"], settings["shares"], strict=True)
    builds = [Build(folder=Path(place), share=share) for place, share in shares]
    for build, digest in zip(builds, settings["data"], strict=True):
        build.require(digest)
    lengths = LengthSettings(
        chat=load_chat(Path(content["model"])), max_tokens=settings["recipe"]["pack_tokens"],
        joins_rows=settings["recipe"]["joins_rows"],
    )  # fmt: skip
    return load_corpus(builds, lengths, Stage(**settings["stage"]),
                       spare_folder=folder.parent / "lengths")  # fmt: skip


def trace_step(folder: Path, step: int) -> Iterator[dict[str, Any]]:
    """Every row that a step saw, with the loss of its conversation.

    Args:
        folder: Of a stage.
        step: Counts from 0.

    Raises:
        TrainerError: The step is not in the ledger, or the shards have gone.
    """
    line = next((line for line in read_ledger(folder) if line.step == step), None)
    if line is None:
        raise TrainerError(str(folder), f"step {step} is not in the ledger", "name one that ran")
    corpus = corpus_of_stage(folder)
    bad = {int(number): reason for number, reason in line.bad}
    for place, number in enumerate(line.documents):
        document = corpus.document(number)
        for row in _rows(document):
            yield {
                "conversation": number, "loss": line.losses[place],
                "supervised_tokens": line.tokens[place], "masked": bad.get(number),
                "shard": str(document.shard), **row,
            }  # fmt: skip


def _rows(document: Document) -> list[dict[str, Any]]:
    with pq.ParquetFile(document.shard) as file:
        before = sum(file.metadata.row_group(n).num_rows for n in range(document.block))
        table = file.read_row_group(document.block, columns=_COLUMNS)
    rows: list[dict[str, Any]] = table.slice(document.first_row - before, document.rows).to_pylist()
    return [{"row": document.first_row + n, **row} for n, row in enumerate(rows)]


def step_of_line(lines: Iterator[LedgerLine]) -> int:
    """The step with the highest mean loss, where none is named."""
    means = {line.step: sum(line.losses) / max(len(line.losses), 1) for line in lines}
    return max(means, key=lambda step: means[step])


def trace_text(folder: Path, step: int | None, *, as_json: bool) -> Iterator[str]:
    """Lines for a person, or lines of JSON.

    Args:
        folder: Of a stage.
        step: Counts from 0; that of the highest loss where None.
        as_json: One object a row.
    """
    chosen = step_of_line(read_ledger(folder)) if step is None else step
    if not as_json:
        yield f"{folder.name}, step {chosen}"
    for row in trace_step(folder, chosen):
        if as_json:
            yield json.dumps(row, ensure_ascii=False)
            continue
        yield f"\nloss {row['loss']:.4f}  {row['source']}  {row['format']}  {row['source_path']}"
        yield f"  {row['shard']}, row {row['row']}, pair {row['pair_id']}"
        if row["masked"]:
            yield f"  masked: {row['masked']}"
        for turn in row["messages"]:
            yield f"  {turn['role']}: {turn['content']}"
