"""What the terms of several sources come to together: all conditions of all of them, in words."""

from collections.abc import Iterable, Sequence

from pipeline.license_policy import Terms

# Key of a class, what it says, and what follows for the whole; in the order of the text.
_CONDITIONS = (
    ("use", "noncommercial", "No commercial use"),
    ("use", "research", "Research only"),
    ("derivatives", "share alike", "What is made of it is passed on under the same licence only"),
    ("derivatives", "no", "What is made of it is not passed on"),
    ("redistribution", "no", "Its images are not passed on"),
    ("services", "no", "It is not given to services of others"),
    ("use", "unclear", "Unclear for what it may be used"),
    ("redistribution", "unclear", "Unclear whether it may be passed on"),
    ("use", "not stated", "No licence was found, which never means free"),
    ("use", "not in the table", "The licence was never reviewed, which never means free"),
)
_WITHOUT_USE = "Whether it may be passed on is not stated, which never means that it may"


def conditions(terms: Iterable[Terms]) -> list[str]:
    """Every condition that at least one source makes, each with the sources that make it.

    Args:
        terms: Those of all sources of the mixture.
    """
    sources = sorted(terms, key=lambda one: one.source)
    lines = []
    for key, said, words in _CONDITIONS:
        lines += _line(words, [one for one in sources if one.value(key) == said])
    silent = [
        one for one in sources
        if one.value("redistribution") == "not stated" and one.value("use") != "not stated"
    ]  # fmt: skip
    lines += _line(_WITHOUT_USE, silent)
    lines += _clash(sources)
    if not lines and sources:
        lines = ["For any purpose, to pass on and to change, under the licences named"]
    return lines


def _line(words: str, sources: Sequence[Terms]) -> list[str]:
    named = ", ".join(f"{one.source} ({one.license})" for one in sources)
    return [f"{words}: {named}"] if sources else []


def _clash(sources: Sequence[Terms]) -> list[str]:
    """Licences that each ask that the whole be under them alone."""
    alike = sorted({one.license for one in sources if one.value("derivatives") == "share alike"})
    if len(alike) < 2:
        return []
    return [
        f"{' and '.join(alike)} each ask for themselves: one work made of both can be under neither"
    ]
