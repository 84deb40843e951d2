"""Whether a DICOM picture lies as it is looked at: upright, the patient's right on its left.

Pixels are never moved, since boxes and masks of the source are drawn on them as they are stored:
what lies otherwise is refused.
"""

import numpy as np
from pydicom.dataset import Dataset

from converters.errors import CaseError
from converters.imaging.dicom_marks import group_item
from converters.imaging.dicom_tags import items_of, name_of, numbers_of, text_of
from converters.imaging.planes import said_plane

_PLACED = ("CT", "MR", "PT")  # their headers give the directions of rows and columns
_FACING = ("CR", "DX", "IO", "PX", "XA", "RF", "RG", *_PLACED)
_LATERAL = ("LL", "RL", "lateral")
_FRONTAL = ("PA", "AP")
# Plane by the axes that rows and columns run along in LPS, and which way they run.
_PLANES = {
    ((0, 1), (1, 1)): "axial",
    ((0, 1), (2, -1)): "coronal",
    ((1, 1), (2, -1)): "sagittal",
}
_AXES = ("right to left", "front to back", "feet to head")
_MIN_COSINE = 0.766  # 40 degrees: further off, the name of a plane would be a guess
_MAX_OFF = 1e-2  # of unit length and right angles


def require_upright(header: Dataset, view: str) -> str:
    """Hold the directions of a picture against how it is looked at.

    Args:
        header: Of the picture.
        view: Its view position, or "".

    Returns:
        The plane of a slice of CT, MR or PET whose directions are known, "oblique axial" where
        it lies well off that of the body; else "".

    Raises:
        CaseError: ``orientation_ambiguous`` where the picture is mirrored, turned or upside down;
            ``geometry_invalid`` where its directions are none.
    """
    modality = text_of(header, "Modality")
    if modality in _PLACED and (directions := _directions(header)):
        return _plane(directions, name_of(header))
    # A breast is shown with its chest wall on either side.
    if view in (*_FRONTAL, *_LATERAL) or (not view and modality in _FACING):
        _require_letters(header, view)
    return ""


def _require_letters(header: Dataset, view: str) -> None:
    """Patient Orientation (0020,0020): where rows and columns run to. Laterals face either way."""
    across, _, down = text_of(header, "PatientOrientation").upper().partition("\\")
    is_mirrored = across.startswith("R") and view not in _LATERAL
    if is_mirrored or down.startswith("H"):
        raise CaseError(
            "orientation_ambiguous",
            f"{name_of(header)}: rows run to {across!r} and columns to {down!r} of the patient, "
            "so that the picture is mirrored or upside down",
        )


def _directions(header: Dataset) -> tuple[float, ...]:
    """Image Orientation (0020,0037), of the first frame where it is one of several."""
    keywords = ("PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence")
    groups = [items[0] for keyword in keywords if (items := items_of(header, keyword))]
    item = group_item(header, groups, "PlaneOrientationSequence")
    return numbers_of(item, "ImageOrientationPatient") if item is not None else ()


def _plane(directions: tuple[float, ...], name: str) -> str:
    axes = np.array(directions).reshape(-1, 3) if len(directions) == 6 else np.zeros((2, 3))
    if np.abs(axes @ axes.T - np.eye(2)).max() > _MAX_OFF:
        raise CaseError(
            "geometry_invalid", f"{name}: ImageOrientationPatient {directions} is no two directions"
        )
    along = [int(np.argmax(np.abs(axis))) for axis in axes]
    ways = [int(np.sign(axis[at])) for axis, at in zip(axes, along, strict=True)]
    plane = _PLANES.get(((along[0], ways[0]), (along[1], ways[1])))
    off = min(abs(float(axis[at])) for axis, at in zip(axes, along, strict=True))
    if plane is None or off < _MIN_COSINE:
        rows, columns = (
            f"{'' if way > 0 else 'against '}{_AXES[at]}"
            for at, way in zip(along, ways, strict=True)
        )
        raise CaseError(
            "orientation_ambiguous",
            f"{name}: rows run {rows} and columns {columns} "
            f"({np.degrees(np.arccos(min(off, 1.0))):.0f} degrees off), which is not how a slice "
            "is looked at",
        )
    return said_plane(plane, *axes)
