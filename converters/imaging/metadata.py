"""What a PNG or JPEG carries beside its pixels, taken out without touching a pixel.

EXIF, comments, text, colour profiles, thumbnails, private blocks and whatever follows the end of
the picture may hold names, dates, places and devices. What decides how pixels are decoded stays.
"""

import re
import struct

_PNG_START = b"\x89PNG\r\n\x1a\n"
# ISO/IEC 15948, 11: what says how samples become colours, and nothing about a person.
_PNG_KEPT = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB",
                       b"sBIT", b"bKGD", b"hIST", b"pHYs"})  # fmt: skip
_SOI, _EOI, _SOS, _COM, _APP0, _APP14 = 0xD8, 0xD9, 0xDA, 0xFE, 0xE0, 0xEE
_APPS = range(0xE0, 0xF0)
_MARKER = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")  # ITU-T T.81, B.1.1.2; not a restart
_JFIF_BYTES = 14  # "JFIF" and what follows it, without a thumbnail
_ADOBE_BYTES = 12


def without_metadata(data: bytes, kind: str) -> tuple[bytes, tuple[str, ...]]:
    """A picture file without what is not needed to decode it.

    Args:
        data: The file, decoded before.
        kind: "PNG" or "JPEG".

    Returns:
        The file, the same object where nothing was taken out; and what was, each kind once.

    Raises:
        ValueError: Its structure is not that of the standard.
    """
    try:
        kept, removed = (_bare_png if kind == "PNG" else _bare_jpeg)(data)
    except (struct.error, IndexError) as error:
        raise ValueError("the file ends in the middle of a block") from error
    return (b"".join(kept) if removed else data), tuple(dict.fromkeys(removed))


def _bare_png(data: bytes) -> tuple[list[bytes | memoryview], list[str]]:
    view = memoryview(data)
    if not data.startswith(_PNG_START):
        raise ValueError("does not begin as a PNG")
    kept: list[bytes | memoryview] = [_PNG_START]
    removed: list[str] = []
    at, kind = len(_PNG_START), b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", view, at)
        end = at + 12 + length
        if end > len(data):
            raise ValueError("the file ends in the middle of a block")
        if kind in _PNG_KEPT:
            kept.append(view[at:end])
        else:
            removed.append(kind.decode("ascii", "backslashreplace"))
        at = end
    if at < len(data):
        removed.append("bytes after the end")
    return kept, removed


def _bare_jpeg(data: bytes) -> tuple[list[bytes | memoryview], list[str]]:
    view = memoryview(data)
    if data[:2] != bytes((0xFF, _SOI)):
        raise ValueError("does not begin as a JPEG")
    kept: list[bytes | memoryview] = [view[:2]]
    removed: list[str] = []
    at = 2
    while True:
        marker, at = _marker(data, at)
        if marker == _EOI:
            break
        length, end = _block(view, at)
        body = _kept_body(marker, view[at + 2 : end])
        if body is None or len(body) != length - 2:
            removed.append("comment" if marker == _COM else f"APP{marker - _APPS.start}")
        if body is not None:
            kept += [bytes((0xFF, marker)), struct.pack(">H", len(body) + 2), body]
        at = end
        if marker == _SOS:
            at = _end_of_scan(data, at)
            kept.append(view[end:at])
    kept.append(bytes((0xFF, _EOI)))
    if at < len(data):
        removed.append("bytes after the end")
    return kept, removed


def _block(view: memoryview, at: int) -> tuple[int, int]:
    """The length of a block, and where it ends."""
    (length,) = struct.unpack_from(">H", view, at)
    if length < 2 or at + length > len(view):
        raise ValueError("the file ends in the middle of a block")
    return length, at + length


def _marker(data: bytes, at: int) -> tuple[int, int]:
    """The marker at a place, and where what follows it begins."""
    if data[at] != 0xFF:
        raise ValueError("a block does not begin with a marker")
    while data[at] == 0xFF:  # fill bytes
        at += 1
    return data[at], at + 1


def _kept_body(marker: int, body: memoryview) -> bytes | memoryview | None:
    """What stays of a block, or None."""
    if marker == _APP0 and bytes(body[:5]) == b"JFIF\0":
        if len(body) < _JFIF_BYTES:
            raise ValueError("its JFIF block is cut")
        is_bare = len(body) == _JFIF_BYTES
        return body if is_bare else bytes(body[: _JFIF_BYTES - 2]) + b"\0\0"  # no thumbnail
    if marker == _APP14 and bytes(body[:5]) == b"Adobe":
        return body[:_ADOBE_BYTES]  # how three or four channels become colours
    return None if marker in _APPS or marker == _COM else body


def _end_of_scan(data: bytes, at: int) -> int:
    """Where the next marker after compressed pixels begins."""
    found = _MARKER.search(data, at)
    if not found:
        raise ValueError("the picture has no end")
    return found.start()
