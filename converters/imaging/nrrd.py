"""NRRD files with their voxels (`.nrrd`) or beside them (`.nhdr`)."""

from pathlib import Path
from posixpath import basename, dirname, join
from typing import Any

import numpy as np
import numpy.typing as npt

from converters.errors import CaseError
from converters.files import Root
from converters.imaging.gzip_stream import BROKEN, open_gzip
from converters.imaging.nrrd_header import HEADER_BYTES, NrrdHeader, parse_header
from converters.imaging.streams import fill_array, native, pass_over
from converters.imaging.volumes import (
    Volume,
    Wanted,
    require_geometry,
    require_size,
    selected,
    squeeze_shape,
    voxel_names,
)

_MAX_LINES = 10_000


def read_nrrd(path: Path, name: str, root: Root, wanted: Wanted) -> list[Volume]:
    """Read an NRRD file, or the voxels that a detached header names.

    Args:
        path: Where it lies.
        name: Relative to the root; for messages, and for the file that a header names.
        root: The source's folder.
        wanted: Which of its volumes, along an axis that does not lie in space.

    Raises:
        CaseError: See :func:`converters.imaging.volumes.read_volume`.
        OSError: The disk did not give it.
    """
    with path.open("rb") as file:
        head = file.read(HEADER_BYTES)
    text, start = _split(head, name)
    header = parse_header(text, name)
    if header.data_file:
        path, start = root.checked(_beside(header.data_file, path, name)), 0
    elif start < 0:
        raise CaseError("file_unreadable", f"{name} ends within its header")
    require_geometry(header.affine, name)
    total, order = _axes(header, name)
    is_packed = header.encoding == "gzip"
    size = path.stat().st_size - start
    require_size(header.sizes, header.dtype.itemsize, size, name, is_packed=is_packed)
    indices = wanted.of(total, name)
    stack = _read_values(path, start, header, name).reshape(header.sizes, order="F")
    stack = stack.transpose(order)
    return [
        Volume(
            values=_volume_at(stack, index),
            affine=header.affine,
            steps=selected(index, total),
        )
        for index in indices
    ]


def _volume_at(stack: npt.NDArray[Any], index: int) -> npt.NDArray[Any]:
    where: tuple[Any, ...] = np.unravel_index(index, stack.shape[3:])
    everywhere: tuple[Any, ...] = (slice(None),) * 3
    return stack[everywhere + where]


def _split(head: bytes, name: str) -> tuple[bytes, int]:
    """The header, and where the voxels begin; -1 where nothing follows it."""
    if not head.startswith(b"NRRD"):
        raise CaseError("file_unreadable", f"{name} does not begin like an NRRD file")
    ends = [(at, len(end)) for end in (b"\n\n", b"\r\n\r\n") if (at := head.find(end)) >= 0]
    if ends:
        at, length = min(ends)
        return head[:at], at + length
    if len(head) == HEADER_BYTES:
        raise CaseError("file_unreadable", f"{name} has a header without end")
    return head.rstrip(b"\r\n"), -1


def _beside(data_file: str, path: Path, name: str) -> str:
    """The file of the voxels: beside the header, and named as it is, so that it is known to it."""
    beside = data_file.removeprefix("./")
    if not name.lower().endswith(".nhdr") or beside not in voxel_names(name):
        stem = basename(name).rpartition(".")[0]
        raise CaseError(
            "file_unsupported",
            f"{name} keeps its voxels in {data_file[:60]!r}; a .nhdr file may in {stem}.raw, "
            f"{stem}.raw.gz and the like",
        )
    if not (path.parent / beside).exists():
        raise CaseError("file_unreadable", f"{name}: its voxels in {beside} are not there")
    return join(dirname(name), beside)


def _axes(header: NrrdHeader, name: str) -> tuple[int, tuple[int, ...]]:
    """How many volumes there are, and the axes, those in space first."""
    further = tuple(at for at in range(len(header.sizes)) if at not in header.space_axes)
    order = (*header.space_axes, *further)
    _, total = squeeze_shape(tuple(header.sizes[at] for at in order), name)
    return total, order


def _read_values(path: Path, start: int, header: NrrdHeader, name: str) -> npt.NDArray[Any]:
    """All values; memory is taken once, after the header was held against the file."""
    count = int(np.prod(header.sizes))
    is_packed = header.encoding == "gzip"
    if header.byte_skip < 0:
        if is_packed:
            raise CaseError("file_unsupported", f"{name}: byte skip -1 of packed voxels")
        start = path.stat().st_size - count * header.dtype.itemsize
    with path.open("rb") as raw:
        raw.seek(start)
        for _ in range(min(header.line_skip, _MAX_LINES)):
            raw.readline(HEADER_BYTES)
        stream = open_gzip(raw) if is_packed else raw
        try:
            pass_over(stream, max(0, header.byte_skip), name)
            values = fill_array(stream, header.dtype, count, name)
            if is_packed and stream.read(1):  # its checksum is looked at here
                raise CaseError("file_unreadable", f"{name} goes on after its last voxel")
        except BROKEN as error:
            raise CaseError("file_unreadable", f"{name} is packed, and cut or broken") from error
    return native(values)
