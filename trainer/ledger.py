"""Which conversations each step saw, with the loss of each: one line a step."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from trainer.errors import TrainerError

LEDGER_FILE = "ledger.jsonl"


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerLine:
    """One step.

    Attributes:
        step: Counts from 0.
        documents: Numbers of the conversations, in the order of the plan.
        losses: Mean loss of each over its supervised tokens.
        tokens: Supervised tokens of each.
        bad: Number and reason of each that was masked.
    """

    step: int
    documents: list[int]
    losses: list[float]
    tokens: list[int]
    bad: list[tuple[int, str]]


def append_line(path: Path, line: dict[str, object]) -> None:
    """Add a line of JSON to a file."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, separators=(",", ":")) + "\n")


def cut_lines(path: Path, steps: int) -> None:
    """Remove lines of steps that a resumed run does again, and a torn last line."""
    if not path.exists():
        return
    kept = [text for text in path.read_text("utf-8").splitlines(keepends=True)
            if text.endswith("\n") and json.loads(text)["step"] < steps]  # fmt: skip
    path.write_text("".join(kept), encoding="utf-8")


def write_step(folder: Path, line: LedgerLine) -> None:
    """Add a step to the ledger of a stage."""
    append_line(folder / LEDGER_FILE, asdict(line))


def read_ledger(folder: Path) -> Iterator[LedgerLine]:
    """The steps of a stage.

    Raises:
        TrainerError: There is no ledger.
    """
    path = folder / LEDGER_FILE
    if not path.is_file():
        raise TrainerError(str(folder), f"no {LEDGER_FILE}", "name RUN/STAGE of a stage that ran")
    with path.open(encoding="utf-8") as file:
        for text in file:
            if text.endswith("\n"):  # a line that is being written is not there yet
                yield LedgerLine(**json.loads(text))
