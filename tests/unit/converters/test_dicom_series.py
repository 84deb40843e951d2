"""DICOM series: files in any order become one volume, and what is no volume says why."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813 - as its documentation writes it
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from converters.errors import CaseError
from converters.files import Root
from converters.imaging.dicom_file import quiet
from converters.imaging.dicom_geometry import affine_of
from converters.imaging.dicom_series import (
    SeriesFiles,
    group_series,
    read_series,
    same_volume,
)
from converters.imaging.dicom_slices import Slice, read_slices
from converters.imaging.dicom_split import split_slices
from converters.imaging.planes import to_canonical
from converters.imaging.volumes import Volume
from tests.fakes.dicom_slices import AXIAL, encoded, enhanced_dataset, slice_dataset
from tests.fakes.volume_files import ORIENTATIONS

RNG = np.random.default_rng(5)
STORED = RNG.integers(0, 1500, size=(5, 6, 7)).astype(np.uint16)  # slices, rows, columns
RNG_VOLUME = RNG.integers(0, 1500, size=(4, 5, 6)).astype(np.uint16)
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
TILTED = ((0.98480775, 0.0, -0.17364818), (0.0, 1.0, 0.0))  # turned by 10 degrees

Written = Callable[..., Root]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """A root with files of data sets, by name."""

    def write(files: dict[str, object]) -> Root:
        for name, found in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with quiet():  # of values that are wrong on purpose
                path.write_bytes(encoded(found))
        return Root(source="x", folder=tmp_path.resolve())

    return write


def groups(root: Root) -> list[SeriesFiles]:
    files, faults = read_slices(root, root.listing().paths)
    assert not faults
    return group_series(files)


def only_volume(root: Root) -> Volume:
    (one,) = groups(root)
    return read_series(root, one)


def places(step: float = 2.5, count: int = 5, directions=AXIAL) -> list[np.ndarray]:
    normal = np.cross(*directions)
    return [np.array([-10.0, 20.0, -30.0]) + at * step * normal for at in range(count)]


def plain(order=range(5), names=range(5), positions=None, **tags) -> dict[str, object]:
    """Slices by file name: the slice of each place, whatever the order."""
    positions = positions or places()
    return {
        f"{name}.dcm": slice_dataset(STORED[at], positions[at], key=at, **tags)
        for at, name in zip(order, names, strict=True)
    }


def reason(root: Root) -> tuple[str, str]:
    with pytest.raises(CaseError) as caught:
        only_volume(root)
    return caught.value.reason, caught.value.message


# --- what is read --------------------------------------------------------------------------


def test_values_are_columns_rows_slices(written) -> None:
    volume = only_volume(written(plain()))
    assert np.array_equal(volume.values, STORED.T)


def test_the_affine_gives_the_place_of_a_pixel_in_ras(written) -> None:
    volume = only_volume(written(plain(spacing_mm=(3.0, 2.0))))  # rows 3 mm apart
    lps = np.array([-10 + 2.0 * 4, 20 + 3.0 * 1, -30 + 2.5 * 3, 1])
    assert np.allclose(volume.affine @ [4, 1, 3, 1], LPS_TO_RAS @ lps)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@given(order=st.permutations(range(5)), numbers=st.permutations(range(5)))
def test_names_numbers_and_order_of_files_change_nothing(tmp_path_factory, order, numbers) -> None:
    folder = tmp_path_factory.mktemp("series")
    for at, name in zip(range(5), order, strict=True):
        found = slice_dataset(STORED[at], places()[at], key=at, InstanceNumber=numbers[at])
        (folder / f"{name}.dcm").write_bytes(encoded(found))
    volume = only_volume(Root(source="x", folder=folder.resolve()))
    assert np.array_equal(volume.values, STORED.T)
    assert np.allclose(volume.affine[:3, 2], [0, 0, 2.5])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=24)
@given(turn=st.sampled_from(ORIENTATIONS), order=st.permutations(range(4)))
def test_however_it_is_stored_it_is_the_same_volume(tmp_path_factory, turn, order) -> None:
    """Axes changed and mirrored, slices in any order: one canonical volume, one grid."""
    values = RNG_VOLUME
    affine = np.array([[2.0, 0.1, 0, -40], [-0.1, 2, 0, 7], [0, 0, 3, -20], [0, 0, 0, 1]])
    stored = nib.orientations.apply_orientation(values, turn)
    placed = LPS_TO_RAS @ affine @ nib.orientations.inv_ornt_aff(turn, values.shape)
    spacing = np.linalg.norm(placed[:3, :3], axis=0)
    directions = (placed[:3, 0] / spacing[0], placed[:3, 1] / spacing[1])
    folder = tmp_path_factory.mktemp("turned")
    names = [*order, *range(4, stored.shape[2])]
    for at in range(stored.shape[2]):
        found = slice_dataset(
            stored[:, :, at].T, (placed @ [0, 0, at, 1])[:3], directions=directions,
            spacing_mm=(spacing[1], spacing[0]), key=at,
        )  # fmt: skip
        (folder / f"{names[at]}.dcm").write_bytes(encoded(found))
    canonical = to_canonical(only_volume(Root(source="x", folder=folder.resolve())), "x")
    assert np.array_equal(canonical.values, values)
    assert np.allclose(canonical.grid.affine, affine, atol=1e-5)


def test_slices_of_many_folders_are_one_series(written) -> None:
    assert np.array_equal(
        only_volume(written(plain(names=["b/1", "a/2", "c/d/0", "4", "3"]))).values, STORED.T
    )


def test_columns_that_run_up_turn_the_order_of_slices(written) -> None:
    """With the normal to the feet the first slice is the highest one."""
    up = ((1.0, 0.0, 0.0), (0.0, -1.0, 0.0))
    volume = only_volume(written(plain(directions=up)))
    assert np.array_equal(volume.values, STORED[::-1].T)
    assert np.allclose(volume.affine[:3, 2], [0, 0, -2.5])


@pytest.mark.parametrize(
    "directions",
    [AXIAL, TILTED, ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0)), ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0))],
    ids=["axial", "oblique", "coronal", "sagittal"],
)
def test_the_volume_is_that_of_simpleitk(written, tmp_path: Path, directions) -> None:
    tags = {"RescaleSlope": 2, "RescaleIntercept": -1024}
    written(plain(order=[3, 0, 4, 1, 2], positions=places(directions=directions),
                  directions=directions, **tags))  # fmt: skip
    volume = only_volume(Root(source="x", folder=tmp_path.resolve()))
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(tmp_path))
    image = sitk.ReadImage(list(names))
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    assert np.array_equal(volume.values.T, sitk.GetArrayFromImage(image))
    assert np.allclose(volume.affine, LPS_TO_RAS @ affine, atol=1e-5)


def test_spacing_is_that_of_positions_not_of_thickness(written) -> None:
    volume = only_volume(written(plain(SliceThickness=9, SpacingBetweenSlices=7)))
    assert np.isclose(np.linalg.norm(volume.affine[:3, 2]), 2.5)


@pytest.mark.parametrize("tag", ["SpacingBetweenSlices", "SliceThickness"])
def test_slices_further_apart_than_they_say_are_told(written, tag: str) -> None:
    """Every second slice was left out: they are even, and nothing else shows it."""
    volume = only_volume(written(plain(positions=places(10.0), **{tag: 5})))
    assert volume.steps[0] == {
        "step": "stack_slices", "slices": 5, "apart_mm": 10.0, "said_apart_mm": 5.0
    }  # fmt: skip


@pytest.mark.parametrize("said", [2.4, 2.5, 5])
def test_slices_as_far_apart_as_they_say_are_told_nothing_of(written, said: float) -> None:
    volume = only_volume(written(plain(SpacingBetweenSlices=said)))
    assert volume.steps[0] == {"step": "stack_slices", "slices": 5}


def test_slope_and_intercept_are_each_slice_s_own_and_applied_once(written) -> None:
    files = {
        f"{at}.dcm": slice_dataset(
            STORED[at], places()[at], modality="PT", RescaleSlope=at + 0.5, RescaleIntercept=0
        )
        for at in range(5)
    }
    wanted = STORED * (np.arange(5) + 0.5)[:, None, None]
    volume = only_volume(written(files))
    assert np.allclose(volume.values.T, wanted)
    assert {"slope_range": [0.5, 4.5]}.items() <= {
        k: v for step in volume.steps if step["step"] == "rescale" for k, v in step.items()
    }.items()


def test_padding_is_shown_as_the_smallest_measured_value(written) -> None:
    stored = STORED.copy() + 100
    stored[:, 0, :] = 63000
    files = {
        f"{at}.dcm": slice_dataset(stored[at], places()[at], PixelPaddingValue=63000)
        for at in range(5)
    }
    volume = only_volume(written(files))
    assert (volume.values[:, 0, :] == stored[:, 1:, :].min()).all()
    assert {"step": "fill_padding", "voxels": 35} in volume.steps


def test_a_single_slice_has_the_depth_that_its_header_gives(written) -> None:
    volume = only_volume(written({"a.dcm": slice_dataset(STORED[0], (0, 0, 0), SliceThickness=4)}))
    assert np.allclose(volume.affine[:3, 2], [0, 0, 4])


def test_a_copy_of_a_file_is_read_once(written) -> None:
    files = plain()
    files["copy/2.dcm"] = files["2.dcm"]
    assert np.array_equal(only_volume(written(files)).values, STORED.T)


def test_a_slice_that_repeats_another_is_read_once(written) -> None:
    files = plain()
    files["again.dcm"] = slice_dataset(STORED[2], places()[2], key="again")
    volume = only_volume(written(files))
    assert np.array_equal(volume.values, STORED.T)
    assert volume.steps[0] == {"step": "stack_slices", "slices": 5, "repeated_slices": 1}


def test_a_slice_at_the_place_of_another_that_differs_is_no_repeat(written) -> None:
    files = plain()
    files["again.dcm"] = slice_dataset(STORED[1], places()[2], key="again")
    assert "1 slices of 6 lie where another one does" in reason(written(files))[1]


# --- several volumes in a series -------------------------------------------------------------


def repeated(**by_volume) -> dict[str, object]:
    """A series of two volumes at the same places; tags of each as a pair."""
    files = {}
    for number in range(2):
        tags = {name: values[number] for name, values in by_volume.items()}
        for at in range(5):
            stored = STORED[at] + 1000 * number
            files[f"{number}-{at}.dcm"] = slice_dataset(
                stored, places()[at], modality="MR", key=(number, at), **tags
            )
    return files


@pytest.mark.parametrize(
    ("tag", "name", "values"),
    [
        ("DiffusionBValue", "b_value", (50.0, 800.0)),
        ("EchoTime", "echo_time", (10, 90)),
        ("TemporalPositionIdentifier", "temporal_position", (1, 2)),
        ("ImageType", "image_type", (["ORIGINAL", "M"], ["ORIGINAL", "P"])),
        ("AcquisitionNumber", "acquisition", (3, 4)),
        ("AcquisitionTime", "acquisition_time", ("101010.25", "101010.75")),
        ("InversionTime", "inversion_time", (150, 2000)),
    ],
)
def test_volumes_at_one_place_are_told_apart(written, tag, name, values) -> None:
    root = written(repeated(**{tag: values}))
    found = groups(root)
    assert [list(one.part) for one in found] == [[name], [name]]
    volumes = [read_series(root, one).values for one in found]
    assert np.array_equal(volumes[0], STORED.T)
    assert np.array_equal(volumes[1], STORED.T + 1000)


@pytest.mark.parametrize(
    ("tag", "values"),
    [
        ("TriggerTime", [10, 20, 30, 40, 50]),
        ("AcquisitionTime", ["101010", "101011", "101012", "101013", "101014"]),
        ("AcquisitionNumber", [1, 1, 1, 2, 2]),
        (
            "ImageType",
            [["ORIGINAL", "PRIMARY", "AXIAL"]] * 3 + [["DERIVED", "PRIMARY", "AXIAL"]] * 2,
        ),
    ],
)
def test_a_tag_that_varies_within_one_volume_splits_nothing(written, tag, values) -> None:
    files = {
        f"{at}.dcm": slice_dataset(STORED[at], places()[at], key=at, **{tag: values[at]})
        for at in range(5)
    }
    root = written(files)
    assert [dict(one.part) for one in groups(root)] == [{}]
    assert np.array_equal(only_volume(root).values, STORED.T)


KINDS = [
    ("DiffusionBValue", "b_value", (None, 800.0)),
    ("EchoTime", "echo_time", (10, 90)),
    ("TemporalPositionIdentifier", "temporal_position", (1, 2)),
    ("ImageType", "image_type", (["ORIGINAL", "PRIMARY", "M"], ["ORIGINAL", "PRIMARY", "P"])),
    ("InversionTime", "inversion_time", (150, 2000)),
]


@pytest.mark.parametrize("start", [1.25, 12.5], ids=["between", "behind"])
@pytest.mark.parametrize(("tag", "name", "values"), KINDS)
def test_acquisitions_that_share_no_place_are_told_apart(written, tag, name, values, start) -> None:
    """The second lies between the slices of the first, or right behind them."""
    files = {}
    for number, value in enumerate(values):
        tags = {} if value is None else {tag: value}
        for at in range(5):
            files[f"{number}-{at}.dcm"] = slice_dataset(
                STORED[at] + 1000 * number, places()[at] + [0, 0, number * start],
                modality="MR", key=(number, at), **tags,
            )  # fmt: skip
    root = written(files)
    found = groups(root)
    assert [list(one.part) for one in found] == [[name], [name]]
    volumes = [read_series(root, one) for one in found]
    assert np.array_equal(volumes[0].values, STORED.T)
    assert np.array_equal(volumes[1].values, STORED.T + 1000)
    assert all(np.isclose(one.affine[2, 2], 2.5) for one in volumes)


def test_frames_of_two_times_between_each_other_are_told_apart(written) -> None:
    both = np.concatenate([STORED, STORED + 1000])
    between = list(np.add(places(), [0, 0, 1.25]))
    found = enhanced_dataset(both, [*places(), *between], modality="MR",
                             b_values=[0.0] * 5 + [800.0] * 5)  # fmt: skip
    root = written({"mf.dcm": found})
    parts = {one.part["b_value"]: read_series(root, one).values for one in groups(root)}
    assert np.array_equal(parts["0"], STORED.T)
    assert np.array_equal(parts["800"], STORED.T + 1000)


def test_an_echo_time_of_each_slice_is_refused_by_name(written) -> None:
    files = {
        f"{at}.dcm": slice_dataset(STORED[at], places()[at], key=at, EchoTime=10 + at)
        for at in range(5)
    }
    why, message = reason(written(files))
    assert why == "geometry_invalid"
    assert "differ in echo_time, which has 5 values ('10', '11', '12', '13')" in message


def test_no_more_is_said_of_kinds_than_tells_them_apart(written) -> None:
    """Image type and echo time differ together: one of them is enough."""
    types = (["ORIGINAL", "PRIMARY", "M"], ["ORIGINAL", "PRIMARY", "P"])
    found = groups(written(repeated(EchoTime=(10, 90), ImageType=types)))
    assert [dict(one.part) for one in found] == [{"echo_time": "10"}, {"echo_time": "90"}]


def test_two_tags_together_tell_four_volumes_apart(written) -> None:
    files = {}
    for b_value in (0, 800):
        for echo in (60, 90):
            for at in range(3):
                files[f"{b_value}-{echo}-{at}.dcm"] = slice_dataset(
                    STORED[at], places()[at], modality="MR", key=(b_value, echo, at),
                    DiffusionBValue=float(b_value), EchoTime=echo,
                )  # fmt: skip
    parts = [dict(one.part) for one in groups(written(files))]
    assert len(parts) == 4
    assert {"b_value": "800", "echo_time": "60"} in parts


def test_a_scout_of_another_plane_is_a_volume_of_its_own(written) -> None:
    files = plain()
    coronal = ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0))
    files["scout.dcm"] = slice_dataset(
        STORED[0], (0, 0, 0), directions=coronal, key="scout", SliceThickness=5
    )
    assert sorted(one.plane for one in groups(written(files))) == ["axial", "coronal"]


def test_sizes_are_told_apart(written) -> None:
    files = plain()
    files["odd.dcm"] = slice_dataset(STORED[0, :4], (0, 0, 0), key="odd", SliceThickness=5)
    assert {one.part["size"] for one in groups(written(files))} == {"7x6", "7x4"}


def test_a_volume_is_found_again_by_its_own_files(written) -> None:
    root = written(repeated(EchoTime=(10, 90)))
    first = groups(root)[0]
    own, _ = read_slices(root, first.paths)
    again = same_volume(own, first.part)
    assert again is not None
    assert again.slices == first.slices


def test_series_of_two_patients_are_two(written) -> None:
    files = {f"a/{n}": f for n, f in plain().items()}
    files |= {f"b/{n}": f for n, f in plain(PatientID="P2").items()}
    assert len(groups(written(files))) == 2


# --- what is no volume -----------------------------------------------------------------------


def test_a_gap_is_told_with_its_place(written) -> None:
    files = plain()
    del files["2.dcm"]
    why, message = reason(written(files))
    assert why == "geometry_invalid"
    assert "1 gaps among 4 slices" in message
    assert "between -27.50 and -22.50 mm where slices are 2.500 mm apart: 1 missing" in message


def test_uneven_slices_are_told(written) -> None:
    positions = places()
    positions[2] = positions[2] + [0, 0, 0.9]
    why, message = reason(written(plain(positions=positions)))
    assert why == "geometry_invalid"
    assert "0.900 mm off" in message


def test_rounded_positions_are_even(written) -> None:
    positions = [np.array([0, 0, round(at * 0.625, 1)]) for at in range(5)]
    volume = only_volume(written(plain(positions=positions)))
    assert np.isclose(volume.affine[2, 2], 0.625)


def test_slices_at_one_place_that_nothing_tells_apart(written) -> None:
    why, message = reason(written(repeated()))
    assert why == "geometry_invalid"
    assert "5 slices of 10 lie where another one does" in message


def test_two_files_of_one_uid_that_differ(written) -> None:
    files = plain()
    other = slice_dataset(STORED[0], places()[2], key=2)
    assert other.SOPInstanceUID == files["2.dcm"].SOPInstanceUID
    files["copy.dcm"] = other
    assert reason(written(files))[0] == "name_duplicate"


def test_a_gantry_tilt_is_told_in_degrees(written) -> None:
    normal_off = [np.array([0, at * 2.5 * np.tan(np.radians(12)), at * 2.5]) for at in range(5)]
    why, message = reason(written(plain(positions=normal_off)))
    assert why == "geometry_invalid"
    assert "gantry tilt" in message
    assert "12.0 degrees" in message


def test_a_slice_that_is_shifted_aside(written) -> None:
    positions = places()
    positions[3] = positions[3] + [1.5, 0, 0]
    assert "1.500 mm aside" in reason(written(plain(positions=positions)))[1]


@pytest.mark.parametrize("tag", ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"])
def test_a_missing_tag_is_named(written, tag: str) -> None:
    files = plain()
    del files["3.dcm"][tag]
    why, message = reason(written(files))
    assert why == "geometry_invalid"
    assert f"1 of 5 slices cannot be placed; the first: 3.dcm: {tag} is missing" in message


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        ("ImagePositionPatient", ["1", "nan", "3"]),
        ("ImageOrientationPatient", ["1", "0", "0", "inf", "1", "0"]),
        ("ImageOrientationPatient", ["1", "0", "0", "1", "0", "0"]),
        ("PixelSpacing", ["0", "1"]),
        ("PixelSpacing", ["-1", "1"]),
        ("PixelSpacing", ["1"]),
    ],
)
def test_a_tag_without_sense_is_named(written, tag: str, value: list[str]) -> None:
    files = plain()
    with quiet():
        setattr(files["3.dcm"], tag, value)
    why, message = reason(written(files))
    assert why == "geometry_invalid"
    assert tag in message


def test_a_thickness_that_is_no_number_does_not_matter_to_several_slices(written) -> None:
    with quiet():
        files = plain(SliceThickness="nan")
    assert np.array_equal(only_volume(written(files)).values, STORED.T)


def test_a_thickness_that_is_no_number_is_no_depth_of_a_single_slice(written) -> None:
    with quiet():
        found = slice_dataset(STORED[0], (0, 0, 0), SliceThickness="nan")
    assert "one slice without" in reason(written({"a.dcm": found}))[1]


def test_a_single_slice_without_depth_has_no_place(written) -> None:
    assert "one slice without" in reason(written({"a.dcm": slice_dataset(STORED[0], (0, 0, 0))}))[1]


def test_colour_is_no_slice_of_a_volume(written) -> None:
    files = plain(PhotometricInterpretation="MONOCHROME1", modality="MR")
    assert reason(written(files))[0] == "file_unsupported"


def test_a_file_that_is_no_dicom_is_a_fault_of_its_own(written, tmp_path: Path) -> None:
    root = written(plain())
    (tmp_path / "notes.dcm").write_text("not a DICOM file")
    files, faults = read_slices(root, root.listing().paths)
    assert len(files) == 5
    assert faults["notes.dcm"].reason == "file_unreadable"


def turned(count: int) -> list[Slice]:
    """Slices with directions of their own."""
    angles = 0.01 * np.arange(count)
    return [
        Slice(
            path=f"{at:05}", frame=None, sop_uid=str(at), rows=4, columns=4,
            position=(0.0, 0.0, float(at)), directions=((1.0, 0.0, 0.0), (0.0, cosine, sine)),
            spacing_mm=(1.0 + 0.02 * at, 1.0), trouble="", depth_mm=1.0,
            frame_of_reference_uid="", stack="", marks={},
        )
        for at, (cosine, sine) in enumerate(
            zip(np.cos(angles).tolist(), np.sin(angles).tolist(), strict=True)
        )
    ]  # fmt: skip


def test_few_directions_are_stacks_of_their_own() -> None:
    assert [len(own) for _, own in split_slices(turned(100))] == [1] * 100


def test_directions_beyond_number_are_one_stack_that_is_refused() -> None:
    """Else each slice would be compared with all the others."""
    stacks = [own for _, own in split_slices(turned(1000))]
    assert sum(map(len, stacks)) == 1000
    assert len(stacks) == 201
    rest = max(stacks, key=len)
    with pytest.raises(CaseError, match="the slices are turned"):
        affine_of(rest, "x")


def test_frames_of_reference_beyond_number_are_refused() -> None:
    """Alike in all else, they would look like one volume."""
    slices = [replace(one, frame_of_reference_uid=one.path, directions=AXIAL, spacing_mm=(1.0, 1.0))
              for one in turned(300)]  # fmt: skip
    rest = max((own for _, own in split_slices(slices)), key=len)
    with pytest.raises(CaseError, match="100 frames of reference"):
        affine_of(rest, "x")


def test_the_time_of_many_directions_grows_with_their_number() -> None:
    start = perf_counter()
    list(split_slices(turned(10_000)))
    assert perf_counter() - start < 5


# --- enhanced multi-frame --------------------------------------------------------------------


def test_frames_lie_where_their_groups_say_whatever_their_order(written) -> None:
    order = [2, 0, 4, 1, 3]
    found = enhanced_dataset(STORED[order], [places()[at] for at in order])
    volume = only_volume(written({"mf.dcm": found}))
    assert np.array_equal(volume.values, STORED.T)
    assert np.isclose(volume.affine[2, 2], 2.5)


def test_frames_are_rescaled_by_their_own_groups(written) -> None:
    scales = [(1.0 + at, -1000.0 * at) for at in range(5)]
    found = enhanced_dataset(STORED, places(), scales=scales)
    wanted = [STORED[at] * scales[at][0] + scales[at][1] for at in range(5)]
    assert np.allclose(only_volume(written({"mf.dcm": found})).values.T, wanted)


def test_volumes_of_one_file_are_told_apart(written) -> None:
    both = np.concatenate([STORED, STORED + 1000])
    found = enhanced_dataset(both, [*places(), *places()], modality="MR",
                             b_values=[0.0] * 5 + [800.0] * 5)  # fmt: skip
    root = written({"mf.dcm": found})
    parts = {one.part["b_value"]: read_series(root, one).values for one in groups(root)}
    assert np.array_equal(parts["0"], STORED.T)
    assert np.array_equal(parts["800"], STORED.T + 1000)


def test_frames_without_groups_cannot_be_placed(written) -> None:
    found = enhanced_dataset(STORED, places())
    del found.PerFrameFunctionalGroupsSequence
    assert "without functional groups" in reason(written({"mf.dcm": found}))[1]


def test_frames_without_groups_are_not_listed_one_by_one(written) -> None:
    """A header of 2 kB may claim any number of frames."""
    root = written({"mf.dcm": slice_dataset(STORED[0], (0, 0, 0), NumberOfFrames=100_000)})
    (one,) = groups(root)
    assert len(one.slices) == 1
    assert "without functional groups" in reason(root)[1]


def test_more_frames_than_descriptions_are_a_fault(written) -> None:
    found = enhanced_dataset(STORED, places()[:4])
    root = written({"mf.dcm": found})
    _, faults = read_slices(root, root.listing().paths)
    assert "5 frames and 4 descriptions" in faults["mf.dcm"].message


# --- files that ship with pydicom --------------------------------------------------------------

SHIPPED = Path(pydicom.__file__).parent / "data" / "test_files" / "dicomdirtests"


def test_a_shipped_series_is_the_volume_of_simpleitk() -> None:
    folder = SHIPPED / "98892001" / "CT5N"
    volume = only_volume(Root(source="x", folder=folder))
    image = sitk.ReadImage(list(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))))
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    assert np.array_equal(volume.values.T, sitk.GetArrayFromImage(image))
    assert np.allclose(volume.affine, LPS_TO_RAS @ affine, atol=1e-5)


@pytest.mark.parametrize(
    ("folder", "why"),
    [
        ("77654033/CT2", "1 gaps among 4 slices; the first between -99.48 and 103.02 mm"),
        ("77654033/CR1", "1 of 1 slices cannot be placed"),
    ],
)
def test_shipped_files_that_are_no_volume_say_why(folder: str, why: str) -> None:
    assert why in reason(Root(source="x", folder=SHIPPED / folder))[1]


def test_a_shipped_scout_is_three_planes() -> None:
    found = groups(Root(source="x", folder=SHIPPED / "98892003" / "MR2"))
    assert sorted(one.plane for one in found) == ["axial", "axial", "coronal", "coronal",
                                                  "sagittal", "sagittal", "sagittal"]  # fmt: skip
