"""2-D pictures: one file, one case, one sample."""

from collections.abc import Iterator
from dataclasses import replace

from converters.annotations.contract import ImageName
from converters.errors import CaseError
from converters.files import Root
from converters.imaging.grey import window_hu
from converters.imaging.hounsfield import show_hounsfield
from converters.imaging.pictures import Picture, panel_of, read_picture
from converters.layouts.listing import cases_of, list_cases, named_images
from converters.layouts.picture_case import ask_blocks, picture_sample
from converters.manifest import Manifest
from converters.records import Case, Fault, Outcome
from converters.specs.layouts import Images

VERSION = 2


def cases(manifest: Manifest, layout: Images, root: Root) -> list[Case]:
    """One case an image file, in the order of paths; then annotations without an image.

    Raises:
        SourceError: No image matches, or a table or label is not what the manifest says.
    """
    listing = root.listing()
    if not layout.tags:
        return list_cases(manifest, layout, root, listing)
    images, faults = _read_tags(layout, root, named_images(manifest, layout, listing))
    found = cases_of(manifest, layout, root, listing, images)
    return [
        replace(case, fault=faults[case.image]) if case.image in faults else case for case in found
    ]


def _read_tags(
    layout: Images, root: Root, images: tuple[ImageName, ...]
) -> tuple[tuple[ImageName, ...], dict[str, Fault]]:
    """Images with the fields of their headers, and what is wrong with the others."""
    from converters.imaging.dicom import read_header
    from converters.imaging.dicom_tags import text_of

    found: list[ImageName] = []
    faults: dict[str, Fault] = {}
    for image in images:
        said: dict[str, str] = {}
        try:
            header = read_header(root, image.path)
            said = {name: text_of(header, keyword) for name, keyword in layout.tags.items()}
        except CaseError as error:
            faults[image.path] = Fault(reason=error.reason, message=error.message)
        # What the path itself says goes first.
        found.append(replace(image, fields={**said, **image.fields}))
    return tuple(found), faults


def convert(manifest: Manifest, layout: Images, root: Root, case: Case) -> Iterator[Outcome]:
    """Yield the one sample of a picture.

    Raises:
        CaseError: The picture or its annotation cannot be used.
    """
    window = window_hu(layout.window) if layout.window else None
    picture = read_picture(root, case.image, window)
    if layout.panels:
        picture = panel_of(picture, layout.panels.count, layout.panels.shown, case.image)
    if layout.hounsfield:
        picture = show_hounsfield(layout.hounsfield, picture, case.fields, case.image)
    said = ask_blocks(
        list(zip(layout.annotations, case.entries, strict=True)),
        root,
        case,
        picture,
        _spacing(layout, picture, case.image),
    )
    if not (said.findings or said.absent or said.exchanges):
        raise CaseError("annotation_empty", f"nothing is marked on {case.image}")
    yield picture_sample(
        manifest,
        case,
        picture,
        replace(said, view=_view(said.view, picture.view, case.image)),
        sample_id=f"{case.source}/{case.key}",
        entries=case.entries,
        max_side_px=layout.max_side_px,
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
