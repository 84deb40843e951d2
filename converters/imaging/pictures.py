"""2-D picture files: decoded once, checked, and passed through or rendered.

A PNG or JPEG that a model can take as it is keeps its bytes, but for what may tell of a person
(EXIF, text, comments). Anything else becomes a PNG, and each step is on record: an alpha channel
dropped, a palette looked up, 16 bits mapped to 8.
"""

import io
import re
import struct
import warnings
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from converters.errors import CaseError
from converters.files import Root
from converters.imaging.meta_pictures import meta_picture
from converters.imaging.metadata import without_metadata
from converters.imaging.phash import perceptual_hash
from converters.records import Json, Side

STRIP = "strip_metadata"
MAX_PIXELS = 200_000_000
_ADDRESS = re.compile(r"\s*<[^<>]* at 0x[0-9a-fA-F]+>")
_FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "GIF", "PPM")
_ORIENTATION = 0x0112  # EXIF 2.3, 4.6.4
_PASS_THROUGH = {"PNG": ("L", "RGB"), "JPEG": ("L", "RGB")}
_DAMAGE = ("Tag data larger than file", "Truncated File Read", "Corrupt EXIF data")
_BROKEN = (UserWarning, OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error,
           KeyError, IndexError, TypeError, OverflowError,
           NotImplementedError, ZeroDivisionError)  # fmt: skip
# Pillow's own limit only warns, and doubles; the size is checked here before decoding.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """A decoded picture file.

    Attributes:
        data: The file's bytes; none for DICOM.
        format: Pillow's name of the file format, or DICOM.
        image: Decoded pixels, in the file's own mode; of DICOM as they are shown.
        is_turned: The file asks viewers to turn or mirror it (EXIF orientation other than 1).
        transforms: What was done to the pixels so far.
        view: View position that the file states, or "".
        side: Side of the patient that the file states.
        spacing_mm: Row and column spacing in the patient that the file states.
    """

    data: bytes
    format: str
    image: Image.Image
    is_turned: bool
    transforms: tuple[Mapping[str, Json], ...] = ()
    view: str = ""
    side: Side | None = None
    spacing_mm: tuple[float, float] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.image.size


@dataclass(frozen=True, kw_only=True, slots=True)
class Rendered:
    """A picture as it goes into a shard.

    Attributes:
        data: Encoded bytes.
        format: "png" or "jpeg".
        transforms: What was done; empty where the file's bytes are untouched.
        phash: Perceptual hash, see :func:`perceptual_hash`.
    """

    data: bytes
    format: Literal["png", "jpeg"]
    transforms: tuple[Mapping[str, Json], ...]
    phash: str


def is_dicom_name(relative: str) -> bool:
    """Whether a file name is that of a DICOM file: its suffix, or none, or the end of a UID."""
    suffix = Path(relative).suffix.lower()
    return suffix in (".dcm", ".dicom", "") or suffix[1:].isdigit()


def read_picture(
    root: Root, relative: str, window_hu: tuple[float, float] | None = None
) -> Picture:
    """Read a picture or DICOM file; which one its name tells.

    Args:
        root: Of the source.
        relative: Path of the file.
        window_hu: Center and width of a window for DICOM files, in place of their own.

    Raises:
        CaseError: It cannot be read as one picture.
        SourceError: The disk did not give the file; running again may help.
    """
    if is_dicom_name(relative):
        from converters.imaging.dicom_picture import dicom_picture

        return dicom_picture(root, relative, window_hu)
    return decode_picture(root.read(relative), relative)


def decode_picture(data: bytes, name: str) -> Picture:
    """Decode a picture file to its last byte.

    Args:
        data: The file.
        name: For messages.

    Raises:
        CaseError: ``file_unreadable``, ``file_unsupported`` (several frames) or
            ``file_too_large`` (more than 200 million pixels).
    """
    if name.lower().endswith(".mha"):
        return Picture(data=b"", format="MHA", image=meta_picture(data, name), is_turned=False)
    with _damage_is_an_error():
        return _decode(data, name)


@contextmanager
def _damage_is_an_error() -> Iterator[None]:
    """Pillow warns of a tag that lies outside of the file, and goes on without it.

    The tag may say what black is. What else Pillow warns of is its own affair.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for start in _DAMAGE:
            warnings.filterwarnings("error", message=start, category=UserWarning)
        yield


def _decode(data: bytes, name: str) -> Picture:
    try:
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
    except _BROKEN as error:
        raise CaseError("file_unreadable", f"{name} is not a picture: {_short(error)}") from error
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise CaseError("file_too_large", f"{name} has {width}x{height} pixels of {MAX_PIXELS:,}")
    try:
        if getattr(image, "n_frames", 1) > 1:
            raise CaseError("file_unsupported", f"{name} has several frames")
        if image.format == "PNG":
            _require_checksums(data, name)
        image.load()
        is_turned = _asks_to_be_turned(image)
    except (*_BROKEN, MemoryError) as error:
        raise CaseError("file_unreadable", f"{name} is cut or broken: {_short(error)}") from error
    return Picture(data=data, format=image.format or "", image=image, is_turned=is_turned)


def _require_checksums(data: bytes, name: str) -> None:
    """Refuse a PNG with a damaged critical chunk (ISO/IEC 15948, 5.3); Pillow skips pixels.

    Without this, a flipped bit of a mask is another finding.
    """
    view = memoryview(data)
    at, kind = 8, b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", view, at)
        (told,) = struct.unpack_from(">I", view, at + 8 + length)
        if kind[:1].isupper() and zlib.crc32(view[at + 4 : at + 8 + length]) != told:
            raise CaseError("file_unreadable", f"{name}: the checksum of its {kind!r} is wrong")
        at += 12 + length


