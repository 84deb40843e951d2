"""Budgets: never more tokens than were allowed, and never a wait without end."""

import asyncio
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.token_budget import BudgetSpentError, TokenBudget


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.001
        return self.now


async def spend(budget: TokenBudget, costs: list[tuple[int, int]]) -> list[tuple[float, int]]:
    """Reserves and settles each in a task of its own; the times and what was spent."""
    done: list[tuple[float, int]] = []

    async def one(most: int, cost: int) -> None:
        reserved = await budget.reserve(most)
        await asyncio.sleep(0.002)
        budget.settle(reserved, cost)
        done.append((reserved.at, cost))

    await asyncio.gather(*(one(*cost) for cost in costs))
    return done


COSTS = st.lists(
    st.integers(1, 40).flatmap(lambda most: st.tuples(st.just(most), st.integers(0, most))),
    min_size=1,
    max_size=12,
)


@given(costs=COSTS)
@settings(max_examples=20)
def test_no_window_holds_more_than_was_allowed(costs: list[tuple[int, int]]) -> None:
    budget = TokenBudget(per_minute=50, window_seconds=0.05)
    done = sorted(asyncio.run(spend(budget, costs)))
    for begin, _ in done:
        window = [cost for at, cost in done if begin <= at < begin + 0.049]
        assert sum(window) <= 50 or len(window) == 1


@given(costs=COSTS)
@settings(max_examples=30)
def test_the_whole_is_never_overspent(costs: list[tuple[int, int]]) -> None:
    budget = TokenBudget(total=60)

    async def run() -> list[object]:
        tasks = [asyncio.ensure_future(spend(budget, [cost])) for cost in costs]
        return list(await asyncio.gather(*tasks, return_exceptions=True))

    ends = asyncio.run(run())
    assert budget.spent <= 60
    failed = [end for end in ends if isinstance(end, BaseException)]
    assert all(isinstance(end, BudgetSpentError) for end in failed)
    assert not failed or budget.spent + max(most for most, _ in costs) > 60


def test_without_limits_nobody_waits() -> None:
    async def run() -> TokenBudget:
        budget = TokenBudget()
        for _ in itertools.repeat(None, 3):
            await asyncio.wait_for(budget.reserve(1 << 40), 1)
        return budget

    assert asyncio.run(run()).spent == 0


def test_a_request_larger_than_a_window_has_one_to_itself() -> None:
    async def run() -> float:
        clock = Clock()
        budget = TokenBudget(per_minute=10, clock=clock)
        budget.settle(await budget.reserve(100), 100)
        clock.now += 61
        await asyncio.wait_for(budget.reserve(100), 1)
        return clock.now

    assert asyncio.run(run()) > 61


def test_what_is_given_back_lets_the_next_go() -> None:
    async def run() -> int:
        budget = TokenBudget(total=100)
        first = await budget.reserve(90)
        second = asyncio.ensure_future(budget.reserve(80))
        await asyncio.sleep(0.01)
        assert not second.done()
        budget.settle(first, 5)
        return (await asyncio.wait_for(second, 1)).tokens

    assert asyncio.run(run()) == 80


def test_the_message_says_what_to_do() -> None:
    async def run() -> None:
        await TokenBudget(total=5).reserve(6)

    with pytest.raises(BudgetSpentError, match="larger --budget-tokens"):
        asyncio.run(run())


def test_once_it_is_spent_nothing_is_sent_however_little_it_takes() -> None:
    async def ask() -> None:
        budget = TokenBudget(total=100)
        budget.settle(await budget.reserve(60), 60)
        for tokens in (50, 1):
            with pytest.raises(BudgetSpentError):
                await budget.reserve(tokens)

    asyncio.run(ask())
