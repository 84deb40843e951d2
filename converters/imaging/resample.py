"""Masks on another grid: nearest neighbour through physical space, a slab at a time.

Both grids are canonical, so that how a file stores its voxels decides nothing, ties of two
equally near voxels included.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from converters.errors import CaseError
from converters.imaging.planes import Canonical, Grid
from converters.imaging.volumes import Affine
from converters.records import Json

_SLAB_VOXELS = 1 << 20  # positions of so many voxels are held at once
_NOISE = 1e-4  # voxels: what the arithmetic of affines leaves
_DIGITS = 4
_COARSE = 1.01  # steps of more source voxels than this pass some by

Positions = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.intp]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Resampled:
    """A mask on the voxels of another grid.

    Attributes:
        values: On the grid; 0 where the mask's own grid does not reach.
        is_reached: Whether the mask's own grid reaches every voxel.
        is_coarse: Whether voxels of the mask are passed by, since the steps are larger.
        step: What was done, for provenance.
    """

    values: npt.NDArray[Any]
    is_reached: bool
    is_coarse: bool
    step: dict[str, Json]

    @property
    def is_faithful(self) -> bool:
        """Whether no voxel of a label means that there is none."""
        return self.is_reached and not self.is_coarse


def resample_nearest(mask: Canonical, grid: Grid, name: str) -> Resampled:
    """Give each voxel of a grid the value of the mask's voxel that its centre lies in.

    A centre on the border of two voxels takes the one further to the right, to the front and
    to the head.

    Args:
        mask: Whole numbers, or what nearest neighbour may be taken of.
        grid: Where values are wanted.
        name: For messages.

    Raises:
        CaseError: ``grids_apart``, where the two have no voxel in common.
    """
    to_mask = np.linalg.inv(mask.grid.affine) @ grid.affine
    values = np.zeros(grid.shape, dtype=mask.values.dtype)
    reached = 0
    for start, stop, where in _positions(to_mask, grid.shape):
        inside = _inside(where, mask.values.shape)
        last = (n - 1 for n in mask.values.shape)
        held = tuple(np.clip(one, 0, most) for one, most in zip(where, last, strict=True))
        values[start:stop] = np.where(inside, mask.values[held], 0)
        reached += int(np.count_nonzero(inside))
    if not reached:
        raise CaseError("grids_apart", f"{name}: no voxel of the image lies in its grid")
    total = int(np.prod(grid.shape))
    is_coarse = bool((np.sqrt((to_mask[:3, :3] ** 2).sum(axis=0)) > _COARSE).any())
    step: dict[str, Json] = {
        "step": "resample_mask",
        "method": "nearest",
        "from_shape": list(mask.grid.shape),
        "from_mm": list(mask.grid.spacing_mm),
        "to_mm": list(grid.spacing_mm),
        "reached": round(reached / total, 6),
    }
    return Resampled(values=values, is_reached=reached == total, is_coarse=is_coarse, step=step)


def _positions(
    to_mask: Affine, shape: tuple[int, int, int]
) -> Iterator[tuple[int, int, Positions]]:
    """Indices into the mask of the voxels of each slab, in a form that broadcasts to it."""
    parts = [
        [to_mask[row, axis] * np.arange(shape[axis], dtype=np.float64) for axis in range(3)]
        for row in range(3)
    ]
    depth = max(1, _SLAB_VOXELS // max(1, shape[1] * shape[2]))
    for start in range(0, shape[0], depth):
        stop = min(shape[0], start + depth)
        i, j, k = (
            _nearest([row[0][start:stop], row[1], row[2]], to_mask[at, 3])
            for at, row in enumerate(parts)
        )
        yield start, stop, (i, j, k)


def _nearest(parts: list[npt.NDArray[np.float64]], offset: float) -> npt.NDArray[np.intp]:
    """Whole positions along one axis of the mask; an axis that does not matter has extent 1."""
    found = np.full((1, 1, 1), offset)
    for axis, part in enumerate(parts):
        if np.abs(part).max() > _NOISE:
            found = found + part.reshape([-1 if axis == at else 1 for at in range(3)])
    return np.floor(np.round(found, _DIGITS) + 0.5).astype(np.intp)


def _inside(where: Positions, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    i, j, k = ((w >= 0) & (w < n) for w, n in zip(where, shape, strict=True))
    return np.asarray(i & j & k)
