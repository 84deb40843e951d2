"""DICOM structure sets (RTSTRUCT): contours filled on the slices of the image."""

from collections.abc import Iterator

import numpy as np
from pydicom.dataset import Dataset

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
from converters.annotations.structures import (
    Marked,
    Structure,
    VolumeQuestion,
    cut_structure,
    empty_structure,
)
from converters.errors import CaseError
from converters.imaging.contours import Contour, fill_contours
from converters.imaging.dicom_file import open_dataset
from converters.imaging.dicom_tags import integer_of, items_of, name_of, numbers_of, text_of
from converters.records import Json
from converters.specs.dicom_objects import NamedRegions, Rtstruct

__all__ = ["index", "read_structures", "terms_of"]

MAX_POINTS = 1 << 24
_CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
_LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])


def index(spec: Rtstruct, block: Block) -> Index:
    """The structure sets of each image.

    Raises:
        SourceError: A name is not in the manifest, where that stops.
    """
    return index_regions(spec, block, KIND)


def _describe(spec: NamedRegions, header: Dataset) -> Described:
    frames = items_of(header, "ReferencedFrameOfReferenceSequence")
    rois = items_of(header, "StructureSetROISequence")
    regions = tuple(
        Region(number=integer_of(roi, "ROINumber"), name=text_of(roi, "ROIName")) for roi in rois
    )
    numbers = [region.number for region in regions]
    if len(set(numbers)) < len(numbers):
        raise CaseError("labels_contradict", f"{name_of(header)} has two regions of one number")
    series = {
        text_of(one, "SeriesInstanceUID")
        for frame in frames
        for study in items_of(frame, "RTReferencedStudySequence")
        for one in items_of(study, "RTReferencedSeriesSequence")
    }
    uids = {text_of(frame, "FrameOfReferenceUID") for frame in frames}
    uids |= {text_of(roi, "ReferencedFrameOfReferenceUID") for roi in rois}
    return Described(
        series=frozenset(series) - {""},
        frames_of_reference=frozenset(uids) - {""},
        regions=regions,
    )


KIND = RegionKind(modality="RTSTRUCT", describe=_describe, needs_name=True)


def read_structures(spec: Rtstruct, question: VolumeQuestion) -> Marked:
    """Every region that a term is said of, its contours filled.

    Raises:
        CaseError: A file cannot be used; a region has no closed contours, lies in another
            frame of reference, or its contours are not on the slices of the image.
    """
    structures: list[Structure] = []
    unsure: list[str] = []
    off_mm = 0.0
    for path in question.entry.files:
        dataset = open_dataset(question.root, path, with_pixels=True)
        rois = {integer_of(r, "ROINumber"): r for r in items_of(dataset, "StructureSetROISequence")}
        drawn = _contours_by_number(dataset)
        for region in wanted(spec, KIND, _describe(spec, dataset)):
            name = f"{path}, {region.name!r}"
            uid = text_of(rois[region.number], "ReferencedFrameOfReferenceUID")
            require_frame(question, [uid], name)
            contours = list(_points(drawn.get(region.number), name))
            structure, off, is_sure = _fill(spec, region, contours, question, name)
            structures.append(structure)
            unsure += [] if is_sure else [structure.term]
            off_mm = max(off_mm, off)
    _require_inside(structures, unsure, question)
    step: dict[str, Json] = {
        "step": "fill_contours",
        "rule": "voxel centres, even-odd",
        "off_slice_mm": off_mm,
    }
    return mark(spec, structures, unsure, [step])


def _contours_by_number(dataset: Dataset) -> dict[int, Dataset]:
    found: dict[int, Dataset] = {}
    for item in items_of(dataset, "ROIContourSequence"):
        number = integer_of(item, "ReferencedROINumber")
        if number in found:
            raise CaseError(
                "labels_contradict", f"{name_of(dataset)}: region {number} is drawn twice"
            )
        found[number] = item
    return found


def _points(drawn: Dataset | None, name: str) -> Iterator[Contour]:
    """Contours of a region in millimetres, RAS."""
    total = 0
    for number, item in enumerate(items_of(drawn, "ContourSequence") if drawn else (), start=1):
        where = f"{name}, contour {number}"
        kind = text_of(item, "ContourGeometricType")
        if kind not in _CLOSED:
            raise CaseError("outline_open", f"{where} is of type {kind!r}, not closed")
        numbers = _coordinates(item, where)
        count = integer_of(item, "NumberOfContourPoints", len(numbers) // 3)
        if len(numbers) != 3 * count:
            raise CaseError(
                "value_invalid", f"{where} has {len(numbers)} numbers for {count} points"
            )
        total += count
        if total > MAX_POINTS:
            raise CaseError("file_too_large", f"{where}: more than {MAX_POINTS:,} points")
        if count:
            yield numbers.reshape(-1, 3) * _LPS_TO_RAS


def _coordinates(item: Dataset, where: str) -> Contour:
    """Numbers of a contour, without a Python object for each where they are still text."""
    raw = item.get_item("ContourData")
    value = getattr(raw, "value", None)
    if not isinstance(value, bytes):
        return np.array(numbers_of(item, "ContourData"), dtype=np.float64)
    try:
        parts = value.rstrip(b" \0").split(b"\\") if value.strip(b" \0") else []
        return np.array(parts, dtype=np.float64)
    except ValueError as error:
        raise CaseError("value_invalid", f"{where}: a coordinate is no number") from error


def _fill(
    spec: Rtstruct, region: Region, contours: list[Contour], question: VolumeQuestion, name: str
) -> tuple[Structure, float, bool]:
    """A region's structure, how far off its slices it is, and whether all of it is seen.

    A region without a contour says nothing: it is a name that was kept from a template.
    """
    term = term_of(spec, region) or ""
    if not contours:
        return empty_structure(term, region.name), 0.0, False
    filled = fill_contours(contours, question.grid, name)
    structure = cut_structure(filled.mask, term, region.name, filled.corner)
    return structure, filled.off_mm, filled.is_all_seen


def _require_inside(
    structures: list[Structure], unsure: list[str], question: VolumeQuestion
) -> None:
    """Refuse a structure set none of whose contours lies on the image.

    Raises:
        CaseError: ``grids_apart``.
    """
    if unsure and not any(one.mask.size for one in structures):
        raise CaseError(
            "grids_apart",
            f"{', '.join(question.entry.files)}: no contour of {len(structures)} regions encloses "
            "a voxel of the image",
        )
