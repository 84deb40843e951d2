"""Which slices of a volume become pictures, and what they look like before they are drawn."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from converters.errors import CaseError
from converters.imaging.body import Body
from converters.imaging.grey import GreyRange
from converters.imaging.phash import perceptual_hash
from converters.imaging.planes import AXIS, Grid, Plane, raster_of
from converters.imaging.slices import Choice, Extent, choose_normal, choose_slices
from converters.layouts.slicing import Said3D, draw_slice
from converters.specs.layouts import VolumeLayout

_BODY_SHARE = 0.5  # a normal slice shows so much of the body, against the slice with most of it


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawer:
    """Draws slices of one volume, each only once.

    Attributes:
        values: The volume in the canonical frame.
        grid: Its grid.
    """

    values: npt.NDArray[Any]
    grid: Grid
    _kept: dict[tuple[float, float, Plane, int], tuple[Image.Image, str]] = field(
        default_factory=dict
    )

    def draw(self, grey: GreyRange, plane: Plane, index: int) -> tuple[Image.Image, str]:
        """The picture of a slice and its perceptual hash.

        Raises:
            CaseError: ``image_blank``.
        """
        key = (grey.low, grey.high, plane, index)
        if key not in self._kept:
            raster = raster_of(self.grid, plane)
            image = draw_slice(self.values, grey, plane, index, raster)
            self._kept[key] = (image, perceptual_hash(image))
        return self._kept[key]


def choose(
    layout: VolumeLayout, said: Sequence[Said3D], body: Body, drawer: Drawer, grey: GreyRange
) -> list[Choice]:
    """The slices that a layout asks for, those without a finding last."""

    def looks(plane: Plane, index: int) -> int | None:
        try:
            return int(drawer.draw(grey, plane, index)[1], 16)
        except CaseError:
            return None

    wanted = layout.slices
    chosen = choose_slices(
        _extents(layout, said, drawer.grid),
        per_finding=wanted.per_finding,
        per_volume=wanted.per_volume,
        min_area_px=layout.min_area_px,
        looks=looks,
    )
    if not wanted.normal_slices or not all(one.is_known for one in said):
        return chosen
    free = {plane: _free(said, plane, body, drawer.grid) for plane in wanted.planes}
    return chosen + choose_normal(free, count=wanted.normal_slices, looks=looks)


def _extents(layout: VolumeLayout, said: Sequence[Said3D], grid: Grid) -> list[Extent]:
    extents = []
    for plane in layout.slices.planes:
        raster = raster_of(grid, plane)
        pixels = np.float64(np.prod(raster.native_mm) / np.prod(raster.spacing_mm))
        extents += [
            Extent(
                label=one.structure.term,
                plane=plane,
                start=one.structure.corner[AXIS[plane]],
                areas=one.structure.counts(plane) * pixels,
                number=number if one.structure.is_instance else 0,
            )
            for number, one in enumerate(said)
        ]
    return extents


def _free(said: Sequence[Said3D], plane: Plane, body: Body, grid: Grid) -> list[int]:
    """Slices without a voxel of anything, that show the body and not only its ends."""
    count = grid.shape[AXIS[plane]]
    shares = body.shares(plane, count)
    is_free = shares >= _BODY_SHARE * shares.max()
    for one in said:
        start = one.structure.corner[AXIS[plane]]
        voxels = one.structure.counts(plane)
        is_free[start : start + voxels.size] &= voxels == 0
    return [int(index) for index in np.flatnonzero(is_free)]
