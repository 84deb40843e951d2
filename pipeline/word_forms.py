"""Every form that a text may give a term or a cue, with what it means.

Terms come from ``manifests/terms.csv``, their synonyms and abbreviations from
``manifests/synonyms.csv``, and words that turn, place, count or betray (negations, sides, planes,
refusals and the like) from ``manifests/cues.csv``. Regular variants are made here: plurals,
"renal" for "kidney", "left-sided lung nodule".
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from converters.errors import ManifestError
from converters.vocabulary import MANIFESTS, Term, terms
from pipeline.phrases import Phrases, words_of

# All that decides which words a text may say.
WORD_LISTS = tuple(MANIFESTS / name for name in ("terms.csv", "synonyms.csv", "cues.csv"))
_ADJECTIVES = {
    "lung": "pulmonary",
    "kidney": "renal",
    "liver": "hepatic",
    "brain": "cerebral",
    "bone": "osseous",
    "breast": "mammary",
    "prostate": "prostatic",
}
PLACE_ROLES = ("organ", "structure", "tissue")
_MASS = ("ing", "ed", "ment", "osis", "itis", "emia")
_SIDELESS = ("lesion", "organ", "structure", "diagnosis")
_ENDINGS = (("us", "i"), ("is", "es"), ("um", "a"))


@dataclass(frozen=True, slots=True)
class Form:
    """What a phrase means.

    Attributes:
        kind: "term", or a kind of ``manifests/cues.csv``.
        value: The canonical term without its side, or the cue's value.
        side: The side of the patient that the phrase names, or "".
        exact: How it has to be written, where capitals tell it from a common word; else "".
    """

    kind: str
    value: str
    side: str = ""
    exact: str = ""


@dataclass(frozen=True, slots=True)
class Synonym:
    """A row of ``manifests/synonyms.csv``."""

    term: str
    language: str
    form: str


@cache
def synonyms() -> tuple[Synonym, ...]:
    """Every synonym and abbreviation.

    Raises:
        ManifestError: A term does not exist, or a form names two terms.
    """
    seen: dict[tuple[str, tuple[str, ...]], str] = {}
    own = {words_of(form): name for name, one in terms().items() for form in (name, one.plural)}
    rows = []
    for row in _rows("synonyms.csv", ["term", "language", "form"]):
        one = Synonym(**row)
        key = (one.language, words_of(one.form))
        other = seen.get(key) or own.get(key[1], one.term)
        if one.term not in terms():
            raise ManifestError("synonyms.csv", f"no term {one.term!r}", "add it to terms.csv")
        if key in seen or other != one.term:
            raise ManifestError("synonyms.csv", f"{one.form!r} names {other!r} as well", "drop one")
        seen[key] = one.term
        rows.append(one)
    return tuple(rows)


def _rows(name: str, columns: list[str]) -> Iterator[dict[str, str]]:
    with (MANIFESTS / name).open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        if reader.fieldnames != columns:
            raise ManifestError(name, f"columns are {reader.fieldnames}, not {columns}")
        for row in reader:
            if None in row or None in row.values():
                raise ManifestError(name, f"{len(columns)} values are needed", "quote commas")
            yield row


@cache
def forms_of(name: str, language: str) -> tuple[str, ...]:
    """Every form of a term in a language, the canonical ones first, without a side added."""
    one = terms()[name]
    found = dict.fromkeys(_own_forms(one, language))
    for synonym in _synonyms_of().get((name, language), ()):
        found.update(dict.fromkeys([synonym, *_plurals(synonym, language)]))
    if language == "en":
        for form in list(found):
            found.update(dict.fromkeys(_adjectival(form)))
    return tuple(found)


@cache
def _synonyms_of() -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for one in synonyms():
        found.setdefault((one.term, one.language), []).append(one.form)
    return found


def _own_forms(one: Term, language: str) -> tuple[str, ...]:
    if language == "en":
        return one.term, one.plural
    return tuple(form for form in (getattr(one, language, ""),) if form)


def _plurals(form: str, language: str) -> Iterator[str]:
    """Regular plurals of a form; one that nobody writes does no harm."""
    if language != "en" or form.endswith("s") or form.endswith(_MASS):
        return
    head, of, rest = form.partition(" of ")
    if head.endswith("y") and not head.endswith(("ay", "ey", "oy")):
        yield f"{head[:-1]}ies{of}{rest}"
    for ending, many in _ENDINGS:
        if head.endswith(ending):
            yield f"{head.removesuffix(ending)}{many}{of}{rest}"
    yield f"{head}{'es' if head.endswith(('s', 'x', 'ch', 'sh')) else 's'}{of}{rest}"


def _adjectival(form: str) -> Iterator[str]:
    first, _, rest = form.partition(" ")
    if rest and first in _ADJECTIVES:
        yield f"{_ADJECTIVES[first]} {rest}"


def _sided(form: str, side: str) -> Iterator[str]:
    """Other ways to give a form its side, where the form opens with it."""
    rest = form.removeprefix(f"{side} ")
    if rest == form:
        return
    yield f"{side}-sided {rest}"


def _exact(form: str) -> str:
    """Capitals tell an abbreviation from a word: US, TB. Longer ones nobody mistakes."""
    letters = form.rstrip("s")
    return form if letters.isupper() and letters.isalpha() and len(letters) <= 3 else ""


@cache
def phrases(language: str) -> Phrases[Form]:
    """Every form of a language with its meanings."""
    made: Phrases[Form] = Phrases()
    seen: set[tuple[tuple[str, ...], Form]] = set()
    for form, meaning in (*_forms_of_terms(language), *_cues(language)):
        words = words_of(form)
        if words and (words, meaning) not in seen:
            seen.add((words, meaning))
            made.add(words, meaning)
    return made


def _cues(language: str) -> Iterator[tuple[str, Form]]:
    for row in _rows("cues.csv", ["language", "kind", "value", "form"]):
        if row["language"] == language:
            yield row["form"], Form(row["kind"], row["value"], "", _exact(row["form"]))


def _forms_of_terms(language: str) -> Iterator[tuple[str, Form]]:
    """Forms of all terms but "no fracture" and the like, which are a negation and a fracture."""
    for name, one in terms().items():
        for form in forms_of(name, language) if one.role != "normal" else ():
            yield form, Form("term", one.base, one.side, _exact(form))
            if language == "en":
                yield from _with_side(one, form)


def _with_side(one: Term, form: str) -> Iterator[tuple[str, Form]]:
    """A form with its side said otherwise, or without it; one that has none with a side."""
    if one.side:
        for other in _sided(form, one.side):
            yield other, Form("term", one.base, one.side)
        bare = form.replace(f"{one.side} ", "", 1)
        if bare != form:
            yield bare, Form("term", one.base)
    elif one.role in _SIDELESS:
        for side in ("left", "right"):
            yield f"{side} {form}", Form("term", one.term, side)
            yield f"{side}-sided {form}", Form("term", one.term, side)


@cache
def places() -> frozenset[str]:
    """Organs, structures, tissues and body parts, without their side."""
    parts = {" ".join(words_of(form)) for form, one in _cues("en") if one.kind == "anatomy"}
    return frozenset(one.base for one in terms().values() if one.role in PLACE_ROLES) | parts
