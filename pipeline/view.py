"""A sample as the formats see it: findings grouped and put into words a template can use."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from converters.annotations.contract import module_of
from converters.manifest import Manifest
from converters.records import Box, Finding, Sample
from converters.vocabulary import Term, modality, term
from pipeline.box_notation import BoxNumbers, Notation, written
from pipeline.phrasing import digest_order
from pipeline.plurals import is_plural

Labels = tuple[frozenset[str], ...]
LETTERS = "ABCDEFGH"  # of options
SAME_PLACE = 0.5  # boxes that share so much of their area could each be meant
# What is said of the image or of the operation, and not of what is seen: in formats of their own.
APART = ("quality", "action")
# Sizes and shifts of an organ: a box marks the organ, and they are not "in the lower left".
_OF_A_WHOLE_ORGAN = ("aortic enlargement", "cardiomegaly", "mediastinal shift")
_MEASURED_ROLES = ("organ", "structure", "lesion", "cell", "instrument", "device")


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """A pair that can be made: what it says, before it is said.

    Attributes:
        template: Path below ``templates/``.
        variables: What the template may speak of.
        labels: Canonical terms that the answer says are there.
        boxes: Boxes that question or answer give.
        asked: Canonical terms that the question may name beside the labels.
        denied: Canonical terms that the answer says are not there.
        options: Texts of the options of a choice, the right one among them.
        right: The right option, where there is one.
        rights: The right options, where there may be several.
        is_open: The question must not name what the answer says is there.
        block: What the template's blocks are called after "question" and "answer": "" or "_see".
        turns: The turns of a conversation, each a draft of the same template and variables; none
            where the draft is one question with its answer.
        is_own_text: The words are the source's, not ours to check against findings.
        language: The language that it is in already, so that it makes no pair in another one; ""
            where it is in none yet.
    """

    template: str
    variables: Mapping[str, object]
    labels: tuple[str, ...] = ()
    boxes: tuple[tuple[str, Box], ...] = ()
    denied: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    right: str = ""
    rights: tuple[str, ...] = ()
    is_open: bool = False
    block: str = ""
    turns: tuple["Draft", ...] = ()
    is_own_text: bool = False
    language: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Named:
    """A term in the words of a sentence.

    Attributes:
        term: Singular, without article.
        the: Singular as it stands in a sentence: with the article that it takes.
        plural: Plural.
        is_plural: The term itself is a plural, as "costal cartilages".
        is_thing: It can be said to be in something: "contains a nodule", and not "edema".
    """

    term: str
    the: str
    plural: str
    is_plural: bool
    is_thing: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """All findings of one term in the words of a sentence.

    Attributes:
        name: The term.
        count: How many findings there are.
        is_exact: All of its objects are marked, so that they may be counted.
        is_region: They have a place; False for a label of the whole image.
        positions: Where they are, each once, in the order of findings; none for what takes
            nearly the whole image, or is the state of a whole organ.
        diameter: Longest diameter with its unit, where there is one finding and it is known.
        in_parts: It is one region in several parts.
        is_sided: The term names a side of the patient, which is not that of the picture.
        attributes: What the source measured, as (quantity, value).
        role: The term's role.
    """

    name: Named
    count: int
    is_exact: bool
    is_region: bool
    positions: tuple[str, ...]
    diameter: str
    in_parts: bool
    is_sided: bool
    attributes: tuple[tuple[str, str], ...]
    role: str


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """A sample, its manifest, and what both together allow to be said.

    Attributes:
        sample: The sample.
        manifest: The manifest of its source.
        labels: The terms of each annotation block.
        notation: How boxes are written.
    """

    sample: Sample
    manifest: Manifest
    labels: Labels
    notation: Notation = "unit"

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the image."""
        return self.sample.width, self.sample.height

    def numbers(self, box: Box) -> BoxNumbers:
        """The corners of a box, as texts write them."""
        return written(box, self.size, self.notation)

    @property
    def boxed(self) -> list[Finding]:
        """Findings with a box, in their fixed order."""
        return [f for f in self.sample.findings if f.box and not is_unclear(f)]

    @property
    def is_one_sided(self) -> bool:
        """Absence is known only where nothing was found: a question would give itself away."""
        normal = [f for f in self.sample.findings if f.role == "normal"]
        return bool(normal) and all(
            spec.completeness == "partial"
            for block, spec in zip(self.labels, self.manifest.layout.annotations, strict=True)
            if normal[0].label in block
        )

    @property
    def local(self) -> list[Finding]:
        """Findings whose box says where they are: it leaves a tenth of the image at least."""
        whole = self.sample.width * self.sample.height
        return [f for f in self.boxed if f.box and f.box.width * f.box.height < 0.9 * whole]

    def ordered(self, seed: str, findings: list[Finding]) -> list[Finding]:
        """Findings in an order drawn by digest: one of each term first, then the others.

        Each term is as likely to come first, however many findings it has: else a question about
        a box of a blood smear would nearly always be answered by "red blood cell".
        """
        key = f"{self.sample.sample_id}/{seed}"
        numbered = {f"{f.label}/{n}": f for n, f in enumerate(findings)}
        names = digest_order(key, list(numbered))
        first: dict[str, str] = {}
        for name in names:
            first.setdefault(numbered[name].label, name)
        heads = [first[label] for label in digest_order(f"{key}/terms", sorted(first))]
        others = [name for name in names if name not in first.values()]
        return [numbered[name] for name in [*heads, *others]]

    def groups(self) -> list[Group]:
        """Findings by term, the largest first; labels of the whole image before regions."""
        found: dict[str, list[Finding]] = {}
        for finding in self.sample.findings:
            if not is_unclear(finding) and finding.role not in APART:
                found.setdefault(finding.label, []).append(finding)
        # A label of the whole image and its boxes are the same thing, said twice.
        said = [[f for f in same if f.box] or same for same in found.values()]
        local = {id(finding) for finding in self.local}
        return [self._group(findings, local) for findings in sorted(said, key=_prominence)]

    def _group(self, findings: list[Finding], local: set[int]) -> Group:
        first = findings[0]
        single = len(findings) == 1
        return Group(
            name=named(term(first.label)),
            count=len(findings),
            is_exact=first.label in self.sample.countable,
            is_region=_has_place(first),
            positions=()
            if first.label in _OF_A_WHOLE_ORGAN
            else tuple(
                dict.fromkeys(
                    f.position for f in findings if f.position and (id(f) in local or not f.box)
                )
            ),
            diameter=diameter(first, self.size) if single else "",
            in_parts=single and is_in_parts(first),
            is_sided=bool(term(first.label).side),
            attributes=tuple(pair for f in findings for pair in f.attributes) if single else (),
            role=first.role,
        )

    def block_of(self, label: str) -> frozenset[str]:
        """The terms of the first block that can say a term."""
        return next((block for block in self.labels if label in block), frozenset())

    def is_complete(self, label: str) -> bool:
        """Whether every place of a term is marked: a block that says it says all that is there."""
        return any(
            label in block and spec.completeness == "complete"
            for block, spec in zip(self.labels, self.manifest.layout.annotations, strict=True)
        )


