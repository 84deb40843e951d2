"""What pictures carry beside their pixels is taken out, and no pixel changes."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from converters.imaging.metadata import without_metadata
from converters.imaging.pictures import decode_picture, render_picture

SECRETS = (b"Jane Doe", b"1970-01-01", b"St. Mary Hospital")


def picture(seed: int = 0, mode: str = "RGB", size: tuple[int, int] = (37, 23)) -> Image.Image:
    shape = (size[1], size[0], 3) if mode == "RGB" else (size[1], size[0])
    values = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    return Image.fromarray(values)


def told_jpeg(seed: int = 0, mode: str = "RGB", *, progressive: bool = False) -> bytes:
    """A JPEG with names in every block that may hold some, and after its end."""
    exif = Image.Exif()
    exif[0x013B] = SECRETS[0].decode()
    file = io.BytesIO()
    picture(seed, mode).save(
        file, "JPEG", exif=exif, comment=SECRETS[1], icc_profile=b"profile " + SECRETS[2],
        progressive=progressive, restart_marker_blocks=0 if progressive else 2,
    )  # fmt: skip
    return file.getvalue() + SECRETS[2]


def told_png(seed: int = 0, mode: str = "RGB") -> bytes:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Author", SECRETS[0].decode())
    texts.add_itxt("Title", SECRETS[1].decode())
    texts.add(b"prVt", SECRETS[2])
    file = io.BytesIO()
    picture(seed, mode).save(file, "PNG", pnginfo=texts, icc_profile=b"profile", dpi=(96, 96))
    return file.getvalue() + SECRETS[0]


def pixels(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


@given(seed=st.integers(0, 50), mode=st.sampled_from(["L", "RGB"]), progressive=st.booleans())
def test_a_jpeg_keeps_its_pixels_and_loses_its_words(
    seed: int, mode: str, progressive: bool
) -> None:
    data = told_jpeg(seed, mode, progressive=progressive)
    bare, removed = without_metadata(data, "JPEG")
    assert (pixels(bare) == pixels(data)).all()
    assert not any(secret in bare for secret in SECRETS)
    assert set(removed) == {"APP1", "APP2", "comment", "bytes after the end"}


@given(seed=st.integers(0, 50), mode=st.sampled_from(["L", "RGB"]))
def test_a_png_keeps_its_pixels_and_loses_its_words(seed: int, mode: str) -> None:
    data = told_png(seed, mode)
    bare, removed = without_metadata(data, "PNG")
    assert (pixels(bare) == pixels(data)).all()
    assert not any(secret in bare for secret in SECRETS)
    assert set(removed) == {"iCCP", "tEXt", "iTXt", "prVt", "bytes after the end"}


@pytest.mark.parametrize(("make", "kind"), [(told_jpeg, "JPEG"), (told_png, "PNG")])
def test_a_bare_picture_stays_byte_for_byte(make: object, kind: str) -> None:
    bare, _ = without_metadata(make(), kind)  # type: ignore[operator]
    again, removed = without_metadata(bare, kind)
    assert again is bare
    assert removed == ()


@given(cut=st.integers(0, 2000))
def test_a_cut_file_is_an_error_or_whole(cut: int) -> None:
    data = told_jpeg()
    try:
        bare, _ = without_metadata(data[: min(cut, len(data) - 1)], "JPEG")
    except ValueError:
        return
    assert bare.endswith(b"\xff\xd9")


def test_a_thumbnail_of_a_jfif_block_goes() -> None:
    file = io.BytesIO()
    picture().save(file, "JPEG")
    plain = file.getvalue()
    assert plain[2:4] == b"\xff\xe0"
    thumbnail = b"\x01\x01" + b"abc"
    block = b"\xff\xe0" + (16 + 3).to_bytes(2, "big") + plain[6:18] + thumbnail
    bare, removed = without_metadata(plain[:2] + block + plain[20:], "JPEG")
    assert removed == ("APP0",)
    assert bare == plain


def test_a_rendered_picture_says_what_was_removed() -> None:
    rendered = render_picture(decode_picture(told_png(), "a.png"), "a.png")
    (step,) = rendered.transforms
    assert step["step"] == "strip_metadata"
    assert not any(secret in rendered.data for secret in SECRETS)


def test_a_file_of_another_structure_is_encoded_anew() -> None:
    data = told_jpeg()
    at = data.index(b"\xff\xdb")  # a stray byte before a block, which decoders skip
    odd = data[:at] + b"\x00" + data[at:]
    rendered = render_picture(decode_picture(odd, "a.jpg"), "a.jpg")
    assert rendered.format == "png"
    assert not any(secret in rendered.data for secret in SECRETS)
