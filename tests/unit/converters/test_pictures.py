"""Picture files: decoded to the last byte, passed through or rendered."""

import io
import struct
import zlib
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from converters.errors import CaseError
from converters.imaging.phash import perceptual_hash
from converters.imaging.pictures import (
    Rendered,
    decode_picture,
    encode_png,
    render_picture,
    scale_to_grey,
)

GRADIENT = np.add.outer(np.arange(40) * 3, np.arange(50) * 2).astype(np.uint8)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """An encoded picture."""
    out = io.BytesIO()
    image.save(out, format=kind, **options)
    return out.getvalue()


def rendered(data: bytes) -> Rendered:
    """A picture on its way into a shard."""
    return render_picture(decode_picture(data, "x"), "x")


def pixels(data: bytes) -> np.ndarray:
    """Decoded pixels."""
    return np.asarray(Image.open(io.BytesIO(data)))


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_png_and_jpeg_keep_their_bytes(kind: str, mode: str) -> None:
    data = encoded(Image.fromarray(GRADIENT).convert(mode), kind)
    out = rendered(data)
    assert out.data == data
    assert out.transforms == ()


@pytest.mark.parametrize("kind", ["BMP", "TIFF", "GIF"])
def test_other_files_become_png_with_the_same_pixels(kind: str) -> None:
    image = Image.fromarray(GRADIENT)
    out = rendered(encoded(image, kind))
    assert out.format == "png"
    assert (pixels(out.data)[..., 0] if pixels(out.data).ndim == 3 else pixels(out.data)).tolist() \
        == GRADIENT.tolist()  # fmt: skip


def test_an_alpha_channel_is_dropped_and_said() -> None:
    image = Image.fromarray(GRADIENT).convert("RGBA")
    image.putalpha(Image.fromarray(255 - GRADIENT))
    out = rendered(encoded(image, "PNG"))
    assert pixels(out.data)[..., 1].tolist() == GRADIENT.tolist()
    assert out.transforms[0] == {"step": "drop_alpha", "from": "RGBA", "to": "RGB"}


def test_sixteen_bits_are_mapped_and_said() -> None:
    values = (GRADIENT.astype(np.uint16) * 150) + 500
    out = rendered(encoded(Image.fromarray(values), "PNG"))
    step = out.transforms[0]
    assert step["step"] == "map_grey"
    assert step["low"] < step["high"]
    assert pixels(out.data).dtype == np.uint8


def test_a_picture_that_asks_to_be_turned_is_refused() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(Image.fromarray(GRADIENT), "JPEG", exif=exif)
    with pytest.raises(CaseError, match="orientation_ambiguous"):
        rendered(data)


def test_a_single_colour_is_refused() -> None:
    with pytest.raises(CaseError, match="image_blank"):
        rendered(encoded(Image.new("RGB", (9, 9), (3, 3, 3)), "PNG"))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TIFF"])
def test_a_cut_file_is_refused(kind: str) -> None:
    data = encoded(Image.fromarray(GRADIENT), kind)
    with pytest.raises(CaseError, match="file_unreadable"):
        decode_picture(data[: len(data) // 2], "x")


def test_a_bomb_is_refused_before_it_is_decoded() -> None:
    data = bytearray(encoded(Image.fromarray(GRADIENT), "PNG"))
    data[16:24] = struct.pack(">II", 60_000, 60_000)  # width and height of IHDR
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    with pytest.raises(CaseError, match="file_too_large"):
        decode_picture(bytes(data), "x")


def test_several_frames_are_refused() -> None:
    frames = [Image.fromarray(GRADIENT), Image.fromarray(255 - GRADIENT)]
    data = encoded(frames[0], "TIFF", save_all=True, append_images=frames[1:])
    with pytest.raises(CaseError, match="several frames"):
        decode_picture(data, "x")


@given(
    values=hnp.arrays(np.float32, 20, elements=st.floats(-2000, 4000, width=32)),
    low=st.floats(-1000, 0),
    width=st.floats(1, 3000),
)
def test_a_larger_value_is_never_darker(values: np.ndarray, low: float, width: float) -> None:
    grey = scale_to_grey(np.sort(values), low=low, high=low + width)
    assert (np.diff(grey.astype(int)) >= 0).all()


def test_png_bytes_depend_on_pixels_alone() -> None:
    assert encode_png(Image.fromarray(GRADIENT)) == encode_png(Image.fromarray(GRADIENT.copy()))


def test_perceptual_hash_survives_jpeg_and_scale() -> None:
    y, x = np.mgrid[0:256, 0:256]
    image = Image.fromarray(
        (127 + 80 * np.sin(x / 30) * np.cos(y / 41) + 40 * (x > y)).astype(np.uint8)
    )
    small = image.resize((120, 120), Image.Resampling.LANCZOS)
    jpeg = Image.open(io.BytesIO(encoded(image, "JPEG", quality=60)))
    first, *others = (int(perceptual_hash(i), 16) for i in (image, small, jpeg))
    assert all((first ^ other).bit_count() <= 6 for other in others)


@given(st.data())
def test_png_with_a_changed_byte_is_refused_or_the_same(data: st.DataObject) -> None:
    whole = encoded(Image.fromarray(GRADIENT), "PNG")
    at = data.draw(st.integers(0, len(whole) - 1))
    changed = bytearray(whole)
    changed[at] ^= data.draw(st.integers(1, 255))
    with suppress(CaseError):
        assert np.array_equal(np.asarray(decode_picture(bytes(changed), "x").image), GRADIENT)


def test_a_message_holds_no_address() -> None:
    with pytest.raises(CaseError) as error:
        decode_picture(b"no picture at all", "x.jpg")
    assert "0x" not in error.value.message


def test_a_tiff_whose_tag_lies_outside_the_file_is_refused() -> None:
    out = io.BytesIO()
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(out, format="TIFF")
    data = bytearray(out.getvalue())
    at = data.index(struct.pack("<HH", 262, 3))  # PhotometricInterpretation, a short
    data[at + 4 : at + 8] = struct.pack("<I", 1 << 20)  # a million values of it
    with pytest.raises(CaseError, match="Tag data larger than file") as caught:
        decode_picture(bytes(data), "a.tif")
    assert caught.value.reason == "file_unreadable"
