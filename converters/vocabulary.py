"""The closed words in ``manifests/vocabulary.toml`` and the terms in ``manifests/terms.csv``."""

import csv
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from converters.errors import ManifestError

MANIFESTS = Path(__file__).resolve().parent.parent / "manifests"
COLUMNS = ["term", "plural", "role", "side", "base", "article", "part_of", "zh"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Term:
    """One canonical term.

    Attributes:
        term: English singular, as it stands inside a sentence.
        plural: English plural.
        role: A word of ``[role]``.
        side: Side of the patient that the term itself names, or "".
        base: The term without its side; the term itself where it has none.
        article: "a", "an", "the", or "" for what takes none.
        part_of: The term that this one is a part or a kind of, or "": where a neutrophil is, a
            white blood cell is. Several are separated by ";".
        zh: The term in Chinese, with its side.
    """

    term: str
    plural: str
    role: str
    side: Literal["", "left", "right"]
    base: str
    article: str
    part_of: str
    zh: str

    @property
    def with_article(self) -> str:
        """The singular with its article, as in "a white blood cell"."""
        return f"{self.article} {self.term}".strip()

    @property
    def wholes(self) -> tuple[str, ...]:
        """The terms that this one is directly a part or a kind of."""
        return tuple(self.part_of.split(";")) if self.part_of else ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Modality:
    """Words for one modality code."""

    code: str
    name: str
    image: str
    article: str


@cache
def vocabulary() -> dict[str, dict[str, object]]:
    """Every section of ``vocabulary.toml``, read once a process."""
    with (MANIFESTS / "vocabulary.toml").open("rb") as file:
        return tomllib.load(file)


@cache
def words(section: str) -> frozenset[str]:
    """The words allowed in one section: its `names`, or its keys."""
    content = vocabulary()[section]
    names = content.get("names")
    return frozenset(names if isinstance(names, list) else content)


@cache
def modality(code: str) -> Modality:
    """The words for one modality code.

    Raises:
        KeyError: The code is not in the vocabulary.
    """
    entry = vocabulary()["modality"][code]
    assert isinstance(entry, dict)
    return Modality(code=code, **entry)


@cache
def terms() -> dict[str, Term]:
    """Every canonical term by its name.

    Raises:
        ManifestError: A row is malformed, repeated, or uses a word that is not in the vocabulary.
    """
    path = MANIFESTS / "terms.csv"
    found: dict[str, Term] = {}
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        if reader.fieldnames != COLUMNS:
            raise ManifestError(path.name, f"columns are {reader.fieldnames}, not {COLUMNS}")
        for number, row in enumerate(reader, start=2):
            _add_term(found, row, f"{path.name}:{number}")
    for one in found.values():
        for whole in one.wholes:
            if whole not in found:
                raise ManifestError(path.name, f"{one.term!r} is part of {whole!r}, no term")
    return found


def wholes_of(name: str) -> frozenset[str]:
    """Every term that a term is a part or a kind of, directly or by another one."""
    found: set[str] = set()
    ahead = [*terms()[name].wholes]
    while ahead:
        above = ahead.pop()
        if above not in found:
            found.add(above)
            ahead += terms()[above].wholes
    return frozenset(found)


def _add_term(found: dict[str, Term], row: dict[str, str], where: str) -> None:
    if None in row or None in row.values():
        raise ManifestError(where, f"{len(COLUMNS)} values are needed", "quote values with commas")
    term = Term(**{**row, "base": row["base"] or row["term"]})  # type: ignore[arg-type]
    if term.term in found:
        raise ManifestError(where, f"{term.term!r} stands twice")
    if term.role not in words("role"):
        raise ManifestError(where, f"role {term.role!r} is not in the vocabulary")
    if term.side not in ("", "left", "right"):
        raise ManifestError(where, f"side is {term.side!r}", "use left, right or nothing")
    found[term.term] = term


def term(name: str) -> Term:
    """The term of that name.

    Raises:
        ManifestError: There is none.
    """
    try:
        return terms()[name]
    except KeyError:
        raise ManifestError("terms.csv", f"no term {name!r}", "add a row for it") from None
