"""gmai-export: a trained model in the form that others load."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.command_line import run_command

DTYPES = ("bfloat16", "float16", "float32")


def parser() -> argparse.ArgumentParser:
    """The command line of gmai-export."""
    out = argparse.ArgumentParser(
        prog="gmai-export", description="A trained model in the form that others load."
    )
    commands = out.add_subparsers(dest="command", required=True, metavar="COMMAND")
    hf = commands.add_parser("hf", help="for transformers and vLLM")
    hf.add_argument("run", type=Path, metavar="RUN",
                    help="folder of a run, of a stage of it, or of a model")  # fmt: skip
    hf.add_argument("out", type=Path, metavar="OUT", help="folder to write")
    hf.add_argument("--data", type=Path, action="append", default=[], metavar="DIR",
                    help="a build that was trained on, for the card (repeatable; default: what "
                    "the run has on record)")  # fmt: skip
    hf.add_argument("--evaluation", type=Path, metavar="FILE",
                    help="what gmai-eval wrote, for the card")  # fmt: skip
    hf.add_argument("--lora", type=Path, metavar="DIR", help="adapters to merge")
    hf.add_argument("--dtype", choices=DTYPES, help="cast the weights (default: as they are)")
    hf.add_argument("--license-policy", metavar="POLICY",
                    help="what the licences of the builds must allow: open, research, any, or a "
                    "FILE (default: no condition)")  # fmt: skip
    hf.add_argument("--name", metavar="NAME", help="of the model (default: that of OUT)")
    return out


def main(argv: Sequence[str] | None = None) -> int:
    """Run gmai-export; the exit code is 0 or 2 (the user's mistake)."""
    arguments = parser().parse_args(argv)
    return run_command("gmai-export", lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    from trainer.export_hf import ExportSettings, export_hf
    from trainer.export_run import model_of_run
    from trainer.source_terms import require_terms

    run = model_of_run(arguments.run)
    builds = arguments.data or run.unchanged_builds()
    if arguments.license_policy:
        require_terms(arguments.license_policy, builds, "export")
    export_hf(
        ExportSettings(
            model=run.model,
            out=arguments.out,
            name=arguments.name or arguments.out.resolve().name,
            lora=arguments.lora,
            dtype=arguments.dtype,
            builds=builds,
            evaluation=arguments.evaluation,
            training=run.training,
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
