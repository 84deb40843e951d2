"""Files of twins are what they should be: another library finds every voxel at its place."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its usual name

from converters.manifest import load_manifest
from tests.fakes import Twin
from tests.fakes.volume_files import AFFINE, write_volume

SHAPE = (5, 4, 3)
VALUES = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)  # canonical: RAS


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.mha", "a.mhd", "a.nrrd"])
@pytest.mark.parametrize("number", range(7))
def test_every_voxel_lies_at_its_place(tmp_path: Path, name: str, number: int) -> None:
    manifest = load_manifest("msd_task04_hippocampus").manifest
    write_volume(Twin(manifest=manifest, folder=tmp_path), name, VALUES, number)
    image = sitk.ReadImage(str(tmp_path / name))
    for voxel in np.ndindex(SHAPE):
        right, front, head = (AFFINE @ [*voxel, 1.0])[:3]
        index = image.TransformPhysicalPointToIndex((-right, -front, head))  # ITK counts in LPS
        assert image.GetPixel(index) == VALUES[voxel]
