"""What passes between a layout and the module of an annotation block."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from types import ModuleType

from converters.files import Listing, Root
from converters.imaging.pictures import Picture
from converters.records import Entry, Exchange, Fault, Finding, Json
from converters.terminology import implied_by
from converters.vocabulary import wholes_of


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageName:
    """An image as the listing knows it: its path and what its placeholders captured."""

    path: str
    fields: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """What ``index`` is given.

    Attributes:
        source: Name of the manifest.
        root: For reading tables.
        listing: Names of all files.
        images: Every image of the layout, sorted by path.
    """

    source: str
    root: Root
    listing: Listing
    images: tuple[ImageName, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Index:
    """What one annotation block has for each image.

    Attributes:
        entries: By path of the image.
        columns: Further fields of an image from a table, for the subject and the split.
        faults: Images that cannot be used, with why.
        orphans: Annotations without an image: a key that names them, and what was found.
            Each becomes a rejection ``image_missing``.
    """

    entries: Mapping[str, Entry]
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    faults: Mapping[str, Fault] = field(default_factory=dict)
    orphans: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What ``read`` is given: one image, and what this block has for it.

    `spacing_mm` is known where the manifest or an earlier block gives it.
    """

    root: Root
    path: str
    fields: Mapping[str, str]
    entry: Entry
    picture: Picture
    spacing_mm: tuple[float, float] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What one block says of one image.

    Attributes:
        findings: What is there.
        absent: Canonical terms that are surely not there.
        countable: Canonical terms whose every object is marked, each as a finding of its own;
            filled by the layout from the block's completeness.
        exchanges: The source's own questions and answers.
        spacing_mm: Row and column spacing, where the block gives it.
        modality: Modality of this image, where it differs from the manifest's.
        anatomy: Body parts of this image, where they differ from the manifest's.
        view: View position, where the block gives it.
        transforms: What was done to the annotation (a snap, a fill), for provenance.
    """

    findings: tuple[Finding, ...] = ()
    absent: tuple[str, ...] = ()
    countable: tuple[str, ...] = ()
    exchanges: tuple[Exchange, ...] = ()
    spacing_mm: tuple[float, float] | None = None
    modality: str | None = None
    anatomy: tuple[str, ...] | None = None
    view: str = ""
    transforms: tuple[Mapping[str, Json], ...] = ()


def absent_terms(
    terms: Iterable[str], present: Iterable[str], *, is_known: bool
) -> tuple[str, ...]:
    """The block's terms that are not present, sorted, where absence `is_known`; else none."""
    return tuple(sorted(set(terms) - set(present))) if is_known else ()


def surely_absent(absent: Iterable[str], findings: Iterable[Finding]) -> tuple[str, ...]:
    """Absent terms, sorted, without those that a finding implies: its whole, its kind."""
    there = {other for finding in findings for other in implied_by(finding.label)}
    return tuple(sorted(set(absent) - there))


def countable_terms(findings: Iterable[Finding], completeness: str) -> tuple[str, ...]:
    """Terms whose findings are all the objects that there are, sorted."""
    found = list(findings)
    if completeness != "complete":
        return ()
    not_objects = {finding.label for finding in found if not finding.is_instance}
    return tuple(sorted({finding.label for finding in found} - not_objects))


def join_measurements(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Give what a table measured to the one finding of that label that another block has.

    A measurement comes as a finding of the whole image with attributes. Where its label is
    found exactly once beside it, that finding takes the attributes; otherwise which one was
    measured is not known, and the measurements of a label stay a finding of their own.
    """
    found: list[Finding] = []
    measured: dict[str, Finding] = {}
    for finding in findings:
        # Attributes of an action are what does it and to what: another one has its own.
        if finding.box is None and finding.attributes and finding.role != "action":
            before = measured.get(finding.label)
            attributes = (before.attributes if before else ()) + finding.attributes
            measured[finding.label] = replace(before or finding, attributes=attributes)
        else:
            found.append(finding)
    for label, finding in measured.items():
        places = [at for at, other in enumerate(found) if other.label == label]
        if len(places) == 1:
            other = found[places[0]]
            found[places[0]] = replace(other, attributes=other.attributes + finding.attributes)
        else:
            found.append(finding)
    return tuple(found)


def take_label(said: Said, before: Iterable[Finding]) -> Said:
    """Give the one finding of a block the label that the whole image has for it.

    Said side by side, a lesion and a benign lesion would read as two of them. Where there are
    several findings, or several labels that are kinds of theirs, they stay what they are.

    Args:
        said: What the block says.
        before: Findings of the blocks before it.
    """
    if len(said.findings) != 1:
        return said
    (found,) = said.findings
    kinds = [one for one in before if not one.box and found.label in wholes_of(one.label)]
    if len(kinds) != 1:
        return said
    (kind,) = kinds
    exact = replace(found, label=kind.label, code=kind.code, role=kind.role)
    return replace(said, findings=(exact,))


def module_of(kind: str) -> ModuleType:
    """The module that reads annotation blocks of a kind; only this one is imported."""
    return import_module(f"converters.annotations.{kind}")
