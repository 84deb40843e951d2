"""Where the patient is in a volume, found on a sample of its voxels.

The sample is taken in the canonical frame, so that the same voxels are looked at however a
volume is stored; half a million of them tell a percentile as well as all do.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from converters.imaging.planes import AXIS, Plane

MAX_POINTS = 1 << 19
# Smith 2002, doi:10.1002/hbm.10062: a tenth of the way from the 2nd to the 98th percentile
# tells tissue from air.
_AIR_SHARE = 0.1
_ROBUST = (2.0, 98.0)
_MIN_POINTS = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Body:
    """A sample of a canonical volume, and which of its points lie inside the body.

    Attributes:
        values: The sample, C-contiguous.
        steps: Every how many voxels a point was taken, along each axis.
        inside: Whether a point is tissue or is enclosed by tissue; all of them where there is
            no air around the body.
    """

    values: npt.NDArray[Any]
    steps: tuple[int, int, int]
    inside: npt.NDArray[np.bool_]

    def shares(self, plane: Plane, count: int) -> npt.NDArray[np.float64]:
        """The part of each of the `count` slices of a plane that lies inside the body."""
        axis = AXIS[plane]
        others = tuple(other for other in range(3) if other != axis)
        shares = self.inside.mean(axis=others)
        at = np.minimum(np.arange(count) // self.steps[axis], shares.size - 1)
        return np.asarray(shares[at])


def body_of(values: npt.NDArray[Any], limit: int = MAX_POINTS) -> Body:
    """Find the body in a canonical volume of finite values.

    Air is what is dark and reaches the rim of the volume; dark tissue and gas that are
    enclosed belong to the body.

    Args:
        values: Shape (to the right, to the front, to the head).
        limit: At most so many points are looked at.
    """
    points, steps = sample_points(values, limit)
    low, high = np.percentile(points, _ROBUST)
    dark = points <= low + _AIR_SHARE * (high - low)
    parts, _ = ndimage.label(dark)
    rim = [np.moveaxis(parts, axis, 0)[[0, -1]].ravel() for axis in range(3)]
    reaching = np.zeros(int(parts.max()) + 1, dtype=bool)
    reaching[np.unique(np.concatenate(rim))] = True
    reaching[0] = False  # tissue
    inside = ~reaching[parts]
    if np.count_nonzero(inside) < _MIN_POINTS:
        inside = np.ones_like(inside)
    return Body(values=points, steps=steps, inside=inside)


def sample_points(
    values: npt.NDArray[Any], limit: int
) -> tuple[npt.NDArray[Any], tuple[int, int, int]]:
    """Every so many voxels along each axis, `limit` points at most; and the steps."""
    counts, steps = list(values.shape), [1, 1, 1]
    while int(np.prod(counts)) > limit:
        axis = counts.index(max(counts))
        steps[axis] += 1
        counts[axis] = -(-values.shape[axis] // steps[axis])
    i, j, k = steps
    return np.ascontiguousarray(values[::i, ::j, ::k]), (i, j, k)
