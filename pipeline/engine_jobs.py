"""Prompts on their way to an engine, and which of them goes next.

A prompt that was with an engine when it ended is put back before all others. One that saw two ends
is given to an engine alone: where that ends too, it is this prompt that the engine does not
survive.
"""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from converters.errors import GmaiError
from converters.records import Json
from pipeline.captioner import Answer
from pipeline.engine_messages import Ask
from pipeline.model_request import Request
from pipeline.pace import again

_ALONE_AFTER = 2  # ends that a prompt saw


@dataclass(kw_only=True, eq=False, slots=True)
class Job:
    """One prompt on its way.

    Attributes:
        request: What is asked.
        image: The image that goes with it, or b"".
        on_answer: Called with a whole answer before the future has it.
        future: Where the answer goes.
        number: In order of arrival.
        ends_seen: How often an engine ended while it had this prompt.
    """

    request: Request
    image: bytes = field(repr=False)
    on_answer: Callable[[Answer], None]
    future: "Future[Answer]"
    number: int = 0
    ends_seen: int = 0

    def ask(self) -> Ask:
        """The message to an engine."""
        digest = self.request.image_digest
        part: Json = {"type": "image", "digest": digest}
        return Ask(
            number=self.number,
            messages=self.request.messages(part),
            images={digest: self.image} if digest else {},
            schema=self.request.schema,
            sampling=self.request.sampling,
            seed=self.request.seed,
        )

    def settle(self, answer: Answer) -> None:
        """Give the answer to whoever waits."""
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            if not answer.error:
                self.on_answer(answer)
        except BaseException as error:  # noqa: BLE001  whatever it is, the future raises it
            self.future.set_exception(error)
        else:
            self.future.set_result(answer)

    @property
    def is_suspect(self) -> bool:
        """Whether an engine gets it alone."""
        return self.ends_seen >= _ALONE_AFTER

    def fail(self, error: GmaiError) -> None:
        """Give everybody the same error."""
        if self.future.set_running_or_notify_cancel():
            self.future.set_exception(again(error))


class JobQueue:
    """Prompts that wait; used under a lock."""

    def __init__(self) -> None:
        self._waiting: deque[Job] = deque()
        self._suspects: deque[Job] = deque()
        self._count = 0

    def put(self, job: Job) -> None:
        """A new prompt, behind all others."""
        self._count += 1
        job.number = self._count
        self._waiting.append(job)

    def put_back(self, jobs: Sequence[Job]) -> list[Job]:
        """The prompts that an engine had when it ended go before all others.

        Returns:
            The one that it had alone, and ended over; nobody will ask it again.
        """
        guilty = [job for job in jobs if job.is_suspect and len(jobs) == 1]
        for job in sorted(jobs, key=lambda job: -job.number):
            job.ends_seen += 1
            if job not in guilty:
                (self._suspects if job.is_suspect else self._waiting).appendleft(job)
        return guilty

    def take(self, held: Sequence[Job], most: int) -> list[Job]:
        """The prompts that an engine is given now.

        Args:
            held: What it has.
            most: The most that it may have.
        """
        if self._suspects:
            return [] if held else [self._suspects.popleft()]
        if any(job.is_suspect for job in held):
            return []
        room = min(most - len(held), len(self._waiting))
        return [self._waiting.popleft() for _ in range(room)]

    def take_all(self) -> list[Job]:
        """Everything that waits."""
        jobs = [*self._suspects, *self._waiting]
        self._suspects.clear()
        self._waiting.clear()
        return jobs
