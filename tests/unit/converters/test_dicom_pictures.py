"""DICOM files as pictures: windows, tables, inversion, padding, colour, view, side and spacing."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.pixels.processing import apply_voi_lut

from converters.errors import CaseError
from converters.files import Root
from converters.imaging.dicom_voi import apply_voi_window, voi_mapping
from converters.imaging.pictures import Picture, is_dicom_name, read_picture, render_picture
from tests.fakes.dicom_files import dicom_bytes, dicom_dataset, rooted
from tests.fakes.images import head_slice

RAMP = (np.arange(4096, dtype=np.uint16)).reshape(64, 64)
RGB = np.arange(144, dtype=np.uint8).reshape(6, 8, 3)
FUNCTIONS = st.sampled_from(["LINEAR", "LINEAR_EXACT", "SIGMOID"])
CENTERS = st.floats(-3000, 3000)
WIDTHS = st.floats(1, 5000)


def picture(folder: Path, pixels: np.ndarray = RAMP, **attributes) -> Picture:
    """The picture of one file."""
    return read_picture(rooted(folder, dicom_bytes(pixels, **attributes)), "image.dcm")


def grey(folder: Path, pixels: np.ndarray = RAMP, **attributes) -> np.ndarray:
    """Its pixels."""
    return np.asarray(picture(folder, pixels, **attributes).image)


def steps(found: Picture) -> list[str]:
    """Names of what was done."""
    return [str(one["step"]) for one in found.transforms]


def step(found: Picture, name: str) -> dict:
    """The one step of that name."""
    (one,) = [one for one in found.transforms if one["step"] == name]
    return dict(one)


def refusal(folder: Path, pixels: np.ndarray = RAMP, **attributes) -> str:
    """Why a file is refused."""
    with pytest.raises(CaseError) as caught:
        picture(folder, pixels, **attributes)
    return caught.value.reason


# Windows.


@given(
    values=st.lists(st.floats(-1e5, 1e5), min_size=2, max_size=20),
    center=CENTERS,
    width=WIDTHS,
    function=FUNCTIONS,
)
def test_a_larger_value_is_never_darker(values, center, width, function) -> None:
    ordered = np.sort(np.array(values))
    shown = apply_voi_window(ordered, center=center, width=width, function=function)
    assert (np.diff(shown.astype(int)) >= 0).all()


@given(center=st.integers(-2000, 2000), width=st.integers(1, 4000), function=FUNCTIONS)
def test_windows_are_those_of_the_standard(center, width, function) -> None:
    dataset = dicom_dataset(RAMP, WindowCenter=center, WindowWidth=width, VOILUTFunction=function)
    values = np.arange(-4000, 4000, 7, dtype=np.int16)
    dataset.PixelRepresentation = 1
    # pydicom gives the range of the stored bits; the shares of the two ranges must agree.
    with np.errstate(over="ignore"):
        expected = (apply_voi_lut(values, dataset) + 32768.0) / 65535.0
    shown = apply_voi_window(values, center=center, width=width, function=function) / 255.0
    assert np.abs(shown - expected).max() <= 0.5 / 255 + 1e-6


@given(center=st.integers(-2000, 2000), width=st.integers(2, 4000))
def test_ends_of_a_linear_window_are_black_and_white(center, width) -> None:
    # PS3.3, C.11.2.1.2.1
    ends = np.array([center - 0.5 - (width - 1) / 2, center - 0.5 + (width - 1) / 2])
    shown = apply_voi_window(ends, center=center, width=width, function="LINEAR")
    assert shown.tolist() == [0, 255]


def test_a_linear_window_of_one_is_a_threshold() -> None:
    shown = apply_voi_window(np.array([9, 10, 11]), center=10, width=1, function="LINEAR")
    assert shown.tolist() == [0, 255, 255]


@pytest.mark.parametrize(
    ("width", "function"), [(0.5, "LINEAR"), (0, "SIGMOID"), (-3, "LINEAR_EXACT"), (9, "LOG")]
)
def test_what_is_no_window_is_refused(width: float, function: str) -> None:
    with pytest.raises(ValueError, match="no window"):
        apply_voi_window(np.zeros(3), center=0, width=width, function=function)


def test_window_works_on_modality_units(tmp_path: Path) -> None:
    found = grey(tmp_path, RescaleSlope=1, RescaleIntercept=-1024, WindowCenter=40, WindowWidth=400)
    hu = RAMP.astype(float) - 1024
    assert (found[hu <= -160] == 0).all()
    assert (found[hu > 239] == 255).all()
    assert abs(int(found[hu == 40][0]) - 128) <= 1


def test_first_usable_window_is_taken_and_said(tmp_path: Path) -> None:
    found = picture(
        tmp_path,
        WindowCenter=[10, 600, 50],
        WindowWidth=[0, 1600, 300],
        WindowCenterWidthExplanation=["BROKEN", "BONE", "SOFT"],
    )
    assert step(found, "window") == {
        "step": "window", "center": 600.0, "width": 1600.0, "function": "LINEAR",
        "index": 1, "of": 3, "explanation": "BONE",
    }  # fmt: skip


def test_without_a_window_percentiles_are_taken(tmp_path: Path) -> None:
    found = picture(tmp_path)
    assert step(found, "map_grey")["percentiles"] == [0.5, 99.5]


def test_eight_bits_without_a_window_stay_as_they_are(tmp_path: Path) -> None:
    pixels = np.arange(20, 84, dtype=np.uint8).reshape(8, 8)
    assert (grey(tmp_path, pixels) == pixels).all()


def test_unequal_windows_are_refused(tmp_path: Path) -> None:
    reason = refusal(tmp_path, WindowCenter=[1, 2], WindowWidth=[3])
    assert reason == "value_invalid"


def test_unknown_window_function_is_refused(tmp_path: Path) -> None:
    reason = refusal(tmp_path, WindowCenter=1, WindowWidth=3, VOILUTFunction="GAMMA")
    assert reason == "value_invalid"


def test_window_of_the_manifest_goes_first(tmp_path: Path) -> None:
    root = rooted(tmp_path, head_slice(64, 64, 0, WindowCenter="1", WindowWidth="2"))
    found = read_picture(root, "image.dcm", window_hu=(40.0, 80.0))
    shown = np.asarray(found.image)
    assert (shown[0, 0], shown[32, 9]) == (0, 255)
    assert 60 < shown[32, 32] < 200
    assert step(found, "window") == {"step": "window", "center_hu": 40.0, "width_hu": 80.0}


# Tables.


def table(first: int, entries: np.ndarray, bits: int) -> dict:
    """An item of a VOI LUT sequence."""
    data = entries.astype("<u2").tobytes()
    return {"LUTDescriptor": [entries.size % 65536, first, bits], "LUTData": data}


def test_voi_table_goes_before_the_window(tmp_path: Path) -> None:
    entries = np.linspace(0, 1, 4096) ** 2 * 4095
    attributes = {"WindowCenter": 100, "WindowWidth": 50}
    found = picture(tmp_path, VOILUTSequence=[table(0, entries, 12)], **attributes)
    expected = np.rint(entries.astype(int) / 4095 * 255).reshape(64, 64)
    assert np.abs(np.asarray(found.image).astype(int) - expected).max() <= 1
    assert steps(found) == ["decode_dicom", "voi_lut"]


def test_table_with_fewer_bits_than_said_is_not_dark(tmp_path: Path) -> None:
    entries = np.arange(4096)
    shown = grey(tmp_path, VOILUTSequence=[table(0, entries, 16)])
    assert shown.max() == 255


def test_table_begins_below_zero_where_values_do(tmp_path: Path) -> None:
    entries = np.arange(4096)
    item = table(65536 - 1024, entries, 12)
    shown = grey(tmp_path, VOILUTSequence=[item], RescaleSlope=1, RescaleIntercept=-1024)
    assert (shown == np.rint(RAMP / 4095 * 255)).all()


# Inversion and padding.


def test_monochrome1_is_the_negative(tmp_path: Path) -> None:
    window = {"WindowCenter": 2048, "WindowWidth": 4096}
    plain = grey(tmp_path, **window)
    negative = picture(tmp_path, PhotometricInterpretation="MONOCHROME1", **window)
    assert (np.asarray(negative.image) == 255 - plain).all()
    assert "invert" in steps(negative)


def test_inversion_that_two_tags_dispute_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, PresentationLUTShape="INVERSE") == "value_invalid"
    attributes = {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "IDENTITY"}
    assert refusal(tmp_path, **attributes) == "value_invalid"


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black(tmp_path: Path, photometric: str) -> None:
    found = picture(
        tmp_path,
        PhotometricInterpretation=photometric,
        PixelPaddingValue=4000,
        PixelPaddingRangeLimit=4095,
    )
    assert (np.asarray(found.image)[RAMP >= 4000] == 0).all()
    assert step(found, "pad_black")["pixels"] == 96


def test_padding_does_not_move_percentiles(tmp_path: Path) -> None:
    pixels = RAMP.copy()
    pixels[:32] = 60_000
    found = picture(tmp_path, pixels, PixelPaddingValue=60_000)
    assert step(found, "map_grey")["high"] <= 4095


def test_picture_of_padding_alone_is_blank(tmp_path: Path) -> None:
    pixels = np.full((8, 8), 7, dtype=np.uint16)
    assert refusal(tmp_path, pixels, PixelPaddingValue=7) == "image_blank"


# Colour.


def test_colour_is_kept(tmp_path: Path) -> None:
    assert (grey(tmp_path, RGB) == RGB).all()


def test_deep_colour_keeps_its_eight_highest_bits(tmp_path: Path) -> None:
    found = picture(tmp_path, RGB.astype(np.uint16) * 257)
    assert (np.asarray(found.image) == RGB).all()
    assert step(found, "shift_bits")["from"] == 16


def palette(scale: int, bits: int, **more) -> dict:
    """A palette whose red falls, green rises and blue is 7."""
    entries = {"Red": 255 - np.arange(256), "Green": np.arange(256), "Blue": np.full(256, 7)}
    found: dict = {"PhotometricInterpretation": "PALETTE COLOR", **more}
    for color, values in entries.items():
        keyword = f"{color}PaletteColorLookupTable"
        kind = "<u2" if bits == 16 else "u1"
        found[f"{keyword}Descriptor"] = [256, 0, bits]
        found[f"{keyword}Data"] = (values * scale).astype(kind).tobytes()
    return found


@pytest.mark.parametrize(("scale", "bits"), [(257, 16), (1, 16), (1, 8)])
def test_palette_is_looked_up(tmp_path: Path, scale: int, bits: int) -> None:
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    found = grey(tmp_path, pixels, **palette(scale, bits))
    assert found[0, 5].tolist() == [250, 5, 7]


def test_segmented_palette_is_refused(tmp_path: Path) -> None:
    attributes = {"PhotometricInterpretation": "PALETTE COLOR"}
    assert refusal(tmp_path, RAMP.astype(np.uint8), **attributes) == "file_unsupported"


# What the header says.


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"ViewPosition": "PA"}, "PA"),
        ({"ViewPosition": "LATERAL"}, "lateral"),
        ({"ViewPosition": "SWIMMERS"}, ""),
        ({"ViewCodeSequence": [{"CodeValue": "R-10242"}]}, "CC"),
        ({"ViewCodeSequence": [{"CodeValue": "399368009"}]}, "MLO"),
        ({}, ""),
    ],
)
def test_view_is_one_of_those_known(tmp_path: Path, attributes: dict, expected: str) -> None:
    assert picture(tmp_path, **attributes).view == expected


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"ImageLaterality": "L"}, "left"),
        ({"Laterality": "R"}, "right"),
        ({"ImageLaterality": "B"}, "both"),
        ({"ImageLaterality": "U"}, None),
        ({}, None),
    ],
)
def test_laterality_is_the_side_of_the_patient(tmp_path, attributes, expected) -> None:
    assert picture(tmp_path, **attributes).side == expected


def test_two_lateralities_are_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, ImageLaterality="L", Laterality="R") == "labels_contradict"


@pytest.mark.parametrize("orientation", [["R", "F"], ["L", "H"]])
def test_mirrored_frontal_picture_is_refused(tmp_path: Path, orientation: list[str]) -> None:
    reason = refusal(tmp_path, ViewPosition="PA", PatientOrientation=orientation)
    assert reason == "orientation_ambiguous"


@pytest.mark.parametrize("modality", ["DX", "CR", "XA", "PX", "CT"])
@pytest.mark.parametrize("orientation", [["R", "F"], ["L", "H"]])
def test_mirrored_picture_without_a_view_is_refused(tmp_path, modality, orientation) -> None:
    reason = refusal(tmp_path, Modality=modality, PatientOrientation=orientation)
    assert reason == "orientation_ambiguous"


def test_lateral_picture_may_face_either_side(tmp_path: Path) -> None:
    attributes = {"ViewPosition": "LL", "PatientOrientation": ["A", "F"]}
    assert picture(tmp_path, **attributes).view == "LL"


def test_lateral_picture_upside_down_is_refused(tmp_path: Path) -> None:
    attributes = {"ViewPosition": "LL", "PatientOrientation": ["A", "H"]}
    assert refusal(tmp_path, **attributes) == "orientation_ambiguous"


UPRIGHT = [
    ([1, 0, 0, 0, 1, 0], "axial"),
    ([1, 0, 0, 0, 0.94, -0.342], "axial"),  # a gantry that is tilted by 20 degrees
    ([1, 0, 0, 0, 0, -1], "coronal"),
    ([0, 1, 0, 0, 0, -1], "sagittal"),
]


@pytest.mark.parametrize("modality", ["CT", "MR", "PT"])
@pytest.mark.parametrize(("directions", "plane"), UPRIGHT)
def test_a_slice_that_lies_as_it_is_looked_at_has_its_plane(
    tmp_path, modality, directions, plane
) -> None:
    found = picture(tmp_path, Modality=modality, ImageOrientationPatient=directions)
    assert found.view == plane


@pytest.mark.parametrize("modality", ["CT", "MR", "PT"])
@pytest.mark.parametrize(
    "directions",
    [
        [-1, 0, 0, 0, 1, 0],
        [1, 0, 0, 0, -1, 0],
        [-1, 0, 0, 0, -1, 0],
        [0, 1, 0, 1, 0, 0],
        [1, 0, 0, 0, 0, 1],
        [0, -1, 0, 0, 0, -1],
        [0.6, 0.8, 0, 0.8, -0.6, 0],
        [0.7071, 0.7071, 0, -0.7071, 0.7071, 0],  # between two planes' axes
    ],
)
def test_a_slice_that_is_turned_or_mirrored_is_refused(tmp_path, modality, directions) -> None:
    reason = refusal(tmp_path, Modality=modality, ImageOrientationPatient=directions)
    assert reason == "orientation_ambiguous"


def test_directions_of_a_frame_are_read_from_its_groups(tmp_path: Path) -> None:
    groups = [{"PlaneOrientationSequence": [{"ImageOrientationPatient": [-1, 0, 0, 0, 1, 0]}]}]
    reason = refusal(tmp_path, Modality="MR", SharedFunctionalGroupsSequence=groups)
    assert reason == "orientation_ambiguous"


@pytest.mark.parametrize("directions", [[1, 0, 0], [1, 0, 0, 1, 0, 0], [0, 0, 0, 0, 0, 0]])
def test_directions_that_are_none_are_refused(tmp_path: Path, directions: list[float]) -> None:
    reason = refusal(tmp_path, Modality="CT", ImageOrientationPatient=directions)
    assert reason == "geometry_invalid"


def test_mammogram_may_face_either_side(tmp_path: Path) -> None:
    attributes = {"Modality": "MG", "ViewPosition": "CC", "PatientOrientation": ["P", "L"]}
    assert picture(tmp_path, **attributes).view == "CC"


@pytest.mark.parametrize(
    ("attributes", "expected", "plane"),
    [
        ({"ImagerPixelSpacing": [0.2, 0.2]}, None, "detector"),
        ({"ImagerPixelSpacing": [0.2, 0.2], "PixelSpacing": [0.2, 0.2]}, None, "detector"),
        ({"ImagerPixelSpacing": [0.0941, 0.0941], "PixelSpacing": [0.09409, 0.09409]}, None,
         "detector"),
        ({"PixelSpacing": [0.2, 0.2]}, None, "detector"),
        ({"ImagerPixelSpacing": [0.2, 0.2], "PixelSpacing": [0.18, 0.18]}, 0.18, "patient"),
        ({"PixelSpacing": [0.18, 0.18], "PixelSpacingCalibrationType": "FIDUCIAL"}, 0.18,
         "patient"),
        ({"PixelSpacing": [0.5, 0.5], "Modality": "CT"}, 0.5, "patient"),
        ({"PixelSpacing": [0.5, 0.5], "Modality": "US"}, None, "not known"),
    ],
)  # fmt: skip
def test_spacing_counts_where_it_is_the_patients(tmp_path, attributes, expected, plane) -> None:
    found = picture(tmp_path, **attributes)
    assert found.spacing_mm == (expected and (expected, expected))
    assert step(found, "spacing")["plane"] == plane


REGION = {
    "RegionSpatialFormat": 1, "PhysicalUnitsXDirection": 3, "PhysicalUnitsYDirection": 3,
    "PhysicalDeltaX": 0.02, "PhysicalDeltaY": -0.02,
}  # fmt: skip


@pytest.mark.parametrize(
    ("regions", "expected"),
    [
        ([REGION], (0.2, 0.2)),
        ([REGION, REGION], None),
        ([{**REGION, "RegionSpatialFormat": 3}], None),
        ([{**REGION, "PhysicalUnitsYDirection": 4}], None),
        ([{**REGION, "PhysicalDeltaX": 0.0}], None),
    ],
)
def test_one_region_of_tissue_gives_the_spacing(tmp_path: Path, regions, expected) -> None:
    found = picture(tmp_path, RGB, Modality="US", SequenceOfUltrasoundRegions=regions)
    assert found.spacing_mm == expected


def test_raw_detector_data_are_no_picture(tmp_path: Path) -> None:
    assert refusal(tmp_path, PresentationIntentType="FOR PROCESSING") == "file_unsupported"
    assert picture(tmp_path, PresentationIntentType="FOR PRESENTATION").size == (64, 64)


@pytest.mark.parametrize(
    "attributes",
    [
        {"PixelSpacing": [0.5, 0.7], "Modality": "CT"},
        {"ImagerPixelSpacing": [0.1, 0.2]},
        {"PixelAspectRatio": [1, 2]},
        {"PixelSpacing": [0, 0]},
        {"ImagerPixelSpacing": [-1, 1]},
    ],
)
def test_impossible_or_oblong_pixels_are_refused(tmp_path: Path, attributes: dict) -> None:
    assert refusal(tmp_path, **attributes) == "geometry_invalid"


@pytest.mark.parametrize("modality", ["SEG", "RTDOSE"])
def test_what_is_no_picture_is_refused(tmp_path: Path, modality: str) -> None:
    assert refusal(tmp_path, Modality=modality) == "file_unsupported"


# Files.


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a/b.dcm", True), ("a.DICOM", True), ("IM0001", True), ("1.2.840.1", True),
     ("a.png", False), ("a.jpeg", False), ("a.tif", False)],
)  # fmt: skip
def test_names_tell_dicom_files(name: str, expected: bool) -> None:
    assert is_dicom_name(name) is expected


def test_rendered_picture_holds_every_step(tmp_path: Path) -> None:
    found = picture(tmp_path, WindowCenter=2000, WindowWidth=4000)
    rendered = render_picture(found, "image.dcm")
    assert [one["step"] for one in rendered.transforms] == ["decode_dicom", "window", "encode"]
    again = np.asarray(Image.open(io.BytesIO(rendered.data)))
    assert (again == np.asarray(found.image)).all()


def test_same_file_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = (render_picture(picture(tmp_path), "image.dcm") for _ in range(2))
    assert first == second


def test_palette_of_an_ultrasound_is_in_colour() -> None:
    path = Path(get_testdata_file("examples_palette.dcm", download=False))
    found = read_picture(Root(source="pydicom", folder=path.parent.resolve()), path.name)
    rgb = np.asarray(found.image).astype(int)
    assert rgb.shape == (350, 800, 3)
    assert (rgb[..., 0] != rgb[..., 2]).any()


def test_mapping_leaves_the_values_alone(tmp_path: Path) -> None:
    values = RAMP.copy()
    voi_mapping(dicom_dataset(RAMP), values, None).apply(values)
    assert (values == RAMP).all()
