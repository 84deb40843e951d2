"""What a free text may say of a sample: its facts, laid out for the checks of claims."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import PurePosixPath

from converters.records import Finding, Sample
from converters.vocabulary import terms, wholes_of
from pipeline.phrases import words_of
from pipeline.quantities import quantities
from pipeline.word_forms import forms_of, places

# "Non-tumor cell" is no tumor cell, "opacity suspicious for pneumonia" no pneumonia.
_REFUSED_BEFORE = {"non", "no", "without", "for"}
_ABNORMAL = ("lesion", "diagnosis")
# Body parts that a larger one surely contains.
_INSIDE = {
    "chest": ("lung", "lungs", "heart", "airways", "thorax", "esophagus", "mediastinum"),
    "thorax": ("chest",),
    "abdomen": ("liver", "kidney", "kidneys", "pancreas", "stomach", "spleen", "colon",
                "gallbladder", "small intestine", "large intestine", "intestine", "duodenum",
                "adrenal gland"),
    "pelvis": ("prostate", "urinary bladder", "uterus", "rectum", "hip bone", "cervix"),
    "head": ("brain", "eye", "jaws", "skull", "face", "oral cavity", "fetal head",
             "pituitary gland", "mandible", "maxilla", "cochlea"),
    "brain": ("hippocampus", "cerebellum", "brainstem", "thalamus", "temporal lobe",
              "white matter", "gray matter", "cerebral ventricles"),
    "spine": ("spinal cord", "lumbar spine", "vertebrae", "intervertebral discs", "sacrum"),
    "eye": ("retina", "optic disc", "fovea"),
    "neck": ("larynx", "pharynx", "thyroid gland", "head and neck"),
    "jaws": ("mandible", "maxilla"),
    "airways": ("trachea", "main carina"),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What is known of a sample.

    Attributes:
        supported: Every name that may be said to be there: terms without their side, their
            forms, what they are kinds and parts of, the body parts shown.
        sides: Sides of the patient of each name, where they are known.
        denied: Names, with their sides, that are known not to be there.
        there: Names of findings, with their sides.
        naming: The names that suffice to name a finding, by its label: its forms, and the end
            of a form ("nodule" for "lung nodule") that no other finding ends with.
        counts: How many there are of each name, where all are marked.
        at_least: How many objects of each name are marked.
        measures: Of each name, with its side and without, values by dimension: millimetres, square
            millimetres, millilitres.
        numbers: Numbers without a unit that attributes state.
        positions: Where in the picture the findings of each name are, with its side and without.
        words: Every word of the names of what is there and of its attributes.
        is_normal: A finding says that all is normal.
        is_abnormal: A lesion or a diagnosis is there.
        modality: DICOM modality code.
        view: Plane or view, or "".
        sequence: MR sequence or contrast, or "".
        regions: How many findings have a box.
        file_names: Names of files and subjects that no text may tell, in small letters.
    """

    supported: frozenset[str]
    sides: dict[str, frozenset[str]]
    denied: frozenset[tuple[str, str]]
    there: frozenset[tuple[str, str]]
    naming: dict[str, frozenset[str]]
    counts: dict[str, int]
    at_least: dict[str, int]
    measures: dict[str, list[tuple[str, float]]]
    numbers: frozenset[float]
    positions: dict[str, frozenset[str]]
    words: frozenset[str]
    is_normal: bool
    is_abnormal: bool
    modality: str
    view: str
    sequence: str
    regions: int
    file_names: tuple[str, ...]


