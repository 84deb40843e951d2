"""3-D volume files: checked before memory is taken, read once, placed in the patient by an affine.

Each kind of file has a module: ``nifti``, ``nrrd``, ``itk`` (MHA and MHD), ``stored`` (arrays
whose place the manifest gives). What does not say where the patient's left and right are is
refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from converters.errors import CaseError
from converters.files import Root
from converters.records import Json
from converters.specs.volume_files import VolumeFiles

Values = npt.NDArray[Any]
Affine = npt.NDArray[np.float64]

MAX_VOXELS = 1 << 31
DEFLATE_RATIO = 1032  # RFC 1951: no stream expands further than this
MIN_SPACING_MM = 1e-3
MAX_SPACING_MM = 100.0
MAX_SHEAR = 0.05  # cosine between two voxel axes: an area is then wrong by 0.13 %
NIFTI_SUFFIXES = (".nii", ".nii.gz")
NRRD_SUFFIXES = (".nrrd", ".nhdr")
META_SUFFIXES = (".mha", ".mhd")
# How a file of voxels beside its header is named: the header's name with one of these endings.
VOXEL_ENDINGS = ("raw", "RAW", "raw.gz", "zraw", "img", "img.gz", "dat", "bin", "gz")
PLAIN = VolumeFiles()


@dataclass(frozen=True, kw_only=True, slots=True)
class Volume:
    """A volume as it is stored.

    Attributes:
        values: Shape (i, j, k), rescale applied.
        affine: Shape (4, 4): voxel index to millimetres in RAS (x to the patient's right,
            y to the front, z to the head).
        steps: What was done to the values when they were read, for provenance.
        slice_files: Where each slice of the last axis is a file of its own: their paths.
    """

    values: Values
    affine: Affine
    steps: tuple[Mapping[str, Json], ...] = ()
    slice_files: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Which volumes of a file are wanted, where it holds several along a fourth axis.

    Attributes:
        index: The one that is wanted; None where the file holds one, or all are wanted.
        count: All are wanted, and there must be so many; None otherwise.
    """

    index: int | None = None
    count: int | None = None

    def of(self, total: int, name: str) -> tuple[int, ...]:
        """Indices of the volumes that are wanted of `total`.

        Raises:
            CaseError: ``file_unsupported`` where there are several and none is named,
                ``shape_mismatch`` where there are not as many as the manifest says.
        """
        if self.count is not None:
            if total != self.count:
                raise CaseError(
                    "shape_mismatch", f"{name} holds {total} volumes, its manifest {self.count}"
                )
            return tuple(range(total))
        if self.index is not None:
            if self.index >= total:
                raise CaseError(
                    "shape_mismatch", f"{name} holds {total} volumes, and no number {self.index}"
                )
            return (self.index,)
        if total != 1:
            raise CaseError("file_unsupported", f"{name} holds {total} volumes, not one")
        return (0,)


def selected(index: int, total: int) -> tuple[Mapping[str, Json], ...]:
    """The step that says which volume of a file was taken; none where it holds one."""
    return ({"step": "select_volume", "index": index, "of": total},) if total > 1 else ()


def read_volume(root: Root, relative: str, how: VolumeFiles = PLAIN) -> Volume:
    """Read the one volume of a file that is meant.

    Args:
        root: Its folder.
        relative: The file; its suffix tells its kind.
        how: What the manifest says of such files.

    Raises:
        CaseError: ``file_unsupported``, ``file_unreadable``, ``file_too_large``,
            ``geometry_invalid``, ``shape_mismatch``, or what
            :meth:`converters.files.Root.checked` raises.
        SourceError: The disk did not give the file; running again may help.
    """
    index = None if how.volume == "frame" else how.volume
    (volume,) = read_volumes(root, relative, Wanted(index=index), how)
    return volume


def read_volumes(
    root: Root, relative: str, wanted: Wanted, how: VolumeFiles = PLAIN
) -> list[Volume]:
    """Read volumes of a file, in one pass; arguments and errors as in :func:`read_volume`."""
    path = root.checked(relative)
    try:
        if how.stored is not None:
            from converters.imaging.stored import read_stored

            return read_stored(path, relative, how.stored, wanted)
        found = _read_placed(root, path, relative, wanted, how)
    except OSError as error:
        raise root.unreadable(relative, error) from error
    return [_taken_as(how.axes_taken_as, one) for one in found] if how.axes_taken_as else found


def _taken_as(letters: str, volume: Volume) -> Volume:
    """A volume whose axes are taken to run as the manifest says; its spacing stays.

    How far the header's own directions lie off those of the body is kept on record.
    """
    spacing = spacing_of(volume.affine)
    affine = directed(letters, spacing)
    affine[:3, 3] = volume.affine[:3, 3]
    cosines = np.abs(volume.affine[:3, :3] / spacing).max(axis=0)
    off = round(float(np.degrees(np.arccos(np.clip(cosines.min(), 0, 1)))), 2)
    step: dict[str, Json] = {"step": "take_axes", "as": letters, "header_obliquity_degrees": off}
    return replace(volume, affine=affine, steps=(*volume.steps, step))


def directed(letters: str, spacing_mm: Sequence[float]) -> Affine:
    """An affine whose axes run the way of a letter each (R or L, A or P, S or I), from 0."""
    affine = np.diag([0.0, 0.0, 0.0, 1.0])
    for column, (letter, spacing) in enumerate(zip(letters, spacing_mm, strict=True)):
        row = next(at for at, pair in enumerate(("RL", "AP", "SI")) if letter in pair)
        affine[row, column] = spacing if letter in "RAS" else -spacing
    return affine


def _read_placed(
    root: Root, path: Path, relative: str, wanted: Wanted, how: VolumeFiles
) -> list[Volume]:
    """Files that say themselves where they lie in the patient."""
    name = relative.lower()
    if name.endswith(NIFTI_SUFFIXES):
        from converters.imaging.nifti import read_nifti

        return read_nifti(
            path,
            relative,
            wanted,
            trusted=how.trusted_form,
            may_be_flat=how.axes_taken_as is not None,
        )
    if name.endswith(NRRD_SUFFIXES):
        from converters.imaging.nrrd import read_nrrd

        return read_nrrd(path, relative, root, wanted)
    if name.endswith(META_SUFFIXES):
        from converters.imaging.itk import read_itk

        return read_itk(path, relative, root, wanted)
    suffix = Path(relative).suffix
    raise CaseError(
        "file_unsupported",
        f"{relative}: volumes of kind {suffix!r} are not read, or need `stored` in the manifest",
    )


def voxel_names(header: str) -> frozenset[str]:
    """How a file of voxels beside a header may be named, so that it is known without reading it."""
    stem = header.rpartition("/")[2].rpartition(".")[0]
    return frozenset(f"{stem}.{ending}" for ending in VOXEL_ENDINGS)


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


def squeeze_shape(shape: tuple[int, ...], name: str) -> tuple[tuple[int, int, int], int]:
    """The three extents of a volume, and how many volumes there are along the other axes.

    Raises:
        CaseError: ``file_unsupported``, for fewer than three dimensions, or volumes that are
            counted along two further axes.
    """
    further = [extent for extent in shape[3:] if extent != 1]
    if len(shape) < 3 or len(further) > 1:
        raise CaseError("file_unsupported", f"{name} has shape {shape}, not one of volumes")
    return (shape[0], shape[1], shape[2]), (further[0] if further else 1)


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
