"""2-D pictures: one file, one case, one sample."""

from collections.abc import Iterator
from dataclasses import replace

from converters.annotations.contract import (
    Block,
    ImageName,
    Index,
    Question,
    Said,
    absent_terms,
    module_of,
)
from converters.errors import CaseError, SourceError
from converters.files import Root
from converters.imaging.pictures import Picture, decode_picture, render_picture
from converters.manifest import Manifest
from converters.pattern import fill, match_paths
from converters.records import Case, Entry, Fault, Outcome, Sample
from converters.specs.annotations import PictureAnnotation
from converters.specs.layouts import Images
from converters.splits import OfficialSplit

VERSION = 1


def cases(manifest: Manifest, layout: Images, root: Root) -> list[Case]:
    """One case an image file, in the order of paths; then annotations without an image.

    Raises:
        SourceError: No image matches, or a table or label is not what the manifest says.
    """
    listing = root.listing()
    images = tuple(
        ImageName(path=path, fields={"path": path, **fields})
        for path, fields in match_paths(layout.images, listing.paths)
    )
    if not images:
        raise SourceError(manifest.name, f"no file matches {layout.images!r}", "check --root")
    block = Block(source=manifest.name, root=root, listing=listing, images=images)
    indices = [module_of(spec.kind).index(spec, block) for spec in layout.annotations]
    split = OfficialSplit(layout.split, root, listing.paths)
    found = [_case(manifest, layout, image, indices, split) for image in images]
    found += [
        faulty_case(manifest, key, "image_missing", message)
        for index in indices
        for key, message in index.orphans
    ]
    found += [
        faulty_case(manifest, path, "link_outside_root", "a link out of the root")
        for path in listing.outside
    ]
    found += [
        faulty_case(manifest, path, "name_not_utf8", "the name is not valid UTF-8")
        for path in listing.undecodable
    ]
    return found


def faulty_case(manifest: Manifest, key: str, reason: str, message: str) -> Case:
    """A case that has no image to read."""
    return Case(
        source=manifest.name,
        key=key,
        subject_id=key,
        split=None,
        image="",
        fault=Fault(reason=reason, message=message),
    )


def _case(
    manifest: Manifest, layout: Images, image: ImageName, indices: list[Index], split: OfficialSplit
) -> Case:
    fields = dict(image.fields)
    for index in indices:
        fields.update(index.columns.get(image.path, {}))
    case = Case(
        source=manifest.name,
        key=image.path,
        subject_id=image.path,
        split=None,
        image=image.path,
        fields=fields,
        entries=tuple(index.entries.get(image.path) for index in indices),
        fault=_fault(layout, image, indices),
    )
    if case.fault:
        return case
    try:
        return replace(case, subject_id=fill(layout.subject, fields), split=split.of(fields))
    except CaseError as error:
        return replace(case, fault=Fault(reason=error.reason, message=error.message))


def _fault(layout: Images, image: ImageName, indices: list[Index]) -> Fault | None:
    for spec, index in zip(layout.annotations, indices, strict=True):
        if image.path in index.faults:
            return index.faults[image.path]
        if image.path not in index.entries and spec.if_missing == "reject":
            return Fault(reason="annotation_missing", message=f"no {spec.kind} for {image.path}")
    return None


def convert(
    manifest: Manifest, layout: Images, root: Root, case: Case
) -> Iterator[Outcome]:
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
        exchanges=said.exchanges,
        modality=said.modality or manifest.modality,
        anatomy=said.anatomy or tuple(manifest.anatomy),
        view=said.view,
        spacing_mm=said.spacing_mm,
        source_path=case.image,
        annotation_path=_annotation_path(case, entries),
        annotation_files=tuple(file for entry in entries for file in entry.files),
        transforms=rendered.transforms + said.transforms,
    )


def _annotation_path(case: Case, entries: list[Entry]) -> str:
    for entry in entries:
        if entry.files or entry.table:
            return entry.files[0] if entry.files else entry.table
    return case.image  # the path itself is the annotation


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
    for spec, entry in zip(layout.annotations, case.entries, strict=True):
        said = _ask_one(spec, entry, root, case, picture, total.spacing_mm)
        total = Said(
            findings=total.findings + said.findings,
            absent=tuple(sorted({*total.absent, *said.absent})),
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
    return total


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
