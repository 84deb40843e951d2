"""From what the command line said to a run."""

import argparse
from pathlib import Path

import torch

from trainer.corpus import Build
from trainer.distributed import Ranks, join_ranks, leave_ranks, wait_for_all
from trainer.errors import TrainerError
from trainer.recipes import Recipe
from trainer.run_recipe import run_stages
from trainer.source_terms import require_terms
from trainer.stage_data import worker_count
from trainer.stage_run import StageRun
from trainer.stages import STAGE_NAMES

_TINY_MODEL = "starting-model"


def train(arguments: argparse.Namespace, recipe: Recipe) -> int:
    """Run the stages that were asked for.

    Raises:
        TrainerError: Something that was given does not fit.
    """
    if recipe.cpu_threads:
        torch.set_num_threads(recipe.cpu_threads)
    ranks = join_ranks(is_cpu=arguments.cpu)
    try:
        names = [name for name in STAGE_NAMES if name in (arguments.stage or STAGE_NAMES)]
        builds = [Build.parse(text) for text in arguments.data]
        if arguments.license_policy:
            require_terms(arguments.license_policy, [one.folder for one in builds], "train")
        run = StageRun(
            recipe=recipe, stage=recipe.stage(names[0]), builds=builds,
            model=_model(arguments, recipe, ranks), out=arguments.out, seed=arguments.seed,
            workers=arguments.workers or worker_count(), max_steps=arguments.max_steps,
            stop_after=arguments.stop_after, attention=arguments.attention,
            layout=arguments.layout, kept_checkpoints=arguments.checkpoints,
            is_shown=not arguments.quiet, has_tensorboard=arguments.tensorboard,
            compiles=arguments.compile,
        )  # fmt: skip
        last = run_stages(run, names, ranks)
    finally:
        leave_ranks(ranks)
    if ranks.is_first:
        print(last)  # noqa: T201 - where the result lies
    return 0


def _model(arguments: argparse.Namespace, recipe: Recipe, ranks: Ranks) -> Path:
    if arguments.model:
        return Path(arguments.model)
    if recipe.name != "smoke":
        raise TrainerError("--model", "no starting model is named", "make one: gmai-train init")
    place = Path(arguments.out) / _TINY_MODEL
    if ranks.is_first and not (place / "config.json").exists():
        from trainer.init_tiny import init_tiny

        init_tiny(place)
    wait_for_all(ranks)
    return place
