"""Arrays in HDF5 files, MATLAB's version 7.3 among them; nothing outside the file is followed."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from converters.errors import CaseError
from converters.imaging.volumes import require_size

_FILTERS = {
    h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32,
    h5py.h5z.FILTER_LZF,
}  # fmt: skip
_NUMBERS = (h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.ENUM)
_BROKEN = (OSError, RuntimeError, ValueError, KeyError, TypeError, MemoryError)


def read_hdf5(path: Path, name: str, variable: str) -> npt.NDArray[Any]:
    """The dataset at a path inside the file, its axes in the order of the file.

    Raises:
        CaseError: ``file_unsupported``, ``file_unreadable`` or ``file_too_large``.
        OSError: The disk did not give the file.
    """
    with path.open("rb"):  # a disk that fails is not a broken file
        pass
    try:
        with h5py.File(path, "r", rdcc_nbytes=0) as file:
            dataset = _dataset(file, name, variable)
            _require_plain(dataset, path.stat().st_size, name)
            values = np.empty(dataset.shape, dtype=dataset.dtype.newbyteorder("="))
            dataset.read_direct(values)
    except _BROKEN as error:
        reason = str(error).replace(str(path), name)[:200]
        raise CaseError("file_unreadable", f"{name} is cut or broken: {reason}") from error
    return values


def read_matlab73(path: Path, name: str, variable: str) -> npt.NDArray[Any]:
    """An array of a MATLAB file of version 7.3, its axes in the order that MATLAB shows.

    `variable` is its name, or "name/field" in a struct. MATLAB writes arrays with their first
    index running fastest, which HDF5 shows as the last.

    Raises:
        CaseError: See :func:`read_hdf5`.
        OSError: The disk did not give the file.
    """
    return read_hdf5(path, name, variable).T


def _dataset(file: h5py.File, name: str, variable: str) -> h5py.Dataset:
    """Go down the path by hard links alone: others lead elsewhere, or round in circles."""
    parts = [part for part in variable.split("/") if part]
    here: h5py.Group | h5py.Dataset = file
    for part in parts:
        if not isinstance(here, h5py.Group) or part in (".", "..") or part not in here:
            held = ", ".join(list(here)[:8]) if isinstance(here, h5py.Group) else "an array"
            raise CaseError("file_unsupported", f"{name}: no {variable!r}; there is {held}")
        if not isinstance(here.get(part, getlink=True), h5py.HardLink):
            raise CaseError("file_unsupported", f"{name}: {variable!r} is a link")
        here = here[part]
    if not isinstance(here, h5py.Dataset):
        raise CaseError("file_unsupported", f"{name}: {variable!r} is no array")
    return here


def _require_plain(dataset: h5py.Dataset, file_bytes: int, name: str) -> None:
    """Refuse what is kept elsewhere, packed by a plug-in, no number, or larger than its bytes."""
    made = dataset.id.get_create_plist()
    filters = {made.get_filter(at)[0] for at in range(made.get_nfilters())}
    if dataset.is_virtual or made.get_external_count():
        raise CaseError("file_unsupported", f"{name} keeps its values in another file")
    if not filters <= _FILTERS:
        raise CaseError("file_unsupported", f"{name} is packed in a rare way ({sorted(filters)})")
    kind = dataset.dtype
    is_number = dataset.id.get_type().get_class() in _NUMBERS and kind.kind in "biuf"
    if not is_number or kind.itemsize > 8 or dataset.shape is None:
        raise CaseError("file_unsupported", f"{name} holds values of type {kind}")
    held = min(dataset.id.get_storage_size(), file_bytes)
    is_packed = bool(filters & {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_LZF})
    require_size(dataset.shape, kind.itemsize, held, name, is_packed=is_packed)
    chunk = int(np.prod(dataset.chunks or (1,)))
    require_size((chunk,), kind.itemsize, held, name, is_packed=is_packed)
