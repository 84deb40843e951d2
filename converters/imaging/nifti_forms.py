"""The two affines of a NIfTI header, sform and qform: which one holds, and whether they agree."""

from collections.abc import Mapping
from typing import Literal, cast

import numpy as np
from nibabel.nifti1 import Nifti1Header
from nibabel.spatialimages import HeaderDataError

from converters.errors import CaseError
from converters.imaging.volumes import Affine, require_geometry
from converters.records import Json

_TO_MM = {"mm": 1.0, "unknown": 1.0, "meter": 1000.0, "micron": 0.001}
MAX_DISAGREEMENT = 0.1  # millimetres or degrees, between sform and qform

Steps = tuple[Mapping[str, Json], ...]


def read_affine(
    header: Nifti1Header, name: str, trusted: Literal["sform", "qform"] | None
) -> tuple[Affine, Steps]:
    """The affine of a header in millimetres, and what is to be said of the choice.

    Where both forms are there they must agree, or the manifest must say which one the owners
    use; the step then says by how much they differ. Where one is there, it is taken.

    Raises:
        CaseError: ``geometry_invalid``.
    """
    unit = _unit_mm(header, name)
    forms: dict[str, Affine] = {}
    for which, form in (
        ("sform", _finite(header.get_sform(coded=True)[0], name, "sform")),
        ("qform", _finite(_qform(header, name), name, "qform")),
    ):
        if form is not None:
            form[:3] *= unit
            forms[which] = form
    for which, form in forms.items():
        if trusted in (None, which) or len(forms) == 1:
            require_geometry(form, name)
    if not forms:
        raise CaseError(
            "geometry_invalid", f"{name} has neither sform nor qform: its left is not known"
        )
    if len(forms) == 1:
        return next(iter(forms.values())), ()
    return _chosen(forms, name, trusted)


def flat_affine(header: Nifti1Header, name: str) -> tuple[Affine, Steps]:
    """The spacing of a picture of two axes in millimetres; its slice is taken to be 1 mm thick.

    Raises:
        CaseError: ``geometry_invalid``.
    """
    unit = _unit_mm(header, name)
    across, down = (float(value) * unit for value in header.get_zooms()[:2])
    affine = np.diag([across, down, 1.0, 1.0])
    require_geometry(affine, name)
    return affine, ()


def _chosen(
    forms: Mapping[str, Affine], name: str, trusted: Literal["sform", "qform"] | None
) -> tuple[Affine, Steps]:
    differ = _disagreement(forms["sform"], forms["qform"])
    if max(differ.values()) <= MAX_DISAGREEMENT:
        return forms[trusted or "sform"], ()
    if trusted is None:
        shift, spacing, angle = differ.values()
        raise CaseError(
            "geometry_invalid",
            f"{name}: sform and qform differ by {shift:.2f} mm in place, {spacing:.2f} mm in "
            f"spacing and {angle:.2f} degrees",
        )
    step: dict[str, Json] = {"step": "trust_form", "form": trusted}
    return forms[trusted], ({**step, **{key: round(v, 4) for key, v in differ.items()}},)


def _qform(header: Nifti1Header, name: str) -> Affine | None:
    try:
        return cast("Affine | None", header.get_qform(coded=True)[0])
    except (HeaderDataError, ValueError) as error:
        raise CaseError("geometry_invalid", f"{name}: qform: {error}") from error


def _finite(form: Affine | None, name: str, which: str) -> Affine | None:
    if form is None:
        return None
    if not np.isfinite(form).all():
        raise CaseError("geometry_invalid", f"{name}: the {which} is not finite")
    return np.array(form, dtype=np.float64)


def _unit_mm(header: Nifti1Header, name: str) -> float:
    try:
        return _TO_MM[header.get_xyzt_units()[0]]
    except KeyError as error:
        raise CaseError("geometry_invalid", f"{name}: unknown unit of space {error}") from error


def _disagreement(sform: Affine, qform: Affine) -> dict[str, float]:
    """How far two affines are apart: in place and spacing (mm) and in direction (degrees)."""
    lengths = [np.sqrt((form[:3, :3] ** 2).sum(axis=0)) for form in (sform, qform)]
    safe = [np.where(length > 0, length, 1) for length in lengths]
    cosines = ((sform[:3, :3] / safe[0]) * (qform[:3, :3] / safe[1])).sum(axis=0)
    return {
        "differ_mm": float(np.abs(sform[:3, 3] - qform[:3, 3]).max()),
        "spacing_differs_mm": float(np.abs(lengths[0] - lengths[1]).max()),
        "differ_degrees": float(np.degrees(np.arccos(np.clip(cosines, -1, 1))).max()),
    }
