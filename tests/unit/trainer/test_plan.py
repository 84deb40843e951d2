"""The plan: every conversation as often as declared, in packs that fit, the same for everyone."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.plan import PlanSettings, SourcePart, epoch_order, make_plan, packs_of_rank

SIZES = st.lists(st.integers(1, 100), min_size=1, max_size=60)


def part(tokens: list[int], name: str = "a", share: float = 1.0, rows: int = 7) -> SourcePart:
    numbers = np.array(tokens, np.int64)
    return SourcePart(name=name, share=share, tokens=numbers, block=np.arange(len(tokens)) // rows)


def settings(**rest: int) -> PlanSettings:
    return PlanSettings(**{"seed": 0, "epochs": 1, "pack_tokens": 100, "packs_per_step": 3, **rest})


@given(SIZES, SIZES, st.integers(0, 99), st.integers(1, 3))
def test_an_epoch_sees_every_conversation_once(
    one: list[int], other: list[int], seed: int, epochs: int
) -> None:
    plan = make_plan([part(one), part(other, "b")], settings(seed=seed, epochs=epochs))
    assert Counter(plan.documents.tolist()) == dict.fromkeys(range(len(one) + len(other)), epochs)


@given(SIZES, st.integers(0, 99), st.integers(1, 9))
def test_no_pack_holds_more_than_it_can(tokens: list[int], seed: int, open_packs: int) -> None:
    plan = make_plan([part(tokens)], settings(seed=seed, open_packs=open_packs))
    sizes = [sum(tokens[n] for n in plan.pack(k)) for k in range(len(plan.pack_ends))]
    assert sizes == plan.pack_lengths.tolist()
    assert max(sizes) <= 100


@given(st.integers(1, 40), st.sampled_from([0.05, 0.3, 0.5, 0.75, 1.0, 2.5]), st.integers(1, 8))
def test_shares_are_exact_and_nothing_is_seen_twice_more_than_the_rest(
    size: int, share: float, epochs: int
) -> None:
    seen: Counter[int] = Counter()
    for epoch in range(epochs):
        seen.update(epoch_order([part([1] * size, share=share)], settings(), epoch).tolist())
    counts = [seen[number] for number in range(size)]
    assert sum(counts) == int(round(share * 100) * size * epochs / 100)
    assert max(counts) - min(counts) <= 1


@given(SIZES, st.integers(1, 5))
def test_ranks_share_the_packs_of_a_step(tokens: list[int], world: int) -> None:
    plan = make_plan([part(tokens)], settings())
    for step in range(plan.steps):
        of_ranks = [list(packs_of_rank(plan, step, rank, world)) for rank in range(world)]
        assert len({len(packs) for packs in of_ranks}) == 1
        together = [number for packs in of_ranks for number in packs if number is not None]
        assert sorted(together) == list(plan.packs_of_step(step))


def test_packs_stay_open_over_the_border_of_epochs() -> None:
    one, two = (make_plan([part([50, 50, 50])], settings(epochs=n)) for n in (1, 2))
    assert (len(one.pack_ends), len(two.pack_ends)) == (2, 3)


def test_another_seed_is_another_order() -> None:
    tokens = [1] * 500
    orders = [epoch_order([part(tokens)], settings(seed=seed), 0).tolist() for seed in (0, 1)]
    assert orders[0] != orders[1]
    assert orders[0] != epoch_order([part(tokens)], settings(seed=0), 1).tolist()


def test_sources_are_spread_evenly() -> None:
    order = epoch_order([part([1] * 1000), part([1] * 100, "b")], settings(), 0)
    small = np.flatnonzero(order >= 1000)
    assert np.diff(small).max() < 40


def test_conversations_of_a_row_group_are_read_near_each_other() -> None:
    window = PlanSettings(seed=0, epochs=1, pack_tokens=100, packs_per_step=1, window_blocks=4)
    order = epoch_order([part([1] * 1000, rows=10)], window, 0)
    places = [np.flatnonzero(order // 10 == block) for block in range(100)]
    assert max(one.max() - one.min() for one in places) < 40


def test_the_order_never_changes() -> None:
    plan = make_plan([part([40, 30, 20, 10] * 25), part([50] * 9, "b", share=0.5)], settings())
    assert plan.digest() == PLAN_DIGEST


PLAN_DIGEST = "sha256:042ea7f17c637dd075caa0cd7554541c9a89cbbf95d3fd842affaa89876ecb1c"


@pytest.mark.parametrize("parts", [[], [part([1] * 10, share=0.05)]])
def test_a_plan_may_be_empty(parts: list[SourcePart]) -> None:
    plan = make_plan(parts, settings())
    assert (plan.steps, plan.padding) == (0, 0.0)
