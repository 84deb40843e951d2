"""Reads one array of an HDF5 file and writes it to standard output; a program of its own.

The HDF5 library ends its process on some broken files. So that it is never ours, this runs
apart (:mod:`converters.imaging.hdf5` starts it): it says on a first line what there is, waits for
a line that lets it go on, and writes the values in the order of the file, a slab at a time. It
imports nothing of ours, so that it starts quickly and from anywhere.
"""

import json
import sys
from typing import Any

import h5py
import numpy as np

_FILTERS = {
    h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32,
    h5py.h5z.FILTER_LZF,
}  # fmt: skip
_NUMBERS = (h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.ENUM)
_BROKEN = (OSError, RuntimeError, ValueError, KeyError, TypeError, MemoryError)
_SLAB_BYTES = 64 << 20


class _RefusedError(Exception):
    """What is there is not read; its text says why."""


def main(path: str, variable: str) -> None:
    """Say what the variable is, wait, and write its values."""
    try:
        with h5py.File(path, "r") as file:
            dataset = _dataset(file, variable)
            _say(_described(dataset))
            if sys.stdin.readline() == "go\n":
                _write(dataset)
    except _RefusedError as error:
        _say({"reason": "file_unsupported", "message": str(error)})
    except _BROKEN as error:
        _say({"reason": "file_unreadable", "message": f"it is cut or broken: {error}"[:200]})


def _say(what: dict[str, Any]) -> None:
    sys.stdout.buffer.write(json.dumps(what).encode("ascii") + b"\n")
    sys.stdout.buffer.flush()


def _dataset(file: h5py.File, variable: str) -> h5py.Dataset:
    """Go down the path by hard links alone: others lead elsewhere, or round in circles."""
    here: h5py.Group | h5py.Dataset = file
    for part in [part for part in variable.split("/") if part]:
        if not isinstance(here, h5py.Group) or part in (".", "..") or part not in here:
            held = ", ".join(list(here)[:8]) if isinstance(here, h5py.Group) else "an array"
            raise _RefusedError(f"no {variable!r}; there is {held}")
        if not isinstance(here.get(part, getlink=True), h5py.HardLink):
            raise _RefusedError(f"{variable!r} is a link")
        here = here[part]
    if not isinstance(here, h5py.Dataset):
        raise _RefusedError(f"{variable!r} is no array")
    return here


def _described(dataset: h5py.Dataset) -> dict[str, Any]:
    """Shape, type and bytes in the file; refuses what is kept elsewhere, or is no number."""
    made = dataset.id.get_create_plist()
    filters = {made.get_filter(at)[0] for at in range(made.get_nfilters())}
    if dataset.is_virtual or made.get_external_count():
        raise _RefusedError("its values are kept in another file")
    if not filters <= _FILTERS:
        raise _RefusedError(f"its values are packed in a rare way ({sorted(filters)})")
    kind = dataset.dtype
    is_number = dataset.id.get_type().get_class() in _NUMBERS and kind.kind in "biuf"
    if not is_number or kind.itemsize > 8 or dataset.shape is None:
        raise _RefusedError(f"it holds values of type {kind}")
    if "MATLAB_empty" in dataset.attrs:
        raise _RefusedError("it is an empty array of MATLAB")
    return {
        "shape": [int(extent) for extent in dataset.shape],
        "chunk": [int(extent) for extent in dataset.chunks or ()],
        "dtype": kind.str,
        "held": int(dataset.id.get_storage_size()),
        "is_packed": bool(filters & {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_LZF}),
    }


def _write(dataset: h5py.Dataset) -> None:
    if dataset.ndim == 0:
        sys.stdout.buffer.write(np.asarray(dataset[()]).tobytes())
        return
    row = max(1, dataset.dtype.itemsize * int(np.prod(dataset.shape[1:])))
    step = dataset.chunks[0] if dataset.chunks else 1
    step *= max(1, _SLAB_BYTES // (row * step))
    for start in range(0, dataset.shape[0], step):
        sys.stdout.buffer.write(dataset[start : start + step].tobytes())


if __name__ == "__main__":
    main(*sys.argv[1:])
