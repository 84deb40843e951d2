"""What is made of one picture once it was read: every block asked, and their answers joined.

Every layout of 2-D pictures comes here.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

from converters.annotations.contract import (
    Question,
    Said,
    absent_terms,
    countable_terms,
    join_measurements,
    module_of,
    surely_absent,
)
from converters.errors import CaseError
from converters.files import Root
from converters.imaging.pictures import Picture
from converters.records import Case, Entry, Finding, Side
from converters.specs.annotations import PictureAnnotation
from converters.specs.slides import SlideAnnotation
from converters.specs.videos import VideoAnnotation
from converters.vocabulary import term

PictureBlock: TypeAlias = PictureAnnotation | VideoAnnotation | SlideAnnotation
# Where a picture with a laterality shows that side alone.
ONE_SIDED = frozenset({"breast", "eye", "knee", "retina"})


def with_side(
    findings: tuple[Finding, ...], side: Side | None, anatomy: tuple[str, ...]
) -> tuple[Finding, ...]:
    """Give findings the side of the patient that the whole picture shows.

    Only where a picture of that anatomy shows one side and nothing of the other; what names a
    side itself must agree.

    Raises:
        CaseError: ``labels_contradict``.
    """
    if side not in ("left", "right") or not set(anatomy) <= ONE_SIDED:
        return findings
    other = sorted(one.label for one in findings if one.side and one.side != side)
    if other:
        raise CaseError("labels_contradict", f"{', '.join(other)} on a picture of the {side}")
    return tuple(
        one if term(one.label).role == "normal" else replace(one, side=side) for one in findings
    )


def ask_blocks(
    blocks: Sequence[tuple[PictureBlock, Entry | None]],
    root: Root,
    case: Case,
    picture: Picture,
    spacing_mm: tuple[float, float] | None,
) -> Said:
    """Everything that blocks say of one picture, in the manifest's order.

    Args:
        blocks: Each block of the manifest, and what it has for this picture.
        root: Of the source.
        case: What the picture is of.
        picture: Its pixels.
        spacing_mm: Row and column spacing, where the manifest or the file gives it.

    A block that gives the spacing stands before those that measure with it.
    """
    total = Said(spacing_mm=spacing_mm)
    said_by: Counter[str] = Counter()
    for spec, entry in blocks:
        said = _ask_one(spec, entry, root, case, picture, total.spacing_mm)
        said_by.update({f.label for f in said.findings if f.box or f.position})
        total = Said(
            findings=total.findings + said.findings,
            absent=tuple(sorted({*total.absent, *said.absent})),
            countable=total.countable + countable_terms(said.findings, spec.completeness),
            exchanges=total.exchanges + said.exchanges,
            spacing_mm=said.spacing_mm or total.spacing_mm,
            modality=said.modality or total.modality,
            anatomy=said.anatomy or total.anatomy,
            view=said.view or total.view,
            transforms=total.transforms + said.transforms,
        )
    both = {finding.label for finding in total.findings} & set(total.absent)
    if both:
        raise CaseError("labels_contradict", f"{', '.join(sorted(both))}: marked and absent")
    return replace(
        total,
        findings=join_measurements(total.findings),
        absent=surely_absent(total.absent, total.findings),
        countable=_counted_once(total.countable, said_by),
    )


def _counted_once(countable: tuple[str, ...], said_by: Counter[str]) -> tuple[str, ...]:
    """What two blocks mark stands twice among the findings, and may not be counted."""
    return tuple(sorted({name for name in countable if said_by[name] == 1}))


def _ask_one(
    spec: PictureBlock,
    entry: Entry | None,
    root: Root,
    case: Case,
    picture: Picture,
    spacing_mm: tuple[float, float] | None,
) -> Said:
    module = module_of(spec.kind)
    if entry is None:
        is_known = spec.if_missing == "absent"
        names = module.terms_of(spec) if is_known else ()
        return Said(absent=absent_terms(names, (), is_known=is_known))
    question = Question(
        root=root,
        path=case.image,
        fields=case.fields,
        entry=entry,
        picture=picture,
        spacing_mm=spacing_mm,
    )
    said: Said = module.read(spec, question)
    return said
