"""NRRD files: their spaces, their axes, voxels beside the header, and nothing elsewhere."""

import gzip
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its own name for itself
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from converters.errors import CaseError
from converters.files import Root
from converters.imaging.volumes import Volume, Wanted, read_volume, read_volumes
from converters.specs.volume_files import VolumeFiles
from converters.vocabulary import words

VALUES = np.arange(6 * 5 * 4, dtype=np.int16).reshape(6, 5, 4) - 30
FUZZ = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
FIELDS = {
    "type": "short", "dimension": "3", "space": "left-posterior-superior", "sizes": "6 5 4",
    "space directions": "(1,0,0) (0,2,0) (0,0,3)", "kinds": "domain domain domain",
    "endian": "little", "encoding": "raw", "space origin": "(10,-20,5)",
}  # fmt: skip
RAS = np.array([[-1.0, 0, 0, -10], [0, -2.0, 0, 20], [0, 0, 3.0, 5], [0, 0, 0, 1]])


def header(**changes: str | None) -> bytes:
    """A header with fields changed (`_` for a blank), or left out where None."""
    fields = {**FIELDS, **{key.replace("_", " "): value for key, value in changes.items()}}
    lines = [f"{key}: {value}" for key, value in fields.items() if value is not None]
    return "\n".join(["NRRD0004", "# a comment", "key:=value", *lines]).encode() + b"\n\n"


def body(values: np.ndarray = VALUES) -> bytes:
    """Values with the first index running fastest."""
    return values.tobytes(order="F")


def read(folder: Path, data: bytes, name: str = "a.nrrd", volume: int | None = None) -> Volume:
    """What is read from a file of that name and content."""
    (folder / name).write_bytes(data)
    return read_volume(Root(source="toy", folder=folder), name, VolumeFiles(volume=volume))


def reason(folder: Path, data: bytes, name: str = "a.nrrd") -> str:
    """Why a file is refused."""
    with pytest.raises(CaseError) as caught:
        read(folder, data, name)
    return caught.value.reason


@pytest.mark.parametrize(
    ("space", "signs"),
    [
        ("left-posterior-superior", (-1, -1, 1)), ("LPS", (-1, -1, 1)),
        ("right-anterior-superior", (1, 1, 1)), ("RAS", (1, 1, 1)),
        ("left-anterior-superior", (-1, 1, 1)), ("LAS", (-1, 1, 1)),
    ],
)  # fmt: skip
def test_every_space_of_a_patient_becomes_ras(
    tmp_path: Path, space: str, signs: tuple[int, ...]
) -> None:
    volume = read(tmp_path, header(space=space) + body())
    expected = np.diag([*signs, 1.0]) @ np.diag([1.0, 2, 3, 1])
    np.testing.assert_allclose(volume.affine[:3, :3], expected[:3, :3])
    np.testing.assert_allclose(volume.affine[:3, 3], np.multiply(signs, (10, -20, 5)))


@pytest.mark.parametrize(
    ("units", "scales"),
    [
        ('"mm" "mm" "mm"', (1, 1, 1)),
        ('"um" "um" "um"', (1e-3, 1e-3, 1e-3)),
        ('"cm" "mm" "um"', (10, 1, 1e-3)),
    ],
)
def test_units_of_space_become_millimetres(
    tmp_path: Path, units: str, scales: tuple[float, ...]
) -> None:
    found = read(tmp_path, header(space_units=units) + body()).affine
    np.testing.assert_allclose(found, np.diag([*scales, 1.0]) @ RAS)