def _asks_to_be_turned(image: Image.Image) -> bool:
    if image.format == "PNG" and "exif" not in image.info:
        return False
    return image.getexif().get(_ORIENTATION, 1) != 1


def _short(error: BaseException) -> str:
    # An address in memory would make two builds of the same files differ.
    text = _ADDRESS.sub("", f"{type(error).__name__}: {error}")
    return text[:160].replace("\n", " ")


def panel_of(picture: Picture, count: int, shown: int, name: str) -> Picture:
    """One of several pictures of one size that lie side by side in a file.

    Args:
        picture: The file.
        count: How many there are.
        shown: Which one, from 0.
        name: For messages.

    Raises:
        CaseError: ``size_unexpected``, where the width is not a multiple of `count`.
    """
    width, height = picture.size
    if width % count:
        raise CaseError("size_unexpected", f"{name}: {width} pixels are not {count} pictures")
    side = width // count
    step: dict[str, Json] = {"step": "panel", "count": count, "shown": shown}
    return Picture(
        data=b"",
        format="panel",
        image=picture.image.crop((shown * side, 0, (shown + 1) * side, height)),
        is_turned=picture.is_turned,
        transforms=(*picture.transforms, step),
    )


def render_picture(picture: Picture, name: str) -> Rendered:
    """Make the bytes that go into a shard.

    Raises:
        CaseError: ``image_blank``, ``file_unsupported`` (a mode that is not read), or
            ``orientation_ambiguous`` where the file asks to be turned: whether its annotation
            was made before or after turning cannot be known.
    """
    if picture.is_turned:
        raise CaseError("orientation_ambiguous", f"{name} has an EXIF orientation other than 1")
    if picture.image.mode in _PASS_THROUGH.get(picture.format, ()):
        _require_contrast(picture.image, name)
        bare = _bare(picture)
        if bare:
            return bare
    image, transforms = _to_eight_bits(picture, name)
    _require_contrast(image, name)
    return Rendered(
        data=encode_png(image),
        format="png",
        transforms=(*picture.transforms, *transforms, {"step": "encode", "format": "png"}),
        phash=perceptual_hash(image),
    )


def _bare(picture: Picture) -> Rendered | None:
    """The file's own bytes without metadata; None where its structure is not the standard's."""
    try:
        data, removed = without_metadata(picture.data, picture.format)
    except ValueError:
        return None
    step: dict[str, Json] = {"step": STRIP, "removed": list(removed)}
    return Rendered(
        data=data,
        format="png" if picture.format == "PNG" else "jpeg",
        transforms=(step,) if removed else (),
        phash=perceptual_hash(picture.image),
    )


def _to_eight_bits(
    picture: Picture, name: str
) -> tuple[Image.Image, tuple[Mapping[str, Json], ...]]:
    image = picture.image
    if image.mode in ("L", "RGB"):
        return image, ()
    if image.mode in ("RGBA", "LA"):
        target = "RGB" if image.mode == "RGBA" else "L"
        return image.convert(target), ({"step": "drop_alpha", "from": image.mode, "to": target},)
    if image.mode in ("1", "P", "CMYK", "YCbCr", "PA"):
        target = "L" if image.mode == "1" else "RGB"
        return image.convert(target), ({"step": "convert", "from": image.mode, "to": target},)
    if image.mode in ("I;16", "I;16B", "I;16L", "I", "F"):
        return _map_grey(np.asarray(image).astype(np.float32), name)
    raise CaseError("file_unsupported", f"{name} has pixel mode {image.mode}")


def _map_grey(
    values: npt.NDArray[np.float32], name: str
) -> tuple[Image.Image, tuple[Mapping[str, Json], ...]]:
    if not np.isfinite(values).all():
        raise CaseError("file_unreadable", f"{name} holds values that are not finite")
    low, high = (float(v) for v in np.percentile(values, (0.5, 99.5)))
    if high <= low:
        low, high = float(values.min()), float(values.max())
    step: dict[str, Json] = {"step": "map_grey", "low": low, "high": high}
    step["percentiles"] = [0.5, 99.5]
    return Image.fromarray(scale_to_grey(values, low=low, high=high)), (step,)


def scale_to_grey(
    values: npt.NDArray[np.floating], *, low: float, high: float
) -> npt.NDArray[np.uint8]:
    """Map `low` and below to 0, `high` and above to 255, linearly between. Any shape.

    The order of values never changes: a larger value is never darker.
    """
    if high <= low:
        return np.zeros(values.shape, dtype=np.uint8)
    scaled = (values - np.float32(low)) * np.float32(255.0 / (high - low))
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def _require_contrast(image: Image.Image, name: str) -> None:
    few = image.resize((16, 16), Image.Resampling.NEAREST)
    if not _is_flat(few):
        return
    if _is_flat(image):
        raise CaseError("image_blank", f"{name} has a single colour")


def _is_flat(image: Image.Image) -> bool:
    extrema = image.getextrema()
    bands = extrema if isinstance(extrema[0], tuple) else (extrema,)
    return all(low == high for low, high in bands)


def encode_png(image: Image.Image) -> bytes:
    """Encode as PNG; the same pixels give the same bytes."""
    out = io.BytesIO()
    image.save(out, format="PNG", compress_level=3)
    return out.getvalue()
