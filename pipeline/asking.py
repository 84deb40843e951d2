"""Questions to a model through the store of answers: what is kept is not asked again.

This is what a build calls. The same request twice, in one partition or in two that are open at
once, is sent once.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from typing import Protocol

from pipeline.answers import AnswerStore, OpenPartition
from pipeline.captioner import Answer, Usage
from pipeline.model_request import Request


class ModelCaptioner(Protocol):
    """What is needed of a captioner with a model, see :mod:`pipeline.openai_captioner`."""

    name: str
    usage: Usage

    def submit(
        self, request: Request, image: bytes = b"", on_answer: Callable[[Answer], None] = ...
    ) -> "Future[Answer]":
        """Begin to ask."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What a model was asked in a build.

    Attributes:
        sent: Requests that went to the captioner.
        from_store: Requests that the store answered.
        tokens_in: Tokens read.
        tokens_out: Tokens written.
    """

    sent: int = 0
    from_store: int = 0
    tokens_in: int = 0
    tokens_out: int = 0

    @classmethod
    def of(cls, asking: "Asking") -> "Asked":
        """What was asked so far."""
        usage = asking.captioner.usage
        return cls(
            sent=asking.sent,
            from_store=asking.from_store,
            tokens_in=usage.tokens_in,
            tokens_out=usage.tokens_out,
        )

    def __add__(self, other: "Asked") -> "Asked":
        return Asked(
            sent=self.sent + other.sent,
            from_store=self.from_store + other.from_store,
            tokens_in=self.tokens_in + other.tokens_in,
            tokens_out=self.tokens_out + other.tokens_out,
        )


@dataclass(kw_only=True)
class Asking:
    """Asks a captioner what the store cannot answer; used by several threads.

    Attributes:
        captioner: The model.
        store: The answers.
        from_store: Requests that the store answered.
        shared: Requests that were on their way already.
        sent: Requests that went to the captioner.
    """

    captioner: ModelCaptioner
    store: AnswerStore
    from_store: int = 0
    shared: int = 0
    sent: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _under_way: dict[str, "Future[Answer]"] = field(default_factory=dict)

    def begin(
        self,
        partition: OpenPartition,
        requests: Sequence[Request],
        images: Mapping[str, bytes] | None = None,
    ) -> list["Future[Answer]"]:
        """Begin to ask, and return at once: one future a request, in order.

        Each answer is put into the partition before its future has it.

        Args:
            partition: What the answers are for.
            requests: What is asked.
            images: Images by their digest.

        Raises:
            SettingsError: Images may not be sent.
        """
        futures, new = self._places(requests)
        begun = 0
        try:
            kept = self.store.find((request.key for request, _ in new), keep_in=partition)
            for request, place in new:
                if request.key in kept:
                    self._settle(request.key, place, kept[request.key])
                    self.from_store += 1
                else:
                    self._send(partition, request, images or {}, place)
                begun += 1
        finally:
            for request, place in new[begun:]:  # after an error, nobody waits for these
                self._fail(request.key, place, CancelledError())
        return futures

    def ask(
        self,
        partition: OpenPartition,
        requests: Sequence[Request],
        images: Mapping[str, bytes] | None = None,
    ) -> list[Answer]:
        """One answer a request, in order.

        Raises:
            GmaiError: No prompt can be answered any more, or images may not be sent.
            OSError: An answer cannot be kept: the disk is full or broken.
        """
        return [future.result() for future in self.begin(partition, requests, images)]

    def _places(
        self, requests: Sequence[Request]
    ) -> tuple[list["Future[Answer]"], list[tuple[Request, "Future[Answer]"]]]:
        """A future for each request, and which of them are nobody else's yet."""
        futures = []
        new = []
        with self._lock:
            for request in requests:
                place = self._under_way.get(request.key)
                if place is None:
                    place = self._under_way[request.key] = Future()
                    # One waiter cannot cancel what others wait for.
                    place.set_running_or_notify_cancel()
                    new.append((request, place))
                else:
                    self.shared += 1
                futures.append(place)
        return futures, new

    def _send(
        self,
        partition: OpenPartition,
        request: Request,
        images: Mapping[str, bytes],
        place: "Future[Answer]",
    ) -> None:
        asked = self.captioner.submit(
            request,
            images.get(request.image_digest, b""),
            lambda answer: partition.put(request.key, answer),
        )
        self.sent += 1
        asked.add_done_callback(lambda done: self._pass_on(request.key, place, done))

    def _pass_on(self, key: str, place: "Future[Answer]", done: "Future[Answer]") -> None:
        error = CancelledError() if done.cancelled() else done.exception()
        if error:
            self._fail(key, place, error)
        else:
            self._settle(key, place, done.result())

    def _settle(self, key: str, place: "Future[Answer]", answer: Answer) -> None:
        with self._lock:
            self._under_way.pop(key, None)
        place.set_result(answer)

    def _fail(self, key: str, place: "Future[Answer]", error: BaseException) -> None:
        with self._lock:
            self._under_way.pop(key, None)
        place.set_exception(error)
