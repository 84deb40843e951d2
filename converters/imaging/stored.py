"""Arrays whose place in the patient the manifest gives: raw bytes, and variables in files."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from converters.errors import CaseError
from converters.imaging.gzip_stream import BROKEN, open_gzip
from converters.imaging.streams import fill_array, native, pass_over
from converters.imaging.volumes import (
    Affine,
    Volume,
    Wanted,
    directed,
    require_geometry,
    require_size,
    selected,
)
from converters.specs.volume_files import Placed, Raw, Variable


def read_stored(path: Path, name: str, spec: Raw | Variable, wanted: Wanted) -> list[Volume]:
    """Read arrays and place them as the manifest says.

    Args:
        path: Where the file lies.
        name: For messages.
        spec: What the manifest says of it.
        wanted: Which of its volumes.

    Raises:
        CaseError: See :func:`converters.imaging.volumes.read_volume`.
        OSError: The disk did not give it.
    """
    if isinstance(spec, Raw):
        values = _read_raw(path, name, spec)
    else:
        from converters.imaging.arrays import read_variable

        values = read_variable(path, name, spec)
    return placed(values, spec, name, wanted)


def placed(values: npt.NDArray[Any], spec: Placed, name: str, wanted: Wanted) -> list[Volume]:
    """Volumes of an array whose axes the manifest names.

    The place of the first voxel is not known and taken to be 0: pictures, sides and sizes do
    not depend on it.

    Raises:
        CaseError: ``shape_mismatch``, where it has other axes or another number of volumes.
    """
    if values.ndim != len(spec.axes):
        raise CaseError(
            "shape_mismatch", f"{name} has shape {values.shape}, its manifest axes {spec.axes!r}"
        )
    affine = affine_of(spec)
    require_geometry(affine, name)
    at = spec.axes.find("*")
    stack = values[None] if at < 0 else np.moveaxis(values, at, 0)
    total = len(stack)
    return [
        Volume(values=stack[index], affine=affine, steps=selected(index, total))
        for index in wanted.of(total, name)
    ]


def affine_of(spec: Placed) -> Affine:
    """Voxel index, in the order of the lettered axes, to millimetres in RAS from voxel 0."""
    return directed(spec.axes.replace("*", ""), spec.spacing_mm)


def _read_raw(path: Path, name: str, spec: Raw) -> npt.NDArray[Any]:
    shape = tuple(spec.shape)
    dtype = np.dtype(spec.dtype).newbyteorder("<" if spec.byte_order == "little" else ">")
    is_packed = name.lower().endswith(".gz")
    require_size(shape, dtype.itemsize, path.stat().st_size, name, is_packed=is_packed)
    with path.open("rb") as raw:
        stream = open_gzip(raw) if is_packed else raw
        try:
            pass_over(stream, spec.skip_bytes, name)
            values = fill_array(stream, dtype, int(np.prod(shape)), name)
            is_longer = bool(stream.read(1))
        except BROKEN as error:
            raise CaseError("file_unreadable", f"{name} is packed, and cut or broken") from error
    if is_longer:
        raise CaseError("shape_mismatch", f"{name} holds more than {shape} values of {spec.dtype}")
    return native(values).reshape(shape, order="F")
