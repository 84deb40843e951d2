"""Arrays in HDF5 files, MATLAB's version 7.3 among them, read by a process apart.

The HDF5 library ends its process on some broken files; see :mod:`converters.imaging.hdf5_reader`.
"""

import json
import subprocess
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from threading import Timer
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from converters.errors import CaseError
from converters.imaging.streams import fill_array, native
from converters.imaging.volumes import require_size

_PROGRAM = Path(__file__).with_name("hdf5_reader.py")
_LINE_BYTES = 64 << 10
LIMIT_SECONDS = 1800.0  # a broken file may send the library round in circles


def read_hdf5(path: Path, name: str, variable: str) -> npt.NDArray[Any]:
    """The dataset at a path inside the file, its axes in the order of the file.

    Raises:
        CaseError: ``file_unsupported``, ``file_unreadable`` or ``file_too_large``.
        OSError: The disk did not give the file.
        ModuleNotFoundError: h5py is not installed.
    """
    if find_spec("h5py") is None:
        raise ModuleNotFoundError("No module named 'h5py'", name="h5py")
    path.open("rb").close()  # a disk that fails is not a broken file
    command = [sys.executable, "-P", str(_PROGRAM), str(path), variable]
    with subprocess.Popen(  # noqa: S603 - our own program; a list, so that no shell reads it
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
    ) as reader:
        watch = Timer(LIMIT_SECONDS, reader.kill)
        watch.start()
        try:
            return _read(reader, path, name)
        finally:
            watch.cancel()
            reader.kill()


def _read(reader: subprocess.Popen[bytes], path: Path, name: str) -> npt.NDArray[Any]:
    """Hear what there is, hold it against the file, and only then take memory."""
    stream, answer = cast(BinaryIO, reader.stdout), cast(BinaryIO, reader.stdin)
    said = stream.readline(_LINE_BYTES)
    if not said.endswith(b"\n"):
        raise CaseError("file_unreadable", f"{name} ends the HDF5 library: it is cut or broken")
    there = json.loads(said)
    if "reason" in there:
        raise CaseError(there["reason"], f"{name}: {there['message'].replace(str(path), name)}")
    shape, dtype = tuple(there["shape"]), np.dtype(there["dtype"])
    held = min(there["held"], path.stat().st_size)
    for claimed in (shape, tuple(there["chunk"])):
        require_size(claimed, dtype.itemsize, held, name, is_packed=there["is_packed"])
    with suppress(BrokenPipeError):  # it has ended; what it has not written is missed below
        answer.write(b"go\n")
    values = fill_array(stream, dtype, int(np.prod(shape)), name)
    return native(values).reshape(shape)


def read_matlab73(path: Path, name: str, variable: str) -> npt.NDArray[Any]:
    """An array of a MATLAB file of version 7.3, its axes in the order that MATLAB shows.

    `variable` is its name, or "name/field" in a struct. MATLAB writes arrays with their first
    index running fastest, which HDF5 shows as the last.

    Raises:
        CaseError: See :func:`read_hdf5`.
        OSError: The disk did not give the file.
    """
    return read_hdf5(path, name, variable).T
