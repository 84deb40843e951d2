"""What can be measured on a region of a picture, and said of it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import ConvexHull, distance

from converters.records import Box, Finding, Side
from converters.vocabulary import Term

Mask = npt.NDArray[np.bool_]

POSITIONS = (
    ("upper left", "upper center", "upper right"),
    ("center left", "center", "center right"),
    ("lower left", "lower center", "lower right"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Region:
    """A mask cut to its bounds.

    Attributes:
        mask: Shape (rows, columns); its first and last row and column hold a pixel.
        row: Row of the picture where the mask begins.
        column: Column of the picture where the mask begins.
    """

    mask: Mask
    row: int
    column: int

    @property
    def box(self) -> Box:
        """Bounds in pixels of the picture, upper bounds exclusive."""
        rows, columns = self.mask.shape
        return Box(
            x_min=float(self.column),
            y_min=float(self.row),
            x_max=float(self.column + columns),
            y_max=float(self.row + rows),
        )


def position(box: Box, width: int, height: int) -> str:
    """Where the centre of a box lies in the picture, on a grid of three by three.

    As the viewer sees it: "upper left" is the left of the picture, not of the patient. On a
    line between two fields it is in the middle one, so that a mirrored picture has its mirror.
    """
    return POSITIONS[_third(box.y_min + box.y_max, height)][_third(box.x_min + box.x_max, width)]


def _third(twice_centre: float, extent: int) -> int:
    return 0 if 3 * twice_centre < 2 * extent else 2 if 3 * twice_centre > 4 * extent else 1


def region_of(mask: Mask) -> Region | None:
    """The bounds of a mask of shape (rows, columns); None where it is empty."""
    rows = np.flatnonzero(mask.any(axis=1))
    if rows.size == 0:
        return None
    columns = np.flatnonzero(mask[rows[0] : rows[-1] + 1].any(axis=0))
    return Region(
        mask=mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1],
        row=int(rows[0]),
        column=int(columns[0]),
    )


def components(mask: Mask, min_area_px: int = 1) -> list[Region]:
    """Connected parts (eight neighbours) of a mask, from top to bottom, then left to right.

    Parts below `min_area_px` pixels are left out.
    """
    labelled, _ = ndimage.label(mask, structure=np.ones((3, 3), dtype=bool))
    found = []
    for number, where in enumerate(ndimage.find_objects(labelled), start=1):
        part = labelled[where] == number
        if np.count_nonzero(part) >= min_area_px:
            found.append(Region(mask=part, row=where[0].start, column=where[1].start))
    return sorted(found, key=lambda region: (region.row, region.column, region.mask.shape))


def count_parts(mask: Mask) -> int:
    """How many connected parts (eight neighbours) a mask has."""
    return int(ndimage.label(mask, structure=np.ones((3, 3), dtype=bool))[1])


def longest_diameter(mask: Mask, spacing: tuple[float, float] = (1.0, 1.0)) -> float:
    """Largest distance between two points of a region, pixel corners included.

    Args:
        mask: Shape (rows, columns), not empty.
        spacing: Height and width of a pixel; the result has the same unit.
    """
    rows = np.flatnonzero(mask.any(axis=1))
    first = mask[rows].argmax(axis=1)
    last = mask.shape[1] - mask[rows, ::-1].argmax(axis=1)
    corners = np.concatenate(
        [np.stack([rows + down, edge], axis=1) for down in (0, 1) for edge in (first, last)]
    ) * np.asarray(spacing)
    hull = corners[ConvexHull(corners).vertices]
    return float(distance.pdist(hull).max())


def region_finding(  # noqa: PLR0913 - each is a fact of its own
    region: Region,
    *,
    term: Term,
    code: str,
    size: tuple[int, int],
    spacing_mm: tuple[float, float] | None,
    is_instance: bool,
    side: Side | None = None,
    volume_ml: float | None = None,
) -> Finding:
    """Measure a region.

    Args:
        region: Where it is.
        term: What it is; a side that the term itself names goes first.
        code: How the source writes it.
        size: Width and height of the picture.
        spacing_mm: Row and column spacing of the picture, or None where it is not known.
        is_instance: Whether it is one object that can be counted.
        side: Side of the patient, where the geometry tells it.
        volume_ml: Volume of the whole structure, where the annotation is 3-D.
    """
    area = int(np.count_nonzero(region.mask))
    box = region.box
    spread = longest_diameter(region.mask)
    return Finding(
        label=term.term,
        code=code,
        role=term.role,
        box=box,
        is_instance=is_instance,
        parts=None if is_instance else count_parts(region.mask),
        area_px=float(area),
        area_mm2=area * spacing_mm[0] * spacing_mm[1] if spacing_mm else None,
        longest_diameter_px=spread,
        longest_diameter_mm=_in_mm(region.mask, spread, spacing_mm),
        volume_ml=volume_ml,
        side=term.side or side,
        position=position(box, *size),
    )


def _in_mm(mask: Mask, spread: float, spacing_mm: tuple[float, float] | None) -> float | None:
    """The longest diameter in millimetres, from the one in pixels where pixels are square."""
    if spacing_mm is None:
        return None
    row_mm, column_mm = spacing_mm
    return spread * row_mm if row_mm == column_mm else longest_diameter(mask, spacing_mm)


def box_finding(
    box: Box, *, term: Term, code: str, size: tuple[int, int], is_instance: bool = True
) -> Finding:
    """A finding from a box alone: a box has no area of its own to measure."""
    return Finding(
        label=term.term,
        code=code,
        role=term.role,
        box=box,
        is_instance=is_instance,
        side=term.side or None,
        position=position(box, *size),
    )
