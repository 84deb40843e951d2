"""NIfTI-1 and NIfTI-2 single files, gzipped or not, in one pass over the bytes."""

import logging
from pathlib import Path
from typing import BinaryIO, Literal, cast

import numpy as np
from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header
from nibabel.spatialimages import HeaderDataError

from converters.errors import CaseError
from converters.imaging.gzip_stream import BROKEN, open_gzip
from converters.imaging.nifti_forms import flat_affine, read_affine
from converters.imaging.streams import fill_array, fill_scaled, native, pass_over
from converters.imaging.volumes import (
    Values,
    Volume,
    Wanted,
    require_size,
    selected,
    squeeze_shape,
)

_HEADERS: dict[bytes, tuple[type[Nifti1Header], int, str]] = {
    (348).to_bytes(4, "little"): (Nifti1Header, 348, "<"),
    (348).to_bytes(4, "big"): (Nifti1Header, 348, ">"),
    (540).to_bytes(4, "little"): (Nifti2Header, 540, "<"),
    (540).to_bytes(4, "big"): (Nifti2Header, 540, ">"),
}
_MAX_OFFSET = 64 << 20  # header extensions
_MAX_TAIL = 1 << 20  # bytes after the last voxel
# The checks of nibabel also log what they find; what matters becomes a rejection here.
logging.getLogger("nibabel.global").setLevel(logging.CRITICAL)


def read_nifti(
    path: Path,
    name: str,
    wanted: Wanted,
    *,
    trusted: Literal["sform", "qform"] | None = None,
    may_be_flat: bool = False,
) -> list[Volume]:
    """Read one NIfTI file to its last byte.

    Args:
        path: Where it lies.
        name: For messages.
        wanted: Which of its volumes.
        trusted: The affine that is taken where sform and qform differ; None refuses the file.
        may_be_flat: Whether a picture of two axes is taken as a volume of one slice; its header
            then gives the spacing alone.

    Raises:
        CaseError: See :func:`converters.imaging.volumes.read_volume`.
        OSError: The disk did not give it.
    """
    file_bytes = path.stat().st_size
    with path.open("rb") as raw:
        is_packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        stream = open_gzip(raw) if is_packed else raw
        try:
            header = _read_header(stream, name)
            whole = tuple(int(n) for n in header.get_data_shape())
            is_flat = may_be_flat and len(whole) == 2
            shape, total = squeeze_shape((*whole, 1) if is_flat else whole, name)
            dtype = _dtype_of(header, name)
            require_size(whole, dtype.itemsize, file_bytes, name, is_packed=is_packed)
            affine, steps = (
                flat_affine(header, name) if is_flat else read_affine(header, name, trusted)
            )
            indices = wanted.of(total, name)
            values = _read_values(stream, header, dtype, (*shape, total), indices, name)
        except BROKEN as error:
            raise CaseError("file_unreadable", f"{name} is packed, and cut or broken") from error
    return [
        Volume(
            values=one,
            affine=affine,
            steps=(*steps, *selected(index, total)),
        )
        for index, one in zip(indices, values, strict=True)
    ]


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
    except (HeaderDataError, ValueError, OverflowError) as error:
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
    shape: tuple[int, int, int, int],
    indices: tuple[int, ...],
    name: str,
) -> list[Values]:
    """Fill memory taken once a volume; then read to the end, so that the checksum is checked."""
    offset = float(header["vox_offset"])  # a float in NIfTI-1, which may be no number
    if not np.isfinite(offset):
        raise CaseError("file_unreadable", f"{name}: voxels are said to begin at {offset} bytes")
    gap = int(offset) - int(header["sizeof_hdr"])
    if not 0 <= gap <= _MAX_OFFSET:
        raise CaseError("file_unreadable", f"{name}: voxels are said to begin at {gap} bytes")
    if len(stream.read(gap)) < gap:
        raise CaseError("file_unreadable", f"{name} ends before its voxels")
    *extents, total = shape
    count = int(np.prod(extents))
    line = _line(header, name)
    found = []
    for index in range(total):
        if index in indices:
            if line:
                values: Values = fill_scaled(stream, dtype, count, line, name)
            else:
                values = native(fill_array(stream, dtype, count, name))
            found.append(values.reshape(extents, order="F"))
        else:
            pass_over(stream, count * dtype.itemsize, name)
    if len(stream.read(_MAX_TAIL)) == _MAX_TAIL:
        raise CaseError("file_unreadable", f"{name} goes on after its last voxel")
    return found


def _line(header: Nifti1Header, name: str) -> tuple[float, float] | None:
    """Slope and intercept of the values; None where the stored ones are meant."""
    try:
        slope, intercept = header.get_slope_inter()
    except HeaderDataError as error:
        raise CaseError("file_unreadable", f"{name}: {error}") from error
    if slope is None or (slope == 1.0 and intercept in (0.0, None)):
        return None
    return float(slope), float(intercept or 0.0)
