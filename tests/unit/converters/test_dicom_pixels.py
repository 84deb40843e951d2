"""DICOM headers and pixels: what is stored comes out, once rescaled, or a reason does."""

import contextlib
import struct
import zlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from converters.errors import CaseError
from converters.files import Root
from converters.imaging import dicom_file
from converters.imaging.dicom import DicomPixels, read_header, read_pixels
from converters.imaging.dicom_tags import integer_of, items_of, numbers_of, text_of
from tests.fakes.dicom_files import dicom_bytes, dicom_dataset, rooted

RAMP = np.arange(48, dtype=np.uint16).reshape(6, 8)


def pixels_of(folder: Path, data: bytes, **options) -> DicomPixels:
    """The pixels of one file."""
    return read_pixels(rooted(folder, data), "image.dcm", **options)


def reason(folder: Path, data: bytes, **options) -> str:
    """Why a file is refused."""
    with pytest.raises(CaseError) as caught:
        pixels_of(folder, data, **options)
    return caught.value.reason


def shipped(name: str) -> tuple[Root, str]:
    """A file that ships inside pydicom."""
    path = Path(get_testdata_file(name, download=False))
    return Root(source="pydicom", folder=path.parent.resolve()), path.name


def step(pixels: DicomPixels, name: str) -> dict:
    """The one step of that name."""
    (found,) = [one for one in pixels.transforms if one["step"] == name]
    return found


# Headers.


def test_header_gives_values_and_no_pixels(tmp_path: Path) -> None:
    header = read_header(rooted(tmp_path, dicom_bytes(RAMP, ViewPosition="PA")), "image.dcm")
    assert text_of(header, "ViewPosition") == "PA"
    assert integer_of(header, "Rows") == 6
    assert "PixelData" not in header


def test_missing_attributes_are_empty(tmp_path: Path) -> None:
    header = read_header(rooted(tmp_path, dicom_bytes(RAMP)), "image.dcm")
    assert text_of(header, "ViewPosition") == ""
    assert numbers_of(header, "PixelSpacing") == ()
    assert items_of(header, "VOILUTSequence") == ()


def test_broken_values_are_reasons(tmp_path: Path) -> None:
    data = dicom_bytes(RAMP, PixelSpacing=[0.25, 0.5]).replace(b"0.25\\0.5", b"0,25\\ab.")
    header = read_header(rooted(tmp_path, data), "image.dcm")
    with pytest.raises(CaseError, match=r"value_invalid: image.dcm: PixelSpacing"):
        numbers_of(header, "PixelSpacing")


def test_messages_name_the_file_and_not_the_machine(tmp_path: Path) -> None:
    header = read_header(rooted(tmp_path, dicom_bytes(RAMP)), "image.dcm")
    with pytest.raises(CaseError) as caught:
        integer_of(header, "InstanceNumber")
    assert str(tmp_path) not in caught.value.message


def test_file_without_preamble_is_read(tmp_path: Path) -> None:
    root, name = shipped("ExplVR_LitEndNoMeta.dcm")
    assert text_of(read_header(root, name), "Modality")


@pytest.mark.parametrize("content", [b"\x89PNG\r\n", b"DICM", b"\x08\x00\x05\x00", b"x" * 500])
def test_what_is_no_dicom_file_is_unreadable(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(CaseError, match="file_unreadable"):
        read_header(rooted(tmp_path, content), "image.dcm")


def test_deep_sequences_are_unreadable(tmp_path: Path) -> None:
    start = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    data = dicom_bytes(None)
    with pytest.raises(CaseError, match="file_unreadable"):
        read_header(rooted(tmp_path, data + start * 20_000), "image.dcm")


def test_large_header_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dicom_file, "HEADER_BYTES", 10_000)
    data = dicom_bytes(RAMP, ImageComments="x" * 9_990)
    with pytest.raises(CaseError, match="file_too_large"):
        read_header(rooted(tmp_path, data), "image.dcm")


def deflated(data: bytes, inner: bytes | None = None) -> bytes:
    """A file with the data set of another one deflated."""
    end = 132 + 12 + struct.unpack_from("<L", data, 132 + 8)[0]
    packed = zlib.compressobj(wbits=-15)
    body = packed.compress(data[end:] if inner is None else inner) + packed.flush()
    uid = DeflatedExplicitVRLittleEndian.encode()
    meta = b"\x02\x00\x10\x00UI" + struct.pack("<H", len(uid)) + uid
    return bytes(128) + b"DICM" + meta + body


