"""What follows from a term alone: department, clinical task, codes, and what it says of others.

The data stand in ``manifests/``: ``term_rules.toml`` (departments and tasks by rule),
``relations.csv`` (what a term implies or contradicts) and ``codes.csv`` (codes of other
terminologies, where one means the same for certain).
"""

import csv
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache

from converters.errors import ManifestError
from converters.vocabulary import MANIFESTS, term, terms, wholes_of, words

NOT_ASSIGNED = "not assigned"
_SCHEMES = ("SCT", "RADLEX", "UMLS")
_RELATIONS = ("implies", "contradicts")


@dataclass(frozen=True, kw_only=True, slots=True)
class Code:
    """A concept of another terminology that means the same as a term.

    Attributes:
        scheme: SCT (SNOMED CT), RADLEX or UMLS, as DICOM names coding schemes.
        code: The concept's code.
        meaning: Its name there.
    """

    scheme: str
    code: str
    meaning: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Rule:
    name: str
    roles: frozenset[str]
    pattern: re.Pattern[str]


@lru_cache(maxsize=4096)
def department_of(name: str) -> str:
    """The department that a term belongs to, by the first rule that fits; or "not assigned"."""
    found = _first(_rules("department"), name)
    return found or NOT_ASSIGNED


@lru_cache(maxsize=4096)
def task_of(name: str) -> str:
    """The clinical task that asks for a term; "" for one that no rule knows."""
    role = term(name).role
    by_role = _rule_file()["task_of_role"]
    assert isinstance(by_role, dict)
    return _first(_rules("task"), name, role) or str(by_role.get(role, ""))


def codes_of(name: str) -> tuple[Code, ...]:
    """Codes of a term; of one that names a side, those of its base where it has none itself."""
    found = _codes()
    return found.get(name) or found.get(term(name).base, ())


@lru_cache(maxsize=4096)
def implied_by(name: str) -> frozenset[str]:
    """Every term that is there as well, or holds as well, where a term does."""
    found: set[str] = set()
    ahead = [name]
    while ahead:
        at = ahead.pop()
        more = (wholes_of(at) | _related("implies").get(at, frozenset())) - found - {name}
        found |= more
        ahead += sorted(more)
    return frozenset(found)


@lru_cache(maxsize=4096)
def contradicted_by(name: str) -> frozenset[str]:
    """Every term that surely does not hold where a term does.

    What a term contradicts, each term contradicts that implies it; and of what is contradicted,
    nothing holds that implies it.
    """
    own = {name, *implied_by(name)}
    found = set().union(*(_related("contradicts").get(one, frozenset()) for one in own))
    return frozenset(
        other for other in terms() if other in found or not found.isdisjoint(implied_by(other))
    )


def _first(rules: tuple[_Rule, ...], name: str, role: str = "") -> str:
    said = "; ".join((name, term(name).base, *sorted(wholes_of(name)))).lower()
    for rule in rules:
        if (not rule.roles or role in rule.roles) and rule.pattern.search(said):
            return rule.name
    return ""


@cache
def _rule_file() -> dict[str, object]:
    with (MANIFESTS / "term_rules.toml").open("rb") as file:
        return tomllib.load(file)


@cache
def _rules(kind: str) -> tuple[_Rule, ...]:
    content = _rule_file()[kind]
    assert isinstance(content, list)
    known = words("department")
    unknown = [r["name"] for r in content if kind == "department" and r["name"] not in known]
    if unknown:
        raise ManifestError("term_rules.toml", f"{unknown[0]!r} is no word of [department]")
    return tuple(
        _Rule(
            name=rule["name"],
            roles=frozenset(rule.get("roles", ())),
            pattern=re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, rule['words']))})"),
        )
        for rule in content
    )


@cache
def _codes() -> dict[str, tuple[Code, ...]]:
    bases = {one.base for one in terms().values()}
    found: dict[str, tuple[Code, ...]] = {}
    for row in _rows("codes.csv", ["term", "scheme", "code", "meaning"]):
        name, scheme, code, meaning = row
        if name not in terms() and name not in bases:
            raise ManifestError("codes.csv", f"{name!r} is no term")
        if scheme not in _SCHEMES:
            raise ManifestError("codes.csv", f"scheme {scheme!r}", f"use {', '.join(_SCHEMES)}")
        one = Code(scheme=scheme, code=code, meaning=meaning)
        found[name] = (*found.get(name, ()), one)
    return found


@cache
def _related(relation: str) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for first, kind, other in _rows("relations.csv", ["term", "relation", "other"]):
        if kind not in _RELATIONS:
            raise ManifestError("relations.csv", f"relation {kind!r}", "use implies, contradicts")
        for name in (first, other):
            if name not in terms():
                raise ManifestError("relations.csv", f"{name!r} is no term")
        if kind == relation:
            found.setdefault(first, set()).add(other)
            if relation == "contradicts":  # it goes both ways
                found.setdefault(other, set()).add(first)
    return {name: frozenset(others) for name, others in found.items()}


def _rows(file_name: str, columns: list[str]) -> Iterator[list[str]]:
    with (MANIFESTS / file_name).open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file, strict=True)
        if next(reader) != columns:
            raise ManifestError(file_name, "its first line is not as expected", ",".join(columns))
        for number, row in enumerate(reader, start=2):
            if len(row) != len(columns):
                raise ManifestError(f"{file_name}:{number}", f"{len(columns)} values are needed")
            yield row
