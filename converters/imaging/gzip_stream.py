"""Gzipped voxels, unpacked by isal where it is installed: half the time, the same bytes."""

import gzip
import zlib
from typing import BinaryIO, cast

try:
    from isal import igzip, isal_zlib
except ImportError:  # the package is optional
    _open: type[gzip.GzipFile] = gzip.GzipFile
    BROKEN: tuple[type[Exception], ...] = (EOFError, zlib.error, gzip.BadGzipFile)
else:
    _open = igzip.GzipFile
    _isal_error = cast("type[Exception]", isal_zlib.error)  # its stubs say it is an instance
    BROKEN = (EOFError, zlib.error, gzip.BadGzipFile, _isal_error)


def open_gzip(raw: BinaryIO) -> BinaryIO:
    """A stream of what is packed in another; reading may raise one of `BROKEN`.

    What these say depends on who unpacks: it is not for messages, which are compared.
    """
    return cast(BinaryIO, _open(fileobj=raw, mode="rb"))
