"""Checks of free texts: what a model wrote is held against what is known of the image.

Each check is data: a code, a message, and a predicate that gives the words at fault. A text that
says only what the facts say passes all of them; what the facts do not tell must not be said, even
where it may well be true. Nothing here knows how a text came to be.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from pipeline import claimed_numbers as numbers
from pipeline import claimed_things as things
from pipeline import writing
from pipeline.claim import Asked, Claim
from pipeline.known_facts import Facts
from pipeline.mentions import read_text

_BOX = re.compile(r"\s*<box>.*?</box>|</?ref>")


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """A check: what is wrong is `message` with the words that `predicate` gives."""

    code: str
    message: str
    predicate: Callable[[Claim], list[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Wrong:
    """A check that a text fails, in words that a model can be told."""

    code: str
    message: str


def claim(text: str, facts: Facts, asked: Asked, *, is_cut: bool = False) -> Claim:
    """Read a text, to be checked; its boxes are for other checks.

    Args:
        text: What the model wrote.
        facts: What is known of the image, in the language asked for.
        asked: What the text was asked for.
        is_cut: The model stopped because it ran out of tokens.
    """
    return Claim(
        reading=read_text(_without_boxes(text), asked.language),
        facts=facts,
        asked=asked,
        given=read_text(asked.given, asked.language) if asked.given else None,
        is_cut=is_cut,
    )


def _without_boxes(text: str) -> str:
    if "<box>" not in text:
        return text
    bare = _BOX.sub("", text)
    return f"{bare}." if text.endswith("</box>") else bare


def wrongs(one: Claim) -> list[Wrong]:
    """Every check that a text fails, in the order of :data:`CHECKS`; none where it is fine."""
    found = []
    for check in CHECKS:
        at_fault = check.predicate(one)
        if at_fault:
            words = ", ".join(dict.fromkeys(at_fault))
            found.append(Wrong(code=check.code, message=check.message.format(words)))
    return found


def _leaks(one: Claim) -> list[str]:
    return [one.written(cue) for cue in one.cues("leak")]


def _refusals(one: Claim) -> list[str]:
    return [one.written(cue) for cue in one.cues("refusal")]


def _echoes(one: Claim) -> list[str]:
    sentences = one.reading.sentences
    told = [
        one.written(cue)
        for cue in one.cues("echo")
        if cue.value != "start"  # "seen here are" is none
        or cue.first == 0
        or sentences[cue.first - 1] != cue.sentence
    ]
    return told + (
        writing.echoed_prompt(one.reading.words, one.asked.prompt) if one.asked.prompt else []
    )


CHECKS: tuple[Check, ...] = (
    Check(
        code="unsupported_finding",
        message="no finding supports: {}",
        predicate=things.unsupported_findings,
    ),
    Check(
        code="unsupported_anatomy",
        message="not known to be in the image: {}",
        predicate=things.unsupported_places,
    ),
    Check(code="denied", message="not known to be absent: {}", predicate=things.denied),
    Check(code="doubted", message="stated as uncertain: {}", predicate=things.doubted),
    Check(code="history", message="of another time: {}", predicate=things.history),
    Check(code="missing_target", message="not named: {}", predicate=things.missing),
    Check(code="number", message="numbers without a fact: {}", predicate=numbers.numbers),
    Check(code="side", message="wrong or unknown side: {}", predicate=things.sides),
    Check(code="plane", message="wrong or unknown view: {}", predicate=things.planes),
    Check(code="modality", message="wrong modality: {}", predicate=things.modality),
    Check(code="sequence", message="wrong or unknown sequence: {}", predicate=things.sequence),
    Check(code="normal", message="not known to be normal: {}", predicate=things.normal),
    Check(code="qualifier", message="not known: {}", predicate=things.qualifiers),
    Check(code="contradiction", message="affirmed and denied: {}", predicate=things.contradictions),
    Check(code="count", message="wrong or unknown count: {}", predicate=numbers.counts),
    Check(code="position", message="wrong or unknown place: {}", predicate=numbers.positions),
    Check(code="answer", message="gives the answer away: {}", predicate=things.named_though_hidden),
    Check(code="leak", message="speaks of its making: {}", predicate=_leaks),
    Check(code="file_name", message="tells a file: {}", predicate=lambda one: writing.told_files(
        one.reading.text, one.facts.file_names)),
    Check(code="refusal", message="refuses or apologizes: {}", predicate=_refusals),
    Check(code="echo", message="speaks to who asked, or repeats the prompt: {}", predicate=_echoes),
    Check(code="loop", message="repeats itself: {}", predicate=lambda one: writing.loops(
        one.reading.words, one.reading.sentences)),
    Check(code="truncated", message="is not whole: {}", predicate=lambda one: writing.truncations(
        one.reading.text, one.reading.words, is_cut=one.is_cut)),
    Check(code="language", message="not in the language asked for: {}", predicate=lambda one:
        writing.wrong_script(one.reading.text, one.reading.words, one.asked.language)),
    Check(code="style", message="markup or residue: {}", predicate=lambda one: writing.unstyled(
        one.reading.text)),
)  # fmt: skip
