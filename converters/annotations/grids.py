"""Label volumes on the grid of their image: as they are, or resampled where a manifest says so."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from converters.annotations.structures import Marked, VolumeQuestion
from converters.errors import CaseError
from converters.imaging.planes import Canonical, is_same_grid, require_same_grid, to_canonical
from converters.imaging.resample import resample_nearest
from converters.imaging.volumes import read_volume
from converters.records import Json
from converters.specs.volume_files import OnImageGrid


@dataclass(frozen=True, kw_only=True, slots=True)
class OnGrid:
    """A label volume on the canonical grid of its image.

    Attributes:
        values: Shape of the image.
        before: Values on the label volume's own grid; the same array where it is the image's.
        is_reached: Whether the label volume's own grid reaches the whole image.
        is_coarse: Whether some of its voxels lie between those of the image.
        transforms: What was done, for provenance.
    """

    values: npt.NDArray[Any]
    before: npt.NDArray[Any]
    is_reached: bool = True
    is_coarse: bool = False
    transforms: tuple[Mapping[str, Json], ...] = ()

    @property
    def is_faithful(self) -> bool:
        """Whether no voxel of a label means that there is none in the image."""
        return self.is_reached and not self.is_coarse

    def cut_off(self) -> npt.NDArray[Any]:
        """Values where labels may be cut off by the end of their own grid, within the image."""
        if self.is_reached:
            return self.before[:0].ravel()
        faces = [self.before.take([0, -1], axis=axis).ravel() for axis in range(3)]
        return np.concatenate(faces)


def read_on_grid(spec: OnImageGrid, path: str, question: VolumeQuestion) -> OnGrid:
    """Read a label volume onto the voxels of its image.

    Raises:
        CaseError: The file cannot be used, or does not fit the image and may not be resampled,
            or does not overlap it.
    """
    volume = read_volume(question.root, path, spec.at_frame(question.fields))
    read = to_canonical(volume, path)
    placed = put_on_grid(spec, read, path, question)
    return replace(placed, transforms=(*volume.steps, *placed.transforms))


def put_on_grid(
    spec: OnImageGrid, labels: Canonical, path: str, question: VolumeQuestion
) -> OnGrid:
    """Labels on the voxels of the image, resampled only where they are not there already.

    Raises:
        CaseError: ``shape_mismatch`` or ``geometry_invalid`` where the grids differ and
            `if_grid_differs` is `reject`; ``grids_apart`` where they do not overlap.
    """
    if spec.if_grid_differs == "reject":
        require_same_grid(question.grid, labels.grid, path)
    if is_same_grid(question.grid, labels.grid):
        return OnGrid(values=labels.values, before=labels.values)
    moved = resample_nearest(labels, question.grid, path)
    return OnGrid(
        values=moved.values,
        before=labels.values,
        is_reached=moved.is_reached,
        is_coarse=moved.is_coarse,
        transforms=(moved.step,),
    )


def require_reached(placed: OnGrid, path: str) -> None:
    """Refuse labels whose background is a label too, where they do not reach the whole image.

    Raises:
        CaseError: ``shape_mismatch``.
    """
    if not placed.is_reached:
        raise CaseError(
            "shape_mismatch", f"{path} has a label for 0 and does not reach the whole image"
        )


def said_on_grid(marked: Marked, *, is_faithful: bool) -> Marked:
    """What a block says, where its labels may have lost voxels on their way to the image.

    Nothing is then absent for certain, and no structure is measured as a whole.
    """
    if is_faithful:
        return marked
    return replace(
        marked,
        structures=tuple(replace(one, is_all_seen=False) for one in marked.structures),
        uncertain=tuple(dict.fromkeys(one.term for one in marked.structures)),
    )
