"""Gzipped voxels: whoever unpacks them, the same bytes come out and the same files are refused."""

import gzip
import io

import pytest

from converters.imaging import gzip_stream
from converters.imaging.gzip_stream import BROKEN, open_gzip

DATA = bytes(range(256)) * 4000
PACKED = gzip.compress(DATA, 1, mtime=0)
DAMAGED = {
    "empty": b"",
    "cut in the header": PACKED[:5],
    "cut": PACKED[: len(PACKED) // 2],
    "cut before the checksum": PACKED[:-8],
    "cut in the length": PACKED[:-2],
    "wrong checksum": PACKED[:-8] + b"\0\0\0\0" + PACKED[-4:],
    "wrong length": PACKED[:-4] + b"\1\0\0\0",
    "goes on": PACKED + b"more",
    "not packed": DATA[:1000],
}


@pytest.fixture(params=["installed", "standard library"])
def _opener(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each way to unpack in turn."""
    if request.param == "standard library":
        monkeypatch.setattr(gzip_stream, "_open", gzip.GzipFile)


@pytest.mark.usefixtures("_opener")
def test_what_was_packed_comes_out() -> None:
    stream = open_gzip(io.BytesIO(PACKED))
    assert stream.read(1000) + stream.read() == DATA


@pytest.mark.usefixtures("_opener")
def test_parts_and_zeros_after_them_are_one_stream() -> None:
    assert open_gzip(io.BytesIO(PACKED + PACKED + b"\0" * 40)).read() == DATA + DATA


@pytest.mark.usefixtures("_opener")
@pytest.mark.parametrize("damage", [name for name in DAMAGED if name != "empty"])
def test_damage_is_one_of_the_known_errors(damage: str) -> None:
    stream = open_gzip(io.BytesIO(DAMAGED[damage]))
    with pytest.raises(BROKEN):
        stream.read()


@pytest.mark.usefixtures("_opener")
def test_nothing_is_an_empty_stream() -> None:
    assert open_gzip(io.BytesIO(DAMAGED["empty"])).read() == b""
