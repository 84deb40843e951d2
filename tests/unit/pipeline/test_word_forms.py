"""Promises of synonyms.csv and cues.csv, and of the forms that are made of them."""

import csv

import pytest

from converters.vocabulary import MANIFESTS, terms
from pipeline.phrases import words_of
from pipeline.word_forms import forms_of, phrases, synonyms

KINDS = {
    "negation", "pseudo", "uncertain", "history", "comparison", "stop", "side", "position",
    "modality", "plane", "sequence", "anatomy", "finding", "normal", "qualifier", "count", "leak",
    "refusal", "echo",
}  # fmt: skip


def rows(name: str) -> list[dict[str, str]]:
    with (MANIFESTS / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_synonym_is_of_a_term() -> None:
    assert {one.term for one in synonyms()} <= set(terms())


def test_no_form_names_two_terms() -> None:
    named: dict[tuple[str, tuple[str, ...]], set[str]] = {}
    for name, one in terms().items():
        for form in {one.term, one.plural}:
            named.setdefault(("en", words_of(form)), set()).add(name)
    shared = {key for key, names in named.items() if len(names) > 1}  # a plural that is a term
    for one in synonyms():
        named.setdefault((one.language, words_of(one.form)), set()).add(one.term)
    assert {key for key, names in named.items() if len(names) > 1} == shared


@pytest.mark.parametrize("name", ["synonyms.csv", "cues.csv"])
def test_rows_are_sorted_and_stand_once(name: str) -> None:
    keys = [tuple(row.values()) for row in rows(name)]
    assert len(keys) == len(set(keys))
    assert [key[0].casefold() for key in keys] == sorted(key[0].casefold() for key in keys)


def test_cues_are_of_known_kinds() -> None:
    assert {row["kind"] for row in rows("cues.csv")} == KINDS


def test_scopes_say_their_direction() -> None:
    scopes = [r for r in rows("cues.csv") if r["kind"] in ("negation", "uncertain", "history")]
    assert {row["value"] for row in scopes} == {"before", "after"}


def test_a_term_has_plurals_and_adjectives_among_its_forms() -> None:
    assert {"kidney cyst", "kidney cysts", "renal cyst", "renal cysts"} <= set(
        forms_of("kidney cyst", "en")
    )


def test_every_term_is_found_by_each_of_its_forms() -> None:
    known = phrases("en")
    for name, one in terms().items():
        if one.role != "normal":
            for form in forms_of(name, "en"):
                assert any(f.value in (one.base, one.term) for f in known.get(words_of(form))), form


def test_what_is_normal_is_no_name() -> None:
    assert not any(f.kind == "term" for f in phrases("en").get(words_of("no fracture")))
