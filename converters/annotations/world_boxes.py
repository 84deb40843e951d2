"""A table of things in a volume by their centre in millimetres: balls, boxes or places."""

import numpy as np
import numpy.typing as npt

from converters.annotations.boxes import parse_number
from converters.annotations.contract import Block, Index
from converters.annotations.structures import (
    Corner,
    Marked,
    Mask3D,
    Structure,
    VolumeQuestion,
    empty_structure,
)
from converters.annotations.table_rows import Coded, cells_of, index_rows, rows_entry
from converters.errors import CaseError
from converters.imaging.planes import Grid
from converters.specs.shapes import WorldBoxes

_TO_RAS = {"LPS": (-1.0, -1.0, 1.0), "RAS": (1.0, 1.0, 1.0)}
MAX_SIZE_MM = 1000.0

Place = npt.NDArray[np.float64]  # x, y and z in millimetres, or i, j and k in voxels


def index(spec: WorldBoxes, block: Block) -> Index:
    """Join rows with volumes by `key` and `match`; a volume may have many rows.

    Raises:
        SourceError: The table is not readable, lacks a column, or holds an unknown code.
    """
    names = [*([spec.label_column] if spec.label_column else []), *spec.center, *spec.size]
    return index_rows(
        spec.table,
        block,
        key=spec.key,
        match=spec.match,
        columns=[*spec.center, *spec.size],
        coded=_coded(spec),
        entry=lambda path, rows: rows_entry(path, rows, names),
        noun="places",
    )


def _coded(spec: WorldBoxes) -> Coded:
    return Coded(column=spec.label_column, labels=spec.labels, ignore=spec.ignore)


def read_structures(spec: WorldBoxes, question: VolumeQuestion) -> Marked:
    """Each row as a ball or a box of voxels; a row that stands twice is one thing.

    Raises:
        CaseError: A cell is no number, a size is none, or a centre lies outside the volume.
    """
    coded = _coded(spec)
    rows = {tuple(row.items()): row for row in cells_of(question.entry)}
    structures: list[Structure] = []
    for row in rows.values():
        code = coded.code_of(row)
        if code in spec.labels:
            structures.append(_structure(spec, row, code, question))
    there = {one.term for one in structures}
    structures += [empty_structure(name, "") for name in terms_of(spec) if name not in there]
    return Marked(structures=tuple(structures))


def _structure(
    spec: WorldBoxes, row: dict[str, str], code: str, question: VolumeQuestion
) -> Structure:
    where = f"{question.entry.table}: {question.path}"
    center = np.array([parse_number(cell, where) for cell in _center_cells(spec, row, where)])
    size = np.array([parse_number(row[name], where) for name in spec.size])
    if size.size and (size.min() <= 0 or size.max() > MAX_SIZE_MM):
        raise CaseError("value_invalid", f"{where}: a size of {size.tolist()} mm")
    mask, corner = place_mask(
        question.grid,
        center * _TO_RAS[spec.frame],
        size if spec.size else np.zeros(1),
        f"{where}, {center.tolist()} mm",
    )
    term = spec.labels[code]
    stated = ((f"diameter of the {term}", f"{size[0]:.1f} mm"),) if len(size) == 1 else ()
    return Structure(
        term=term,
        code=code,
        mask=mask,
        corner=corner,
        is_all_seen=False,
        is_drawn=False,
        is_point=not spec.size,
        is_instance=True,
        attributes=stated,
    )


def _center_cells(spec: WorldBoxes, row: dict[str, str], where: str) -> list[str]:
    cells = [row[name] for name in spec.center]
    found = cells[0].split() if len(cells) == 1 else cells
    if len(found) != 3:
        raise CaseError("value_invalid", f"{where}: {cells[0][:60]!r} is no x, y and z")
    return found


def place_mask(grid: Grid, center_mm: Place, size_mm: Place, where: str) -> tuple[Mask3D, Corner]:
    """The voxels of a ball or a box, cut to their bounds.

    Args:
        grid: Of the canonical volume.
        center_mm: In RAS.
        size_mm: One diameter (0 for a place), or the sides of a box along the axes of RAS.
        where: For messages.

    Returns:
        The voxels whose centre lies inside, and always the one that holds the centre; and the
        canonical index of the first one.

    Raises:
        CaseError: ``box_outside``, where the centre is not in the volume.
    """
    matrix = grid.affine[:3, :3]
    center = np.linalg.solve(matrix, center_mm - grid.affine[:3, 3])
    nearest = np.rint(center).astype(np.int64)
    shape = np.asarray(grid.shape)
    if (nearest < 0).any() or (nearest >= shape).any():
        place = ", ".join(f"{value:.1f}" for value in center)
        raise CaseError("box_outside", f"{where}: voxel ({place}) of {grid.shape}")
    # How far along each voxel axis a point of the ball or box can lie.
    half = np.broadcast_to(size_mm / 2, 3)
    inverse = np.linalg.inv(matrix)
    is_ball = len(size_mm) == 1
    reach = half * np.sqrt((inverse**2).sum(axis=1)) if is_ball else np.abs(inverse) @ half
    low = np.maximum(np.minimum(np.ceil(center - reach), nearest), 0).astype(np.int64)
    high = np.minimum(np.maximum(np.floor(center + reach), nearest) + 1, shape).astype(np.int64)
    voxels = np.stack(np.meshgrid(*map(np.arange, low, high), indexing="ij"), axis=-1)
    offset = (voxels - center) @ matrix.T
    if is_ball:
        mask = (offset**2).sum(axis=-1) <= half[0] ** 2
    else:
        mask = (np.abs(offset) <= half).all(axis=-1)
    mask[tuple(nearest - low)] = True
    return _cut(mask, low)


def _cut(mask: Mask3D, low: npt.NDArray[np.int64]) -> tuple[Mask3D, Corner]:
    where: list[slice] = []
    for axis in range(3):
        hit = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        where.append(slice(int(hit[0]), int(hit[-1]) + 1))
    i, j, k = (int(start) + cut.start for start, cut in zip(low, where, strict=True))
    return mask[tuple(where)], (i, j, k)


def terms_of(spec: WorldBoxes) -> tuple[str, ...]:
    """Every term that the block can say."""
    return tuple(dict.fromkeys(spec.labels.values()))