@st.composite
def headers(draw: st.DrawFn) -> bytes:
    """Headers that SimpleITK reads as well: turned, mirrored, oblique, in three spaces."""
    axes = draw(st.permutations(range(3)))
    angle = np.radians(draw(st.floats(-30, 30)))
    turn = np.array(
        [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    )
    signs = [draw(st.sampled_from([-1, 1])) for _ in range(3)]
    spacing = [draw(st.floats(0.1, 5)) for _ in range(3)]
    matrix = turn @ np.eye(3)[:, axes] @ np.diag(np.multiply(signs, spacing))
    origin = [draw(st.floats(-300, 300)) for _ in range(3)]
    vectors = ["(" + ",".join(f"{v:.9f}" for v in column) + ")" for column in matrix.T]
    return header(
        space=draw(st.sampled_from(["left-posterior-superior", "right-anterior-superior"])),
        space_directions=" ".join(vectors),
        space_origin="(" + ",".join(f"{v:.9f}" for v in origin) + ")",
    )


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(head=headers())
def test_simpleitk_puts_every_voxel_in_the_same_place(tmp_path: Path, head: bytes) -> None:
    volume = read(tmp_path, head + body())
    image = sitk.ReadImage(str(tmp_path / "a.nrrd"))
    np.testing.assert_array_equal(volume.values, sitk.GetArrayFromImage(image).transpose(2, 1, 0))
    for index in [(0, 0, 0), (5, 0, 0), (0, 4, 0), (0, 0, 3), (5, 4, 3)]:
        theirs = np.multiply(image.TransformIndexToPhysicalPoint(index), (-1, -1, 1))
        np.testing.assert_allclose((volume.affine @ [*index, 1])[:3], theirs, atol=1e-5)


@pytest.mark.parametrize("ending", ["raw", "raw.gz", "img", "zraw", "gz"])
def test_voxels_beside_the_header_are_read(tmp_path: Path, ending: str) -> None:
    packed = ending in ("raw.gz", "zraw", "gz")
    (tmp_path / f"a.{ending}").write_bytes(gzip.compress(body()) if packed else body())
    head = header(encoding="gzip" if packed else "raw", data_file=f"./a.{ending}")
    volume = read(tmp_path, head.rstrip(b"\n"), "a.nhdr")
    np.testing.assert_array_equal(volume.values, VALUES)
    np.testing.assert_allclose(volume.affine, RAS)


def test_simpleitk_s_own_detached_file_is_read(tmp_path: Path) -> None:
    image = sitk.GetImageFromArray(VALUES.transpose(2, 1, 0))
    image.SetSpacing([1.0, 2.0, 3.0])
    image.SetOrigin([10, -20, 5])
    sitk.WriteImage(image, str(tmp_path / "a.nhdr"))
    volume = read_volume(Root(source="toy", folder=tmp_path), "a.nhdr")
    np.testing.assert_array_equal(volume.values, VALUES)
    np.testing.assert_allclose(volume.affine, RAS)


@pytest.mark.parametrize(
    "elsewhere",
    ["/etc/passwd", "../a.raw", "b.raw", "LIST", "a.%03d.raw 1 4 1", "sub/a.raw", "a.raw/../b.raw"],
)
def test_a_header_never_reads_a_file_elsewhere(tmp_path: Path, elsewhere: str) -> None:
    for name in ("b.raw", "a.raw"):
        (tmp_path / name).write_bytes(body())
    assert reason(tmp_path, header(data_file=elsewhere), "a.nhdr") == "file_unsupported"


def test_voxels_behind_a_link_out_of_the_root_are_not_read(tmp_path: Path) -> None:
    inside = tmp_path / "root"
    inside.mkdir()
    (tmp_path / "secret").write_bytes(body())
    (inside / "a.raw").symlink_to(tmp_path / "secret")
    assert reason(inside, header(data_file="a.raw"), "a.nhdr") == "link_outside_root"


def test_voxels_that_are_not_there_are_a_reason(tmp_path: Path) -> None:
    assert reason(tmp_path, header(data_file="a.raw"), "a.nhdr") == "file_unreadable"


@pytest.mark.parametrize("at", range(4))
@pytest.mark.parametrize("kind", ["list", "vector", "time", "???"])
def test_the_axis_without_direction_tells_volumes_apart(tmp_path: Path, at: int, kind: str) -> None:
    values = np.stack([VALUES, VALUES + 100], axis=at)
    directions = FIELDS["space directions"].split()
    kinds = ["domain"] * 3
    directions.insert(at, "none")
    kinds.insert(at, kind)
    head = header(
        dimension="4", sizes=" ".join(map(str, values.shape)),
        space_directions=" ".join(directions), kinds=" ".join(kinds),
    )  # fmt: skip
    volume = read(tmp_path, head + body(values), volume=1)
    np.testing.assert_array_equal(volume.values, VALUES + 100)
    np.testing.assert_allclose(volume.affine, RAS)
    root = Root(source="toy", folder=tmp_path)
    assert len(read_volumes(root, "a.nrrd", Wanted(count=2))) == 2
    assert reason(tmp_path, head + body(values)) == "file_unsupported"


def test_an_axis_of_one_value_is_passed_over(tmp_path: Path) -> None:
    head = header(
        dimension="4", sizes="1 6 5 4", kinds="list domain domain domain",
        space_directions="none " + FIELDS["space directions"],
    )  # fmt: skip
    np.testing.assert_array_equal(read(tmp_path, head + body()).values, VALUES)


@pytest.mark.parametrize("kind", ["RGB-color", "complex", "3D-matrix", "point", "3-vector"])
def test_axes_of_what_is_no_number_are_refused(tmp_path: Path, kind: str) -> None:
    head = header(
        dimension="4", sizes="3 6 5 4", kinds=f"{kind} domain domain domain",
        space_directions="none " + FIELDS["space directions"],
    )  # fmt: skip
    assert reason(tmp_path, head + body() * 3) == "file_unsupported"


@pytest.mark.parametrize(
    ("kind", "type_words"),
    [
        ("<i2", "int16"), ("<u2", "unsigned short"), ("<f4", "float"), ("<f8", "double"),
        ("<i4", "int"), ("u1", "uchar"), ("i1", "signed char"), ("<u8", "uint64_t"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("encoding", ["raw", "gzip", "gz"])
def test_every_type_order_and_encoding_is_read(
    tmp_path: Path, kind: str, type_words: str, order: str, encoding: str
) -> None:
    values = (VALUES % 90).astype(np.dtype(kind).newbyteorder("<" if order == "little" else ">"))
    data = body(values) if encoding == "raw" else gzip.compress(body(values))
    head = header(type=type_words, endian=order, encoding=encoding)
    np.testing.assert_array_equal(read(tmp_path, head + data).values, values)


def test_bytes_before_the_voxels_are_passed_over(tmp_path: Path) -> None:
    lines = header(line_skip="2", byte_skip="3") + b"one\ntwo\nxyz" + body()
    np.testing.assert_array_equal(read(tmp_path, lines).values, VALUES)
    at_the_end = header(byte_skip="-1") + b"anything" + body()
    np.testing.assert_array_equal(read(tmp_path, at_the_end).values, VALUES)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"space": None}, "geometry_invalid"),
        ({"space": "scanner-xyz"}, "geometry_invalid"),
        ({"space": "3D-right-handed"}, "geometry_invalid"),
        ({"space_directions": None}, "geometry_invalid"),
        ({"space_directions": "(1,0,0) (0,2,0)"}, "geometry_invalid"),
        ({"space_directions": "(1,0,0) (0,2,0) (0,0,nan)"}, "geometry_invalid"),
        ({"space_directions": "(1,0,0) (0,2,0) (0,0,0)"}, "geometry_invalid"),
        ({"space_directions": "(1,0,0) (0,2,0) none"}, "geometry_invalid"),
        ({"space_origin": "(0,0)"}, "geometry_invalid"),
        ({"space_units": '"voxel" "voxel" "voxel"'}, "geometry_invalid"),
        ({"space_units": '"mm" "mm"'}, "geometry_invalid"),
        ({"space_units": "mm mm mm"}, "geometry_invalid"),
        ({"endian": None}, "file_unreadable"),
        ({"endian": "middle"}, "file_unreadable"),
        ({"type": "block"}, "file_unsupported"),
        ({"type": None}, "file_unreadable"),
        ({"encoding": "bzip2"}, "file_unsupported"),
        ({"sizes": "6 5"}, "file_unsupported"),
        ({"sizes": "6 5 -4"}, "file_unreadable"),
        ({"sizes": "6 5 5"}, "file_unreadable"),
        ({"sizes": "60000 60000 60000"}, "file_too_large"),
        ({"dimension": "4"}, "file_unsupported"),
        ({"kinds": "domain domain"}, "file_unreadable"),
        ({"byte_skip": "-2"}, "file_unreadable"),
        ({"data_file": "a.raw"}, "file_unsupported"),
        ({"Sizes": "6 5 4"}, "file_unreadable"),
        ({"what": "is\nthis"}, "file_unreadable"),
    ],
)
def test_a_header_that_cannot_be_used_is_refused(
    tmp_path: Path, changes: dict[str, str | None], expected: str
) -> None:
    assert reason(tmp_path, header(**changes) + body()) == expected


