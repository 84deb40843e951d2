"""Real label maps on other grids: SimpleITK's nearest neighbour says the same."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its own name for itself

from converters.files import Root
from converters.imaging.planes import Canonical, Grid, to_canonical
from converters.imaging.resample import resample_nearest
from converters.imaging.volumes import Volume, read_volume

LABELS = [
    "msd_task04_hippocampus/**/labelsTr/*.nii.gz",
    "colin27_aal/**/aal.nii.gz",
    "dicom_seg/segmentations/*.nrrd",
]


def turned(grid: Grid, degrees: float, zoom: float) -> Grid:
    """A grid of another spacing, turned about the head's axis and moved by less than a voxel."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.array([[cosine, -sine, 0, 0.31], [sine, cosine, 0, -0.17], [0, 0, 1, 0.23],
                     [0, 0, 0, 1.0]])  # fmt: skip
    centre = np.eye(4)
    centre[:3, 3] = (grid.affine @ [*((n - 1) / 2 for n in grid.shape), 1])[:3]
    affine = centre @ turn @ np.linalg.inv(centre) @ grid.affine @ np.diag([zoom, zoom, zoom, 1])
    shape = tuple(max(2, int(n / zoom)) for n in grid.shape)
    return to_canonical(Volume(values=np.zeros(shape, np.uint8), affine=affine), "grid").grid


def by_itk(mask: Canonical, grid: Grid) -> np.ndarray:
    """What SimpleITK makes of a mask on a grid."""

    def image(values: np.ndarray, affine: np.ndarray) -> sitk.Image:
        lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
        spacing = np.sqrt((lps[:3, :3] ** 2).sum(axis=0))
        made = sitk.GetImageFromArray(np.ascontiguousarray(values.transpose(2, 1, 0)))
        made.SetSpacing(spacing.tolist())
        made.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
        made.SetOrigin(lps[:3, 3].tolist())
        return made

    source = image(mask.values, mask.grid.affine)
    wanted = image(np.zeros(grid.shape, mask.values.dtype), grid.affine)
    found = sitk.Resample(source, wanted, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    return sitk.GetArrayFromImage(found).transpose(2, 1, 0)


@pytest.mark.parametrize("pattern", LABELS)
@pytest.mark.parametrize(("degrees", "zoom"), [(0, 1.0), (0, 0.7), (11, 1.0), (-8, 1.6)])
def test_simpleitk_agrees_on_real_label_maps(
    real_data: Path, pattern: str, degrees: float, zoom: float
) -> None:
    paths = sorted(real_data.glob(pattern))[:3]
    if not paths:
        pytest.skip(f"no {pattern} among the real datasets")
    for path in paths:
        volume = read_volume(Root(source="real", folder=path.parent), path.name)
        mask = to_canonical(volume, path.name)
        grid = turned(mask.grid, degrees, zoom)
        ours = resample_nearest(mask, grid, path.name).values
        theirs = by_itk(mask, grid)
        assert np.count_nonzero(ours)
        # A centre that lies on the border of two voxels may go either way by rounding.
        assert np.count_nonzero(ours != theirs) <= 1e-4 * ours.size
