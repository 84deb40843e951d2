"""Cases by name: images, their annotations, splits and faults. No pixels are read here."""

from collections.abc import Iterable
from typing import TypeAlias

from converters.annotations.contract import Block, ImageName, Index, module_of
from converters.errors import CaseError, SourceError
from converters.files import Listing, Root
from converters.manifest import Manifest
from converters.pattern import fill, match_paths
from converters.records import Case, Entry, Fault
from converters.specs.layouts import Arrays, Images, Series, Slides, Videos, Volumes
from converters.splits import OfficialSplit

_Annotated: TypeAlias = Images | Volumes | Series | Videos | Slides | Arrays


def list_cases(manifest: Manifest, layout: _Annotated, root: Root, listing: Listing) -> list[Case]:
    """One case an image file, in the order of paths; then annotations without an image.

    Raises:
        SourceError: No image matches, or a table or label is not what the manifest says.
    """
    return cases_of(manifest, layout, root, listing, named_images(manifest, layout, listing))


def named_images(manifest: Manifest, layout: _Annotated, listing: Listing) -> tuple[ImageName, ...]:
    """Every image of the layout with what its path says, in the order of paths.

    Raises:
        SourceError: No image matches.
    """
    images = tuple(
        ImageName(path=path, fields={"path": path, **fields})
        for path, fields in match_paths(layout.images, listing.paths)
    )
    if not images:
        raise SourceError(manifest.name, f"no file matches {layout.images!r}", "check --root")
    return images


def cases_of(
    manifest: Manifest,
    layout: _Annotated,
    root: Root,
    listing: Listing,
    images: tuple[ImageName, ...],
) -> list[Case]:
    """One case an image, in their order; then annotations without an image.

    Raises:
        SourceError: A table or label is not what the manifest says.
    """
    block = Block(source=manifest.name, root=root, listing=listing, images=images)
    indices = [module_of(spec.kind).index(spec, block) for spec in layout.annotations]
    split = OfficialSplit(layout.split, root, listing)
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
    manifest: Manifest,
    layout: _Annotated,
    image: ImageName,
    indices: list[Index],
    split: OfficialSplit,
) -> Case:
    fields = dict(image.fields)
    for index in indices:
        fields.update(index.columns.get(image.path, {}))
    subject, official = image.path, None
    fault = _fault(layout, image, indices)
    if fault is None:
        try:
            subject, official = fill(layout.subject, fields), split.of(fields)
        except CaseError as error:
            fault = Fault(reason=error.reason, message=error.message)
    return Case(
        source=manifest.name,
        key=image.path,
        subject_id=subject,
        split=official,
        image=image.path,
        fields=fields,
        entries=tuple(index.entries.get(image.path) for index in indices),
        fault=fault,
    )


def _fault(layout: _Annotated, image: ImageName, indices: list[Index]) -> Fault | None:
    for pattern, why in layout.known_bad.items():
        if match_paths(pattern, [image.path]):
            return Fault(reason="known_bad", message=f"{image.path}: {why}")
    for spec, index in zip(layout.annotations, indices, strict=True):
        if image.path in index.faults:
            return index.faults[image.path]
        if image.path not in index.entries and spec.if_missing == "reject":
            return Fault(reason="annotation_missing", message=f"no {spec.kind} for {image.path}")
    return None


def annotation_path(case: Case, entries: Iterable[Entry]) -> str:
    """The file or table that says most of a case; the image's path where its name says all."""
    # An entry that says no labels (a sidecar) goes last.
    for entry in sorted(entries, key=lambda entry: entry.labels == ()):
        if entry.files or entry.table:
            return entry.files[0] if entry.files else entry.table
    return case.image  # the path itself is the annotation
