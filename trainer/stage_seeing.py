"""What a stage writes while it runs: its settings, two ledgers line by line, and what is said."""

import json
from typing import Any

from trainer.corpus import Corpus
from trainer.flops import peak_flops
from trainer.ledger import LEDGER_FILE, LedgerLine, cut_lines, write_step
from trainer.loop import Stepper, StepResult
from trainer.metrics import EVALUATION_FILE, METRICS_FILE, Seeing, StepNumbers, sums_by
from trainer.parts import Learning
from trainer.plan import Plan
from trainer.stage_data import StageData
from trainer.stage_record import SETTINGS_FILE
from trainer.stage_run import StageRun


def open_seeing(run: StageRun, start: int, device: str, *, world: int, is_first: bool) -> Seeing:
    """What is seen of a stage, with the lines of steps removed that are done again.

    Args:
        run: What was asked for.
        start: Steps that are done.
        device: Where this rank computes.
        world: Number of ranks.
        is_first: Whether this rank writes.
    """
    if is_first:
        for name in (LEDGER_FILE, METRICS_FILE, EVALUATION_FILE):
            cut_lines(run.folder / name, start + (name == EVALUATION_FILE))
    return Seeing(
        run.folder, run.stage.name, peak_flops(device) * world, is_shown=run.is_shown and is_first,
        has_tensorboard=run.has_tensorboard and is_first,
    )  # fmt: skip


def write_settings(run: StageRun, content: dict[str, Any]) -> None:
    """Keep what a stage runs with, for those who look into it before it has ended."""
    path = run.folder / SETTINGS_FILE
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def opening(run: StageRun, data: StageData, learning: Learning, start: int) -> str:
    """What a person is told before the first step."""
    tail = len(learning.without_gradient)
    learns = ", ".join(f"{part} at {rate:g}" for part, rate in run.stage.learning_rates.items())
    unusable = sum(data.corpus.unusable.values())
    return (
        f"{run.stage.name}: {len(data.corpus):,} conversations, "
        f"{len(data.plan.pack_ends):,} packs, {data.steps:,} steps"
        + (f", going on after {start}" if start else "")
        + f"; learns: {learns}"
        + (f"; {tail} tensors of the vision encoder lie behind the layer used" if tail else "")
        + (f"; {unusable} rows cannot be trained on" if unusable else "")
    )


def ledger_line(step: int, plan: Plan, result: StepResult) -> LedgerLine:
    """The conversations of a step with their losses, in the order of the plan."""
    planned = [n for pack in plan.packs_of_step(step) for n in plan.pack(pack)]
    by_number = {number: (loss, tokens) for number, loss, tokens in result.documents}
    return LedgerLine(
        step=step, documents=planned,
        losses=[round(by_number[n][0] / max(by_number[n][1], 1), 6) for n in planned],
        tokens=[by_number[n][1] for n in planned], bad=sorted(result.bad),
    )  # fmt: skip


def step_numbers(
    result: StepResult, line: LedgerLine, data: StageData, stepper: Stepper,
    times: tuple[float, float],
) -> StepNumbers:  # fmt: skip
    """What a step counted.

    Args:
        result: What it gave back.
        line: Of the ledger.
        data: Of the stage.
        stepper: Which took it.
        times: Seconds that it took, and that it waited for packs.
    """
    plan, corpus = data.plan, data.corpus
    return StepNumbers(
        step=line.step, steps=data.steps, loss=result.loss, gradient_norm=result.gradient_norm,
        rates=stepper.rates(), conversations=len(line.documents), tokens=result.tokens,
        image_tokens=result.image_tokens, supervised=result.supervised, flops=result.flops,
        seconds=times[0], waited=times[1],
        capacity=len(plan.packs_of_step(line.step)) * plan.settings.pack_tokens,
        by_source=_sums(corpus, "source", result), by_format=_sums(corpus, "format", result),
        bad=dict(stepper.bad),
    )  # fmt: skip


def _sums(corpus: Corpus, word: str, result: StepResult) -> dict[str, tuple[float, int]]:
    return sums_by(lambda number: getattr(corpus.document(number), word), result.documents)


def record_step(
    run: StageRun, data: StageData, step: int, result: StepResult, stepper: Stepper,
    seeing: Seeing, times: tuple[float, float],
) -> None:  # fmt: skip
    """Keep and show a step; the first rank does."""
    line = ledger_line(step, data.plan, result)
    write_step(run.folder, line)
    seeing.step(step_numbers(result, line, data, stepper, times))
