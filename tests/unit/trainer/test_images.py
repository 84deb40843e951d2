"""Pictures as the encoder sees them, and what is refused."""

import io
import struct
import zlib

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from trainer.errors import UnusableRow
from trainer.images import (
    ImageSettings,
    Pixels,
    decode,
    normalise,
    open_picture,
    placeholder,
    preprocessor_config,
)

CROP = ImageSettings(fit="crop", size_px=56)
PAD = ImageSettings(fit="pad", size_px=56)


def picture(width: int, height: int, mode: str = "RGB", seed: int = 0) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 4), np.uint8)
    whole = Image.fromarray(noise, "RGBA")
    return whole if mode == "RGBA" else whole.convert("RGB").convert(mode)


def encoded(image: Image.Image, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    image.save(out, kind)
    return out.getvalue()


def served_pixels(data: bytes, settings: ImageSettings) -> npt.NDArray[np.float32]:
    """What a server makes of a picture, by the processor that goes with a model."""
    processors = pytest.importorskip(
        "transformers.models.llava.image_processing_pil_llava",
        reason="needs the extra 'train'; the stage 'train' of CI has it",
    )
    content = preprocessor_config(settings)
    del content["image_processor_type"]
    processor = processors.LlavaImageProcessorPil(**content)
    return processor(Image.open(io.BytesIO(data)), return_tensors="np")["pixel_values"][0]


def clip_pixels(data: bytes) -> npt.NDArray[np.float32]:
    """What CLIP's own processor makes of a picture."""
    processors = pytest.importorskip(
        "transformers.models.clip.image_processing_pil_clip",
        reason="needs the extra 'train'; the stage 'train' of CI has it",
    )
    content = preprocessor_config(CROP)
    del content["image_processor_type"], content["do_pad"]
    processor = processors.CLIPImageProcessorPil(**content)
    return processor(Image.open(io.BytesIO(data)), return_tensors="np")["pixel_values"][0]


@pytest.mark.parametrize("size", [(56, 56), (300, 300), (300, 171), (171, 300), (40, 31), (57, 56)])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "CMYK"])
def test_cropping_is_that_of_clip_to_the_last_bit(size: tuple[int, int], mode: str) -> None:
    torch = pytest.importorskip("torch", reason="needs the extra 'train'")
    data = encoded(picture(*size, mode), "JPEG" if mode == "CMYK" else "PNG")
    ours = normalise(torch.from_numpy(decode(data, CROP))[None], CROP)[0].numpy()
    assert np.abs(ours - clip_pixels(data)).max() < 1e-6


@pytest.mark.parametrize("fit", [CROP, PAD], ids=["crop", "pad"])
@pytest.mark.parametrize("size", [(300, 171), (171, 300), (30, 31), (57, 56)])
def test_a_server_shows_a_model_what_it_was_trained_with(
    size: tuple[int, int], fit: ImageSettings
) -> None:
    torch = pytest.importorskip("torch", reason="needs the extra 'train'")
    data = encoded(picture(*size))
    ours = normalise(torch.from_numpy(decode(data, fit))[None], fit)[0].numpy()
    assert np.abs(ours - served_pixels(data, fit)).max() < 1e-6


@given(width=st.integers(1, 90), height=st.integers(1, 90), fit=st.sampled_from([CROP, PAD]))
def test_whatever_the_shape_the_encoder_gets_its_square(
    width: int, height: int, fit: ImageSettings
) -> None:
    assert decode(encoded(picture(width, height)), fit).shape == (56, 56, 3)


@pytest.mark.parametrize("settings", [CROP, PAD], ids=["crop", "pad"])
@pytest.mark.parametrize("size", [(80, 80), (90, 61), (40, 56)])
def test_a_grey_picture_is_the_same_as_in_three_equal_channels(
    size: tuple[int, int], settings: ImageSettings
) -> None:
    grey = picture(*size, mode="L")
    as_color = decode(encoded(grey.convert("RGB")), settings)
    assert np.array_equal(decode(encoded(grey), settings), as_color)


def test_padding_keeps_all_of_a_picture_in_its_middle() -> None:
    white = Image.new("RGB", (112, 56), "white")
    seen = decode(encoded(white), PAD)
    assert seen[28].min() == 255
    assert tuple(seen[0, 0]) == (122, 116, 104)


def test_the_same_bytes_are_the_same_pixels() -> None:
    data = encoded(picture(200, 100), "JPEG")
    assert np.array_equal(decode(data, PAD), decode(data, PAD))


def claimed_size(width: int, height: int) -> bytes:
    """A PNG of some bytes that claims to be large."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    crc = struct.pack(">I", zlib.crc32(chunk))
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", len(header))
        + chunk
        + crc
        + b"\0\0\0\x20IDAT"
        + bytes(64)
    )


@pytest.mark.parametrize("side", [15_000, 100_000, 2**31 - 1])
def test_an_image_bomb_is_refused_by_its_header(side: int) -> None:
    with pytest.raises(UnusableRow, match="image_too_large"):
        decode(claimed_size(side, side), PAD)


def test_a_deep_picture_is_not_cut_to_eight_bits() -> None:
    deep = Image.fromarray(np.arange(4096, dtype=np.uint16).reshape(64, 64))
    with pytest.raises(UnusableRow, match="image_depth"):
        decode(encoded(deep), PAD)


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"])
def test_what_is_no_picture_is_told(data: bytes) -> None:
    with pytest.raises(UnusableRow, match="image_unreadable"):
        open_picture(data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_picture_without_its_end_is_told(kind: str) -> None:
    data = encoded(picture(64, 64), kind)
    with pytest.raises(UnusableRow, match="image_unreadable"):
        decode(data[: len(data) // 2], PAD)


@given(at=st.integers(0, 2000), value=st.integers(0, 255), kind=st.sampled_from(["PNG", "JPEG"]))
def test_a_damaged_byte_gives_pixels_or_a_reason(at: int, value: int, kind: str) -> None:
    data = bytearray(encoded(picture(24, 24), kind))
    data[at % len(data)] = value
    seen: Pixels | None = None
    reason = ""
    try:
        seen = decode(bytes(data), PAD)
    except UnusableRow as error:
        reason = error.reason
    assert reason.startswith("image_") or (seen is not None and seen.shape == (56, 56, 3))


def test_the_placeholder_is_nothing_after_normalising() -> None:
    torch = pytest.importorskip("torch", reason="needs the extra 'train'")
    blank = normalise(torch.from_numpy(placeholder(PAD))[None], PAD)
    assert blank.abs().max() < 0.02