@FUZZ
@given(cut=st.integers(1, 200))
def test_every_truncation_is_refused(tmp_path: Path, cut: int) -> None:
    assert reason(tmp_path, (header() + body())[:-cut]) == "file_unreadable"
    packed = header(encoding="gzip") + gzip.compress(body())
    assert reason(tmp_path, packed[: -min(cut, 100)]) == "file_unreadable"


@FUZZ
@given(data=st.data())
def test_mutated_files_give_a_volume_or_a_reason(tmp_path: Path, data: st.DataObject) -> None:
    broken = bytearray(header(encoding="gzip") + gzip.compress(body()))
    for _ in range(data.draw(st.integers(1, 8))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    assert outcome(tmp_path, bytes(broken)) in words("rejection") | {"read"}


def outcome(folder: Path, data: bytes) -> str:
    """Why a file is refused, or "read"."""
    try:
        read(folder, data)
    except CaseError as error:
        return error.reason
    return "read"


@pytest.mark.parametrize("axes", list(permutations(range(3))))
def test_the_order_of_the_axes_is_the_file_s(tmp_path: Path, axes: tuple[int, ...]) -> None:
    directions = FIELDS["space directions"].split()
    head = header(
        sizes=" ".join(str(VALUES.shape[a]) for a in axes),
        space_directions=" ".join(directions[a] for a in axes),
    )
    volume = read(tmp_path, head + body(VALUES.transpose(axes)))
    np.testing.assert_array_equal(volume.values, VALUES.transpose(axes))
    np.testing.assert_allclose(volume.affine, RAS[:, [*axes, 3]])
