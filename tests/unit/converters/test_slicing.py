"""A region on the pixels of a picture, looked for within its bounds alone."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from converters.facts import region_of
from converters.imaging.planes import Raster
from converters.layouts.slicing import _resampled
from tests.fakes.reference import resample_mask


@given(
    mask=hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12)),
    width=st.integers(1, 30),
    height=st.integers(1, 30),
)
def test_it_is_that_of_the_whole_mask(mask: np.ndarray, width: int, height: int) -> None:
    raster = Raster(size=(width, height), spacing_mm=(1.0, 1.0), native_mm=(1.0, 1.0))
    bounds = region_of(mask)
    if bounds is None:
        return
    found, expected = (
        _resampled(bounds, mask.shape, raster),
        region_of(resample_mask(mask, raster)),
    )
    assert (found is None) == (expected is None)
    if found is not None and expected is not None:
        assert found.box == expected.box
        np.testing.assert_array_equal(found.mask, expected.mask)
