"""The geometry contract: spacings of scanners, and Hounsfield units that are some."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from converters.errors import CaseError
from converters.imaging.planes import Grid, to_canonical
from converters.imaging.plausible import require_hounsfield, require_spacing
from converters.imaging.volumes import Volume

RANDOM = np.random.default_rng(0)


def mixed(**shares: float) -> np.ndarray:
    """Values of a CT: so many thousand voxels of each tissue, each around its Hounsfield units."""
    middles = {"air": (-1000, 15), "lung": (-850, 60), "fat": (-100, 20), "soft": (40, 25),
               "spongy": (250, 120), "dense": (1000, 250), "metal": (3000, 100)}  # fmt: skip
    parts = [RANDOM.normal(*middles[name], int(1000 * n)) for name, n in shares.items()]
    return np.rint(np.concatenate(parts)).astype(np.int32)


SCANS = {
    "abdomen": mixed(air=40, fat=20, soft=35, spongy=4, dense=1),
    "chest": mixed(air=30, lung=25, fat=12, soft=25, spongy=6, dense=2),
    "head": mixed(air=60, fat=2, soft=30, spongy=3, dense=5),
    "hand": mixed(air=96, fat=0.5, soft=2, spongy=0.8, dense=0.7),
    "hip with metal": mixed(air=30, fat=25, soft=35, spongy=6, dense=2, metal=2),
}


@pytest.mark.parametrize("scan", SCANS)
def test_hounsfield_units_pass(scan: str) -> None:
    require_hounsfield(SCANS[scan], "x")


@pytest.mark.parametrize("scan", SCANS)
def test_air_that_was_cut_at_the_least_value_passes(scan: str) -> None:
    require_hounsfield(np.maximum(SCANS[scan], -1024), "x")


@pytest.mark.parametrize("fill", [-1024, -1500, -2000, -2048, -3024, 0])
@pytest.mark.parametrize("scan", SCANS)
def test_what_fills_the_corners_does_not_matter(scan: str, fill: int) -> None:
    filled = np.concatenate([SCANS[scan], np.full(SCANS[scan].size // 4, fill)])
    require_hounsfield(filled, "x")


@pytest.mark.parametrize("scan", SCANS)
@pytest.mark.parametrize(
    ("added", "said"),
    [
        (1000, "1000 too high: the rescale intercept was not applied"),
        (1024, "1024 too high: the rescale intercept was not applied"),
        (32768, "32768 too high"),
        (31744, "31744 too high"),
        (-1000, "1000 too low: the rescale intercept was applied twice"),
        (-1024, "1024 too low: the rescale intercept was applied twice"),
    ],
)
def test_a_known_mistake_is_named(scan: str, added: int, said: str) -> None:
    with pytest.raises(CaseError, match=f"hu_implausible.*{said}"):
        require_hounsfield(SCANS[scan] + added, "x")


@pytest.mark.parametrize("scan", SCANS)
def test_values_of_unsigned_files_are_judged_too(scan: str) -> None:
    stored = np.clip(SCANS[scan] + 1024, 0, 65535).astype(np.uint16)
    with pytest.raises(CaseError, match="too high: the rescale intercept was not applied"):
        require_hounsfield(stored, "x")


def test_a_scan_cut_inside_the_body_needs_no_air() -> None:
    require_hounsfield(mixed(fat=10, soft=60, spongy=8, dense=2), "x")


def test_a_spine_cut_close_needs_no_air() -> None:
    require_hounsfield(mixed(fat=5, soft=30, spongy=60, dense=5), "x")


@pytest.mark.parametrize(
    "values",
    [
        np.arange(256, dtype=np.uint8).repeat(40),  # a picture
        RANDOM.random(9000),  # scaled to 0..1
        RANDOM.normal(0, 1, 9000) * 3000 - 1500,
        mixed(soft=60, fat=10) + 1024,  # cut inside the body, with an offset
    ],
)
def test_other_values_are_refused_with_their_numbers(values: np.ndarray) -> None:
    with pytest.raises(CaseError, match=r"not Hounsfield units.*1, 50 and 99 of 100 lie at"):
        require_hounsfield(values, "x")


def grid(spacing: tuple[float, float, float], shape: tuple[int, int, int] = (40, 40, 40)) -> Grid:
    """A canonical grid."""
    affine = np.diag([*spacing, 1.0])
    return to_canonical(Volume(values=np.zeros(shape, np.uint8), affine=affine), "x").grid


@given(spacing=st.tuples(*[st.floats(0.3, 10)] * 3), modality=st.sampled_from(["CT", "MR"]))
def test_spacings_of_scanners_pass(spacing: tuple[float, float, float], modality: str) -> None:
    require_spacing(grid(spacing), modality, None, "x")


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 25.0), (0.001, 1.0, 1.0)])
def test_a_spacing_of_no_scanner_is_refused(spacing: tuple[float, float, float]) -> None:
    with pytest.raises(CaseError, match=r"geometry_invalid.*mm is not one of 0.05 to 20 mm"):
        require_spacing(grid(spacing), "CT", None, "x")


def test_an_extent_of_no_patient_is_refused() -> None:
    with pytest.raises(CaseError, match=r"geometry_invalid.*make 6 x 6 x 6 mm in all"):
        require_spacing(grid((0.15, 0.15, 0.15)), "MR", None, "x")


def test_a_manifest_may_state_the_sizes_of_its_source() -> None:
    with pytest.raises(CaseError, match=r"not one of 0.4 to 2 mm"):
        require_spacing(grid((1.0, 1.0, 5.0)), "CT", (0.4, 2.0), "x")
    require_spacing(grid((0.01, 0.01, 0.01)), "CT", (0.005, 2.0), "x")


def test_other_modalities_are_not_judged() -> None:
    require_spacing(grid((0.002, 0.002, 0.01)), "EM", None, "x")
