"""What the captioner and the process of an engine say to one another, and how.

Both are ours and of the same version; the pipe between them is nobody else's.
"""

import contextlib
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import TypeAlias

from converters.records import Json
from pipeline.captioner import Answer
from pipeline.engine_settings import EngineRun, EngineSettings
from pipeline.model_request import Sampling

_TELLS = re.compile(r"\b\w*(Error|Exception): \S.*")
_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """The first message to an engine: what it is."""

    settings: EngineSettings
    run: EngineRun


@dataclass(frozen=True, kw_only=True, slots=True)
class Ready:
    """The first message of an engine: it can be asked."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """One prompt.

    Attributes:
        number: By which its answer is known.
        messages: Messages; an image stands in them as ``{"type": "image", "digest": ...}``.
        images: The images by their digest.
        schema: JSON schema of the answer, or "".
        sampling: How words are drawn.
        seed: The seed of this attempt.
    """

    number: int
    messages: list[Json]
    images: Mapping[str, bytes] = field(repr=False)
    schema: str
    sampling: Sampling
    seed: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """The answer to one prompt, or the error that is its alone.

    Attributes:
        number: The prompt.
        answer: The answer.
        cached: Tokens of the prompt that the engine had kept.
    """

    number: int
    answer: Answer
    cached: int = 0


FromEngine: TypeAlias = Ready | Said


class EngineProcess:
    """One process of an engine, with all that it starts.

    Attributes:
        log: What the engine prints.

    Args:
        command: What is run; the number of its end of the pipe is put behind.
        start: The first message.
        environment: Variables that are set for it.

    Raises:
        OSError: It cannot be started.
    """

    def __init__(self, command: Sequence[str], start: Start, environment: dict[str, str]) -> None:
        number, name = tempfile.mkstemp(prefix="gmai-engine-", suffix=".log")
        self.log = Path(name)
        self._ours, theirs = Pipe()
        path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
        try:
            self._process = subprocess.Popen(  # noqa: S603  our own module
                [*command, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=number,
                stderr=number,
                pass_fds=(theirs.fileno(),),
                env={**os.environ, "PYTHONPATH": path, **environment},
                start_new_session=True,  # so that it can be ended with all that it started
            )
        finally:
            os.close(number)
            theirs.close()
        self._unsent: queue.SimpleQueue[Start | Ask | None] = queue.SimpleQueue()
        self._sender = threading.Thread(target=self._send, name="gmai-engine-send", daemon=True)
        self._sender.start()
        self.send(start)

    @property
    def pid(self) -> int:
        """The process; it leads a group of its own."""
        return self._process.pid

    def send(self, message: Start | Ask) -> None:
        """Send, without waiting; an engine that ended gets nothing, which :meth:`receive` tells."""
        self._unsent.put(message)

    def receive(self, seconds: float) -> FromEngine | None:
        """The next message; None where there is none within that time.

        Raises:
            EOFError: The engine ended.
        """
        try:
            if self._ours.poll(seconds):
                return self._ours.recv()
        except OSError:  # in the middle of a message as well
            raise EOFError from None
        if self._process.poll() is not None:  # what it started may hold its end of the pipe
            raise EOFError
        return None

    def kill(self) -> None:
        """End it and all that it started; :meth:`receive` then tells that it ended."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def end(self) -> None:
        """Kill it, and wait until it is gone."""
        self.kill()
        self._process.wait()
        self._unsent.put(None)
        self._sender.join()
        self._ours.close()

    def why(self) -> str:
        """The first line of its log that tells of an error; before any prompt was sent."""
        lines = self.log.read_text("utf-8", "replace").splitlines()
        told = [found.group()[:300] for line in lines if (found := _TELLS.search(line))]
        return told[0] if told else "its log tells no reason"

    def _send(self) -> None:
        # Where the engine is gone, what is left is sent to nobody: its prompts go to the next.
        with contextlib.suppress(OSError):
            while (message := self._unsent.get()) is not None:
                self._ours.send(message)


EngineStarter: TypeAlias = Callable[[int], EngineProcess]
VLLM_ENGINE = (sys.executable, "-m", "pipeline.vllm_engine")


def connection_of(number: str) -> Connection:
    """The engine's end of the pipe, by its number."""
    return Connection(int(number))
