"""One slice of a volume: its picture, what is marked on it, and what is surely not on it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from converters.annotations.structures import Structure
from converters.errors import CaseError
from converters.facts import (
    Mask,
    Region,
    count_parts,
    longest_diameter,
    region_finding,
    region_of,
)
from converters.imaging.grey import GreyRange
from converters.imaging.planes import (
    Grid,
    Plane,
    Raster,
    nearest_places,
    resample,
    slice_of,
)
from converters.records import Finding
from converters.terminology import implied_by
from converters.vocabulary import term


@dataclass(frozen=True, kw_only=True, slots=True)
class Said3D:
    """A structure, and whether it may be called absent from a slice that shows none of it."""

    structure: Structure
    is_known: bool


def draw_slice(
    values: npt.NDArray[Any], grey: GreyRange, plane: Plane, index: int, raster: Raster
) -> Image.Image:
    """The picture of a slice of a canonical array.

    Raises:
        CaseError: ``image_blank``, where it has a single grey level.
    """
    pixels = grey.apply(resample(slice_of(values, plane, index), raster))
    if pixels.min() == pixels.max():
        raise CaseError("image_blank", f"{plane} slice {index} has a single grey level")
    return Image.fromarray(pixels)


def describe_slice(
    said: Sequence[Said3D],
    plane: Plane,
    index: int,
    *,
    grid: Grid,
    raster: Raster,
    min_area_px: int,
) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """What is on a slice, and what is surely not on it.

    A structure whose region is below `min_area_px` pixels of the picture stands in neither:
    it is there, and too small to be spoken of. Absent means: no voxel in this slice.

    Returns:
        Findings in the order of `said`, and absent terms, sorted.
    """
    findings: list[Finding] = []
    there: set[str] = set()
    missing: set[str] = set()
    for one in said:
        native = _native_mask(one.structure, plane, index, grid)
        if native is not None:
            there.add(one.structure.term)
            finding = _finding(one.structure, native, grid, raster, min_area_px)
            findings += [finding] if finding else []
        elif one.is_known:
            missing.add(one.structure.term)
    return tuple(findings), tuple(sorted(missing - there - _implied(there)))


def _implied(there: set[str]) -> set[str]:
    return {other for name in there for other in implied_by(name)}


def _native_mask(structure: Structure, plane: Plane, index: int, grid: Grid) -> Mask | None:
    slab = structure.paste(plane, index, grid.shape)
    return slice_of(slab, plane, 0) if slab is not None and slab.any() else None


def _finding(
    structure: Structure, native: Mask, grid: Grid, raster: Raster, min_area_px: int
) -> Finding | None:
    """Pixels are those of the picture; millimetres are measured on the voxels themselves.

    The volume of a structure that reaches the rim of the scan is not given: a part of it
    may lie outside.
    """
    bounds = region_of(native)
    is_as_cut = raster.size == native.shape[::-1]  # what is measured once need not be again
    if bounds is None:
        return None
    region = bounds if is_as_cut else _resampled(bounds, native.shape, raster)
    if region is None or np.count_nonzero(region.mask) < min_area_px:
        return None
    finding = region_finding(
        region,
        term=term(structure.term),
        code=structure.code,
        size=raster.size,
        spacing_mm=None,
        is_instance=structure.is_instance,
        volume_ml=structure.voxels * grid.voxel_ml if structure.is_whole(grid.shape) else None,
    )
    finding = replace(finding, attributes=structure.attributes)
    if not structure.is_drawn:
        return _placed_only(replace(finding, box=None) if structure.is_point else finding)
    parts = (finding.parts if is_as_cut else None) or count_parts(bounds.mask)
    spread = _spread_mm(bounds.mask, raster, finding if is_as_cut else None)
    return replace(
        finding,
        parts=None if structure.is_instance else parts,
        area_mm2=float(np.count_nonzero(native) * np.prod(raster.native_mm)),
        longest_diameter_px=finding.longest_diameter_px if parts == 1 else None,
        longest_diameter_mm=spread if parts == 1 else None,
    )


def _resampled(bounds: Region, shape: tuple[int, ...], raster: Raster) -> Region | None:
    """A region on the pixels of the picture, as :func:`resample_mask` has it; None where lost.

    Only what lies within its bounds is looked at.
    """
    width, height = raster.size
    kept, starts = [], []
    for first, length, extent, pixels in zip(
        (bounds.row, bounds.column), bounds.mask.shape, shape, (height, width), strict=True
    ):
        places = nearest_places(extent, pixels)
        start, stop = np.searchsorted(places, (first, first + length))
        kept.append(places[start:stop] - first)
        starts.append(int(start))
    region = region_of(bounds.mask[np.ix_(*kept)])
    if region is None:
        return None
    return replace(region, row=region.row + starts[0], column=region.column + starts[1])


def _spread_mm(mask: Mask, raster: Raster, finding: Finding | None) -> float:
    """The longest diameter on the voxels; from that in pixels, where these are square voxels."""
    row_mm, column_mm = raster.native_mm
    if finding and finding.longest_diameter_px and row_mm == column_mm:
        return finding.longest_diameter_px * row_mm
    return longest_diameter(mask, raster.native_mm)


def _placed_only(finding: Finding) -> Finding:
    """What a ball or a box around a stated place says: where, and nothing of its measures."""
    return replace(
        finding,
        area_px=None,
        area_mm2=None,
        longest_diameter_px=None,
        longest_diameter_mm=None,
        volume_ml=None,
    )
