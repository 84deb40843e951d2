"""Texts that affirm and deny in turn: each clause does one of both."""

import re
from functools import lru_cache

from converters.vocabulary import terms

_CLAUSE = re.compile(r"[.;\n]\s*")
_NEGATION = re.compile(r"\b(?:no|not|never|neither|without|absent|cannot)\b", re.IGNORECASE)


def wrong_clause(text: str, affirmed: tuple[str, ...], denied: tuple[str, ...]) -> str:
    """What is wrong with the first clause that denies what is there or affirms what is not.

    Args:
        text: An English text of whole clauses, which end with a full stop, semicolon or line.
        affirmed: Canonical terms that are there; those of role "normal" may hold a negation.
        denied: Canonical terms that surely are not.

    Returns:
        What is wrong, or "". A term that is denied has to be named in a clause at least.
    """
    left = set(denied)
    for clause in _CLAUSE.split(text):
        is_negated = bool(_NEGATION.search(clause))
        said = {name for name in (*affirmed, *denied) if _pattern(name).search(clause)}
        wrongly = {name for name in said & set(denied) if not is_negated} or {
            name
            for name in said & set(affirmed) - set(denied)
            if is_negated and terms()[name].role != "normal"
        }
        # A longer name may hold a shorter one: "left kidney cyst" speaks of no kidney.
        wrongly = {n for n in wrongly if not any(n != o and n in o for o in said)}
        if wrongly:
            return f"affirmed and denied in one clause or wrongly: {', '.join(sorted(wrongly))}"
        left -= said
    return f"not denied: {', '.join(sorted(left))}" if left else ""


@lru_cache(maxsize=4096)
def _pattern(name: str) -> re.Pattern[str]:
    forms = {name, terms()[name].plural}
    return re.compile(r"\b(?:" + "|".join(map(re.escape, sorted(forms))) + r")\b", re.IGNORECASE)
