"""DICOM segmentation objects (SEG): frames put on the voxels of the image by where they lie."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from scipy import ndimage

from converters.annotations.contract import Block, Index
from converters.annotations.region_names import (
    Described,
    Region,
    RegionKind,
    term_of,
    terms_of,
    wanted,
)
from converters.annotations.regions import index_regions, mark, require_frame
from converters.annotations.segment_codes import known_codes, segment_region
from converters.annotations.structures import (
    Corner,
    Marked,
    Structure,
    VolumeQuestion,
    cut_structure,
    empty_structure,
)
from converters.errors import CaseError
from converters.imaging.dicom_file import open_dataset
from converters.imaging.dicom_tags import integer_of, items_of, name_of, numbers_of, text_of
from converters.imaging.resample import resample_nearest
from converters.imaging.seg_frames import Frame, FramePixels, Pixels, SegObject, describe_seg
from converters.imaging.seg_grid import own_volume, place_frames, spots_of
from converters.records import Json
from converters.specs.dicom_objects import DicomSeg, NamedRegions

__all__ = ["index", "read_structures", "terms_of"]

Values: TypeAlias = npt.NDArray[Any]
Read: TypeAlias = Callable[[Frame], Pixels]
Steps: TypeAlias = list[dict[str, Json]]

_CODES = 1 << 16  # of a label map of 16 bits


def index(spec: DicomSeg, block: Block) -> Index:
    """The segmentation objects of each image.

    Raises:
        SourceError: A segment is not in the manifest, where that stops.
    """
    return index_regions(spec, block, KIND)


def _describe(spec: NamedRegions, header: Dataset) -> Described:
    series = items_of(header, "ReferencedSeriesSequence")
    known = known_codes(spec)
    regions = tuple(segment_region(item, known) for item in items_of(header, "SegmentSequence"))
    numbers = [region.number for region in regions]
    if len(set(numbers)) < len(numbers):
        raise CaseError("labels_contradict", f"{name_of(header)} has two segments of one number")
    named = [region.code for region in regions if not region.is_background]
    if getattr(spec, "only", None) and len(named) != 1:
        raise CaseError(
            "label_unknown",
            f"{name_of(header)} holds {len(named)} segments, and one is expected: {named[:20]}",
        )
    return Described(
        series=frozenset(text_of(item, "SeriesInstanceUID") for item in series) - {""},
        frames_of_reference=frozenset({text_of(header, "FrameOfReferenceUID")}) - {""},
        regions=regions,
    )


KIND = RegionKind(modality="SEG", describe=_describe, needs_name=False)


def read_structures(spec: DicomSeg, question: VolumeQuestion) -> Marked:
    """Every segment that a term is said of; one at a time is held whole.

    Raises:
        CaseError: A file cannot be used, does not lie on the image's voxels, or holds what is
            no segment.
    """
    structures: list[Structure] = []
    unsure: list[str] = []
    steps: Steps = []
    for path in question.entry.files:
        dataset = open_dataset(question.root, path, with_pixels=True)
        described = _describe(spec, dataset)
        require_frame(question, described.frames_of_reference, path)
        seg = describe_seg(dataset)
        _require_described(seg, described)
        regions = wanted(spec, KIND, described)
        parts = _label_map if seg.kind == "LABELMAP" else _segments
        for found in parts(spec, seg, described, regions, question):
            structures.append(found.structure)
            unsure += [] if found.is_faithful else [found.structure.term]
            steps += found.steps
    return mark(spec, structures, unsure, steps)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Found:
    structure: Structure
    is_faithful: bool
    steps: Steps


@dataclass(frozen=True, kw_only=True, slots=True)
class _Placed:
    values: Values
    corner: Corner
    is_faithful: bool
    steps: Steps


def _require_described(seg: SegObject, described: Described) -> None:
    numbers = {region.number for region in described.regions}
    for frame in seg.frames:
        if frame.segment is not None and frame.segment not in numbers:
            raise CaseError(
                "value_invalid",
                f"{seg.name}, frame {frame.number + 1} shows segment {frame.segment}, which the "
                "file does not describe",
            )


def _segments(
    spec: DicomSeg,
    seg: SegObject,
    described: Described,
    regions: Sequence[Region],
    question: VolumeQuestion,
) -> Iterator[_Found]:
    """Segments of a binary or fractional object: each has frames of its own."""
    pixels = FramePixels(seg)
    read, steps = (pixels.read, []) if seg.kind == "BINARY" else _above(spec, seg, pixels)
    for region in regions:
        term = term_of(spec, region) or ""
        frames = [frame for frame in seg.frames if frame.segment == region.number]
        name = f"{seg.name}, segment {region.code!r}"
        if not frames:
            yield _Found(structure=empty_structure(term, region.code), is_faithful=True, steps=[])
            continue
        placed = _put(spec, seg, frames, _checked(read, name), question, name)
        structure = cut_structure(placed.values != 0, term, region.code, placed.corner)
        yield _Found(
            structure=structure, is_faithful=placed.is_faithful, steps=[*steps, *placed.steps]
        )


def _checked(read: Read, name: str) -> Read:
    """Reads frames that may hold 0 and 1 alone."""

    def checked(frame: Frame) -> Pixels:
        values = read(frame)
        if values.size and values.max() > 1:
            raise CaseError("label_unknown", f"{name} holds {values.max()}, and is binary")
        return values

    return checked


def _above(spec: DicomSeg, seg: SegObject, pixels: FramePixels) -> tuple[Read, Steps]:
    """Reads frames of fractions as 0 and 1, by the manifest's threshold."""
    largest = integer_of(seg.dataset, "MaximumFractionalValue")
    if largest <= 0:
        raise CaseError("value_invalid", f"{seg.name}: MaximumFractionalValue is {largest}")

    def read(frame: Frame) -> Pixels:
        values = pixels.read(frame)
        if values.max() > largest:
            raise CaseError("label_unknown", f"{seg.name} holds {values.max()} of {largest}")
        if spec.threshold is not None:
            return np.asarray(values > spec.threshold * largest).astype(np.uint8)
        between = int(np.count_nonzero((values > 0) & (values < largest)))
        if between:
            raise CaseError(
                "label_unknown",
                f"{seg.name} is fractional: {between:,} pixels of frame {frame.number + 1} are "
                "neither none nor all, and the manifest gives no threshold",
            )
        return np.asarray(values > 0).astype(np.uint8)

    step: dict[str, Json] = {"step": "threshold_segments", "above": spec.threshold}
    return read, [] if spec.threshold is None else [step]


