"""Whole-slide images: one file, one case, several regions, each of them a sample."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from converters.annotations import asap_xml
from converters.annotations.asap_xml import Outline
from converters.errors import CaseError
from converters.files import Root
from converters.imaging.outlines import fill_polygon
from converters.imaging.pictures import Picture
from converters.imaging.slides import Slide, open_slide
from converters.layouts.listing import list_cases
from converters.layouts.picture_case import ask_blocks, picture_sample
from converters.manifest import Manifest
from converters.records import Case, Entry, Json, Outcome, Rejection, Sample
from converters.specs.layouts import Slides
from converters.specs.slides import AsapXml, Regions

VERSION = 1
_CELLS = 16  # parts of a region along a side, by which its marked and stained share is judged


def cases(manifest: Manifest, layout: Slides, root: Root) -> list[Case]:
    """One case a slide, in the order of paths; then annotations without a slide.

    Raises:
        SourceError: No slide matches, or an annotation is not what the manifest says.
    """
    return list_cases(manifest, layout, root, root.listing())


@dataclass(frozen=True, kw_only=True, slots=True)
class Tile:
    """A region of the grid.

    Attributes:
        left: In pixels of the full resolution.
        top: Likewise.
        marked: Share of it that is marked.
        tissue: Share of it that is not blank.
    """

    left: int
    top: int
    marked: float
    tissue: float


def convert(manifest: Manifest, layout: Slides, root: Root, case: Case) -> Iterator[Outcome]:
    """Yield one sample for each chosen region.

    Raises:
        CaseError: The slide or its annotation cannot be used.
    """
    blocks = [
        (spec, entry, asap_xml.outlines(spec, root, entry))
        for spec, entry in zip(layout.annotations, case.entries, strict=True)
        if entry
    ]
    is_free = bool(blocks) and all(entry.labels == () for _, entry, _ in blocks)
    with open_slide(root, case.image, layout.microns_per_pixel) as slide:
        found = [(one, one.group in spec.holes) for spec, _, drawn in blocks for one in drawn]
        chosen = choose_tiles(tiles(slide, found, layout.regions), layout.regions, is_free=is_free)
        if not chosen:
            raise CaseError("annotation_empty", f"no region of {case.image} can be spoken of")
        for tile in chosen:
            try:
                yield _sample(manifest, layout, root, case, slide, tile, blocks)
            except CaseError as error:
                yield Rejection(
                    source=case.source,
                    case_key=case.key,
                    reason=error.reason,
                    message=error.message,
                    sample_id=_sample_id(case, tile),
                )


def tiles(slide: Slide, outlines: Sequence[tuple[Outline, bool]], regions: Regions) -> list[Tile]:
    """Every region of the grid, row by row, with how much of it is marked and stained.

    Args:
        slide: The slide.
        outlines: What is drawn, and whether it is a hole in the others.
        regions: The grid.
    """
    side = regions.side_px * slide.scale(regions.microns_per_pixel)
    columns, rows = (max(1, int(extent // side)) for extent in slide.size)
    cell = side / _CELLS
    size = (columns * _CELLS, rows * _CELLS)
    drawn = np.zeros((size[1], size[0]), dtype=bool)
    for one, is_hole in sorted(outlines, key=lambda pair: pair[1]):  # holes last
        area = fill_polygon(one.points / cell, size)
        drawn = drawn & ~area if is_hole else drawn | area
    mask, width = slide.tissue()
    stained = _sampled(mask, cell / width, size)
    return [
        Tile(
            left=round(column * side),
            top=round(row * side),
            marked=float(drawn[_cells(row), _cells(column)].mean()),
            tissue=float(stained[_cells(row), _cells(column)].mean()),
        )
        for row in range(rows)
        for column in range(columns)
    ]


def _cells(number: int) -> slice:
    return slice(number * _CELLS, (number + 1) * _CELLS)


def _sampled(
    mask: npt.NDArray[np.bool_], step: float, size: tuple[int, int]
) -> npt.NDArray[np.bool_]:
    """The mask at the middle of each cell."""
    at = [
        np.minimum(((np.arange(count) + 0.5) * step).astype(np.intp), extent - 1)
        for count, extent in zip((size[1], size[0]), mask.shape, strict=True)
    ]
    return mask[at[0][:, None], at[1]]


def choose_tiles(found: Sequence[Tile], regions: Regions, *, is_free: bool) -> list[Tile]:
    """The regions that become pictures, in the order of the grid.

    Where nothing is marked on a region, only that of a slide free of labels is taken: of the
    others nothing is known.
    """
    stained = [tile for tile in found if tile.tissue >= regions.tissue]
    usable = [tile for tile in stained if is_free or tile.marked > 0]
    best = sorted(usable, key=lambda tile: (-tile.marked, -tile.tissue, tile.top, tile.left))
    return sorted(best[: regions.per_slide], key=lambda tile: (tile.top, tile.left))


def _sample_id(case: Case, tile: Tile) -> str:
    return f"{case.source}/{case.key}#region-{tile.left}-{tile.top}"


def _sample(
    manifest: Manifest,
    layout: Slides,
    root: Root,
    case: Case,
    slide: Slide,
    tile: Tile,
    blocks: Sequence[tuple[AsapXml, Entry, list[Outline]]],
) -> Sample:
    regions = layout.regions
    picture = _picture(slide, tile, regions)
    scale = slide.scale(regions.microns_per_pixel)
    asked = [
        (spec, asap_xml.region_entry(entry, drawn, left=tile.left, top=tile.top, scale=scale,
                                     side_px=regions.side_px))
        for spec, entry, drawn in blocks
    ]  # fmt: skip
    millimetres = regions.microns_per_pixel / 1000
    said = ask_blocks(asked, root, case, picture, (millimetres, millimetres))
    if not (said.findings or said.absent):
        raise CaseError("annotation_empty", f"nothing is known of this region of {case.image}")
    return picture_sample(
        manifest,
        case,
        picture,
        said,
        sample_id=_sample_id(case, tile),
        entries=[entry for _, entry, _ in blocks],
        max_side_px=regions.side_px,
    )


def _picture(slide: Slide, tile: Tile, regions: Regions) -> Picture:
    image = slide.region(
        tile.left, tile.top, side_px=regions.side_px, microns=regions.microns_per_pixel
    )
    step: dict[str, Json] = {
        "step": "region",
        "left": tile.left,
        "top": tile.top,
        "scanned_at_um": slide.microns,
        "shown_at_um": regions.microns_per_pixel,
        "side_px": regions.side_px,
        "marked": round(tile.marked, 4),
        "tissue": round(tile.tissue, 4),
        "per_slide": regions.per_slide,
    }
    return Picture(data=b"", format="slide", image=image, is_turned=False, transforms=(step,))
