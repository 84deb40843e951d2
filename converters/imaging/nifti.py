"""NIfTI-1 and NIfTI-2 single files, gzipped or not, in one pass over the bytes."""

import gzip
import io
import logging
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header
from nibabel.spatialimages import HeaderDataError

from converters.errors import CaseError
from converters.imaging.volumes import (
    Affine,
    Values,
    Volume,
    require_geometry,
    require_size,
    squeeze_shape,
)

_HEADERS: dict[bytes, tuple[type[Nifti1Header], int, str]] = {
    (348).to_bytes(4, "little"): (Nifti1Header, 348, "<"),
    (348).to_bytes(4, "big"): (Nifti1Header, 348, ">"),
    (540).to_bytes(4, "little"): (Nifti2Header, 540, "<"),
    (540).to_bytes(4, "big"): (Nifti2Header, 540, ">"),
}
_BROKEN = (EOFError, zlib.error, gzip.BadGzipFile)
_TO_MM = {"mm": 1.0, "unknown": 1.0, "meter": 1000.0, "micron": 0.001}
MAX_DISAGREEMENT = 0.1  # millimetres or degrees, between sform and qform
_MAX_OFFSET = 64 << 20  # header extensions
_MAX_TAIL = 1 << 20  # bytes after the last voxel
# The checks of nibabel also log what they find; what matters becomes a rejection here.
logging.getLogger("nibabel.global").setLevel(logging.CRITICAL)


def read_nifti(path: Path, name: str) -> Volume:
    """Read one NIfTI file to its last byte.

    Args:
        path: Where it lies.
        name: For messages.

    Raises:
        CaseError: See :func:`converters.imaging.volumes.read_volume`.
        OSError: The disk did not give it.
    """
    file_bytes = path.stat().st_size
    with path.open("rb") as raw:
        is_packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        stream = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if is_packed else raw
        try:
            header = _read_header(stream, name)
            shape = squeeze_shape(tuple(int(n) for n in header.get_data_shape()), name)
            dtype = _dtype_of(header, name)
            require_size(shape, dtype.itemsize, file_bytes, name, is_packed=is_packed)
            affine = _affine_of(header, name)
            values = _read_values(stream, header, dtype, shape, name)
        except _BROKEN as error:
            raise CaseError("file_unreadable", f"{name} is cut or broken: {error}") from error
    return Volume(values=_rescaled(values, header, name), affine=affine)


def _read_header(stream: BinaryIO, name: str) -> Nifti1Header:
    first = stream.read(4)
    if first not in _HEADERS:
        raise CaseError("file_unreadable", f"{name} does not begin like a NIfTI file")
    kind, size, endianness = _HEADERS[first]
    block = first + stream.read(size - 4)
    if len(block) < size:
        raise CaseError("file_unreadable", f"{name} ends within its header")
    try:
        header = kind(block, endianness=endianness, check=True)
    except (HeaderDataError, ValueError) as error:
        raise CaseError("file_unreadable", f"{name}: {error}") from error
    if not bytes(header["magic"].item()).startswith(b"n+"):
        raise CaseError("file_unsupported", f"{name} is not a single-file NIfTI")
    axes = int(header["dim"][0])
    if not 1 <= axes <= 7:  # NIfTI-1, dim[0]; nibabel takes it as it is
        raise CaseError("file_unreadable", f"{name} is said to have {axes} axes")
    return header


def _dtype_of(header: Nifti1Header, name: str) -> np.dtype[np.generic]:
    try:
        dtype = cast("np.dtype[np.generic]", header.get_data_dtype())
    except (HeaderDataError, KeyError) as error:
        raise CaseError("file_unreadable", f"{name}: {error}") from error
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise CaseError("file_unsupported", f"{name} holds values of type {dtype}")
    return dtype


def _read_values(
    stream: BinaryIO,
    header: Nifti1Header,
    dtype: np.dtype[np.generic],
    shape: tuple[int, int, int],
    name: str,
) -> Values:
    """Fill memory taken once; then read on to the end, so that the checksum is checked."""
    gap = int(header.get_data_offset()) - int(header["sizeof_hdr"])
    if not 0 <= gap <= _MAX_OFFSET:
        raise CaseError("file_unreadable", f"{name}: voxels are said to begin at {gap} bytes")
    if len(stream.read(gap)) < gap:
        raise CaseError("file_unreadable", f"{name} ends before its voxels")
    values = np.empty(int(np.prod(shape)), dtype=dtype)
    raw = memoryview(values.view(np.uint8))  # type: ignore[arg-type]
    _fill(stream, raw, name)
    if len(stream.read(_MAX_TAIL)) == _MAX_TAIL:
        raise CaseError("file_unreadable", f"{name} goes on after its last voxel")
    if not dtype.isnative:
        values = values.byteswap(inplace=True).view(dtype.newbyteorder("="))
    return values.reshape(shape, order="F")


def _fill(stream: BinaryIO, room: memoryview, name: str) -> None:
    done = 0
    while done < len(room):
        count = cast(io.BufferedIOBase, stream).readinto(room[done : done + (4 << 20)])
        if not count:
            raise CaseError(
                "file_unreadable", f"{name} is cut: {done:,} of {len(room):,} bytes of voxels"
            )
        done += count


def _rescaled(values: Values, header: Nifti1Header, name: str) -> Values:
    try:
        slope, intercept = header.get_slope_inter()
    except HeaderDataError as error:
        raise CaseError("file_unreadable", f"{name}: {error}") from error
    if slope is None or (slope == 1.0 and intercept in (0.0, None)):
        return values
    scaled = values.astype(np.float32)
    scaled *= np.float32(slope)
    scaled += np.float32(intercept or 0.0)
    return scaled


def _affine_of(header: Nifti1Header, name: str) -> Affine:
    sform = _finite_form(header.get_sform(coded=True)[0], name, "sform")
    qform = _finite_form(_qform(header, name), name, "qform")
    unit = _unit_mm(header, name)
    for form in (sform, qform):
        if form is not None:
            form[:3] *= unit
            require_geometry(form, name)
    if sform is not None and qform is not None:
        _require_agreement(sform, qform, name)
    chosen = sform if sform is not None else qform
    if chosen is None:
        raise CaseError(
            "geometry_invalid", f"{name} has neither sform nor qform: its left is not known"
        )
    return chosen


def _qform(header: Nifti1Header, name: str) -> Affine | None:
    try:
        return cast("Affine | None", header.get_qform(coded=True)[0])
    except (HeaderDataError, ValueError) as error:
        raise CaseError("geometry_invalid", f"{name}: qform: {error}") from error


def _finite_form(form: Affine | None, name: str, which: str) -> Affine | None:
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


def _require_agreement(sform: Affine, qform: Affine, name: str) -> None:
    """Two affines that differ leave it open which one the annotators saw."""
    lengths = [np.sqrt((form[:3, :3] ** 2).sum(axis=0)) for form in (sform, qform)]
    shift = float(np.abs(sform[:3, 3] - qform[:3, 3]).max())
    spacing = float(np.abs(lengths[0] - lengths[1]).max())
    cosines = ((sform[:3, :3] / lengths[0]) * (qform[:3, :3] / lengths[1])).sum(axis=0)
    angle = float(np.degrees(np.arccos(np.clip(cosines, -1, 1))).max())
    if max(shift, spacing, angle) > MAX_DISAGREEMENT:
        raise CaseError(
            "geometry_invalid",
            f"{name}: sform and qform differ by {shift:.2f} mm in place, {spacing:.2f} mm in "
            f"spacing and {angle:.2f} degrees",
        )