def _prominence(findings: list[Finding]) -> tuple[bool, float, str]:
    area = sum(f.area_px or (f.box.width * f.box.height if f.box else 0) for f in findings)
    return (_has_place(findings[0]), -area, findings[0].label)


def _has_place(finding: Finding) -> bool:
    """A point has a position and no box; a label of the whole image has neither."""
    return finding.box is not None or finding.position is not None


@lru_cache(maxsize=8192)
def named(of: Term) -> Named:
    """A term in the words of a sentence."""
    return Named(
        term=of.term,
        the=of.with_article,
        plural=of.plural,
        is_plural=is_plural(of),
        is_thing=of.with_article != of.term or is_plural(of),
    )


def is_unclear(finding: Finding) -> bool:
    """Whether a region in several parts may be one thing or several: "a cyst" or "cysts".

    Of a cell it is one thing: the lobes of a nucleus.
    """
    is_countable = term(finding.label).article in ("a", "an") and finding.role != "cell"
    return is_countable and not finding.is_instance and (finding.parts or 1) > 1


def is_in_parts(finding: Finding) -> bool:
    """Whether a reader should be told that one thing is seen in several parts."""
    name = named(term(finding.label))
    is_one_thing = name.the != name.term and not name.is_plural and not finding.is_instance
    return is_one_thing and (finding.parts or 1) > 1


def diameter(finding: Finding, size: tuple[int, int]) -> str:
    """The longest diameter of one thing that is whole in the picture, with its unit; else "".

    The spread of several parts is no diameter, nor is what is left of a thing at the rim, and a
    tissue has none.
    """
    box, name = finding.box, named(term(finding.label))
    is_one = finding.is_instance or finding.parts == 1
    is_thing = finding.role in _MEASURED_ROLES and name.the != name.term
    if not (box and is_one and is_thing):
        return ""
    is_cut = min(box.x_min, box.y_min) <= 0 or box.x_max >= size[0] or box.y_max >= size[1]
    return "" if is_cut else length(finding.longest_diameter_mm)


def length(value_mm: float | None) -> str:
    """A length with its unit, rounded to what a reader can use; "" where it is not known."""
    if value_mm is None:
        return ""
    if value_mm < 0.01:
        return f"{value_mm * 1000:.1f} µm"
    if value_mm < 0.1:
        return f"{value_mm * 1000:.0f} µm"
    if value_mm < 10:
        return f"{value_mm:.1f} mm"
    return f"{value_mm:.0f} mm"


def turns_of(draft: Draft) -> tuple[Draft, ...]:
    """The turns of a conversation, or the draft itself as its only one."""
    return draft.turns or (draft,)


def labels_of(manifest: Manifest) -> Labels:
    """The terms of each annotation block, in the manifest's order."""
    return tuple(
        frozenset(module_of(spec.kind).terms_of(spec)) for spec in manifest.layout.annotations
    )


def overlap(first: Box, second: Box) -> float:
    """Intersection over union of two boxes, 0 to 1."""
    across = min(first.x_max, second.x_max) - max(first.x_min, second.x_min)
    down = min(first.y_max, second.y_max) - max(first.y_min, second.y_min)
    if across <= 0 or down <= 0:
        return 0.0
    both = across * down
    return both / (first.width * first.height + second.width * second.height - both)


def image_words(sample: Sample) -> dict[str, object]:
    """What every template may say of the image itself."""
    words = modality(sample.modality)
    return {
        "image_name": words.image,
        "image_article": words.article,
        "modality": words.name,
        "view": sample.view,
        "sequence": sample.sequence,
        "anatomy": list(sample.anatomy),
    }
