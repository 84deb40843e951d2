"""Which questions of a source can be used: each once, with one answer."""

from collections.abc import Sequence

from converters.records import Json


def usable(
    asked: Sequence[dict[str, str]], question: str, answer: str
) -> tuple[list[dict[str, str]], dict[str, Json]]:
    """Questions about one image with one answer, each once; and how many were left out for what.

    Args:
        asked: The questions, each with its values by name.
        question: Name of the value that asks.
        answer: Name of the value that answers.
    """
    answers: dict[str, set[str]] = {}
    for row in asked:
        answers.setdefault(_folded(row[question]), set()).add(_folded(row[answer]))
    kept: list[dict[str, str]] = []
    seen: set[str] = set()
    empty = repeated = contradicting = 0
    for row in asked:
        key = _folded(row[question])
        if not key or not _folded(row[answer]):
            empty += 1
        elif len(answers[key] - {""}) > 1:
            contradicting += 1
        elif key in seen:
            repeated += 1
        else:
            seen.add(key)
            kept.append(row)
    return kept, {"empty": empty, "repeated": repeated, "contradicting": contradicting}


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())
