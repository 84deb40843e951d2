"""How much each of several servers is given at once.

Each server has a limit of its own that finds itself: it grows while answers come and is halved
when the server says that it has too much, as TCP does it. A server that cannot be reached, or that
asks for a pause, is left alone for that long, and the others go on.
"""

import asyncio
import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from converters.errors import GmaiError

_FIRST_LIMIT = 8.0
_FIRST_PAUSE_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 15.0


def backoff_seconds(failures: int, longest: float = _LONGEST_PAUSE_SECONDS) -> float:
    """How long to wait after so many failures: twice as long each time, and never alike."""
    most = min(longest, _FIRST_PAUSE_SECONDS * 2 ** min(failures, 16))
    return most * random.uniform(0.5, 1)  # noqa: S311  spreads requests, hides nothing


@dataclass(kw_only=True, slots=True)
class Pace:
    """What one server is given.

    Attributes:
        most: The most requests at once.
        limit: How many it is given at once now.
        in_flight: How many it has.
        not_before: It is left alone until then, in seconds of the loop's clock.
        cut_at: When the limit was halved last.
        failures: How often in a row it could not be reached.
    """

    most: int
    limit: float = field(init=False)
    in_flight: int = 0
    not_before: float = 0.0
    cut_at: float = float("-inf")
    failures: int = 0

    def __post_init__(self) -> None:
        self.limit = min(_FIRST_LIMIT, self.most)

    def has_room(self, now: float) -> bool:
        """Whether it may be given one more."""
        return now >= self.not_before and self.in_flight < int(self.limit)

    def answered(self) -> None:
        """It answered: a little more from now on, twice as much while it never had too much."""
        self.failures = 0
        is_new = self.cut_at == float("-inf")
        self.limit = min(self.most, self.limit + (1 if is_new else 1 / self.limit))

    def overloaded(self, *, sent_at: float, now: float, pause_seconds: float = 0.0) -> None:
        """It has too much: half from now on, once for all that it was given until then."""
        self.failures = 0
        if sent_at >= self.cut_at:
            self.limit = max(1.0, self.limit / 2)
            self.cut_at = now
        self.not_before = max(self.not_before, now + pause_seconds)

    def unreachable(self, *, now: float) -> None:
        """It could not be reached: left alone, longer each time."""
        if now >= self.not_before:
            self.failures += 1
        self.not_before = max(self.not_before, now + backoff_seconds(self.failures - 1))


class Turns:
    """Gives requests to servers in turn, each as much as it takes.

    Used by one event loop.

    Attributes:
        paces: One for each server.
        peak: The most requests that were in flight at once.

    Args:
        servers: How many there are.
        most: The most requests that each is given at once.
    """

    def __init__(self, *, servers: int, most: int) -> None:
        self.paces = [Pace(most=most) for _ in range(servers)]
        self.peak = 0
        self._next = 0
        self._waiting: deque[asyncio.Future[int]] = deque()
        self._failure: GmaiError | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def take(self, *, is_next: bool = False) -> int:
        """The number of a server that has room for one request, first come, first served.

        Args:
            is_next: Before all others that wait: a prompt whose time runs.

        Raises:
            GmaiError: Everything was stopped by :meth:`fail`.
        """
        if self._failure:
            raise again(self._failure)
        loop = asyncio.get_running_loop()
        place = None if self._waiting else self._free(loop.time())
        if place is None:
            ticket: asyncio.Future[int] = loop.create_future()
            if is_next:
                self._waiting.appendleft(ticket)
            else:
                self._waiting.append(ticket)
            self.serve()
            try:
                return await ticket
            except asyncio.CancelledError:
                if ticket.done() and not ticket.cancelled() and not ticket.exception():
                    self.give_back(ticket.result())
                raise
        return place

    def give_back(self, place: int) -> None:
        """A request ended; the pace was told how."""
        self.paces[place].in_flight -= 1
        self.serve()

    def fail(self, failure: GmaiError) -> None:
        """Stop: whoever waits, and whoever comes, gets the failure."""
        self._failure = self._failure or failure
        while self._waiting:
            ticket = self._waiting.popleft()
            if not ticket.done():
                ticket.set_exception(again(self._failure))

    def serve(self) -> None:
        """Let those who wait go where there is room."""
        loop = asyncio.get_running_loop()
        while self._waiting:
            if self._waiting[0].done():
                self._waiting.popleft()
                continue
            place = self._free(loop.time())
            if place is None:
                self._look_again(loop)
                return
            self._waiting.popleft().set_result(place)

    def _free(self, now: float) -> int | None:
        for step in range(len(self.paces)):
            place = (self._next + step) % len(self.paces)
            if self.paces[place].has_room(now):
                self._next = place + 1
                self.paces[place].in_flight += 1
                self.peak = max(self.peak, sum(pace.in_flight for pace in self.paces))
                return place
        return None

    def _look_again(self, loop: asyncio.AbstractEventLoop) -> None:
        """When the first pause is over."""
        if self._timer:
            self._timer.cancel()
        ends = _ends_of_pauses(self.paces, loop.time())
        self._timer = loop.call_at(min(ends) + 0.001, self.serve) if ends else None


def _ends_of_pauses(paces: Sequence[Pace], now: float) -> list[float]:
    return [pace.not_before for pace in paces if pace.not_before > now]


def again(failure: GmaiError) -> GmaiError:
    """The same failure, for somebody else to raise."""
    return type(failure)(failure.subject, failure.found, failure.remedy)
