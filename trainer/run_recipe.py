"""Stages one after the other, each starting from what the one before has left on record."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from trainer.distributed import Ranks, wait_for_all
from trainer.run_stage import run_stage
from trainer.stage_run import StageRun


def run_stages(first: StageRun, names: Sequence[str], ranks: Ranks) -> Path:
    """Run stages of a recipe in order; what has ended is not run again.

    Args:
        first: The run of the first of them.
        names: Of the stages.
        ranks: Who takes part.

    Returns:
        Folder of the last stage.

    Raises:
        TrainerError: A stage was not left as its record says, or something does not fit.
    """
    model = first.model
    for name in names:
        run = replace(first, stage=first.recipe.stage(name), model=model)
        model = run_stage(run, ranks)
        wait_for_all(ranks)
    return model
