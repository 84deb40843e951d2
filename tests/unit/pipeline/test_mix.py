"""The mix of kinds: a law of each pair and its image, never of order, partition or chance."""

import argparse
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converters.manifest import load_manifest
from converters.records import Box, Finding, Sample
from converters.vocabulary import vocabulary, words
from pipeline.cli import FORMATS
from pipeline.mix import KINDS, Mix, kept, kind_of, parse_mix
from pipeline.pairs import Pair
from pipeline.write_text import TextSettings, pairs_of, text_identity

MIX = Mix(caption=0.5, perception=0.3, instruction=0.2)
CT = load_manifest("totalsegmentator_v2").manifest
SETTINGS = TextSettings(formats=FORMATS, languages=("en", "zh"))
FORMAT_LISTS = st.lists(st.sampled_from(FORMATS), min_size=1, max_size=30)
WEIGHTS = st.tuples(*[st.floats(0, 1)] * 3).filter(lambda weights: sum(weights) > 0.01)


def mix_of(weights: tuple[float, float, float]) -> Mix:
    """A mix of weights."""
    shares = [weight / sum(weights) for weight in weights]
    return Mix(**dict(zip(KINDS, shares, strict=True)))


def numbered(names: list[str], image: int = 0) -> list[tuple[str, str]]:
    """Pairs of an image with their formats."""
    return [(f"image {image}, pair {at}", name) for at, name in enumerate(names)]


def sample(number: int) -> Sample:
    """An image of which every kind of text can be made."""
    found = tuple(
        Finding(label=name, code=name, role="organ", parts=1, position=place, area_px=2000.0,
                box=Box(x_min=left, y_min=40, x_max=left + 60, y_max=90),
                longest_diameter_mm=70.0 + left)
        for name, left, place in (("liver", 20, "center left"), ("spleen", 200, "center right"))
    )  # fmt: skip
    return Sample(
        sample_id=f"toy/{number}", case_key=str(number), image=b"x", image_format="png",
        phash="0" * 16, width=300, height=200, findings=found, absent=("heart", "stomach"),
        modality="CT", anatomy=("abdomen",), view="axial", source_path="1", spacing_mm=(1.0, 1.0),
    )  # fmt: skip


def test_every_format_is_of_one_kind() -> None:
    listed = [name for names in vocabulary()["format_kind"].values() for name in names]
    assert sorted(listed) == sorted(words("format")) == sorted(FORMATS)
    assert {kind_of(name) for name in FORMATS} == set(KINDS)


@given(FORMAT_LISTS, WEIGHTS, st.randoms(use_true_random=False))
def test_the_order_of_pairs_decides_nothing(names, weights, rng) -> None:
    pairs, mix = numbered(names), mix_of(weights)
    stays = dict(zip(pairs, kept(mix, pairs), strict=True))
    mixed = rng.sample(pairs, len(pairs))
    assert dict(zip(mixed, kept(mix, mixed), strict=True)) == stays


@given(FORMAT_LISTS, WEIGHTS)
def test_of_the_scarcest_kind_all_is_kept(names, weights) -> None:
    mix = mix_of(weights)
    counts = Counter(map(kind_of, names))
    wanted = {kind: mix.share(kind) / counts[kind] for kind in counts}
    scarce = max(wanted, key=lambda kind: wanted[kind])
    stays = kept(mix, numbered(names))
    for name, stay in zip(names, stays, strict=True):
        assert stay or kind_of(name) != scarce or not wanted[scarce]
        assert not stay or mix.share(kind_of(name)) > 0


def test_many_images_have_the_shares_that_were_asked_for() -> None:
    names = ["caption", "region_caption", *["judgement"] * 7, *["report", "conversation"] * 2]
    stay: Counter[str] = Counter()
    for image in range(3000):
        pairs = numbered(names, image)
        stay.update(
            kind_of(name) for (_, name), is_kept in zip(pairs, kept(MIX, pairs), strict=True)
            if is_kept
        )  # fmt: skip
    for kind in KINDS:
        assert stay[kind] / stay.total() == pytest.approx(MIX.share(kind), abs=0.02)


def test_what_stays_of_an_image_is_some_of_what_there_was_unchanged() -> None:
    for number in range(20):
        every = pairs_of(sample(number), CT, SETTINGS)
        some = pairs_of(sample(number), CT, replace(SETTINGS, mix=MIX))
        assert [pair for pair in every if pair in some] == some
        assert 0 < len(some) < len(every)


def test_images_made_alone_or_together_keep_the_same_pairs() -> None:
    settings = replace(SETTINGS, mix=MIX)
    together = [pairs_of(sample(number), CT, settings) for number in range(10)]
    alone = [pairs_of(sample(number), CT, settings) for number in reversed(range(10))]
    assert together == alone[::-1]


def test_a_real_image_comes_near_the_shares() -> None:
    stay: Counter[str] = Counter()
    for number in range(200):
        made = pairs_of(sample(number), CT, replace(SETTINGS, mix=MIX))
        stay.update(kind_of(pair.format) for pair in made if isinstance(pair, Pair))
    for kind in KINDS:
        assert stay[kind] / stay.total() == pytest.approx(MIX.share(kind), abs=0.05)


def test_a_mix_decides_which_shards_are_made_again() -> None:
    plain, mixed = text_identity(SETTINGS), text_identity(replace(SETTINGS, mix=MIX))
    assert "mix" not in plain
    assert mixed["mix"] == {"caption": 0.5, "perception": 0.3, "instruction": 0.2}


def test_weights_are_made_shares() -> None:
    assert parse_mix("instruction=2, caption=5,perception=3") == MIX


@pytest.mark.parametrize(
    "text",
    ["", "caption=1", "caption=1,perception=1,instruction=-1",
     "caption=a,perception=1,instruction=1",
     "caption=0,perception=0,instruction=0", "caption=1,caption=1,perception=1,instruction=1",
     "caption=1,perception=1,instruction=1,text=1", "caption=nan,perception=1,instruction=1"],
)  # fmt: skip
def test_what_is_no_mix_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        parse_mix(text)
