"""How the commands of the trainer end: one message for what the user can mend."""

import os
import sys
from collections.abc import Callable

from trainer.errors import TrainerError

EXIT_USER = 2
EXIT_INTERRUPTED = 130
EXIT_READER_LEFT = 141  # 128 + SIGPIPE, as other programs end: the work was not finished
_EXTRA = ("torch", "transformers", "tokenizers", "safetensors", "sentencepiece", "gguf")


def run_command(name: str, work: Callable[[], int]) -> int:
    """Run a command and tell how it ended, by an exit code.

    Args:
        name: Of the command, for messages.
        work: What it does.
    """
    try:
        code = work()
        sys.stdout.flush()
        return code
    except TrainerError as error:
        print(f"{name}: {error}", file=sys.stderr)  # noqa: T201 - the message is the interface
        return EXIT_USER
    except ModuleNotFoundError as error:
        package = (error.name or "").split(".")[0]
        if package not in _EXTRA:
            raise
        print(f"{name}: this needs {package}, which is not installed\n"  # noqa: T201
              "  pip install 'gmai[train]'", file=sys.stderr)  # fmt: skip
        return EXIT_USER
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_READER_LEFT
