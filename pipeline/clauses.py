"""Texts that affirm and deny in turn: each clause does one of both."""

import re
from collections.abc import Sequence
from functools import lru_cache

from converters.vocabulary import terms
from pipeline.languages import ENGLISH, LANGUAGES, Language

_CLAUSE = re.compile(r"[.;\n。；]\s*")


def wrong_clause(
    text: str, affirmed: tuple[str, ...], denied: tuple[str, ...], rules: Language = ENGLISH
) -> str:
    """What is wrong with the first clause that denies what is there or affirms what is not.

    Args:
        text: Whole clauses, which end with a full stop, semicolon or line.
        affirmed: Canonical terms that are there; those of role "normal" may hold a negation.
        denied: Canonical terms that surely are not.
        rules: Of the language of the text.

    Returns:
        What is wrong, or "". A term that is denied has to be named in a clause at least.
    """
    left = set(denied)
    for clause in _CLAUSE.split(text):
        named = (*affirmed, *denied)
        words = list(map(rules.word, named))
        is_negated = bool(rules.negation.search(without_terms(clause, words, rules)))
        said = {name for name in named if _pattern(name, rules.code).search(clause)}
        wrongly = {name for name in said & set(denied) if not is_negated} or {
            name
            for name in said & set(affirmed) - set(denied)
            if is_negated and terms()[name].role != "normal"
        }
        # A longer name may hold a shorter one: "left kidney cyst" speaks of no kidney.
        spoken = {o: rules.word(o) for o in said}
        wrongly = {n for n in wrongly if not any(n != o and spoken[n] in spoken[o] for o in said)}
        if wrongly:
            return f"affirmed and denied in one clause or wrongly: {', '.join(sorted(wrongly))}"
        left -= said
    return f"not denied: {', '.join(sorted(left))}" if left else ""


def without_terms(text: str, words: Sequence[str], rules: Language) -> str:
    """A text without the words of some terms, where no word has a boundary: one may hold "no"."""
    if rules.boundary:
        return text
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, "")
    return text


@lru_cache(maxsize=4096)
def _pattern(name: str, language: str) -> re.Pattern[str]:
    rules = LANGUAGES[language]
    forms = sorted(rules.forms(frozenset([name])))
    either = "|".join(map(re.escape, forms))
    return re.compile(f"{rules.boundary}(?:{either}){rules.boundary}", re.IGNORECASE)
