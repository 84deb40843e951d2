"""Slices put in order along their normal, and held against what a volume must be."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from converters.errors import CaseError
from converters.imaging.dicom_marks import KINDS, kind_of
from converters.imaging.dicom_slices import Slice
from converters.imaging.volumes import MAX_SHEAR, Affine, require_geometry

SAME_MM = 0.01  # closer slices lie at the same place
MAX_TURN = 1e-3  # between direction cosines of slices of one volume
_MAX_OFF_STEP = 0.1  # of the spacing: how far a slice may lie from where it should
_THINNED = 1.1  # times the distance that headers say: further apart, slices may be left out
_MAX_OFF_PIXEL = 0.2  # of a pixel: the same, within the plane
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_PLANES = ("sagittal", "coronal", "axial")


def plane_of(one: Slice) -> str:
    """The plane that a slice is nearest to; "" where its directions are not known."""
    normal = one.normal
    return _PLANES[int(np.argmax(np.abs(normal)))] if normal else ""


def depth_along(slices: Sequence[Slice]) -> npt.NDArray[np.float64] | None:
    """Place of each slice along the normal of the first, in millimetres; None if not known."""
    normal = slices[0].normal
    positions = [one.position for one in slices]
    if normal is None or any(position is None for position in positions):
        return None
    return np.asarray(positions, dtype=np.float64) @ np.asarray(normal)


def order_slices(slices: Sequence[Slice]) -> tuple[Slice, ...]:
    """Slices by place along the normal; by path and frame where it is the same or not known."""
    by_name = sorted(slices, key=lambda one: (one.path, one.frame or 0))
    depths = depth_along(by_name)
    if depths is None:
        return tuple(by_name)
    return tuple(by_name[at] for at in np.argsort(depths, kind="stable"))


def affine_of(slices: Sequence[Slice], name: str) -> Affine:
    """Column, row and slice index to millimetres in RAS, of slices in order.

    The distance of slices is that of their positions, never their thickness.

    Args:
        slices: As :func:`order_slices` gives them.
        name: For messages.

    Raises:
        CaseError: ``geometry_invalid``: tags that are missing or not finite, two slices at one
            place, gaps, slices that are shifted, a gantry tilt, several kinds of image;
            ``shape_mismatch``: slices of several sizes.
    """
    _require_tags(slices, name)
    _require_alike(slices, name)
    _require_one_kind(slices, name)
    step = _step(slices, name)
    first = slices[0]
    assert first.directions
    assert first.spacing_mm
    affine = np.eye(4)
    affine[:3, 0] = np.multiply(first.directions[0], first.spacing_mm[1])
    affine[:3, 1] = np.multiply(first.directions[1], first.spacing_mm[0])
    affine[:3, 2] = step
    affine[:3, 3] = first.position
    affine = _LPS_TO_RAS @ affine
    require_geometry(affine, name)
    return affine


def thinned(slices: Sequence[Slice], affine: Affine) -> dict[str, float]:
    """How far apart slices lie, and how far they say; empty unless they lie further apart.

    Positions that are even show no gap where every second slice was left out. A scan with gaps
    that gives no more than the thickness of its slices looks the same, so that it is only told.

    Args:
        slices: Of the volume.
        affine: As :func:`affine_of` gives it.
    """
    said = [one.depth_mm for one in slices if one.depth_mm is not None]
    apart = float(np.linalg.norm(affine[:3, 2]))
    if not said or apart <= _THINNED * float(np.median(said)):
        return {}
    return {"apart_mm": round(apart, 4), "said_apart_mm": round(float(np.median(said)), 4)}


def _require_tags(slices: Sequence[Slice], name: str) -> None:
    troubled = [one for one in slices if one.trouble]
    if troubled:
        raise CaseError(
            "geometry_invalid",
            f"{name}: {len(troubled)} of {len(slices)} slices cannot be placed; "
            f"the first: {troubled[0].trouble}",
        )


def _require_alike(slices: Sequence[Slice], name: str) -> None:
    sizes = sorted({(one.columns, one.rows) for one in slices})
    if len(sizes) > 1:
        seen = ", ".join(f"{columns}x{rows}" for columns, rows in sizes[:4])
        raise CaseError("shape_mismatch", f"{name} has slices of {len(sizes)} sizes: {seen}")
    frames = len({(one.frame_of_reference_uid, one.stack) for one in slices})
    if frames > 1:
        raise CaseError(
            "geometry_invalid",
            f"{name}: {len(slices)} slices of {frames} frames of reference or stacks",
        )
    turn = np.ptp([one.directions or () for one in slices], axis=0).max()
    if turn > MAX_TURN:
        raise CaseError(
            "geometry_invalid", f"{name}: the slices are turned (cosines differ by {turn:.3g})"
        )
    spread = np.ptp([one.spacing_mm or () for one in slices], axis=0).max()
    if spread > SAME_MM:
        raise CaseError("geometry_invalid", f"{name}: pixel spacing differs by {spread:.3g} mm")


def _require_one_kind(slices: Sequence[Slice], name: str) -> None:
    """Refuse slices of several echoes, b-values, ... that no volume could be made of."""
    for kind in KINDS:
        seen = sorted({kind_of(one.marks, kind) for one in slices})
        if len(seen) > 1:
            said = ", ".join(repr(value) for value in seen[:4])
            raise CaseError(
                "geometry_invalid",
                f"{name}: {len(slices)} slices of one stack differ in {kind}, which has "
                f"{len(seen)} values ({said}): no one volume",
            )


def _step(slices: Sequence[Slice], name: str) -> npt.NDArray[np.float64]:
    """From one slice to the next, in LPS."""
    first = slices[0]
    normal = np.asarray(first.normal)
    if len(slices) == 1:
        if first.depth_mm is None:
            raise CaseError(
                "geometry_invalid", f"{name} is one slice without SpacingBetweenSlices or thickness"
            )
        return normal * first.depth_mm
    positions = np.asarray([one.position for one in slices], dtype=np.float64)
    depths = positions @ normal
    _require_apart(slices, depths, name)
    step = (positions[-1] - positions[0]) / (len(slices) - 1)
    _require_even(depths, name)
    _require_straight(first, positions, step, normal, name)
    return step


def _require_apart(slices: Sequence[Slice], depths: npt.NDArray[np.float64], name: str) -> None:
    twice = np.flatnonzero(np.diff(depths) < SAME_MM)
    if twice.size:
        at = int(twice[0])
        raise CaseError(
            "geometry_invalid",
            f"{name}: {twice.size} slices of {len(slices)} lie where another one does, and no tag "
            f"tells them apart; the first at {depths[at]:.2f} mm: {_said(slices[at])} and "
            f"{_said(slices[at + 1])}",
        )


def _said(one: Slice) -> str:
    return one.path if one.frame is None else f"{one.path}, frame {one.frame + 1}"


def _require_even(depths: npt.NDArray[np.float64], name: str) -> None:
    steps = np.diff(depths)
    usual = float(np.median(steps))
    wide = np.flatnonzero(steps > 1.5 * usual)
    if wide.size:
        at = int(wide[0])
        missing = round(steps[at] / usual) - 1
        raise CaseError(
            "geometry_invalid",
            f"{name}: {wide.size} gaps among {len(depths)} slices; the first between "
            f"{depths[at]:.2f} and {depths[at + 1]:.2f} mm where slices are {usual:.3f} mm apart: "
            f"{missing} missing",
        )
    even = np.linspace(depths[0], depths[-1], len(depths))
    off = float(np.abs(depths - even).max())
    mean = (depths[-1] - depths[0]) / (len(depths) - 1)
    if off > _MAX_OFF_STEP * mean:
        raise CaseError(
            "geometry_invalid",
            f"{name}: {len(depths)} slices are {steps.min():.3f} to {steps.max():.3f} mm apart; "
            f"one lies {off:.3f} mm off",
        )


def _require_straight(
    first: Slice,
    positions: npt.NDArray[np.float64],
    step: npt.NDArray[np.float64],
    normal: npt.NDArray[np.float64],
    name: str,
) -> None:
    along = float(step @ normal)
    aside = float(np.linalg.norm(step - along * normal))
    if aside > MAX_SHEAR * float(np.linalg.norm(step)):
        raise CaseError(
            "geometry_invalid",
            f"{name}: gantry tilt: each slice lies {aside:.3f} mm aside of the one before it, "
            f"{np.degrees(np.arctan2(aside, along)):.1f} degrees off the normal",
        )
    off = positions - (positions[0] + np.arange(len(positions))[:, None] * step)
    sideways = float(np.linalg.norm(off - np.outer(off @ normal, normal), axis=1).max())
    assert first.spacing_mm
    if sideways > _MAX_OFF_PIXEL * min(first.spacing_mm):
        raise CaseError("geometry_invalid", f"{name}: a slice lies {sideways:.3f} mm aside")
