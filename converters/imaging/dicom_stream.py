"""Compressed frames held against the header before a decoder is given them.

A decoder takes its sizes from the code stream, not from the header: what the stream claims
must be what the header claims, or memory is decided by whoever wrote the stream.
"""

import struct
from collections.abc import Iterator

from pydicom.encaps import generate_frames
from pydicom.uid import (
    JPEG2000TransferSyntaxes,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
    RLELossless,
)

from converters.errors import CaseError
from converters.imaging.dicom_claims import Claims

_JPEG = (*JPEGTransferSyntaxes, *JPEGLSTransferSyntaxes)
_SIZ = b"\xff\x4f\xff\x51"  # start of a JPEG 2000 code stream (ISO/IEC 15444-1, A.4, A.5)
_BOXES = 1 << 16  # how far the code stream may begin after boxes of a JP2 file
_SOF = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF, 0xF7}
_RLE_SEGMENTS = 15
_RLE_SLACK = 256  # bytes that encoders add at the end of a segment


def require_frames(data: bytes, claims: Claims) -> None:
    """Refuse encapsulated pixels that are not the frames that the header claims.

    Raises:
        CaseError: ``file_unreadable``; ``shape_mismatch``, where a frame has another size.
    """
    count = 0
    for frame in generate_frames(data, number_of_frames=claims.frames):
        count += 1
        if count > claims.frames:
            raise CaseError(
                "shape_mismatch", f"{claims.name} holds more than its {claims.frames} frames"
            )
        _require_frame(bytes(frame), claims)
    if count < claims.frames:
        raise CaseError("file_unreadable", f"{claims.name} holds {count} of {claims.frames} frames")


def _require_frame(frame: bytes, claims: Claims) -> None:
    if claims.syntax == RLELossless:
        _require_rle(frame, claims)
        return
    if claims.syntax in _JPEG:
        rows, columns, samples, bits = _jpeg_size(frame, claims.name)
    elif claims.syntax in JPEG2000TransferSyntaxes or claims.syntax.startswith(
        "1.2.840.10008.1.2.4.20"
    ):
        rows, columns, samples, bits = _jpeg2000_size(frame, claims.name)
    else:
        raise CaseError(
            "file_unsupported", f"{claims.name}: transfer syntax {claims.syntax[:64]!r}"
        )
    if (rows, columns, samples) != (claims.rows, claims.columns, claims.samples):
        raise CaseError(
            "shape_mismatch",
            f"{claims.name} claims {claims.rows} rows, {claims.columns} columns, {claims.samples} "
            f"samples; its compressed frame has {rows}, {columns}, {samples}",
        )
    if bits > claims.bits_allocated:
        raise CaseError(
            "shape_mismatch",
            f"{claims.name}: {bits} bits a sample in the frame, {claims.bits_allocated} allocated",
        )


def _jpeg_size(frame: bytes, name: str) -> tuple[int, int, int, int]:
    """Rows, columns, samples and bits of a JPEG or JPEG-LS frame (ISO/IEC 10918-1, B.2.2)."""
    for marker, at in _segments(frame):
        if marker in _SOF and at + 10 <= len(frame):
            bits, rows, columns, samples = struct.unpack_from(">BHHB", frame, at + 4)
            return rows, columns, samples, bits
    raise CaseError("file_unreadable", f"{name}: a compressed frame is no JPEG")


def _segments(frame: bytes) -> Iterator[tuple[int, int]]:
    """Each marker with a length, and where it stands, up to the entropy-coded data."""
    at = 2 if frame[:2] == b"\xff\xd8" else len(frame)
    while at + 4 <= len(frame) and frame[at] == 0xFF:
        marker = frame[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker == 0xDA:
            return
        yield marker, at
        at += 2 + int.from_bytes(frame[at + 2 : at + 4], "big")


def _jpeg2000_size(frame: bytes, name: str) -> tuple[int, int, int, int]:
    """Rows, columns, samples and bits of a JPEG 2000 frame (ISO/IEC 15444-1, A.5.1)."""
    at = frame.find(_SIZ, 0, _BOXES)
    if at < 0 or len(frame) < at + 45:
        raise CaseError("file_unreadable", f"{name}: a compressed frame is no JPEG 2000")
    right, bottom, left, top = struct.unpack_from(">4L", frame, at + 8)
    (samples,) = struct.unpack_from(">H", frame, at + 40)
    # Seven bits of the depth; the eighth says whether it is signed.
    return bottom - top, right - left, samples, (frame[at + 42] & 0x7F) + 1


def _require_rle(frame: bytes, claims: Claims) -> None:
    """Segments must give the planes of the frame and no more (PS3.5, annex G)."""
    if len(frame) < 64:
        raise CaseError("file_unreadable", f"{claims.name}: an RLE frame of {len(frame)} bytes")
    count, *offsets = struct.unpack_from("<16L", frame)
    planes = claims.samples * claims.bits_allocated // 8
    if count != planes or count > _RLE_SEGMENTS:
        raise CaseError("file_unreadable", f"{claims.name}: {count} RLE segments for {planes}")
    plane = claims.rows * claims.columns
    for start, end in zip(offsets, [*offsets[1:count], len(frame)], strict=False):
        given = _unpacked_length(frame[start:end], plane + _RLE_SLACK)
        if not plane <= given <= plane + _RLE_SLACK:
            raise CaseError(
                "file_unreadable", f"{claims.name}: an RLE segment of {given:,} for {plane:,} bytes"
            )


def _unpacked_length(segment: bytes, limit: int) -> int:
    """How many bytes a PackBits segment gives; counting stops beyond the limit."""
    at = given = 0
    while at < len(segment) and given <= limit:
        head = segment[at]
        if head < 128:
            given += min(head + 1, len(segment) - at - 1)
            at += head + 2
        elif head > 128:
            given += 257 - head
            at += 2
        else:
            at += 1
    return given
