"""How many tokens may be spent: in any minute, and in all.

A request reserves the most that it may cost before it is sent, and gives back what it did not
use. So the limits hold whatever the answers turn out to be.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable

from converters.errors import GmaiError


class BudgetSpentError(GmaiError):
    """The tokens that a build may use are used; nothing is wrong, and nothing is lost."""


class Reserved:
    """Tokens set aside for one request.

    Attributes:
        at: When, in seconds of the clock of the budget.
        tokens: How many: at first the most it may cost, in the end what it did cost.
        is_recent: Whether it counts in the window.
    """

    __slots__ = ("at", "is_recent", "tokens")

    def __init__(self, at: float, tokens: int) -> None:
        self.at = at
        self.tokens = tokens
        self.is_recent = False


class TokenBudget:
    """Tokens that requests of one event loop may use.

    Attributes:
        spent: Tokens used by requests that have ended.

    Args:
        per_minute: The most in any window, or None.
        total: The most in all, or None.
        window_seconds: The window of `per_minute`.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        *,
        per_minute: int | None = None,
        total: int | None = None,
        window_seconds: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_minute = per_minute
        self._total = total
        self._window = window_seconds
        self._clock = clock
        self._recent: deque[Reserved] = deque()
        self._recent_tokens = 0
        self._open_tokens = 0
        self._open_requests = 0
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()
        self._is_spent = False
        self.spent = 0

    async def reserve(self, tokens: int) -> Reserved:
        """Set tokens aside, in the order of the calls; waits while there is no room.

        A request that is larger than the limit of a window has a window to itself.

        Raises:
            BudgetSpentError: Nothing is under way, and what is left is too little.
        """
        if self._per_minute is not None or self._total is not None:
            async with self._turn:
                while not self._fits_total(tokens) or not self._fits_window(tokens):
                    await self._wait()
        reserved = Reserved(self._clock(), tokens)
        self._open_tokens += tokens
        self._open_requests += 1
        if self._per_minute is not None:
            reserved.is_recent = True
            self._recent.append(reserved)
            self._recent_tokens += tokens
        return reserved

    def settle(self, reserved: Reserved, spent: int) -> None:
        """Say what a request did cost.

        Args:
            reserved: What was set aside for it.
            spent: Tokens; all that was set aside where it is not known.
        """
        self._open_tokens -= reserved.tokens
        self._open_requests -= 1
        self.spent += spent
        if reserved.is_recent:
            self._recent_tokens += spent - reserved.tokens
        reserved.tokens = spent
        self._changed.set()

    def _fits_total(self, tokens: int) -> bool:
        fits = self._total is None or self.spent + self._open_tokens + tokens <= self._total
        if fits and not self._is_spent:
            return True
        if self._open_requests and not self._is_spent:
            return False  # what is under way may give some back
        # From now on nothing is sent, however little it takes: the build is about to stop.
        self._is_spent = True
        raise BudgetSpentError(
            "budget",
            f"{self.spent:,} of {self._total:,} tokens are spent, and one more request may take "
            f"{tokens:,}",
            "every answer is kept: run the same command again with a larger --budget-tokens",
        )

    def _fits_window(self, tokens: int) -> bool:
        if self._per_minute is None:
            return True
        begin = self._clock() - self._window
        while self._recent and self._recent[0].at <= begin:
            oldest = self._recent.popleft()
            oldest.is_recent = False
            self._recent_tokens -= oldest.tokens
        used = self._recent_tokens
        return used == 0 or used + tokens <= self._per_minute

    async def _wait(self) -> None:
        """Until something is given back, or the oldest of a window is out of it."""
        self._changed.clear()
        left = None
        if self._recent:
            left = max(self._recent[0].at + self._window - self._clock(), 0) + 0.001
        try:
            async with asyncio.timeout(left):
                await self._changed.wait()
        except TimeoutError:
            return
