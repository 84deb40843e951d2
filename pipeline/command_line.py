"""What the commands share: types of arguments, errors printed in one way, exit codes."""

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from converters.errors import GmaiError

EXIT_USER = 2
EXIT_INTERRUPTED = 130
EXIT_READER_LEFT = 141  # 128 + SIGPIPE, as other programs end: the work was not finished


# Packages that only some sources or commands need, and the extra that brings each.
_EXTRAS = {
    "nibabel": "nifti", "SimpleITK": "nifti", "h5py": "arrays", "pydicom": "dicom",
    "pylibjpeg": "dicom", "av": "video", "openslide": "slides",
    "ray": "ray",
    **dict.fromkeys(("torch", "transformers", "tokenizers", "safetensors", "sentencepiece",
                     "gguf"), "train"),
}  # fmt: skip


def positive(text: str) -> int:
    """An argument that is a whole number above zero."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above zero")
    return int(text)


def folder(text: str) -> Path:
    """An argument that names a folder; ``~`` is the home of a user."""
    if not text or "\0" in text:
        raise argparse.ArgumentTypeError("no folder is named")
    if re.match(r"[a-z][a-z0-9+.-]+://", text):
        raise argparse.ArgumentTypeError(f"{text!r} is a URL; a folder on a disk is needed")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError(f"{text!a} is not valid UTF-8") from None
    return Path(os.path.expanduser(text))  # noqa: PTH111 - Path.expanduser fails on "~nobody"


def names(allowed: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    """An argument that lists some of the allowed names, with commas between them."""

    def parse(text: str) -> tuple[str, ...]:
        given = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
        unknown = [name for name in given if name not in allowed]
        if unknown or not given:
            found = f"{', '.join(unknown)}: not known" if unknown else "names are missing"
            raise argparse.ArgumentTypeError(f"{found}; there are: {', '.join(allowed)}")
        # The order given by the user decides nothing, so that it changes no digest.
        return tuple(name for name in allowed if name in given)

    return parse


def run_command(name: str, work: Callable[[], int]) -> int:
    """Run a command; turn the user's mistakes into one message and exit code 2.

    Our own mistakes keep their traceback, and Python ends with exit code 1.
    """
    try:
        code = work()
        sys.stdout.flush()
        return code
    except GmaiError as error:
        print(f"{name}: {error}", file=sys.stderr)  # noqa: T201 - the message is the interface
        return EXIT_USER
    except ModuleNotFoundError as error:
        package = (error.name or "").split(".")[0]
        if package not in _EXTRAS:
            raise
        remedy = f"{Path(sys.executable).name} -m pip install 'gmai[{_EXTRAS[package]}]'"
        print(f"{name}: this needs {package}, which is not installed\n  {remedy}", file=sys.stderr)  # noqa: T201
        return EXIT_USER
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has left, as `| head` does. What is still buffered goes
        # nowhere; Python would complain when it closes the file.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_READER_LEFT
