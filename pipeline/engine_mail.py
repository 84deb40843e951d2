"""Questions of tasks to an engine that runs elsewhere, and its answers back: the engine's side.

Each side survives the other. A task keeps a question until its answer is here, and asks again
where an engine was started anew (:mod:`pipeline.ask_engines`); the engine finds in its store what
it has answered before, so that asking again costs nothing.

Nothing here knows how calls travel; :mod:`pipeline.ray_executor` does.
"""

import asyncio
import contextlib
import threading
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, TypeAlias

from converters.errors import GmaiError
from pipeline.answers import OpenPartition
from pipeline.asking import Asking
from pipeline.captioner import Answer
from pipeline.model_request import Request

_ANSWERS_A_JOURNAL = 20_000
_TAKE_SECONDS = 1.0
_GATHER_SECONDS = 0.01  # answers of this time come together
_FORGET_SECONDS = 600.0

# Number of the question, the request, and the image or b"".
Question: TypeAlias = tuple[int, Request, bytes]
Reply: TypeAlias = tuple[int, Answer | Exception]


class EngineGoneError(Exception):
    """A call did not reach its engine, or the engine died while it answered."""


class EngineMail(Protocol):
    """An engine, as a task reaches it; both calls say which life of the engine answered."""

    async def put(self, client: str, questions: Sequence[Question]) -> str:
        """Hand in questions.

        Raises:
            EngineGoneError: They may not have arrived.
        """

    async def take(self, client: str) -> tuple[str, list[Reply]]:
        """Wait a while for answers.

        Raises:
            EngineGoneError: Answers may be lost.
        """


@dataclass(kw_only=True)
class _Box:
    """Answers that wait for a task to take them."""

    replies: list[Reply] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    taken_at: float = 0.0


class MailRoom:
    """The side of the engine; its methods run in one event loop.

    Answers go into journals of the engine, not of a partition: their number does not grow with
    that of the partitions that are open.

    Args:
        asking: The captioner and the store.
        name: Of the journals.
    """

    def __init__(self, asking: Asking, name: str) -> None:
        self._asking = asking
        self._name = name
        self._boxes: dict[str, _Box] = {}
        self._opened: list[OpenPartition] = []
        self._asked = 0
        self._number = 0
        self._rotating = threading.Lock()

    async def put(self, client: str, questions: Sequence[Question]) -> None:
        """Begin to ask; answers are taken with :meth:`take`."""
        loop = asyncio.get_running_loop()
        self._forget(loop.time())
        box = self._boxes.setdefault(client, _Box(taken_at=loop.time()))
        begun = await asyncio.to_thread(self._begin, questions)
        if isinstance(begun, Exception):
            for number, *_ in questions:
                _drop(box, (number, begun))
            return

        def pass_on(number: int, done: "Future[Answer]") -> None:
            loop.call_soon_threadsafe(_drop, box, (number, _said(done)))

        for (number, *_), future in zip(questions, begun, strict=True):
            future.add_done_callback(partial(pass_on, number))

    async def take(self, client: str) -> list[Reply]:
        """The answers that are there, or come within a second."""
        loop = asyncio.get_running_loop()
        box = self._boxes.setdefault(client, _Box())
        box.taken_at = loop.time()
        with contextlib.suppress(TimeoutError):  # nothing came: it takes nothing, and calls again
            await asyncio.wait_for(box.arrived.wait(), _TAKE_SECONDS)
            await asyncio.sleep(_GATHER_SECONDS)
        box.arrived.clear()
        replies, box.replies = box.replies, []
        return replies

    def close(self) -> None:
        """Make files of the journals.

        Raises:
            OSError: The disk is full or broken; the journals stay.
        """
        with self._rotating:
            for opened in self._opened:
                opened.close()
            self._opened.clear()

    def _begin(self, questions: Sequence[Question]) -> "list[Future[Answer]] | Exception":
        images = {request.image_digest: image for _, request, image in questions if image}
        requests = [request for _, request, _ in questions]
        try:
            return self._asking.begin(self._partition(len(requests)), requests, images)
        except (GmaiError, OSError, ValueError) as error:
            return error

    def _partition(self, more: int) -> OpenPartition:
        """The journal for so many more answers; the one before stays open for late answers."""
        with self._rotating:
            if not self._opened or self._asked > _ANSWERS_A_JOURNAL:
                self._opened.append(self._asking.store.open(f"{self._name}-{self._number:06}"))
                self._asked = 0
                self._number += 1
                for old in self._opened[:-2]:
                    old.close()
                del self._opened[:-2]
            self._asked += more
            return self._opened[-1]

    def _forget(self, now: float) -> None:
        """Drop the boxes of tasks that have died."""
        for client, box in list(self._boxes.items()):
            if now - box.taken_at > _FORGET_SECONDS:
                del self._boxes[client]


def _said(done: "Future[Answer]") -> Answer | Exception:
    error = done.exception()
    if error is None:
        return done.result()
    if isinstance(error, CancelledError) or not isinstance(error, Exception):
        return EngineGoneError("the question was given up")
    return error


def _drop(box: _Box, reply: Reply) -> None:
    box.replies.append(reply)
    box.arrived.set()
