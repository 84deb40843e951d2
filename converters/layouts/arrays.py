"""Arrays whose rows are pictures: a file and a part of it is a case, each row a sample."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import cast

import numpy as np
from PIL import Image

from converters.annotations.contract import ImageName, module_of
from converters.errors import CaseError
from converters.files import Root
from converters.imaging.array_rows import Array, array_rows
from converters.imaging.pictures import Picture
from converters.layouts.listing import cases_of, named_images
from converters.layouts.picture_case import PictureBlock, ask_blocks, picture_sample
from converters.manifest import Manifest
from converters.records import Case, Entry, Outcome, Rejection, Sample
from converters.specs.arrays import RowBoxes
from converters.specs.layouts import Arrays

VERSION = 1
_MAX_PIXELS = 100_000_000


def cases(manifest: Manifest, layout: Arrays, root: Root) -> list[Case]:
    """One case a file and part, in the order of paths; then annotations without pictures.

    Raises:
        SourceError: No file matches, or a table is not what the manifest says.
    """
    listing = root.listing()
    images = tuple(
        ImageName(
            path=f"{image.path}#{part}" if len(layout.variables) > 1 else image.path,
            fields={**image.fields, "file": image.path, "part": image.fields.get("part", part)},
        )
        for image in named_images(manifest, layout, listing)
        for part in layout.variables
    )
    return [_of_file(case) for case in cases_of(manifest, layout, root, listing, images)]


def _of_file(case: Case) -> Case:
    """The case, its image the file itself."""
    if "file" not in case.fields:
        return case
    return replace(case, image=case.fields["file"], part=case.fields["part"])


def convert(manifest: Manifest, layout: Arrays, root: Root, case: Case) -> Iterator[Outcome]:
    """Yield a sample for each picture of which something is said.

    Raises:
        CaseError: An array cannot be read, or has fewer rows than there are pictures.
    """
    path = root.checked(case.image)
    variable = layout.variables[case.part]
    said = [
        module_of(spec.kind).row_entries(spec, root, case, entry, layout)
        for spec, entry in zip(layout.annotations, case.entries, strict=True)
        if entry
    ]
    count = 0
    for pixels in array_rows(path, case.image, variable, is_one=layout.one_picture):
        entries = [_next(one, case, count) for one in said]
        if any(entry is not None for entry in entries):
            yield _outcome(manifest, layout, root, case, count, pixels, entries)
        count += 1
    for spec, one in zip(layout.annotations, said, strict=True):
        if not isinstance(spec, RowBoxes) and next(one, None) is not None:
            raise CaseError("shape_mismatch", f"{case.key}: {spec.kind} has more than {count} rows")


def _next(entries: Iterator[Entry | None], case: Case, number: int) -> Entry | None:
    for entry in entries:
        return entry
    raise CaseError("shape_mismatch", f"{case.key}: nothing is stored for picture {number}")


def _outcome(
    manifest: Manifest,
    layout: Arrays,
    root: Root,
    case: Case,
    number: int,
    pixels: Array,
    entries: Sequence[Entry | None],
) -> Outcome:
    try:
        picture = _picture(layout, case, number, pixels)
        return _sample(manifest, layout, root, case, number, picture, entries)
    except CaseError as error:
        return Rejection(
            source=case.source,
            case_key=case.key,
            reason=error.reason,
            message=error.message,
            sample_id=_sample_id(case, number),
        )


def _sample_id(case: Case, number: int) -> str:
    return f"{case.source}/{case.key}#{number:07d}"


def _picture(layout: Arrays, case: Case, number: int, pixels: Array) -> Picture:
    if layout.channels:
        pixels = _colors(layout.channels, case, pixels)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    is_color = pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.dtype == np.uint8
    if not (pixels.ndim == 2 or is_color) or not 0 < pixels.size < _MAX_PIXELS:
        raise CaseError(
            "file_unsupported",
            f"{case.key}: a row of shape {pixels.shape} and type {pixels.dtype} is no picture",
        )
    if layout.upside_down:
        pixels = np.flipud(pixels)
    shown = pixels if pixels.dtype == np.uint8 else pixels.astype(np.float32)
    return Picture(
        data=b"",
        format="array",
        image=Image.fromarray(np.ascontiguousarray(shown)),
        is_turned=False,
        transforms=(
            {
                "step": "array_row",
                "variable": layout.variables[case.part],
                "row": number,
                "upside_down": layout.upside_down,
            },
        ),
    )


def _colors(channels: Sequence[int], case: Case, pixels: Array) -> Array:
    """Red, green and blue out of an array that holds more."""
    if pixels.ndim != 3 or pixels.shape[2] <= max(channels):
        raise CaseError("file_unsupported", f"{case.key}: shape {pixels.shape} lacks a channel")
    found = pixels[..., list(channels)]
    if found.min() < 0 or found.max() > 255 or not np.array_equal(found, np.rint(found)):
        raise CaseError("file_unsupported", f"{case.key}: colours are not from 0 to 255")
    return found.astype(np.uint8)


def _sample(
    manifest: Manifest,
    layout: Arrays,
    root: Root,
    case: Case,
    number: int,
    picture: Picture,
    entries: Sequence[Entry | None],
) -> Sample:
    spacing = (layout.spacing.row_mm, layout.spacing.column_mm) if layout.spacing else None
    blocks = list(zip(cast("Sequence[PictureBlock]", layout.annotations), entries, strict=True))
    said = ask_blocks(blocks, root, case, picture, spacing)
    if not (said.findings or said.absent):
        raise CaseError("annotation_empty", f"nothing is said of picture {number} of {case.key}")
    sample = picture_sample(
        manifest, case, picture, said, sample_id=_sample_id(case, number), entries=entries
    )
    return replace(sample, source_index=number)
