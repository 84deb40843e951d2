"""Checks that every text passes before it becomes a pair.

A check is a name and a function that says what is wrong, or "". What a text may say is known
from the draft that it was made from: labels, numbers, boxes, options.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from converters.vocabulary import terms
from pipeline.box_notation import MOST
from pipeline.clauses import without_terms, wrong_clause
from pipeline.languages import LANGUAGES, Language
from pipeline.phrasing import said_words, spoken
from pipeline.view import LETTERS, Draft, View

_BOX = re.compile(r"<box>\[(.*?)\]</box>")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Text:
    """A question and its answer, with what they were made from."""

    question: str
    answer: str
    draft: Draft
    view: View
    language: str = "en"

    @property
    def rules(self) -> Language:
        """What holds in its language."""
        return LANGUAGES[self.language]


def failed_check(text: Text) -> tuple[str, str] | None:
    """The name of the first check that a text fails and what is wrong, or None.

    The text is one turn of a conversation, which has a draft of its own.
    """
    for name, check in CHECKS.items():
        wrong = check(text)
        if wrong:
            return name, wrong
    return None


def names_of_checks(draft: Draft) -> tuple[str, ...]:
    """The checks that say something of a draft."""
    return ("complete",) if draft.is_own_text else tuple(CHECKS)


def _complete(text: Text) -> str:
    return "" if text.question.strip() and text.answer.strip() else "question or answer is empty"


@lru_cache(maxsize=128)
def _mentions(
    language: str, labels: frozenset[str], anatomy: tuple[str, ...]
) -> tuple[re.Pattern[str], dict[str, frozenset[str]]]:
    """A pattern for every term of a source, longest first, and the terms of each form."""
    rules = LANGUAGES[language]
    forms = dict(rules.forms(labels))
    for name, said in said_words(language, "anatomies").items():
        if name in anatomy:
            forms[said.lower()] = forms.get(said.lower(), frozenset()) | {name}
    ordered = sorted(forms, key=lambda form: (-len(form), form))
    either = "|".join(map(re.escape, ordered))
    return re.compile(f"{rules.boundary}(?:{either}){rules.boundary}", re.IGNORECASE), forms


def _said(text: Text, words: str, allowed: set[str]) -> list[str]:
    """Terms of the source that some words name and that are not allowed."""
    labels = frozenset().union(*text.view.labels)
    if not labels:
        return []
    pattern, forms = _mentions(text.language, labels, text.view.sample.anatomy)
    found = {forms[match.lower()] for match in pattern.findall(words)}
    return sorted({min(names) for names in found if not names & allowed})


def _labels(text: Text) -> str:
    """Nothing is said to be there that is not, and nothing is denied that may be there."""
    if text.draft.is_own_text:
        return ""
    sample = text.view.sample
    present = {finding.label for finding in sample.findings}
    if not set(text.draft.labels) <= present or not set(text.draft.denied) <= set(sample.absent):
        return "the draft speaks of what is not known"
    allowed = present | set(text.draft.denied) | set(sample.anatomy)
    said = _said(text, text.answer, allowed)
    if said:
        return f"says {', '.join(said)}"
    allowed |= {*text.draft.asked, *text.draft.options}
    asked = _said(text, text.question, allowed)
    return f"asks for {', '.join(asked)}" if asked else ""


def _polarity(text: Text) -> str:
    """What is there is affirmed, and what is not is denied."""
    draft = text.draft
    if draft.is_own_text:
        return ""
    if draft.denied and draft.labels:
        return wrong_clause(text.answer, draft.labels, draft.denied, text.rules)
    if draft.denied:
        return "" if text.rules.denial.match(text.answer) else "what is absent is not denied"
    is_no = draft.template == "judgement/region.en.j2" and set(draft.asked) != set(draft.labels)
    named = [terms()[name] for name in (*draft.labels, *draft.options) if name in terms()]
    has_normal = any(term.role == "normal" for term in named)
    words = [spoken(text.language, name) for name in (*draft.labels, *draft.options)]
    negated = text.rules.negation.search(without_terms(text.answer, words, text.rules))
    if is_no or has_normal or not negated:
        return ""
    return f"what is there is denied: {negated.group()!r}"


def _numbers(text: Text) -> str:
    """Every number outside boxes comes from a fact."""
    if text.draft.is_own_text:
        return ""
    found = set(_NUMBER.findall(text.rules.numbers(_BOX.sub("", text.answer))))
    if not found:
        return ""
    known = set(_NUMBER.findall(" ".join(_strings(text.draft.variables))))
    return f"numbers without a fact: {', '.join(sorted(found - known))}" if found - known else ""


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _strings(inner)
    elif value is not None:
        yield str(value)


def _boxes(text: Text) -> str:
    """Every box is a finding's, lies inside the image and has an area."""
    if text.draft.is_own_text:
        return ""
    marked = {(finding.label, finding.box) for finding in text.view.sample.findings}
    if not set(text.draft.boxes) <= marked:
        return "the draft has a box that no finding has"
    known = {text.view.numbers(box) for _, box in text.draft.boxes}
    said = [
        tuple(part.strip() for part in row.split(","))
        for inside in _BOX.findall(f"{text.question} {text.answer}")
        for row in inside.strip("[]").split("], [")
    ]
    if set(said) != known:
        return "boxes are not those of the findings"
    most = MOST[text.view.notation]
    for x_min, y_min, x_max, y_max in (map(float, row) for row in said):
        if not (0 <= x_min < x_max <= most and 0 <= y_min < y_max <= most):
            return f"box {x_min}, {y_min}, {x_max}, {y_max} is not inside the image"
    return ""


