"""DICOM instances: their headers, and their pixels with the modality LUT applied once."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID

from converters.errors import CaseError
from converters.files import Root
from converters.imaging.dicom_claims import PIXEL_KEYWORDS, Claims, claims_of
from converters.imaging.dicom_file import BROKEN, broken, open_dataset, quiet
from converters.imaging.dicom_lut import to_modality_units
from converters.imaging.dicom_stream import require_frames
from converters.imaging.dicom_tags import numbers_of
from converters.records import Json

Values = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]

# In this order, whatever else is installed: another decoder may give other values. GDCM is not
# among them: on some damaged streams it ends the process, and it reads nothing that these do not.
_DECODERS = ("pylibjpeg", "pydicom")
_VIEW: dict[str, Any] = {"view_only": True}  # native pixels are not copied


@dataclass(frozen=True, kw_only=True, slots=True)
class DicomPixels:
    """The pixels of an instance.

    Attributes:
        header: Its attributes.
        values: Shape (rows, columns) or (frames, rows, columns), in modality units (Hounsfield
            units for CT) of grey images, as stored for a palette; (..., 3) for colour, in RGB.
            It may be a view that cannot be written to.
        padding: Where the stored value says that nothing was measured, same shape; None where
            nowhere.
        photometric: MONOCHROME1, MONOCHROME2, PALETTE COLOR or RGB.
        bits: Bits of a stored value.
        transforms: What was done, in order.
    """

    header: pydicom.FileDataset
    values: Values
    padding: Mask | None
    photometric: str
    bits: int
    transforms: tuple[dict[str, Json], ...]


def read_header(root: Root, relative: str) -> pydicom.FileDataset:
    """Read the attributes of a DICOM file; its pixels stay on disk.

    Values are converted when they are asked for and may be broken: read them with
    :mod:`converters.imaging.dicom_tags`.

    Raises:
        CaseError: ``file_unreadable`` or ``file_too_large``, or what
            :meth:`converters.files.Root.checked` raises.
        SourceError: The disk did not give the file; running again may help.
    """
    return open_dataset(root, relative, with_pixels=False)


def read_pixels(root: Root, relative: str, *, frames: Literal["one", "all"] = "one") -> DicomPixels:
    """Read and decode the pixels of a DICOM file.

    The modality LUT, or slope and intercept, is applied here and nowhere else. What the header
    claims is held against limits, the file and the compressed streams before it is decoded.

    Args:
        root: Of the source.
        relative: Path of the file.
        frames: With "one", an image of several frames is refused.

    Raises:
        CaseError: ``file_unsupported``, ``file_unreadable``, ``file_too_large``,
            ``shape_mismatch`` or ``value_invalid``.
        SourceError: The disk did not give the file; running again may help.
    """
    header = open_dataset(root, relative, with_pixels=True)
    claims = claims_of(header)
    if claims.frames > 1 and frames == "one":
        raise CaseError("file_unsupported", f"{relative} has {claims.frames} frames, not one image")
    values, photometric, decoder = _decoded(header, claims)
    steps: list[dict[str, Json]] = [_decoding(claims, decoder)]
    padding = None
    if photometric.startswith("MONOCHROME"):
        padding = _padding(header, values, claims)
        values, rescaling = to_modality_units(values, header)
        steps += rescaling
    for keyword in PIXEL_KEYWORDS:
        if keyword in header:
            del header[keyword]
    return DicomPixels(
        header=header,
        values=values,
        padding=padding,
        photometric=photometric,
        bits=claims.bits_stored,
        transforms=tuple(steps),
    )


def _decoding(claims: Claims, decoder: str) -> dict[str, Json]:
    step: dict[str, Json] = {"step": "decode_dicom", "transfer_syntax": claims.syntax}
    step.update(photometric=claims.photometric, bits=claims.bits_stored)
    return {**step, "decoder": decoder} if decoder else step


def _decoded(header: pydicom.FileDataset, claims: Claims) -> tuple[Values, str, str]:
    """Stored values, their photometric interpretation now, and the decoder of packed ones."""
    keywords = [keyword for keyword in PIXEL_KEYWORDS if keyword in header]
    if len(keywords) != 1:
        raise CaseError("file_unreadable", f"{claims.name} has {len(keywords)} sets of pixels")
    try:
        with quiet():
            uid = UID(claims.syntax)
            values, told, name = _decode(header, claims, uid, header[keywords[0]].value)
    except (*BROKEN, OSError) as error:
        raise broken(claims.name, error) from error
    if values.shape != claims.shape:
        raise CaseError(
            "shape_mismatch", f"{claims.name}: decoded {values.shape}, claimed {claims.shape}"
        )
    photometric = str(told["photometric_interpretation"])
    if claims.samples == 3 and photometric != "RGB":
        raise CaseError("file_unsupported", f"{claims.name}: {photometric} is not turned into RGB")
    if keywords[0] == "PixelData":
        values = _stored(values, claims, is_native=not uid.is_encapsulated)
    elif not np.isfinite(values).all():
        raise CaseError("file_unreadable", f"{claims.name} holds values that are not finite")
    return values, photometric, name


def _decode(
    header: pydicom.FileDataset, claims: Claims, uid: UID, data: bytes
) -> tuple[Values, dict[str, Any], str]:
    """Hold the data against the claims and decode it; what a decoder raises comes through."""
    options: dict[str, Any] = {"allow_excess_frames": False, "correct_unused_bits": False}
    if not uid.is_encapsulated:
        _require_length(data, claims)
        return (*get_decoder(uid).as_array(header, **options, **_VIEW), "")
    require_frames(data, claims)
    decoder = get_decoder(uid)
    known = [name for name in _DECODERS if name in decoder.available_plugins]
    if not known:
        missing = "pip install 'gmai[dicom]'"
        raise CaseError("file_unsupported", f"{claims.name}: no decoder for {uid.name}; {missing}")
    return (*decoder.as_array(header, decoding_plugin=known[0], **options), known[0])


def _require_length(data: bytes, claims: Claims) -> None:
    needed = claims.frame_bytes * claims.frames
    if claims.photometric == "YBR_FULL_422":
        needed = needed * 2 // 3
    if len(data) < needed:
        raise CaseError(
            "file_unreadable",
            f"{claims.name} is cut: {len(data):,} of {needed:,} bytes of pixels",
        )


def _stored(values: Values, claims: Claims, *, is_native: bool) -> Values:
    """The bits that belong to a value: the others may hold overlays or rubbish (PS3.5, 8.1.1)."""
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    if claims.bits_stored == claims.bits_allocated:
        return values
    shift = claims.high_bit + 1 - claims.bits_stored
    if shift and not is_native:
        raise CaseError(
            "file_unsupported",
            f"{claims.name}: high bit {claims.high_bit} of {claims.bits_stored} compressed bits",
        )
    low, high = _range(claims)
    if not shift and low <= values.min() and values.max() <= high:
        return values
    # To the top and back again: the sign comes along, what lies outside falls off.
    spare = 8 * values.dtype.itemsize - claims.bits_stored
    return (values << (spare - shift)) >> spare


def _range(claims: Claims) -> tuple[int, int]:
    """The smallest and the largest stored value."""
    if claims.is_signed:
        return -(1 << (claims.bits_stored - 1)), (1 << (claims.bits_stored - 1)) - 1
    return 0, (1 << claims.bits_stored) - 1


def _padding(header: Dataset, values: Values, claims: Claims) -> Mask | None:
    """Where stored values lie in the padding range (0028,0120 and 0028,0121)."""
    ends = numbers_of(header, "PixelPaddingValue") + numbers_of(header, "PixelPaddingRangeLimit")
    if not ends or "PixelPaddingValue" not in header:
        return None
    # Some write the bits of a signed value as an unsigned one, or the other way round.
    low, high = _range(claims)
    turn = 1 << claims.bits_allocated
    ends = tuple(
        end - turn if end > high and end - turn >= low else end + turn if end < low else end
        for end in ends
    )
    mask: Mask = (values >= min(ends)) & (values <= max(ends))
    return mask if mask.any() else None
