"""What a scan must look like to be believed: its spacing, and Hounsfield units of a CT."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from converters.errors import CaseError
from converters.imaging.planes import Grid

# What clinical scanners make; a manifest of another kind of scan states its own.
VOXEL_MM = {"CT": (0.05, 20.0), "MR": (0.05, 20.0), "PT": (0.5, 20.0), "NM": (0.5, 20.0)}
EXTENT_MM = (8.0, 2500.0)

_AIR_HU, _AIR_AROUND = -1000, 150
_TISSUE_AROUND = 200
_LEAST, _MOST = -6000, 70_000  # values that are counted
_FEW = 0.005  # a share of the voxels that is not there by chance
_MUCH = 0.05
_HUMP = 3.0  # so many times what the bands beside it hold


@dataclass(frozen=True, kw_only=True, slots=True)
class _Mistake:
    """A way in which values come not to be Hounsfield units: what was added to them."""

    added: int
    said: str


_MISTAKES = (
    _Mistake(added=1000, said="1000 too high: the rescale intercept was not applied"),
    _Mistake(added=1024, said="1024 too high: the rescale intercept was not applied"),
    _Mistake(added=32768, said="32768 too high: signed values were stored as unsigned ones"),
    _Mistake(added=31744, said="31744 too high: unsigned values without their intercept of -1024"),
    _Mistake(added=-1000, said="1000 too low: the rescale intercept was applied twice"),
    _Mistake(added=-1024, said="1024 too low: the rescale intercept was applied twice"),
)


def require_spacing(
    grid: Grid, modality: str, voxel_mm: tuple[float, float] | None, name: str
) -> None:
    """Refuse a spacing or an extent that no scan of a patient has.

    Args:
        grid: Of the volume.
        modality: DICOM code; others than CT, MR, PT and NM are not judged by default.
        voxel_mm: Smallest and largest spacing of the source, where its manifest states them.
        name: For messages.

    Raises:
        CaseError: ``geometry_invalid``, with the numbers.
    """
    bounds = voxel_mm or VOXEL_MM.get(modality)
    if bounds is None:
        return
    seen = " x ".join(f"{value:.6g}" for value in grid.spacing_mm)
    low, high = bounds
    if min(grid.spacing_mm) < low or max(grid.spacing_mm) > high:
        raise CaseError(
            "geometry_invalid",
            f"{name}: a spacing of {seen} mm is not one of {low:g} to {high:g} mm",
        )
    if voxel_mm:
        return
    extents = [n * s for n, s in zip(grid.shape, grid.spacing_mm, strict=True)]
    if max(extents) < EXTENT_MM[0] or max(extents) > EXTENT_MM[1]:
        whole = " x ".join(f"{value:.4g}" for value in extents)
        raise CaseError("geometry_invalid", f"{name}: {seen} mm a voxel make {whole} mm in all")


def require_hounsfield(points: npt.NDArray[Any], name: str) -> None:
    """Refuse values of a CT that are not Hounsfield units, and name the mistake where it is known.

    Soft tissue must lie near 0 and air near -1000, or no air at all where a scan is cut inside
    the body. Soft tissue near another value, with air a thousand below it, tells what was added.
    A constant that fills what the scanner did not see may have any value.

    Args:
        points: Values of the volume, or a fair sample of them; any shape, finite.
        name: For messages.

    Raises:
        CaseError: ``hu_implausible``, with the shares that were found.
    """
    shares = _Shares.of(points)
    if shares.clearly_lie(0):
        return
    for mistake in sorted(_MISTAKES, key=lambda one: shares.air_distance(one.added)):
        if shares.clearly_lie(mistake.added):
            raise CaseError("hu_implausible", f"{name}: values are {mistake.said} ({shares.said})")
    if not shares.may_lie:
        raise CaseError(
            "hu_implausible", f"{name}: values are not Hounsfield units ({shares.said})"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Shares:
    """Which part of the values lies where; values beyond what is counted lie at its ends."""

    reached: npt.NDArray[np.int64]

    @classmethod
    def of(cls, points: npt.NDArray[Any]) -> "_Shares":
        whole = np.floor(np.clip(points, _LEAST, _MOST)).astype(np.int64).ravel() - _LEAST
        return cls(reached=np.cumsum(np.bincount(whole, minlength=_MOST - _LEAST + 1)))

    def between(self, low: int, high: int) -> float:
        """The part of all values that is at least `low` and below `high`."""
        below = self.reached[[low - _LEAST - 1, high - _LEAST - 1]]
        return float(below[1] - below[0]) / float(self.reached[-1])

    def value_at(self, share: float) -> int:
        """The value at or below which a share of all lies."""
        return int(np.searchsorted(self.reached, share * float(self.reached[-1]))) + _LEAST

    def air(self, added: int) -> float:
        middle = added + _AIR_HU
        return self.between(middle - _AIR_AROUND, middle + _AIR_AROUND)

    def tissue(self, added: int) -> float:
        return self.between(added - _TISSUE_AROUND, added + _TISSUE_AROUND)

    def clearly_lie(self, added: int) -> bool:
        """Whether there are air and a hump of soft tissue where they lie with `added` to all.

        A band of bone is no such hump: the bands beside it hold nearly as much.
        """
        beside = (self.tissue(added + step) for step in (-2 * _TISSUE_AROUND, 2 * _TISSUE_AROUND))
        tissue = self.tissue(added)
        return self.air(added) >= _FEW and tissue >= max(_FEW, _HUMP * max(beside))

    @property
    def may_lie(self) -> bool:
        """Whether soft tissue is where it should be, beside air or, in a cut scan, fat."""
        has_air = self.between(_LEAST + 1, -300) >= _FEW
        dark = self.air(0) if has_air else self.between(-_TISSUE_AROUND, -20)
        return self.tissue(0) >= _MUCH and dark >= _FEW

    def air_distance(self, added: int) -> float:
        """How far the middle of what would be air lies from where air would be."""
        middle = added + _AIR_HU
        start = self.reached[middle - _AIR_AROUND - _LEAST - 1] / self.reached[-1]
        return abs(self.value_at(start + self.air(added) / 2) - middle)

    @property
    def said(self) -> str:
        low, middle, high = (self.value_at(share) for share in (0.01, 0.5, 0.99))
        return (
            f"1, 50 and 99 of 100 lie at {low}, {middle} and {high} or below; "
            f"{100 * self.air(0):.1f} % lie within {_AIR_AROUND} of {_AIR_HU}, "
            f"{100 * self.tissue(0):.1f} % within {_TISSUE_AROUND} of 0"
        )