def test_deflated_file_is_read(tmp_path: Path) -> None:
    assert (pixels_of(tmp_path, deflated(dicom_bytes(RAMP))).values == RAMP).all()


def test_deflated_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dicom_file, "INFLATED_BYTES", 1 << 20)
    bomb = deflated(dicom_bytes(RAMP), inner=bytes(8 << 20))
    assert len(bomb) < 20_000
    assert reason(tmp_path, bomb) == "file_too_large"


def test_cut_deflated_file_is_unreadable(tmp_path: Path) -> None:
    assert reason(tmp_path, deflated(dicom_bytes(RAMP))[:-20]) == "file_unreadable"


# Claims.


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        ({"Rows": 65535, "Columns": 65535}, "file_too_large"),
        ({"NumberOfFrames": 2_000_000_000}, "file_too_large"),
        ({"Rows": 0}, "value_invalid"),
        ({"NumberOfFrames": 2}, "file_unreadable"),
        ({"Rows": 7}, "file_unreadable"),
        ({"BitsStored": 17}, "file_unsupported"),
        ({"HighBit": 3}, "file_unsupported"),
        ({"BitsAllocated": 24}, "file_unsupported"),
        ({"SamplesPerPixel": 2}, "file_unsupported"),
        ({"PhotometricInterpretation": "HSV"}, "file_unsupported"),
        ({"PhotometricInterpretation": "RGB"}, "file_unsupported"),
        ({"Rows": None, "Columns": None}, "file_unsupported"),
        ({"PixelData": None}, "file_unreadable"),
        ({"BitsAllocated": None}, "value_invalid"),
    ],
    ids=str,
)
def test_false_claims_have_reasons(tmp_path: Path, claim: dict, expected: str) -> None:
    assert reason(tmp_path, dicom_bytes(RAMP, **claim), frames="all") == expected


def test_several_frames_are_refused_where_one_is_asked_for(tmp_path: Path) -> None:
    data = dicom_bytes(np.zeros((3, 6, 8), dtype=np.uint16))
    assert reason(tmp_path, data) == "file_unsupported"
    assert pixels_of(tmp_path, data, frames="all").values.shape == (3, 6, 8)


def test_unknown_transfer_syntax_is_refused(tmp_path: Path) -> None:
    dataset = dicom_dataset(RAMP)
    dataset.PixelData = encapsulate([b"\0" * 64])
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.102"
    dataset.save_as(tmp_path / "image.dcm", enforce_file_format=True)
    assert reason(tmp_path, (tmp_path / "image.dcm").read_bytes()) == "file_unsupported"


def compressed(name: str, **changes) -> bytes:
    """A compressed file of pydicom with some attributes changed."""
    dataset = pydicom.dcmread(get_testdata_file(name, download=False))
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    out = pydicom.filebase.DicomBytesIO()
    dataset.save_as(out)
    return out.getvalue()


