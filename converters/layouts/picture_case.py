"""What is made of one picture once it was read: every block asked, and their answers joined.

Every layout of 2-D pictures comes here.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
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
    take_label,
)
from converters.errors import CaseError
from converters.files import Root
from converters.imaging.pictures import Picture, render_picture
from converters.imaging.planes import MAX_SIDE_PX
from converters.imaging.shrink import shrink_picture
from converters.layouts.contradictions import denied_by, require_no_contradiction
from converters.layouts.listing import annotation_path
from converters.manifest import Manifest
from converters.records import Case, Entry, Finding, Sample, Side
from converters.specs.annotations import PictureAnnotation
from converters.specs.slides import SlideAnnotation
from converters.specs.videos import VideoAnnotation
from converters.vocabulary import term

PictureBlock: TypeAlias = PictureAnnotation | VideoAnnotation | SlideAnnotation
# Where a picture with a laterality shows that side alone.
ONE_SIDED = frozenset({"breast", "eye", "knee", "retina"})


def picture_sample(
    manifest: Manifest,
    case: Case,
    picture: Picture,
    said: Said,
    *,
    sample_id: str,
    entries: Iterable[Entry | None],
    max_side_px: int = MAX_SIDE_PX,
) -> Sample:
    """The sample of a picture and what was said of it.

    A picture that had to be rendered is made smaller where a side is beyond `max_side_px`, and its
    findings with it; the bytes of a file that can be taken as they are stay what they are.

    Args:
        manifest: Of the source.
        case: What the picture is of.
        picture: Its pixels.
        said: What the blocks say, from :func:`ask_blocks`.
        sample_id: Identity of the sample.
        entries: What the blocks had for it; None where one had nothing.
        max_side_px: Largest width and height of what is rendered.

    Raises:
        CaseError: The picture cannot be rendered, or a side contradicts it.
    """
    shown, scale = picture, None
    if picture.transforms:  # its bytes are not the file's any more
        shown, scale = shrink_picture(picture, max_side_px)
    rendered = render_picture(shown, case.image)
    anatomy = said.anatomy or tuple(manifest.anatomy)
    findings = tuple(map(scale.finding, said.findings)) if scale else said.findings
    there = [entry for entry in entries if entry]
    return Sample(
        sample_id=sample_id,
        case_key=case.key,
        image=rendered.data,
        image_format=rendered.format,
        phash=rendered.phash,
        width=shown.size[0],
        height=shown.size[1],
        findings=with_side(findings, picture.side, anatomy),
        absent=said.absent,
        countable=said.countable,
        exchanges=said.exchanges,
        modality=said.modality or manifest.modality,
        anatomy=anatomy,
        view=said.view,
        spacing_mm=scale.spacing(said.spacing_mm) if scale else said.spacing_mm,
        source_path=case.image,
        annotation_path=annotation_path(case, there),
        annotation_files=tuple(file for entry in there for file in entry.files),
        transforms=rendered.transforms + said.transforms,
    )


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

    A block that gives the spacing stands before those that measure with it, and one that names
    what another marks before that one.
    """
    total = Said(spacing_mm=spacing_mm)
    said_by: Counter[str] = Counter()
    denied: set[str] = set()
    for spec, entry in blocks:
        said = _ask_one(spec, entry, root, case, picture, total.spacing_mm)
        if getattr(spec, "takes_label", False):
            said = take_label(said, total.findings)
        denied |= denied_by(said)
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
    require_no_contradiction(total.findings, denied, case.image)
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
