"""2-D pictures: one file, one case, one sample."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

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
from converters.imaging.grey import window_hu
from converters.imaging.hounsfield import show_hounsfield
from converters.imaging.pictures import Picture, read_picture, render_picture
from converters.layouts.listing import annotation_path, list_cases
from converters.manifest import Manifest
from converters.records import Case, Entry, Finding, Outcome, Sample, Side
from converters.specs.annotations import PictureAnnotation
from converters.specs.layouts import Images
from converters.vocabulary import term

VERSION = 1
# Where a picture with a laterality shows that side alone.
ONE_SIDED = frozenset({"breast", "eye", "knee", "retina"})


def cases(manifest: Manifest, layout: Images, root: Root) -> list[Case]:
    """One case an image file, in the order of paths; then annotations without an image.

    Raises:
        SourceError: No image matches, or a table or label is not what the manifest says.
    """
    return list_cases(manifest, layout, root, root.listing())


def convert(manifest: Manifest, layout: Images, root: Root, case: Case) -> Iterator[Outcome]:
    """Yield the one sample of a picture.

    Raises:
        CaseError: The picture or its annotation cannot be used.
    """
    window = window_hu(layout.window) if layout.window else None
    picture = read_picture(root, case.image, window)
    if layout.hounsfield:
        picture = show_hounsfield(layout.hounsfield, picture, case.fields, case.image)
    said = _ask(layout, root, case, picture, _spacing(layout, picture, case.image))
    if not (said.findings or said.absent or said.exchanges):
        raise CaseError("annotation_empty", f"nothing is marked on {case.image}")
    rendered = render_picture(picture, case.image)
    width, height = picture.size
    anatomy = said.anatomy or tuple(manifest.anatomy)
    entries = [entry for entry in case.entries if entry]
    yield Sample(
        sample_id=f"{case.source}/{case.key}",
        case_key=case.key,
        image=rendered.data,
        image_format=rendered.format,
        phash=rendered.phash,
        width=width,
        height=height,
        findings=with_side(said.findings, picture.side, anatomy),
        absent=said.absent,
        countable=said.countable,
        exchanges=said.exchanges,
        modality=said.modality or manifest.modality,
        anatomy=anatomy,
        view=_view(said.view, picture.view, case.image),
        spacing_mm=said.spacing_mm,
        source_path=case.image,
        annotation_path=annotation_path(case, entries),
        annotation_files=tuple(file for entry in entries for file in entry.files),
        transforms=rendered.transforms + said.transforms,
    )


def _spacing(layout: Images, picture: Picture, name: str) -> tuple[float, float] | None:
    """Spacing as the manifest states it, or the picture file itself."""
    if layout.spacing is None:
        return picture.spacing_mm
    stated = (layout.spacing.row_mm, layout.spacing.column_mm)
    own = picture.spacing_mm or stated
    if any(abs(a - b) > 0.01 * b for a, b in zip(own, stated, strict=True)):
        raise CaseError("geometry_invalid", f"{name} has spacing {own}, the source says {stated}")
    return stated


def _view(said: str, own: str, name: str) -> str:
    """View position as an annotation says it, or the picture file itself."""
    if said and own and said != own:
        raise CaseError("labels_contradict", f"{name} is said to be {said}, its header says {own}")
    return said or own


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


def _ask(
    layout: Images,
    root: Root,
    case: Case,
    picture: Picture,
    spacing_mm: tuple[float, float] | None,
) -> Said:
    """Everything that the blocks say, in the manifest's order.

    A block that gives the spacing stands before those that measure with it.
    """
    total = Said(spacing_mm=spacing_mm)
    said_by: Counter[str] = Counter()
    for spec, entry in zip(layout.annotations, case.entries, strict=True):
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
    spec: PictureAnnotation,
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