def _leak(text: Text) -> str:
    """The question does not give its answer away."""
    draft = text.draft
    is_open = draft.template in ("detection/name.en.j2", "region_caption/region.en.j2")
    if not (draft.options or is_open or draft.is_open):
        return ""
    asked = text.question.split("\n", 1)[0].lower()
    rules = text.rules
    told = [
        name
        for name in draft.labels
        if re.search(rules.boundary + re.escape(rules.word(name).lower()) + rules.boundary, asked)
    ]
    return f"the question names {told[0]}" if told else ""


def _options(text: Text) -> str:
    """Options differ, the right ones are known, and the answer is their letters and words."""
    draft = text.draft
    if not draft.options:
        return ""
    words = [spoken(text.language, name) for name in draft.options]
    if len(set(words)) < max(2, len(words)):
        return "options are repeated or missing"
    present = {finding.label for finding in text.view.sample.findings}
    is_image = not draft.boxes
    meant = list(draft.rights or (draft.right,))
    there = [name for name in draft.options if name in present]
    # "None of these" is right where no option is there, and only then.
    right = (there or meant) if is_image else meant
    if sorted(right) != sorted(meant):
        return f"right options: {', '.join(right) or 'none'}"
    said = {
        name
        for letter, name, word in zip(LETTERS, draft.options, words, strict=False)
        if re.search(rf"(?<![A-Z]){letter}\. {re.escape(word)}(?![\w-])", text.answer)
    }
    return "" if said == set(meant) else "the answer is not the right option"


def _language(text: Text) -> str:
    if text.draft.is_own_text:
        return ""
    rules = text.rules
    foreign = rules.foreign.search(text.question) or rules.foreign.search(text.answer)
    if foreign:
        return f"not {rules.name}: {foreign.group()!r}"
    is_written = rules.letters.search(text.question) and rules.letters.search(text.answer)
    return "" if is_written else f"nothing in {rules.name}"


def _residue(text: Text) -> str:
    if text.draft.is_own_text:
        return ""
    found = text.rules.residue.search(text.question) or text.rules.residue.search(text.answer)
    return f"left from the template: {found.group()!r}" if found else ""


CHECKS: dict[str, Callable[[Text], str]] = {
    "complete": _complete,
    "labels": _labels,
    "polarity": _polarity,
    "numbers": _numbers,
    "boxes": _boxes,
    "leak": _leak,
    "options": _options,
    "language": _language,
    "residue": _residue,
}
