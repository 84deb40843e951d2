"""3-D volume files: checked before memory is taken, read once, placed in the patient by an affine.

NIfTI is read here; NRRD, MHA and MHD are read by :mod:`converters.imaging.itk`. What
does not say where the patient's left and right are is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from converters.errors import CaseError
from converters.files import Root
from converters.records import Json

Values = npt.NDArray[Any]
Affine = npt.NDArray[np.float64]

MAX_VOXELS = 1 << 31
DEFLATE_RATIO = 1032  # RFC 1951: no stream expands further than this
MIN_SPACING_MM = 1e-3
MAX_SPACING_MM = 100.0
MAX_SHEAR = 0.05  # cosine between two voxel axes: an area is then wrong by 0.13 %
NIFTI_SUFFIXES = (".nii", ".nii.gz")
ITK_SUFFIXES = (".nrrd", ".mha", ".mhd")


@dataclass(frozen=True, kw_only=True, slots=True)
class Volume:
    """A volume as it is stored.

    Attributes:
        values: Shape (i, j, k), rescale applied.
        affine: Shape (4, 4): voxel index to millimetres in RAS (x to the patient's right,
            y to the front, z to the head).
        steps: What was done to the values when they were read, for provenance.
    """

    values: Values
    affine: Affine
    steps: tuple[Mapping[str, Json], ...] = ()


def read_volume(root: Root, relative: str) -> Volume:
    """Read a volume file of a kind that its suffix tells.

    Raises:
        CaseError: ``file_unsupported``, ``file_unreadable``, ``file_too_large``,
            ``geometry_invalid``, or what :meth:`converters.files.Root.checked` raises.
        SourceError: The disk did not give the file; running again may help.
    """
    name = relative.lower()
    path = root.checked(relative)
    try:
        if name.endswith(NIFTI_SUFFIXES):
            from converters.imaging.nifti import read_nifti

            return read_nifti(path, relative)
        if name.endswith(ITK_SUFFIXES):
            from converters.imaging.itk import read_itk

            return read_itk(path, relative, root)
    except OSError as error:
        raise root.unreadable(relative, error) from error
    suffix = Path(relative).suffix
    raise CaseError("file_unsupported", f"{relative}: volumes of kind {suffix!r} are not read")


def require_size(
    shape: tuple[int, ...], itemsize: int, file_bytes: int, name: str, *, is_packed: bool
) -> None:
    """Refuse a header that claims more than is allowed, or more than its file can hold.

    Args:
        shape: As the header claims it.
        itemsize: Bytes a voxel.
        file_bytes: Size of the file on disk.
        name: For messages.
        is_packed: Whether the voxels are compressed (deflate).

    Raises:
        CaseError: ``file_too_large`` or ``file_unreadable``.
    """
    voxels = 1
    for extent in shape:
        voxels *= int(extent)
    if voxels <= 0:
        raise CaseError("file_unreadable", f"{name} has shape {shape}: no voxels")
    if voxels > MAX_VOXELS:
        raise CaseError("file_too_large", f"{name} claims {voxels:,} voxels of {MAX_VOXELS:,}")
    held = file_bytes * (DEFLATE_RATIO if is_packed else 1)
    if voxels * itemsize > held:
        raise CaseError(
            "file_unreadable",
            f"{name} is cut or broken: its header claims {voxels * itemsize:,} bytes of voxels, "
            f"and {file_bytes:,} bytes cannot hold them",
        )


def squeeze_shape(shape: tuple[int, ...], name: str) -> tuple[int, int, int]:
    """The three extents of a volume; further ones must be 1.

    Raises:
        CaseError: ``file_unsupported``, for fewer than three dimensions or several volumes.
    """
    if len(shape) < 3 or any(extent != 1 for extent in shape[3:]):
        raise CaseError("file_unsupported", f"{name} has shape {shape}, not one volume")
    return (shape[0], shape[1], shape[2])


def spacing_of(affine: Affine) -> tuple[float, float, float]:
    """Voxel size along i, j and k, in millimetres, to the nanometre."""
    i, j, k = (round(float(v), 6) for v in np.sqrt((affine[:3, :3] ** 2).sum(axis=0)))
    return (i, j, k)


def require_geometry(affine: Affine, name: str) -> None:
    """Refuse an affine that cannot place a patient's scan.

    Raises:
        CaseError: ``geometry_invalid``: not finite, spacing that is no scanner's, or axes that
            are not at right angles.
    """
    if not np.isfinite(affine).all():
        raise CaseError("geometry_invalid", f"{name}: the affine is not finite")
    spacing = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    if spacing.min() < MIN_SPACING_MM or spacing.max() > MAX_SPACING_MM:
        seen = " x ".join(f"{value:.6g}" for value in spacing)
        raise CaseError("geometry_invalid", f"{name}: spacing {seen} mm")
    axes = affine[:3, :3] / spacing
    shear = float(np.abs(axes.T @ axes - np.eye(3)).max())
    if shear > MAX_SHEAR:
        raise CaseError("geometry_invalid", f"{name}: voxel axes are sheared (cosine {shear:.3f})")
