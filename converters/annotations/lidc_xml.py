"""Nodules of LIDC-IDRI: outlines of several readers, put on voxels by where their slices lie."""

from collections.abc import Iterable, Mapping
from posixpath import dirname

import numpy as np

from converters.annotations.contract import Block, Index
from converters.annotations.lidc_files import Readings, Roi, parse_readings, series_of
from converters.annotations.structures import (
    Marked,
    Structure,
    VolumeQuestion,
)
from converters.errors import CaseError
from converters.imaging.dicom_slices import Slice, read_slices
from converters.imaging.planes import Grid
from converters.imaging.readers import (
    Pixels,
    Reading,
    Voxels,
    agreed_voxels,
    inside_border,
    same_things,
    with_border,
)
from converters.pattern import match_paths
from converters.records import Entry, Fault, Json
from converters.specs.shapes import LidcXml

_XML_BYTES = 64 << 20
_OFF_VOXEL = 0.05  # how far a pixel of an outline may lie from the centre of a voxel
_OFF_MM = 0.5  # how far a slice may lie from where the XML has it
_TO_RAS = (-1.0, -1.0, 1.0)


def index(spec: LidcXml, block: Block) -> Index:
    """The XML file of each series, by the UID in it. Two of one series are a fault."""
    by_series: dict[str, list[str]] = {}
    orphans: list[tuple[str, str]] = []
    for path, _ in match_paths(spec.files, block.listing.paths):
        try:
            series_uid = series_of(block.root.read(path, _XML_BYTES), path)
        except CaseError as error:
            orphans.append((path, error.message))
            continue
        if series_uid:
            by_series.setdefault(series_uid, []).append(path)
    beside = _files_by_folder(block)
    entries: dict[str, Entry] = {}
    faults: dict[str, Fault] = {}
    for image in block.images:
        found = by_series.pop(image.fields.get("series_uid", ""), [])
        if len(found) > 1:
            message = f"{' and '.join(found[:3])} are of one series"
            faults[image.path] = Fault(reason="name_duplicate", message=message)
        elif found:
            slices: list[Json] = [*beside[dirname(image.path)]]
            entries[image.path] = Entry(files=tuple(found), values=slices)
    orphans += [(paths[0], f"no series {uid}") for uid, paths in by_series.items()]
    return Index(entries=entries, faults=faults, orphans=tuple(orphans))


def _files_by_folder(block: Block) -> Mapping[str, list[str]]:
    """Files beside the first slice of each series: its other slices are among them."""
    found: dict[str, list[str]] = {dirname(image.path): [] for image in block.images}
    for path in block.listing.paths:
        folder = dirname(path)
        if folder in found and not path.lower().endswith(".xml"):
            found[folder].append(path)
    return found


def read_structures(spec: LidcXml, question: VolumeQuestion) -> Marked:
    """Every nodule that enough readers have outlined, with the voxels that enough agree on.

    Raises:
        CaseError: The file cannot be used, names a slice that is not there or lies elsewhere,
            or its outlines do not lie on the voxels of the series.
    """
    path = question.entry.files[0]
    readings = parse_readings(question.root.read(path, _XML_BYTES), path)
    if readings is None:
        raise CaseError("file_unreadable", f"{path} is no reading of a CT series")
    slices = _slices(question, readings)
    drawn = [
        Reading(reader=number, voxels=_voxels(nodule, slices, question.grid, path))
        for number, nodules in enumerate(readings.readers)
        for nodule in nodules
    ]
    drawn = [reading for reading in drawn if reading.voxels.size]
    structures: list[Structure] = []
    left_out = 0
    for same in same_things(drawn):
        voxels = agreed_voxels(same, agreement=spec.agreement, readers=len(readings.readers))
        if len({one.reader for one in same}) < spec.readers or not voxels.size:
            left_out += 1
            continue
        structures.append(_structure(spec.labels["nodule"], voxels, question.grid))
    step: dict[str, Json] = {
        "step": "consensus",
        "readers": len(readings.readers),
        "at_least": spec.readers,
        "agreement": spec.agreement,
        "nodules": len(structures),
        "left_out": left_out,
    }
    return Marked(structures=tuple(structures), transforms=(step,))


