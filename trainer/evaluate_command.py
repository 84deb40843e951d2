"""gmai-eval: how well a model does on held-out rows, and how well without their images."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.command_line import positive, run_command


def parser() -> argparse.ArgumentParser:
    """The command line of gmai-eval."""
    out = argparse.ArgumentParser(
        prog="gmai-eval",
        description="How well a model does on held-out rows, and how well without their images.",
    )
    out.add_argument("run", type=Path, metavar="RUN", help="folder of a run, or of a model")
    out.add_argument("--data", type=Path, action="append", required=True, metavar="DIR",
                     help="a build to take rows from (repeatable)")  # fmt: skip
    out.add_argument("--split", choices=("validation", "test"), default="test",
                     help="which rows (default: test)")  # fmt: skip
    out.add_argument("--limit", type=positive, default=500, metavar="N",
                     help="most rows, spread over sources and formats (default: 500)")  # fmt: skip
    out.add_argument("--formats", metavar="A,B", help="only these kinds of text")
    out.add_argument("--seed", type=int, default=0, metavar="N",
                     help="of the draw of rows and of the control (default: 0)")  # fmt: skip
    out.add_argument("--loss-only", action="store_true", help="generate no answers")
    out.add_argument("--batch", type=positive, default=8, metavar="N",
                     help="rows that are answered at a time (default: 8)")  # fmt: skip
    out.add_argument("--device", default="cpu", metavar="NAME", help="cpu or cuda (default: cpu)")
    out.add_argument("--out", type=Path, metavar="FILE", help="file for the figures, as JSON")
    return out


def main(argv: Sequence[str] | None = None) -> int:
    """Run gmai-eval; the exit code is 0 or 2 (the user's mistake)."""
    arguments = parser().parse_args(argv)
    return run_command("gmai-eval", lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    from trainer.evaluate import evaluate
    from trainer.evaluate_rows import held_out
    from trainer.export_receipts import read_receipt

    formats = tuple(arguments.formats.split(",")) if arguments.formats else None
    rows = held_out(
        arguments.data, arguments.split, limit=arguments.limit, seed=arguments.seed, formats=formats
    )
    model = load_model(arguments.run, arguments.device)
    found = {
        "split": arguments.split,
        "seed": arguments.seed,
        "builds": [read_receipt(build).digest for build in arguments.data],
        **evaluate(model, rows, generates=not arguments.loss_only, batch_rows=arguments.batch),
    }
    print(table(found))  # noqa: T201 - what the command is for
    if arguments.out:
        text = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
        arguments.out.write_text(text, encoding="utf-8")
    return 0


def load_model(run: Path, device: str) -> Any:  # noqa: ANN401 - its type would load torch
    """A trained model, ready to be asked."""
    from transformers import LlavaForConditionalGeneration
    from transformers.utils import logging

    from trainer.chat import load_chat
    from trainer.evaluate import Model
    from trainer.export_run import model_of_run
    from trainer.images import load_image_settings

    logging.disable_progress_bar()
    folder = model_of_run(run).model
    net = LlavaForConditionalGeneration.from_pretrained(folder, local_files_only=True, dtype="auto")
    return Model(
        net=net.to(device).eval(), chat=load_chat(folder), images=load_image_settings(folder)
    )


def table(found: Mapping[str, Any]) -> str:
    """The figures for a person: groups by line."""
    head = f"{'':<36}{'rows':>6}{'loss':>8}{'control':>9}{'answers':>9}{'right':>8}"
    lines = [f"split {found['split']}, {found['rows']} rows; the control is shown another image",
             head + f"{'control':>9}{'guess':>8}"]  # fmt: skip
    for group in found["groups"]:
        name = f"{group['by']} {group['name']}".strip()
        line = f"{name:<36}{group['rows']:>6}{group['loss']:>8.3f}{group['loss_shuffled']:>9.3f}"
        line += f"{group['answers']:>9}"
        if group["answers"]:
            right, control, guess = (
                f"{group[word] / group['answers']:.1%}"
                for word in ("exact", "exact_shuffled", "guess")
            )
            line += f"{right:>8}{control:>9}{guess:>8}"
        lines.append(line)
    left_out = ", ".join(f"{reason} {count}" for reason, count in found["left_out"].items())
    return "\n".join(lines + ([f"left out: {left_out}"] if left_out else []))


if __name__ == "__main__":
    sys.exit(main())
