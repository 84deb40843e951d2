"""Bytes of a picture into the pixels that a vision encoder sees.

Decoding and resizing are Pillow's and the same on every machine, unlike those of a processor
that takes another backend where one is installed. :func:`decode` is a pure function of the bytes
and the settings, for workers; what is left, scaling and normalising, is cheap and may be done
where the model is, by :func:`normalise`.
"""

import io
import json
import struct
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from trainer.errors import TrainerError, UnusableRow

if TYPE_CHECKING:
    import torch

Fit = Literal["crop", "pad"]
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
MAX_PIXELS = 200_000_000
_FORMATS = ("PNG", "JPEG")
_DEEP = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, KeyError,
           IndexError, TypeError, OverflowError, NotImplementedError,
           Image.DecompressionBombError)  # fmt: skip
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageSettings:
    """How a picture is brought to the size of the encoder.

    Attributes:
        size_px: Side of the square that the encoder takes.
        fit: ``pad`` keeps all of the picture and fills up with the mean color, as the released
            training code of GMAI-VL does. ``crop`` brings the shorter side to size and cuts the
            middle out, as CLIP itself was trained: what lies at the ends of a long picture is
            not seen.
        mean: Of red, green and blue, of 0 to 1.
        std: Of red, green and blue.
        max_pixels: Larger pictures are refused before they are decoded.
    """

    size_px: int = 336
    fit: Fit = "pad"
    mean: tuple[float, float, float] = CLIP_MEAN
    std: tuple[float, float, float] = CLIP_STD
    max_pixels: int = MAX_PIXELS


def load_image_settings(model: Path) -> ImageSettings:
    """The settings that a model folder was made with.

    Raises:
        TrainerError: There are none.
    """
    path = model / "preprocessor_config.json"
    try:
        content: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return ImageSettings(
            size_px=content["crop_size"]["height"],
            fit="pad" if content["do_pad"] else "crop",
            mean=tuple(content["image_mean"]),
            std=tuple(content["image_std"]),
        )
    except (FileNotFoundError, KeyError) as error:
        raise TrainerError(
            str(path), f"no settings of images are there: {error}", "make them: gmai-train init"
        ) from error


def preprocessor_config(settings: ImageSettings) -> dict[str, Any]:
    """The settings as transformers' LlavaImageProcessor reads them; vLLM uses it too."""
    side = settings.size_px
    return {
        "image_processor_type": "LlavaImageProcessor",
        "do_pad": settings.fit == "pad",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"shortest_edge": side},
        "resample": int(Image.Resampling.BICUBIC),
        "do_center_crop": True,
        "crop_size": {"height": side, "width": side},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(settings.mean),
        "image_std": list(settings.std),
    }


def decode(data: bytes, settings: ImageSettings) -> Pixels:
    """Decode a picture and bring it to size.

    Args:
        data: A PNG or JPEG file.
        settings: Size and fit.

    Returns:
        Height, width, and red, green, blue, of 0 to 255.

    Raises:
        UnusableRow: ``image_unreadable``, ``image_too_large`` or ``image_depth``.
    """
    picture = open_picture(data, settings.max_pixels, keeps_grey=True)
    if settings.fit == "pad":
        out = _resized(square(picture, settings.mean), settings.size_px)
    else:
        out = _crop(_resized(picture, settings.size_px), settings.size_px)
    return np.array(out.convert("RGB"))


def open_picture(
    data: bytes, max_pixels: int = MAX_PIXELS, *, keeps_grey: bool = False
) -> Image.Image:
    """Decode a picture to its last byte, as red, green and blue.

    A picture with transparency loses it, as with CLIP's own processor. Of several frames the
    first one counts.

    Args:
        data: A PNG or JPEG file.
        max_pixels: Larger pictures are refused before they are decoded.
        keeps_grey: A grey picture stays so: it is brought to size in a third of the time, and
            the three equal channels that are made of it then are the same.

    Raises:
        UnusableRow: ``image_unreadable``, ``image_too_large`` or ``image_depth``.
    """
    with warnings.catch_warnings():
        # Pillow warns at a size of its own; the limit here is checked below.
        warnings.simplefilter("ignore")
        try:
            picture = Image.open(io.BytesIO(data), formats=_FORMATS)
        except Image.DecompressionBombError as error:
            raise UnusableRow("image_too_large", str(error)) from error
        except _BROKEN as error:
            raise UnusableRow("image_unreadable", f"{len(data)} bytes are no picture") from error
        width, height = picture.size
        if width * height > max_pixels:
            raise UnusableRow("image_too_large", f"{width}x{height} of {max_pixels:,} pixels")
        if picture.mode in _DEEP:
            raise UnusableRow("image_depth", f"the picture is of mode {picture.mode}")
        try:
            picture.load()
            is_kept = picture.mode == "RGB" or (keeps_grey and picture.mode == "L")
            return picture if is_kept else picture.convert("RGB")
        except _BROKEN as error:
            raise UnusableRow("image_unreadable", f"{width}x{height}: {error}") from error


def square(picture: Image.Image, mean: tuple[float, float, float] = CLIP_MEAN) -> Image.Image:
    """Put a picture in the middle of a square of the mean color."""
    width, height = picture.size
    if width == height:
        return picture
    side = max(width, height)
    red, green, blue = (int(value * 255) for value in mean)
    out = Image.new("RGB", (side, side), (red, green, blue))
    out.paste(picture.convert("RGB"), ((side - width) // 2, (side - height) // 2))
    return out


def _resized(picture: Image.Image, shorter_px: int) -> Image.Image:
    width, height = picture.size
    short, long = min(width, height), max(width, height)
    # Rounded down, as transformers does.
    other = int(shorter_px * long / short)
    to = (shorter_px, other) if width <= height else (other, shorter_px)
    return picture if to == picture.size else picture.resize(to, Image.Resampling.BICUBIC)


def _crop(picture: Image.Image, side: int) -> Image.Image:
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    return picture.crop((left, top, left + side, top + side))


def placeholder(settings: ImageSettings) -> Pixels:
    """What stands in for a picture that could not be read: the mean color.

    Its row is masked, so nothing is learnt from it; the plan of batches stays as it was.
    """
    color = np.array([int(value * 255) for value in settings.mean], np.uint8)
    return np.broadcast_to(color, (settings.size_px, settings.size_px, 3)).copy()


def normalise(pixels: "torch.Tensor", settings: ImageSettings) -> "torch.Tensor":
    """Scale to 0 to 1 and normalise, on the device where the pixels are.

    Args:
        pixels: Images, height, width, channels; bytes.
        settings: Mean and standard deviation.

    Returns:
        Images, channels, height, width; float32.
    """
    import torch

    mean = torch.tensor(settings.mean, device=pixels.device).view(1, 3, 1, 1)
    std = torch.tensor(settings.std, device=pixels.device).view(1, 3, 1, 1)
    return (pixels.permute(0, 3, 1, 2).float() * (1 / 255) - mean) / std