@pytest.mark.parametrize(
    "name", ["MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm", "SC_rgb_jpeg_gdcm.dcm"]
)
def test_stream_of_another_size_is_refused_before_decoding(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("converters.imaging.dicom.get_decoder", None)
    with pytest.raises(CaseError, match="compressed frame has"):
        pixels_of(tmp_path, compressed(name, Rows=20_000, Columns=9_000))


def rle_file(segment: bytes) -> bytes:
    """An RLE file of 6 by 8 bytes with one segment."""
    header = struct.pack("<16L", 1, 64, *([0] * 14))
    frame = header + segment + b"\0" * (len(segment) % 2)
    dataset = dicom_dataset(RAMP.astype(np.uint8))
    dataset.PixelData = encapsulate([frame])
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = RLELossless
    out = pydicom.filebase.DicomBytesIO()
    dataset.save_as(out, enforce_file_format=True)
    return out.getvalue()


def test_rle_segment_is_decoded(tmp_path: Path) -> None:
    found = pixels_of(tmp_path, rle_file(bytes([257 - 48, 7])))
    assert (found.values == 7).all()


def test_rle_bomb_is_refused(tmp_path: Path) -> None:
    assert reason(tmp_path, rle_file(bytes([129, 0]) * 1000)) == "file_unreadable"


@pytest.mark.parametrize("name", ["JPEG2000-embedded-sequence-delimiter.dcm", "MR_truncated.dcm"])
def test_damaged_files_of_pydicom_have_reasons(name: str) -> None:
    root, name = shipped(name)
    with pytest.raises(CaseError):
        read_pixels(root, name)


DAMAGED = ("MR_small_jp2klossless.dcm", "SC_rgb_jpeg_gdcm.dcm", "SC_rgb_jpeg_dcmtk.dcm",
           "MR_small_RLE.dcm", "MR_small_jpeg_ls_lossless.dcm", "MR_small.dcm")  # fmt: skip


@given(
    name=st.sampled_from(DAMAGED),
    at=st.integers(0, 20_000),
    value=st.integers(0, 255),
    cut=st.integers(0, 20_000),
)
def test_damaged_bytes_give_pixels_or_a_reason(
    tmp_path_factory: pytest.TempPathFactory, name: str, at: int, value: int, cut: int
) -> None:
    data = bytearray(Path(get_testdata_file(name, download=False)).read_bytes())
    data[at % len(data)] = value
    if cut % 3 == 0:
        del data[cut % len(data) :]
    root = rooted(tmp_path_factory.mktemp("damaged"), bytes(data) or b"x")
    with contextlib.suppress(CaseError):
        assert read_pixels(root, "image.dcm").values.size


def test_no_stream_reaches_a_decoder_that_ends_the_process() -> None:
    decoders = read_pixels(*shipped("SC_rgb_jpeg_dcmtk.dcm")).transforms[0]["decoder"]
    assert decoders == "pylibjpeg"


# Stored values.


@given(
    bits=st.integers(1, 16),
    shift=st.integers(0, 15),
    is_signed=st.booleans(),
    rubbish=st.integers(0, 65535),
    data=st.data(),
)
def test_only_the_stored_bits_count(
    tmp_path_factory: pytest.TempPathFactory, bits, shift, is_signed, rubbish, data
) -> None:
    shift = min(shift, 16 - bits)
    low = -(1 << (bits - 1)) if is_signed else 0
    high = low + (1 << bits) - 1
    wanted = np.array(data.draw(st.lists(st.integers(low, high), min_size=12, max_size=12)))
    mask = ((1 << bits) - 1) << shift
    words = ((wanted << shift) & mask) | (rubbish & ~mask & 0xFFFF)
    file = dicom_bytes(
        words.astype(np.uint16).reshape(3, 4),
        BitsStored=bits,
        HighBit=bits - 1 + shift,
        PixelRepresentation=int(is_signed),
    )
    found = pixels_of(tmp_path_factory.mktemp("bits"), file)
    assert found.values.ravel().tolist() == wanted.tolist()


def test_implicit_and_big_endian_give_the_same_values() -> None:
    plain = read_pixels(*shipped("MR_small.dcm"))
    for name in ("MR_small_implicit.dcm", "MR_small_bigendian.dcm"):
        other = read_pixels(*shipped(name))
        assert (other.values == plain.values).all()
        assert other.values.dtype == plain.values.dtype


@pytest.mark.parametrize(
    "name", ["MR_small_RLE.dcm", "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm"]
)
def test_lossless_compression_changes_no_value(name: str) -> None:
    plain = read_pixels(*shipped("MR_small.dcm"))
    assert (read_pixels(*shipped(name)).values == plain.values).all()


@pytest.mark.parametrize(
    "name",
    [
        "693_J2KI.dcm", "J2K_pixelrep_mismatch.dcm", "JPEG2000.dcm", "SC_rgb_jpeg_gdcm.dcm",
        "SC_rgb_gdcm_KY.dcm", "GDCMJ2K_TextGBR.dcm", "JPEGLSNearLossless_16.dcm",
    ],
)  # fmt: skip
def test_a_second_decoder_agrees(name: str) -> None:
    root, name = shipped(name)
    dataset = pydicom.dcmread(root.folder / name)
    decoder = get_decoder(dataset.file_meta.TransferSyntaxUID)
    expected, _ = decoder.as_array(dataset, decoding_plugin="gdcm")
    slope = float(dataset.get("RescaleSlope", 1)), float(dataset.get("RescaleIntercept", 0))
    assert (read_pixels(root, name).values == expected.astype(float) * slope[0] + slope[1]).all()


def test_floating_point_pixels_are_read(tmp_path: Path) -> None:
    wanted = np.linspace(-2, 3, 48, dtype=np.float32).reshape(6, 8)
    attributes = {"FloatPixelData": wanted.tobytes(), "BitsStored": None, "HighBit": None}
    data = dicom_bytes(wanted.view(np.uint32), PixelData=None, **attributes)
    assert (pixels_of(tmp_path, data).values == wanted).all()
    broken = np.where(wanted > 2, np.nan, wanted)
    data = dicom_bytes(
        wanted.view(np.uint32), PixelData=None, **{**attributes, "FloatPixelData": broken.tobytes()}
    )
    assert reason(tmp_path, data) == "file_unreadable"


def test_single_bits_are_unpacked() -> None:
    values = read_pixels(*shipped("liver_1frame.dcm")).values
    assert values.shape == (512, 512)
    assert set(np.unique(values)) == {0, 1}


def test_planes_of_colour_come_out_as_pixels(tmp_path: Path) -> None:
    rgb = np.arange(144, dtype=np.uint8).reshape(6, 8, 3)
    planes = rgb.transpose(2, 0, 1).tobytes()
    found = pixels_of(tmp_path, dicom_bytes(rgb, PlanarConfiguration=1, PixelData=planes))
    assert (found.values == rgb).all()


def test_ybr_becomes_rgb(tmp_path: Path) -> None:
    grey = np.full((6, 8, 3), (200, 128, 128), dtype=np.uint8)
    found = pixels_of(tmp_path, dicom_bytes(grey, PhotometricInterpretation="YBR_FULL"))
    assert found.photometric == "RGB"
    assert (found.values == 200).all()


def test_every_colour_file_shows_the_same_bars() -> None:
    reference = read_pixels(*shipped("SC_rgb_rle.dcm")).values.astype(int)
    for name in ("SC_rgb_dcmtk_+eb+cy+np.dcm", "SC_rgb_jpeg_dcmtk.dcm", "SC_rgb_gdcm_KY.dcm",
                 "SC_ybr_full_422_uncompressed.dcm", "SC_rgb_dcmtk_+eb+cr.dcm"):  # fmt: skip
        found = read_pixels(*shipped(name)).values.astype(int)
        middle = np.s_[5::10, 10:90]  # the middle of each bar, where no filter mixes two
        assert np.abs(found - reference)[middle].max() <= 8, name


# Modality units.


def test_slope_and_intercept_are_applied_once(tmp_path: Path) -> None:
    data = dicom_bytes(RAMP, RescaleSlope=2, RescaleIntercept=-1024, RescaleType="HU")
    found = pixels_of(tmp_path, data)
    assert (found.values == RAMP.astype(int) * 2 - 1024).all()
    assert found.values.dtype == np.int16
    assert step(found, "rescale") == {
        "step": "rescale", "unit": "HU", "slope": 2.0, "intercept": -1024.0
    }  # fmt: skip


@given(
    stored=st.lists(st.integers(0, 65535), min_size=4, max_size=4),
    slope=st.sampled_from([1.0, 0.5, 3.0, -2.0, 0.684]),
    intercept=st.sampled_from([0.0, -1024.0, 200.0, 0.25, 40_000.0]),
)
def test_rescaling_is_the_line(
    tmp_path_factory: pytest.TempPathFactory, stored, slope, intercept
) -> None:
    pixels = np.array(stored, dtype=np.uint16).reshape(2, 2)
    data = dicom_bytes(pixels, RescaleSlope=slope, RescaleIntercept=intercept)
    found = pixels_of(tmp_path_factory.mktemp("rescale"), data).values
    assert np.allclose(found, pixels.astype(float) * slope + intercept, rtol=1e-6, atol=1e-2)


def test_no_rescaling_leaves_no_step(tmp_path: Path) -> None:
    found = pixels_of(tmp_path, dicom_bytes(RAMP, RescaleSlope=1, RescaleIntercept=0))
    assert [one["step"] for one in found.transforms] == ["decode_dicom"]


@pytest.mark.parametrize("slope", [1e30, 1e10])
def test_slope_beyond_all_units_is_refused(tmp_path: Path, slope: float) -> None:
    data = dicom_bytes(RAMP * 0, RescaleSlope=str(slope), RescaleIntercept=0)
    assert reason(tmp_path, data) == "value_invalid"


def test_slope_of_nothing_is_refused(tmp_path: Path) -> None:
    data = dicom_bytes(RAMP, RescaleSlope=0, RescaleIntercept=0)
    assert reason(tmp_path, data) == "value_invalid"


def lut(first: int, entries: list[int], bits: int = 16, **more) -> dict:
    """An item with a look-up table."""
    data = np.array(entries, dtype="<u2").tobytes()
    return {"LUTDescriptor": [len(entries), first, bits], "LUTData": data, **more}


def test_modality_table_is_looked_up(tmp_path: Path) -> None:
    table = lut(10, [100, 300, 900], ModalityLUTType="US")
    found = pixels_of(tmp_path, dicom_bytes(RAMP, ModalityLUTSequence=[table]))
    assert found.values.ravel()[8:15].tolist() == [100, 100, 100, 300, 900, 900, 900]
    assert step(found, "modality_lut")["first"] == 10


def test_modality_table_beside_a_slope_is_refused(tmp_path: Path) -> None:
    data = dicom_bytes(
        RAMP, ModalityLUTSequence=[lut(0, [1, 2])], RescaleSlope=2, RescaleIntercept=0
    )
    assert reason(tmp_path, data) == "value_invalid"


def test_table_that_does_not_hold_its_entries_is_refused(tmp_path: Path) -> None:
    table = {"LUTDescriptor": [9, 0, 16], "LUTData": b"123456"}
    assert reason(tmp_path, dicom_bytes(RAMP, ModalityLUTSequence=[table])) == "value_invalid"


def test_frames_have_scales_of_their_own(tmp_path: Path) -> None:
    def group(slope: float) -> dict:
        scale = {"RescaleSlope": slope, "RescaleIntercept": 1, "RescaleType": "US"}
        return {"PixelValueTransformationSequence": [scale]}

    frames = np.full((2, 6, 8), 10, dtype=np.uint16)
    data = dicom_bytes(frames, PerFrameFunctionalGroupsSequence=[group(2), group(3)])
    found = pixels_of(tmp_path, data, frames="all")
    assert found.values[:, 0, 0].tolist() == [21, 31]
    assert step(found, "rescale")["slopes"] == [2.0, 3.0]


# Padding.


def test_padding_is_where_the_value_stands(tmp_path: Path) -> None:
    found = pixels_of(tmp_path, dicom_bytes(RAMP, PixelPaddingValue=5, RescaleIntercept=-7))
    assert found.padding is not None
    assert np.argwhere(found.padding).tolist() == [[0, 5]]


def test_padding_may_be_a_range(tmp_path: Path) -> None:
    data = dicom_bytes(RAMP, PixelPaddingValue=3, PixelPaddingRangeLimit=0)
    padding = pixels_of(tmp_path, data).padding
    assert padding is not None
    assert padding.sum() == 4


def test_padding_of_signed_pixels_may_be_written_unsigned(tmp_path: Path) -> None:
    pixels = RAMP.astype(np.int16) - 2000
    dataset = dicom_dataset(pixels)
    dataset.add_new("PixelPaddingValue", "US", 65536 - 2000)
    dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    padding = pixels_of(tmp_path, (tmp_path / "a.dcm").read_bytes()).padding
    assert padding is not None
    assert padding.sum() == 1


def test_value_that_is_nowhere_is_no_padding(tmp_path: Path) -> None:
    assert pixels_of(tmp_path, dicom_bytes(RAMP, PixelPaddingValue=9000)).padding is None


def test_implicit_tables_keep_their_signs(tmp_path: Path) -> None:
    pixels = RAMP.astype(np.int16) - 3
    table = lut(-3, [7, 8, 9])
    data = dicom_bytes(pixels, ModalityLUTSequence=[table], syntax=ImplicitVRLittleEndian)
    assert pixels_of(tmp_path, data).values.ravel()[:4].tolist() == [7, 8, 9, 9]
