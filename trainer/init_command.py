"""The subcommand ``gmai-train init``: puts a starting model together."""

import argparse
from pathlib import Path

from trainer.chat_formats import FORMATS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``init`` to a parser."""
    parser.add_argument("--vision", type=Path, metavar="DIR",
                        help="folder of a CLIP model, or random-small")  # fmt: skip
    parser.add_argument("--language", type=Path, metavar="PATH",
                        help="folder of a language model, or a GGUF file")  # fmt: skip
    parser.add_argument("--tiny", action="store_true",
                        help="random weights of a tiny model, in place of both")  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    parser.add_argument("--chat-format", choices=sorted(FORMATS), metavar="NAME",
                        help="where the tokenizer does not tell it: "
                        + ", ".join(sorted(FORMATS)))  # fmt: skip
    parser.add_argument("--fit", choices=("pad", "crop"), default="pad",
                        help="how a picture becomes square (default: pad)")  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, metavar="N",
                        help="of the weights that start at random (default: 0)")  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Do what ``gmai-train init`` was asked, and print what the model is made of.

    Raises:
        TrainerError: A part is missing or does not fit, or the folder is taken.
    """
    from trainer.errors import TrainerError

    parts = (arguments.vision, arguments.language)
    if arguments.tiny != (parts == (None, None)) or (not arguments.tiny and None in parts):
        raise TrainerError(
            "gmai-train init", "a model has two parts", "give --vision and --language, or --tiny"
        )
    if (arguments.out / "config.json").exists():
        raise TrainerError(str(arguments.out), "holds a model already", "name another folder")
    print(_init(arguments))  # noqa: T201 - what the command is for
    return 0


def _init(arguments: argparse.Namespace) -> str:
    from transformers.utils import logging

    logging.disable_progress_bar()
    if arguments.tiny:
        from trainer.init_tiny import init_tiny

        return init_tiny(
            arguments.out,
            chat_format=arguments.chat_format or "smollm2",
            fit=arguments.fit,
            seed=arguments.seed,
        ).text()
    from trainer.init_model import init_model

    return init_model(
        arguments.vision,
        arguments.language,
        arguments.out,
        chat_format=arguments.chat_format,
        fit=arguments.fit,
        seed=arguments.seed,
    ).text()
