"""Promises of the search for phrases."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pipeline.phrases import Phrases, cut_words, spans, words_of

WORDS = st.lists(st.sampled_from(["a", "b", "c", ","]), min_size=1, max_size=4)


def found(phrases: list[str], text: str) -> list[str]:
    made: Phrases[str] = Phrases()
    for phrase in phrases:
        made.add(words_of(phrase), phrase)
    return [value for hit in made.find(cut_words(text)) for value in hit.values]


def test_the_longest_of_those_that_begin_at_a_place_is_found() -> None:
    assert found(["lung", "lung nodule"], "A lung nodule, a lung.") == ["lung nodule", "lung"]


def test_a_part_of_a_word_is_no_word() -> None:
    assert found(["rib", "lung"], "The ribbon lies along the plunge.") == []


def test_hyphens_capitals_and_british_spelling_make_no_difference() -> None:
    assert found(["ground-glass opacity"], "Ground Glass OPACITY") == ["ground-glass opacity"]
    assert found(["brain tumor"], "a brain tumour") == ["brain tumor"]


def test_punctuation_stands_between_words() -> None:
    assert found(["lung nodule"], "the lung, nodule") == []


def test_an_abandoned_long_phrase_gives_back_the_short_one() -> None:
    assert found(["a", "a b c d", "b c"], "a b c x") == ["a", "b c"]


def test_chinese_is_found_without_spaces() -> None:
    assert found(["左肾", "肾囊肿"], "可见左肾及肾囊肿。") == ["左肾", "肾囊肿"]


def test_a_phrase_may_have_several_values() -> None:
    made: Phrases[int] = Phrases()
    made.add(("brain",), 1)
    made.add(("brain",), 2)
    assert made.get(("brain",)) == (1, 2)
    assert made.get(("liver",)) == ()


@given(st.lists(WORDS, max_size=5), st.lists(st.sampled_from("abc,"), max_size=12))
def test_hits_are_phrases_do_not_overlap_and_none_is_missed(
    phrases: list[list[str]], text: list[str]
) -> None:
    made: Phrases[int] = Phrases()
    for phrase in phrases:
        made.add(phrase, 0)
    hits = made.find(text)
    assert all(text[hit.start : hit.end] in phrases for hit in hits)
    assert all(a.end <= b.start for a, b in pairwise(hits))
    inside = {place for hit in hits for place in range(hit.start, hit.end)}
    for first in set(range(len(text))) - inside:
        assert not any(text[first : first + len(phrase)] == phrase for phrase in phrases)


@given(st.text())
def test_every_word_has_its_place_in_the_text(text: str) -> None:
    places = spans(text)
    assert len(places) == len(cut_words(text))
    assert all(0 <= start < end <= len(text) for start, end in places)
