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
from converters.imaging.pictures import Picture, decode_picture, render_picture
from converters.layouts.listing import annotation_path, list_cases
from converters.manifest import Manifest
from converters.records import Case, Entry, Outcome, Sample
from converters.specs.annotations import PictureAnnotation
from converters.specs.layouts import Images

VERSION = 1


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
    picture = decode_picture(root.read(case.image), case.image)
    spacing = layout.spacing
    said = _ask(
        layout, root, case, picture, (spacing.row_mm, spacing.column_mm) if spacing else None
    )
    if not (said.findings or said.absent or said.exchanges):
        raise CaseError("annotation_empty", f"nothing is marked on {case.image}")
    rendered = render_picture(picture, case.image)
    width, height = picture.size
    entries = [entry for entry in case.entries if entry]
    yield Sample(
        sample_id=f"{case.source}/{case.key}",
        case_key=case.key,
        image=rendered.data,
        image_format=rendered.format,
        phash=rendered.phash,
        width=width,
        height=height,
        findings=said.findings,
        absent=said.absent,
        countable=said.countable,
        exchanges=said.exchanges,
        modality=said.modality or manifest.modality,
        anatomy=said.anatomy or tuple(manifest.anatomy),
        view=said.view,
        spacing_mm=said.spacing_mm,
        source_path=case.image,
        annotation_path=annotation_path(case, entries),
        annotation_files=tuple(file for entry in entries for file in entry.files),
        transforms=rendered.transforms + said.transforms,
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
        said_by.update({finding.label for finding in said.findings if finding.box})
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