@dataclass(kw_only=True, slots=True)
class _Gathered:
    """Facts as they are collected."""

    sides: dict[str, set[str]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    inexact: set[str] = field(default_factory=set)
    measures: dict[str, list[tuple[str, float]]] = field(default_factory=dict)
    positions: dict[str, set[str]] = field(default_factory=dict)
    numbers: set[float] = field(default_factory=set)
    words: set[str] = field(default_factory=set)


@lru_cache(maxsize=8192)
def names_of(label: str, language: str) -> frozenset[str]:
    """The names by which a text may speak of a term: its forms, and every part of a form.

    A "lung nodule" is a nodule, and it is in a lung; a "non-tumor cell" is a cell and no tumor
    cell; a "lung nodule or mass" may be no mass.
    """
    one = terms()[label]
    found = {one.term, one.base}
    for form in forms_of(label, language):
        words = words_of(form)
        if "or" in words:
            found.add(" ".join(words))
            continue
        for first in range(len(words)):
            if first and words[first - 1] in _REFUSED_BEFORE:
                continue
            for last in range(first + 1, len(words) + 1):
                found.add(" ".join(words[first:last]))
    if one.side:
        found |= {name.replace(f"{one.side} ", "") for name in found}
    return frozenset(found)


@lru_cache(maxsize=1024)
def _parts_of(part: str) -> frozenset[str]:
    """Every run of words of a body part: the "head and neck" are a head and a neck."""
    words = words_of(part)
    ends = range(1, len(words) + 1)
    return frozenset(" ".join(words[first:last]) for last in ends for first in range(last))


@lru_cache(maxsize=8192)
def _forms(label: str, language: str) -> frozenset[str]:
    """The names that mean a term and nothing wider."""
    one = terms()[label]
    whole = {" ".join(words_of(form)) for form in forms_of(label, language)}
    bare = {name.replace(f"{one.side} ", "") for name in whole} if one.side else set()
    return frozenset(whole | bare | {one.base if one.side else one.term})


def facts_of(sample: Sample, language: str = "en") -> Facts:
    """Lay out what a text may say of a sample.

    Args:
        sample: The sample.
        language: Of the text.
    """
    found = _Gathered()
    there = [one for one in sample.findings if one.role != "normal"]
    labels = list(dict.fromkeys(finding.label for finding in there))
    naming = _naming(labels, language)
    supported = {name for part in sample.anatomy for name in _parts_of(part)}
    for label in labels:
        supported |= _wide_names(label, language)
    normal = [one.label for one in sample.findings if one.role == "normal"]
    for label in normal:
        found.words |= _words(label, language)
        if words_of(label)[0] not in _REFUSED_BEFORE:
            supported |= names_of(label, language)  # a "normal stomach" is a stomach
    for finding in there:
        _gather(found, finding, sample, language, naming[finding.label])
    _widen(supported)
    exact = {name: n for name, n in found.counts.items() if name not in found.inexact}
    return Facts(
        supported=frozenset(supported),
        sides={name: frozenset(sides) for name, sides in found.sides.items()},
        denied=frozenset(_denied(sample, language)),
        there=frozenset(
            (name, terms()[label].side) for label in labels for name in _forms(label, language)
        ),
        naming=naming,
        counts=exact,
        at_least=found.counts,
        measures=found.measures,
        numbers=frozenset(found.numbers),
        positions={name: frozenset(places) for name, places in found.positions.items()},
        words=frozenset(found.words),
        is_normal=bool(normal),
        is_abnormal=any(one.role in _ABNORMAL for one in sample.findings),
        modality=sample.modality,
        view=sample.view,
        sequence=sample.sequence,
        regions=sum(one.box is not None for one in there),
        file_names=_file_names(sample),
    )


@lru_cache(maxsize=8192)
def _heads(label: str, language: str) -> frozenset[str]:
    """The ends of a term's forms: "nodule", of a "nodule of the lung" as well."""
    found = set()
    for form in forms_of(label, language):
        words = words_of(form)
        ends = (n for n, word in enumerate(words) if word in ("of", "in", "on", "suspicious", "or"))
        of = next(ends, len(words))
        found |= {" ".join(words[first:of]) for first in range(of)}
    one = terms()[label]
    if one.side:
        found |= {name.replace(f"{one.side} ", "") for name in found}
    # An "extremely dense breast" is not named by "breast", nor the upper jaw by "jaw".
    return frozenset(found - (places() - _forms(label, language)))


def _naming(labels: list[str], language: str) -> dict[str, frozenset[str]]:
    found = {}
    for label in labels:
        others = [_heads(o, language) for o in labels if terms()[o].base != terms()[label].base]
        mine = _heads(label, language).difference(*others) if others else _heads(label, language)
        found[label] = mine | _forms(label, language)
    return found


@lru_cache(maxsize=8192)
def _wide_names(label: str, language: str) -> frozenset[str]:
    """The names of a term and of all that it is a part or a kind of."""
    return names_of(label, language).union(
        *(names_of(whole, language) for whole in wholes_of(label))
    )


def _gather(
    found: _Gathered, finding: Finding, sample: Sample, language: str, naming: frozenset[str]
) -> None:
    side = terms()[finding.label].side or finding.side
    is_exact = finding.label in sample.countable  # beside its objects it may be a label of all
    for name in _wide_names(finding.label, language):
        if side:
            found.sides.setdefault(name, set()).add(side)
        if finding.is_instance:
            found.counts[name] = found.counts.get(name, 0) + 1
    if not is_exact:
        found.inexact |= _wide_names(finding.label, language)
    measured = list(_measures(finding))
    place = {finding.position} if finding.position else set()
    for name in (*naming, *(f"{side} {name}" for name in naming if side)):
        found.measures.setdefault(name, []).extend(measured)
        found.positions.setdefault(name, set()).update(place)
    found.words |= _words(finding.label, language)
    for pair in finding.attributes:
        found.words.update(words_of(" ".join(pair)))
    found.numbers.update(value for dimension, value in measured if not dimension)


@lru_cache(maxsize=8192)
def _words(label: str, language: str) -> frozenset[str]:
    return frozenset(word for form in forms_of(label, language) for word in words_of(form))


def _measures(finding: Finding) -> Iterator[tuple[str, float]]:
    for dimension, value in (
        ("length", finding.longest_diameter_mm),
        ("area", finding.area_mm2),
        ("volume", finding.volume_ml),
    ):
        if value is not None:
            yield dimension, value
    for pair in finding.attributes:
        for quantity in quantities(words_of(" ".join(pair))):
            yield quantity.dimension, quantity.value


def _widen(supported: set[str]) -> None:
    """Add the singular of organs that come in pairs, and the body parts that hold what is there."""
    bases = _bases()
    supported |= {name[:-1] for name in supported if name.endswith("s") and name[:-1] in bases}
    for _ in range(3):  # hippocampus, brain, head
        supported |= {whole for whole, parts in _INSIDE.items() if not supported.isdisjoint(parts)}


@cache
def _bases() -> frozenset[str]:
    return frozenset(one.base for one in terms().values() if one.side)


def _denied(sample: Sample, language: str) -> Iterator[tuple[str, str]]:
    absent = frozenset(sample.absent)
    sides = {(terms()[label].base, terms()[label].side) for label in absent}
    for label in absent | _kinds_of(absent):
        one = terms()[label]
        is_gone = one.side and {(one.base, "left"), (one.base, "right")} <= sides
        for name in _forms(label, language):
            yield name, one.side
            if is_gone:
                yield name, ""
    for finding in sample.findings:
        if finding.role == "normal":
            yield from _denied_by(finding.label, language)


@lru_cache(maxsize=1024)
def _kinds_of(absent: frozenset[str]) -> frozenset[str]:
    """Terms that are kinds or parts of what is absent."""
    return frozenset(name for name in terms() if not absent.isdisjoint(wholes_of(name)))


def _denied_by(label: str, language: str) -> Iterator[tuple[str, str]]:
    """What a term such as "no brain tumor" denies: a brain tumor, a tumor."""
    for form in (terms()[label].term, terms()[label].plural):
        words = words_of(form)
        if words[0] == "no":
            for first in range(1, len(words)):
                name = " ".join(words[first:])
                yield name, ""
                yield f"{name}s", ""


def _file_names(sample: Sample) -> tuple[str, ...]:
    """Stems of files long enough that no sentence holds them by chance."""
    paths = (sample.source_path, sample.annotation_path, sample.case_key)
    stems = {PurePosixPath(path).name.split(".")[0].lower() for path in paths if path}
    return tuple(
        sorted(s for s in stems if len(s) >= 4 and (re.search(r"\d|_", s)) and not s.isalpha())
    )
