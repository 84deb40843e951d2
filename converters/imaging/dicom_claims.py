"""What the Image Pixel module of a DICOM header claims, held against limits before decoding."""

import math
from dataclasses import dataclass

from pydicom.dataset import Dataset

from converters.errors import CaseError
from converters.imaging.dicom_file import quiet
from converters.imaging.dicom_tags import integer_of, name_of, text_of
from converters.imaging.pictures import MAX_PIXELS
from converters.imaging.volumes import MAX_VOXELS

PIXEL_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_GREY = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR")
_COLOR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")


@dataclass(frozen=True, kw_only=True, slots=True)
class Claims:
    """The shape and encoding of the pixels (PS3.3, C.7.6.3).

    Attributes:
        name: Of the file, for messages.
        frames, rows, columns, samples: All at least 1; samples 1 or 3.
        bits_allocated, bits_stored, high_bit: Bits of a stored value.
        is_signed: Two's complement (Pixel Representation, 0028,0103).
        photometric: Photometric Interpretation (0028,0004).
        syntax: Transfer syntax UID.
    """

    name: str
    frames: int
    rows: int
    columns: int
    samples: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    is_signed: bool
    photometric: str
    syntax: str

    @property
    def frame_bytes(self) -> int:
        """Bytes of a decoded frame."""
        return math.ceil(self.rows * self.columns * self.samples * self.bits_allocated / 8)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the decoded array: (frames,) rows, columns (, 3)."""
        frames = (self.frames,) if self.frames > 1 else ()
        return (*frames, self.rows, self.columns, *((3,) if self.samples == 3 else ()))


def claims_of(header: Dataset) -> Claims:
    """Read what a header claims; the pixels need not be there.

    Raises:
        CaseError: ``file_unsupported`` (no image, a colour space or a number of bits that is not
            read), ``file_too_large``, or ``value_invalid``.
    """
    name = name_of(header)
    if "Rows" not in header or "Columns" not in header:
        kind = text_of(header, "Modality") or "unknown"
        raise CaseError("file_unsupported", f"{name} is no image (modality {kind})")
    bits = integer_of(header, "BitsAllocated")
    stored = integer_of(header, "BitsStored", bits)
    claims = Claims(
        name=name,
        frames=integer_of(header, "NumberOfFrames", 1) or 1,
        rows=integer_of(header, "Rows"),
        columns=integer_of(header, "Columns"),
        samples=integer_of(header, "SamplesPerPixel", 1),
        bits_allocated=bits,
        bits_stored=stored,
        high_bit=integer_of(header, "HighBit", stored - 1),
        is_signed=integer_of(header, "PixelRepresentation", 0) == 1,
        photometric=text_of(header, "PhotometricInterpretation"),
        syntax=_syntax(header, name),
    )
    _require_size(claims)
    _require_encoding(claims)
    return claims


def _syntax(header: Dataset, name: str) -> str:
    with quiet():
        syntax = str(getattr(header, "file_meta", {}).get("TransferSyntaxUID", ""))
    if not syntax:
        raise CaseError("file_unreadable", f"{name} names no transfer syntax")
    return syntax


def _require_size(claims: Claims) -> None:
    sizes = (claims.frames, claims.rows, claims.columns)
    seen = "x".join(str(size) for size in sizes)
    if min(sizes) < 1:
        raise CaseError("value_invalid", f"{claims.name} claims {seen} frames, rows, columns")
    if claims.rows * claims.columns > MAX_PIXELS or math.prod(sizes) > MAX_VOXELS:
        raise CaseError(
            "file_too_large",
            f"{claims.name} claims {seen} frames, rows, columns of {MAX_PIXELS:,} pixels a frame "
            f"and {MAX_VOXELS:,} in all",
        )


def _require_encoding(claims: Claims) -> None:
    known = _GREY if claims.samples == 1 else _COLOR if claims.samples == 3 else ()
    if claims.photometric not in known:
        raise CaseError(
            "file_unsupported",
            f"{claims.name} has photometric interpretation {claims.photometric[:40]!r} with "
            f"{claims.samples} samples a pixel",
        )
    bits = (claims.bits_allocated, claims.bits_stored, claims.high_bit)
    if bits[0] not in (1, 8, 16, 32, 64) or not 1 <= bits[1] <= bits[2] + 1 <= bits[0]:
        raise CaseError(
            "file_unsupported",
            f"{claims.name} has {bits[0]} bits allocated, {bits[1]} stored, high bit {bits[2]}",
        )
