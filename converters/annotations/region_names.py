"""Names of regions in DICOM objects, and the terms that a manifest has for them."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset

from converters.errors import CaseError
from converters.specs.dicom_objects import NamedRegions

_ANONYMOUS = re.compile(
    r"(?:(?:new|no|my)?[\s_.#-]*"
    r"(?:roi|structure|struct|contour|region|volume|object|segment|label|name|unnamed|unknown"
    r"|untitled|none|test|default|undefined|temp|tmp|x)?[\s\d_.#:-]*)",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Region:
    """A region as its file names it.

    Attributes:
        number: In the file.
        name: The file's own name for it, without spaces around it.
        concepts: Its coded meaning, as the manifest writes codes; the most precise first.
        is_background: Whether the file itself says that it is none.
    """

    number: int
    name: str
    concepts: tuple[str, ...] = ()
    is_background: bool = False

    @property
    def code(self) -> str:
        """How the source writes it."""
        return self.name or (self.concepts[0] if self.concepts else f"number {self.number}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Described:
    """What the head of a file says.

    Attributes:
        series: UIDs of the series that it refers to.
        frames_of_reference: UIDs of the frames of reference that its regions lie in.
        regions: In the order of the file.
    """

    series: frozenset[str]
    frames_of_reference: frozenset[str]
    regions: tuple[Region, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class RegionKind:
    """What tells one kind of file from another.

    Attributes:
        modality: Modality of its files; others are passed over.
        describe: Reads the head of a file.
        needs_name: Whether a name that says nothing is refused, even if a pattern fits it.
    """

    modality: str
    describe: Callable[[NamedRegions, Dataset], Described]
    needs_name: bool


def is_anonymous(name: str) -> bool:
    """Whether a name says nothing of what is marked: "ROI-1", "1", "unnamed", ""."""
    return _ANONYMOUS.fullmatch(name) is not None


def term_of(spec: NamedRegions, region: Region) -> str | None:
    """The canonical term of a region, "" where it is ignored, None where nothing maps it.

    Raises:
        CaseError: ``labels_contradict``, where its name and its code, or two patterns, differ.
    """
    only: str | None = getattr(spec, "only", None)
    if only and not region.is_background:
        return only
    found = {term for pattern, term in spec.labels.items() if _fits(pattern, region.name)}
    if region.is_background or any(_fits(pattern, region.name) for pattern in spec.ignore):
        found.add("")
    concepts: dict[str, str] = getattr(spec, "concepts", {})
    ignored: Sequence[str] = getattr(spec, "ignore_concepts", ())
    # The most precise code that is mapped: a kidney is not asked for where a left one is.
    coded = [concepts.get(code, "") for code in region.concepts if code in {*concepts, *ignored}]
    found.update(coded[:1])
    if len(found) > 1:
        names = ", ".join(sorted(term or "to be ignored" for term in found))
        raise CaseError("labels_contradict", f"{region.code!r} is mapped twice: {names}")
    return found.pop() if found else None


def _fits(pattern: str, name: str) -> bool:
    return re.fullmatch(pattern, name, re.IGNORECASE) is not None


def terms_of(spec: NamedRegions) -> tuple[str, ...]:
    """Every term that the block can say."""
    concepts: dict[str, str] = getattr(spec, "concepts", {})
    only: str | None = getattr(spec, "only", None)
    terms = (*spec.labels.values(), *concepts.values(), *([only] if only else []))
    return tuple(dict.fromkeys(terms))


def wanted(spec: NamedRegions, kind: RegionKind, described: Described) -> list[Region]:
    """The regions of a file that a term is said of.

    Raises:
        CaseError: ``labels_contradict``.
    """
    return [
        region
        for region in described.regions
        if not (kind.needs_name and is_anonymous(region.name)) and term_of(spec, region)
    ]


def unmapped(
    spec: NamedRegions, kind: RegionKind, described: Described, *, only_anonymous: bool = False
) -> list[str]:
    """Codes of regions that no pattern maps or ignores."""
    found = []
    for region in described.regions:
        says_nothing = kind.needs_name and is_anonymous(region.name)
        if says_nothing or (not only_anonymous and term_of(spec, region) is None):
            found.append(region.name if says_nothing else region.code)
    return found
