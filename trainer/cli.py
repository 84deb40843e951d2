"""gmai-train: image-text pairs into a vision-language model, stage after stage."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from pipeline.command_line import positive, run_command
from trainer import init_command
from trainer.recipes import RECIPES, Recipe
from trainer.stages import STAGE_NAMES

_BACKENDS = ("documents", "varlen", "sdpa")


def parser() -> argparse.ArgumentParser:
    """The command line of gmai-train, without its subcommands."""
    out = argparse.ArgumentParser(
        prog="gmai-train",
        usage="gmai-train (--recipe NAME | --stage NAME) --data DIR[:SHARE] --model DIR --out RUN "
        "[options]\n       gmai-train init --help\n       gmai-train trace --help",
        description="Train a medical vision-language model on the shards of gmai-build.",
        epilog="A run that was stopped goes on when the same command is run again. For several "
        "processes: torchrun --nproc-per-node N -m trainer.cli and the same options.",
    )
    _add_what(out)
    _add_how(out)
    return out


def _add_what(out: argparse.ArgumentParser) -> None:
    out.add_argument("--recipe", choices=sorted(RECIPES), metavar="NAME",
                     help=f"how to train, of: {', '.join(sorted(RECIPES))} (default: "
                     "gmai-vl)")  # fmt: skip
    out.add_argument("--stage", choices=STAGE_NAMES, action="append", metavar="NAME",
                     help=f"stage to run, of: {', '.join(STAGE_NAMES)}; may be repeated (default: "
                     "all)")  # fmt: skip
    out.add_argument("--data", action="append", required=True, metavar="DIR[:SHARE]",
                     help="out folder of gmai-build, with how much of it an epoch takes (default: "
                     "1); may be repeated")  # fmt: skip
    out.add_argument("--model", type=Path, metavar="DIR",
                     help="starting model of gmai-train init, or RUN/STAGE of a stage that has "
                     "ended (recipe smoke: made where it is left out)")  # fmt: skip
    out.add_argument("--out", type=Path, required=True, metavar="RUN",
                     help="folder of the run; each stage has one in it")  # fmt: skip
    out.add_argument("--license-policy", metavar="POLICY",
                     help="what the licences of the builds must allow: open, research, any, or a "
                     "FILE (default: no condition)")  # fmt: skip


def _add_how(out: argparse.ArgumentParser) -> None:
    out.add_argument("--seed", type=int, default=0, metavar="N", help="of the order (default: 0)")
    out.add_argument("--max-steps", type=positive, metavar="N",
                     help="end each stage after so many steps")  # fmt: skip
    out.add_argument("--stop-after", type=positive, metavar="N",
                     help="stop a stage after so many steps, to go on later")  # fmt: skip
    out.add_argument("--epochs", type=positive, metavar="N",
                     help="how often the mixture is gone through")  # fmt: skip
    out.add_argument("--packs-per-step", type=positive, metavar="N",
                     help="packs of one update, over all processes")  # fmt: skip
    out.add_argument("--packs-per-forward", type=positive, metavar="N",
                     help="packs that go through the model at once")  # fmt: skip
    out.add_argument("--bad-share", type=_share, metavar="SHARE",
                     help="stop where more conversations than this share have a picture that "
                     "cannot be read (default: 0.01)")  # fmt: skip
    out.add_argument("--workers", type=positive, metavar="N", help="threads that make packs")
    out.add_argument("--attention", choices=_BACKENDS, help="default: what suits the device")
    out.add_argument("--layout", choices=("replicated", "sharded"),
                     help="of the model over processes (default: sharded where the language model "
                     "learns)")  # fmt: skip
    out.add_argument("--checkpoints", type=positive, default=2, metavar="N",
                     help="how many are kept (default: 2)")  # fmt: skip
    out.add_argument("--cpu", action="store_true", help="use no GPU")
    out.add_argument("--compile", action="store_true", help="compile the layers")
    out.add_argument("--tensorboard", action="store_true", help="write TensorBoard files too")
    out.add_argument("--quiet", action="store_true", help="show no progress")


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:  # what is no number is not in between either
        raise argparse.ArgumentTypeError(f"{text!r} is no share from 0 to 1")
    return share


def trace_parser() -> argparse.ArgumentParser:
    """The command line of ``gmai-train trace``."""
    out = argparse.ArgumentParser(
        prog="gmai-train trace",
        description="Name the sources, files and sentences that a step saw, with their loss.",
    )
    out.add_argument("run", type=Path, metavar="RUN", help="folder of a run, or of its stage")
    out.add_argument("--step", type=int, metavar="N",
                     help="counts from 0 (default: the step of the highest loss)")  # fmt: skip
    out.add_argument("--json", action="store_true", help="one object a row")
    return out


def init_parser() -> argparse.ArgumentParser:
    """The command line of ``gmai-train init``."""
    out = argparse.ArgumentParser(
        prog="gmai-train init", description="Put a starting model together."
    )
    init_command.add_arguments(out)
    return out


# What may follow gmai-train in place of its options; each has a command line of its own.
SUBCOMMANDS: dict[str, Callable[[], argparse.ArgumentParser]] = {
    "init": init_parser,
    "trace": trace_parser,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run gmai-train; the exit code is 0, 1 (our fault), 2 (the user's) or 130 (Ctrl-C)."""
    words = list(sys.argv[1:] if argv is None else argv)
    command = words[0] if words and words[0] in SUBCOMMANDS else ""
    arguments = (SUBCOMMANDS[command]() if command else parser()).parse_args(
        words[1:] if command else words
    )
    work = {"": _train, "init": init_command.run, "trace": _trace}[command]
    return run_command("gmai-train", lambda: work(arguments))


def _trace(arguments: argparse.Namespace) -> int:
    from trainer.trace import stage_folder, trace_text

    folder = stage_folder(arguments.run)
    for line in trace_text(folder, arguments.step, as_json=arguments.json):
        print(line)  # noqa: T201 - what the command is for
    return 0


def recipe_of(arguments: argparse.Namespace) -> Recipe:
    """The recipe with what the command line changes of it."""
    from dataclasses import replace

    recipe = RECIPES[arguments.recipe or "gmai-vl"]
    changes = {name: getattr(arguments, name)
               for name in ("packs_per_step", "packs_per_forward", "bad_share")
               if getattr(arguments, name) is not None}  # fmt: skip
    if arguments.epochs:
        changes["stages"] = tuple(replace(s, epochs=arguments.epochs) for s in recipe.stages)
    return replace(recipe, **changes)


def _train(arguments: argparse.Namespace) -> int:
    from trainer.start import train

    return train(arguments, recipe_of(arguments))


if __name__ == "__main__":
    sys.exit(main())
