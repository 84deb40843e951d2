"""Real NRRD files: SimpleITK reads the same values at the same places."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its own name for itself

from converters.files import Root
from converters.imaging.volumes import read_volume


def test_simpleitk_agrees_on_every_real_nrrd(real_data: Path) -> None:
    files = sorted(real_data.rglob("*.nrrd"))
    if not files:
        pytest.skip("no NRRD file among the real datasets")
    for path in files:
        volume = read_volume(Root(source="real", folder=path.parent), path.name)
        image = sitk.ReadImage(str(path))
        expected = sitk.GetArrayFromImage(image).transpose(2, 1, 0)
        np.testing.assert_array_equal(volume.values, expected)
        last = [n - 1 for n in expected.shape]
        theirs = np.multiply(image.TransformIndexToPhysicalPoint(last), (-1, -1, 1))
        np.testing.assert_allclose((volume.affine @ [*last, 1])[:3], theirs, atol=1e-4)
