"""What runs on the nodes of a cluster: making a partition, holding the model, counting.

What a node cannot do comes back as a value, so that it reaches the driver as it is.
"""

import asyncio
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from converters.errors import GmaiError, SettingsError, SourceError
from pipeline.ask_engines import EngineAsker
from pipeline.asking import Asked, Asking
from pipeline.build import Job, Made, make_partition
from pipeline.captioning import Connection, captioning
from pipeline.digests import Stamp
from pipeline.engine_mail import EngineMail, MailRoom, Question, Reply
from pipeline.version import BUILD_VERSION

_SHOWN_SECONDS = 0.2

Result: TypeAlias = Made | GmaiError | OSError


class Counter:
    """Knows how many cases each task has done; a task that was lost and made again counts once."""

    def __init__(self) -> None:
        self._done: dict[int, int] = {}

    def set(self, number: int, done: int) -> None:
        """Note how far a task is."""
        self._done[number] = max(done, self._done.get(number, 0))

    def total(self) -> int:
        """The cases of all tasks."""
        return sum(self._done.values())


class RemoteEngine:
    """Asks the model for the tasks of a cluster; reaches for it when the first question comes.

    Args:
        connection: How the model is reached.
        out: The out folder.
        number: Which of several, for the names of its journals.
    """

    def __init__(self, connection: Connection, out: Path, number: int) -> None:
        self._life = uuid.uuid4().hex
        self._context = captioning(connection, out)
        self._number = number
        self._opened: tuple[MailRoom, Asking] | None = None
        self._error: GmaiError | OSError | None = None

    async def put(self, client: str, questions: Sequence[Question]) -> str | GmaiError | OSError:
        """Begin to ask; an error where there is no captioner."""
        if self._opened is None and self._error is None:
            self._open()
        if self._opened is None:
            assert self._error, "either there is a captioner, or a reason why not"
            return self._error
        await self._opened[0].put(client, questions)
        return self._life

    async def take(self, client: str) -> tuple[str, list[Reply]]:
        """The answers that are there or come soon, and the life of the engine."""
        if self._opened is None:
            await asyncio.sleep(_SHOWN_SECONDS)
            return self._life, []
        return self._life, await self._opened[0].take(client)

    async def finish(self) -> Asked:
        """Make files of the journals; say what was asked."""
        if self._opened is None:
            return Asked()
        self._opened[0].close()
        return Asked.of(self._opened[1])

    async def end(self) -> None:
        """End the captioner, and make files of what engines that died have left."""
        if self._opened is not None:
            self._context.__exit__(None, None, None)
            self._opened = None

    def _open(self) -> None:
        try:
            asking = self._context.__enter__()
        except (GmaiError, OSError) as error:
            self._error = error
            return
        self._opened = MailRoom(asking, f"engine-{self._number:04}"), asking


def make_on_node(
    job: Job, version: str, mails: Sequence[EngineMail], on_done: Callable[[int], None]
) -> Result:
    """Make a partition.

    Args:
        job: What to make.
        version: Of this software, where the driver runs.
        mails: The engines that hold the model.
        on_done: Called now and then with the number of cases done.
    """
    done, shown = 0, time.monotonic()

    def on_case() -> None:
        nonlocal done, shown
        done += 1
        if time.monotonic() - shown > _SHOWN_SECONDS:
            shown = time.monotonic()
            on_done(done)

    try:
        _require_version(version)
        here = replace(job, stamps=_stamps_here(job))
        if here.text.model is None:
            made = make_partition(here, on_case)
        else:
            with EngineAsker(mails) as asker:
                made = make_partition(here, on_case, asker)
    except (GmaiError, OSError) as error:
        return error
    on_done(done)
    return made


def _require_version(version: str) -> None:
    if version != BUILD_VERSION:
        raise SettingsError(
            "ray",
            f"a node has version {BUILD_VERSION} of this software, the driver {version}",
            "install the same on every node, or send it along with `ray job submit --working-dir`",
        )


def _stamps_here(job: Job) -> dict[str, Stamp]:
    """The stamps of the files as this node sees them, where they are the driver's files.

    Numbers of inodes differ between the nodes of some shared disks; size and time of writing do
    not.

    Raises:
        SourceError: A file is another one, or is not there.
    """
    here = {}
    for file, stamp in job.stamps.items():
        try:
            seen = Stamp.of(job.root.path(file).stat())
        except OSError as error:
            raise job.root.unreadable(file, error) from error
        if (seen.size, seen.mtime_ns) != (stamp.size, stamp.mtime_ns):
            raise SourceError(
                job.partition.source,
                f"{file} is not the same on every node, or changed while the build ran",
                "keep the files on a disk that all nodes share, then run the same command again",
            )
        here[file] = seen
    return here
