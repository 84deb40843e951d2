"""Pace: more while a server answers, half when it has too much, nothing while it is away."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converters.errors import SettingsError
from pipeline.pace import Pace, Turns, backoff_seconds

EVENT = st.sampled_from(["answered", "overloaded", "unreachable"])


@given(most=st.integers(1, 500), events=st.lists(EVENT, max_size=60))
def test_a_limit_stays_between_one_and_the_most(most: int, events: list[str]) -> None:
    pace = Pace(most=most)
    for now, event in enumerate(events):
        if event == "answered":
            pace.answered()
        elif event == "overloaded":
            pace.overloaded(sent_at=now, now=now)
        else:
            pace.unreachable(now=now)
        assert 1 <= pace.limit <= most


def test_it_is_halved_once_for_what_was_sent_before() -> None:
    pace = Pace(most=8)
    pace.overloaded(sent_at=1.0, now=2.0)
    pace.overloaded(sent_at=1.5, now=2.5)
    assert pace.limit == 4
    pace.overloaded(sent_at=2.1, now=3.0)
    assert pace.limit == 2


def test_it_grows_quickly_at_first_and_slowly_after_it_was_too_much() -> None:
    fresh, cut = Pace(most=100), Pace(most=100)
    cut.overloaded(sent_at=0, now=0)
    for _ in range(16):
        fresh.answered()
        cut.answered()
    assert fresh.limit == 24
    assert 4 < cut.limit < 8


def test_a_server_that_is_away_is_left_alone_longer_each_time() -> None:
    pace = Pace(most=8)
    now, waits = 0.0, []
    for _ in range(5):
        pace.unreachable(now=now)
        waits.append(pace.not_before - now)
        now = pace.not_before
    assert waits[4] > waits[0]
    assert not pace.has_room(now - 0.01)
    assert pace.has_room(now)


@given(failures=st.integers(0, 10_000))
def test_waiting_has_an_end(failures: int) -> None:
    assert 0.1 < backoff_seconds(failures) <= 15


async def hold(turns: Turns, held: list[int]) -> None:
    place = await turns.take()
    held.append(turns.paces[place].in_flight)
    await asyncio.sleep(0.001)
    turns.paces[place].answered()
    turns.give_back(place)


@given(servers=st.integers(1, 4), most=st.integers(1, 5), count=st.integers(0, 40))
def test_nobody_is_given_too_much_and_everybody_has_a_turn(
    servers: int, most: int, count: int
) -> None:
    async def run() -> tuple[Turns, list[int]]:
        turns, held = Turns(servers=servers, most=most), []
        await asyncio.wait_for(asyncio.gather(*(hold(turns, held) for _ in range(count))), 10)
        return turns, held

    turns, held = asyncio.run(run())
    assert len(held) == count
    assert max(held, default=0) <= most
    assert [pace.in_flight for pace in turns.paces] == [0] * servers


def test_who_gives_up_waiting_takes_no_turn() -> None:
    async def run() -> int:
        turns = Turns(servers=1, most=1)
        await turns.take()
        waiting = [asyncio.ensure_future(turns.take()) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        turns.give_back(0)
        waiting[1].cancel()  # it was given its turn, and did not begin
        await asyncio.wait_for(waiting[2], 1)
        assert [task.cancelled() for task in waiting] == [True, True, False]
        return turns.paces[0].in_flight

    assert asyncio.run(run()) == 1


def test_a_prompt_whose_time_runs_goes_before_the_others() -> None:
    async def run() -> list[str]:
        turns, order = Turns(servers=1, most=1), []
        await turns.take()

        async def one(name: str, *, is_next: bool) -> None:
            await turns.take(is_next=is_next)
            order.append(name)
            turns.give_back(0)

        tasks = [asyncio.ensure_future(one(name, is_next=name == "c")) for name in "abc"]
        await asyncio.sleep(0)
        turns.give_back(0)
        await asyncio.wait_for(asyncio.gather(*tasks), 1)
        return order

    assert asyncio.run(run()) == ["c", "a", "b"]


def test_a_failure_reaches_those_who_wait_and_those_who_come() -> None:
    async def run() -> list[BaseException | int]:
        turns = Turns(servers=1, most=1)
        await turns.take()
        waiting = asyncio.ensure_future(turns.take())
        await asyncio.sleep(0)
        turns.fail(SettingsError("a", "b"))
        return await asyncio.gather(waiting, turns.take(), return_exceptions=True)

    one, other = asyncio.run(run())
    assert str(one) == str(other) == "a: b"
    assert one is not other


def test_a_pause_that_ends_lets_those_who_wait_go() -> None:
    async def run() -> float:
        turns = Turns(servers=1, most=1)
        loop = asyncio.get_running_loop()
        turns.paces[0].overloaded(sent_at=0, now=loop.time(), pause_seconds=0.05)
        begin = loop.time()
        await asyncio.wait_for(turns.take(), 5)
        return loop.time() - begin

    assert asyncio.run(run()) == pytest.approx(0.05, abs=0.5)