def _label_map(
    spec: DicomSeg,
    seg: SegObject,
    described: Described,
    regions: Sequence[Region],
    question: VolumeQuestion,
) -> Iterator[_Found]:
    """Segments of a label map: a pixel's value is the number of its segment."""
    pixels = FramePixels(seg)
    table = _table(seg, described, regions)

    def read(frame: Frame) -> Pixels:
        stored = pixels.read(frame)
        values = table[stored]
        unknown = stored[values < 0]
        if unknown.size:
            raise CaseError(
                "label_unknown",
                f"{seg.name}, frame {frame.number + 1}: value {unknown[0]} is no segment "
                f"({unknown.size:,} pixels)",
            )
        return values

    placed = _put(spec, seg, seg.frames, read, question, seg.name)
    bounds = ndimage.find_objects(placed.values, max_label=len(regions))
    for at, (region, where) in enumerate(zip(regions, bounds, strict=True), start=1):
        term = term_of(spec, region) or ""
        structure = empty_structure(term, region.code)
        if where is not None:
            i, j, k = (c + w.start for c, w in zip(placed.corner, where, strict=True))
            structure = cut_structure(placed.values[where] == at, term, region.code, (i, j, k))
        yield _Found(structure=structure, is_faithful=placed.is_faithful, steps=placed.steps)


def _table(seg: SegObject, described: Described, regions: Sequence[Region]) -> Values:
    """By stored value: 0 for nothing to be said, -1 for no segment, else the region's place."""
    table = np.full(_CODES, -1, np.int32)
    padding = numbers_of(seg.dataset, "PixelPaddingValue")
    numbers = [region.number for region in described.regions]
    if not all(0 <= number < _CODES for number in (*numbers, *padding)):
        raise CaseError("value_invalid", f"{seg.name}: a segment number is out of range")
    if padding and any(region.number == padding[0] for region in regions):
        raise CaseError(
            "labels_contradict", f"{seg.name}: {padding[0]:g} is a segment and background"
        )
    table[[int(padding[0]) if padding else 0, *numbers]] = 0
    for at, region in enumerate(regions, start=1):
        table[region.number] = at
    return table


def _put(
    spec: DicomSeg,
    seg: SegObject,
    frames: Sequence[Frame],
    read: Read,
    question: VolumeQuestion,
    name: str,
) -> _Placed:
    """Frames on the voxels of the image, resampled only where they are not there already."""
    shape = (seg.rows, seg.columns)
    dtype = np.int32 if seg.kind == "LABELMAP" else np.uint8
    try:
        spots = spots_of(frames, shape, question.grid, name)
        values, corner = place_frames(frames, spots, read, question.grid.shape, dtype, name)
        return _Placed(values=values, corner=corner, is_faithful=True, steps=[])
    except CaseError as error:
        is_grid = error.reason in ("geometry_invalid", "shape_mismatch")
        if spec.if_grid_differs == "reject" or not is_grid:
            raise
    moved = resample_nearest(own_volume(frames, shape, read, dtype, name), question.grid, name)
    return _Placed(
        values=moved.values,
        corner=(0, 0, 0),
        is_faithful=moved.is_faithful,
        steps=[moved.step],
    )