def _slices(question: VolumeQuestion, readings: Readings) -> Mapping[str, Slice]:
    """The slices of the series by their UID."""
    paths = question.entry.values
    assert isinstance(paths, list)
    files, _ = read_slices(question.root, [str(path) for path in paths])
    return {
        one.sop_uid: one
        for file in files
        for one in file.slices
        if file.facts.series_uid == readings.series_uid
    }


def _voxels(nodule: Iterable[Roi], slices: Mapping[str, Slice], grid: Grid, path: str) -> Voxels:
    """What one reader has inside the outlines of a nodule, without its holes."""
    inside: list[Voxels] = []
    holes: list[Voxels] = []
    for roi in nodule:
        if len(roi.points) == 0:
            continue
        one = slices.get(roi.sop_uid)
        if one is None:
            raise CaseError("image_missing", f"{path} names slice {roi.sop_uid}, not in the series")
        pixels = with_border(roi.points) if roi.is_hole else inside_border(roi.points)
        placed = place_pixels(pixels, one, roi.z_mm, grid, f"{path}, slice {roi.sop_uid}")
        (holes if roi.is_hole else inside).append(placed)
    nothing = np.empty(0, dtype=np.int64)
    return np.setdiff1d(np.concatenate([nothing, *inside]), np.concatenate([nothing, *holes]))


def place_pixels(pixels: Pixels, one: Slice, z_mm: float, grid: Grid, where: str) -> Voxels:
    """The voxels of a canonical grid that pixels of a slice are, as one number each.

    Args:
        pixels: Column and row from 0.
        one: The slice.
        z_mm: Where the annotation has it along z, LPS.
        grid: Of the series.
        where: For messages.

    Raises:
        CaseError: ``geometry_invalid``.
    """
    if one.position is None or one.directions is None or one.spacing_mm is None:
        raise CaseError("geometry_invalid", f"{where}: {one.trouble}")
    if abs(one.position[2] - z_mm) > _OFF_MM:
        raise CaseError(
            "geometry_invalid", f"{where} lies at z {one.position[2]:g} mm, its outline at {z_mm:g}"
        )
    between_rows, between_columns = one.spacing_mm
    along_row, along_column = np.array(one.directions)
    lps = (
        np.array(one.position)
        + pixels[:, :1] * between_columns * along_row
        + pixels[:, 1:] * between_rows * along_column
    )
    matrix = grid.affine[:3, :3]
    voxels = np.linalg.solve(matrix, (lps * _TO_RAS - grid.affine[:3, 3]).T).T
    nearest = np.rint(voxels).astype(np.int64)
    off = float(np.abs(voxels - nearest).max(initial=0.0))
    if off > _OFF_VOXEL or (nearest < 0).any() or (nearest >= grid.shape).any():
        raise CaseError(
            "geometry_invalid", f"{where}: an outline lies {off:.3g} voxels off, or outside"
        )
    return np.unique(np.ravel_multi_index(tuple(nearest.T), grid.shape))


def _structure(term: str, voxels: Voxels, grid: Grid) -> Structure:
    places = np.stack(np.unravel_index(voxels, grid.shape), axis=1)
    low = places.min(axis=0)
    mask = np.zeros(places.max(axis=0) - low + 1, dtype=bool)
    mask[tuple((places - low).T)] = True
    i, j, k = (int(value) for value in low)
    return Structure(term=term, code="nodule", mask=mask, corner=(i, j, k), is_instance=True)


def terms_of(spec: LidcXml) -> tuple[str, ...]:
    """Every term that the block can say."""
    return tuple(spec.labels.values())
