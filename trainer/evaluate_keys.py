"""What an answer comes down to, where there is one right one.

A judgement comes down to yes or no, a choice to its letters, the naming of a box to the names.
"A. glioma" and "The answer is A. glioma" come down to the same, so that a model is not marked
down for its manner.
"""

import re
from collections.abc import Callable, Mapping

_LETTERS = re.compile(r"(?<![A-Za-z0-9])([A-H])\. ?")
_NAMES = re.compile(r"<ref>(.*?)</ref>")
_YES = re.compile(r"yes\b|是", re.IGNORECASE)
_NO = re.compile(r"no\b|否|不|没", re.IGNORECASE)


def _judgement(question: str, answer: str) -> str | None:
    text = answer.strip()
    if _NO.match(text):
        return "no"
    return "yes" if _YES.match(text) else None


def _letters(question: str, answer: str) -> str | None:
    offered = set(_LETTERS.findall(question))
    given = {letter for letter in _LETTERS.findall(answer) if letter in offered}
    return "".join(sorted(given)) or None


def _names(question: str, answer: str) -> str | None:
    # Where a box is asked for, its numbers are the answer.
    if "<box>" not in question:
        return None
    return ", ".join(sorted(name.strip() for name in _NAMES.findall(answer))) or None


_KEYS: Mapping[str, Callable[[str, str], str | None]] = {
    "judgement": _judgement,
    "single_choice": _letters,
    "multiple_choice": _letters,
    "detection": _names,
}
KEYED_FORMATS = tuple(_KEYS)


def answer_key(row_format: str, question: str, answer: str) -> str | None:
    """What an answer comes down to; None where it comes down to nothing.

    Args:
        row_format: Kind of text, as in the shard.
        question: Text of the question.
        answer: Text of an answer, the right one or a model's.
    """
    key = _KEYS.get(row_format)
    return key(question, answer) if key else None
