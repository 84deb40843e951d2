"""Arrays whose place the manifest gives: raw bytes, NumPy, HDF5 and MATLAB files."""

import gzip
import io
import pickle
import struct
import zipfile
from itertools import product
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
import pytest
import scipy.io
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from converters.errors import CaseError
from converters.files import Root
from converters.imaging import hdf5
from converters.imaging.volumes import Volume, Wanted, read_volume, read_volumes
from converters.specs.volume_files import Raw, Variable, VolumeFiles
from converters.vocabulary import words

VALUES = np.arange(6 * 5 * 4, dtype=np.int16).reshape(6, 5, 4) - 30
SPACING = [1.0, 2.0, 3.0]
FILES = ["a.npy", "a.npz", "a.h5", "a5.mat", "a73.mat"]
FUZZ = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
AXES = sorted(
    "".join(order)
    for letters in product("RL", "AP", "SI")
    for order in ([letters[i] for i in p] for p in [(0, 1, 2), (2, 1, 0), (1, 2, 0), (1, 0, 2)])
)


def variable(axes: str = "LPS") -> VolumeFiles:
    """A manifest's word for a named array."""
    stored = Variable(form="variable", variable="ct", axes=axes, spacing_mm=SPACING)
    return VolumeFiles(stored=stored)


def raw(**fields: object) -> VolumeFiles:
    """A manifest's word for raw bytes."""
    given = {"dtype": "int16", "byte_order": "little", "shape": [6, 5, 4], **fields}
    return VolumeFiles(stored=Raw(form="raw", axes="LPS", spacing_mm=SPACING, **given))


def save(folder: Path, name: str, values: np.ndarray = VALUES, **options: object) -> Root:
    """Write values as the variable `ct` of a file of that kind."""
    path = folder / name
    if name.endswith(".npy"):
        np.save(path, values)
    elif name.endswith(".npz"):
        np.savez_compressed(path, other=np.zeros(3), ct=values)
    elif name == "a5.mat":
        scipy.io.savemat(path, {"other": 1.0, "ct": values}, do_compression=True)
    else:
        block = 512 if name.endswith(".mat") else 0
        with h5py.File(path, "w", userblock_size=block) as file:
            turned = values.T if block else values
            file.create_dataset("ct", data=turned, compression="gzip", **options)
        if block:
            with path.open("r+b") as head:
                head.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    return Root(source="toy", folder=folder)


def read(folder: Path, name: str, how: VolumeFiles | None = None) -> Volume:
    """What is read from a file."""
    return read_volume(Root(source="toy", folder=folder), name, how or variable())


def reason(folder: Path, name: str, how: VolumeFiles | None = None) -> str:
    """Why a file is refused."""
    with pytest.raises(CaseError) as caught:
        read(folder, name, how)
    return caught.value.reason


@pytest.mark.parametrize("name", FILES)
def test_every_kind_gives_the_same_values_and_place(tmp_path: Path, name: str) -> None:
    volume = read_volume(save(tmp_path, name), name, variable())
    np.testing.assert_array_equal(volume.values, VALUES)
    np.testing.assert_allclose(volume.affine, np.diag([-1.0, -2.0, 3.0, 1.0]))


@pytest.mark.parametrize("axes", AXES)
def test_axes_mean_what_nibabel_means_by_them(tmp_path: Path, axes: str) -> None:
    volume = read_volume(save(tmp_path, "a.npy"), "a.npy", variable(axes))
    assert "".join(nib.aff2axcodes(volume.affine)) == axes
    np.testing.assert_allclose(nib.affines.voxel_sizes(volume.affine), SPACING)


@pytest.mark.parametrize("axes", ["LRS", "LP", "LPSA", "**LP", "LP*", "xyz", "L*PSA"])
def test_axes_that_name_no_three_directions_are_no_manifest(axes: str) -> None:
    with pytest.raises(ValidationError):
        variable(axes)


@pytest.mark.parametrize("kind", ["i1", "u1", ">i2", "u2", "<i4", "u4", ">f4", "f8", "?"])
@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.h5"])
def test_every_type_of_number_is_read(tmp_path: Path, name: str, kind: str) -> None:
    values = (VALUES % 2).astype(kind)
    found = read_volume(save(tmp_path, name, values), name, variable())
    np.testing.assert_array_equal(found.values, values)


@pytest.mark.parametrize("order", ["C", "F"])
def test_both_orders_of_numpy_are_read(tmp_path: Path, order: str) -> None:
    values = np.asarray(VALUES, order=order)
    found = read_volume(save(tmp_path, "a.npy", values), "a.npy", variable()).values
    np.testing.assert_array_equal(found, VALUES)


@pytest.mark.parametrize("at", range(4))
def test_the_starred_axis_tells_volumes_apart(tmp_path: Path, at: int) -> None:
    values = np.stack([VALUES, VALUES + 100], axis=at)
    axes = "LPS"[:at] + "*" + "LPS"[at:]
    found = read_volumes(save(tmp_path, "a.npz", values), "a.npz", Wanted(count=2), variable(axes))
    np.testing.assert_array_equal(found[1].values, VALUES + 100)
    assert found[1].steps == ({"step": "select_volume", "index": 1, "of": 2},)


@pytest.mark.parametrize("name", FILES)
def test_another_number_of_axes_is_refused(tmp_path: Path, name: str) -> None:
    save(tmp_path, name, VALUES[0])
    assert reason(tmp_path, name) == "shape_mismatch"


@pytest.mark.parametrize("name", FILES[1:])
def test_a_variable_that_is_not_there_is_refused(tmp_path: Path, name: str) -> None:
    save(tmp_path, name)
    stored = Variable(form="variable", variable="mask", axes="LPS", spacing_mm=SPACING)
    assert reason(tmp_path, name, VolumeFiles(stored=stored)) == "file_unsupported"


def test_files_without_a_word_of_the_manifest_are_refused(tmp_path: Path) -> None:
    save(tmp_path, "a.npy")
    assert reason(tmp_path, "a.npy", VolumeFiles()) == "file_unsupported"


class _Bomb:
    """Says so when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise AssertionError('unpickled')",)


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_objects_are_never_unpickled(tmp_path: Path, name: str) -> None:
    data = np.array([_Bomb()], dtype=object)
    (np.save if name == "a.npy" else lambda p, a: np.savez(p, ct=a))(tmp_path / name, data)
    assert reason(tmp_path, name) == "file_unsupported"


def test_a_pickle_named_npy_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(pickle.dumps(_Bomb()))
    assert reason(tmp_path, "a.npy") == "file_unreadable"


def npy(shape: tuple[int, ...], body: bytes = b"") -> bytes:
    """An array file that claims a shape."""
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        out, {"descr": "<i2", "fortran_order": False, "shape": shape}
    )
    return out.getvalue() + body


def test_a_claim_beyond_the_file_takes_no_memory(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(npy((1200, 1200, 1200), bytes(100)))
    assert reason(tmp_path, "a.npy") == "file_unreadable"


def test_a_claim_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(npy((1 << 20, 1 << 20, 1 << 20)))
    assert reason(tmp_path, "a.npy") == "file_too_large"


def test_a_packed_claim_beyond_what_deflate_can_hold_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ct.npy", npy((1200, 1200, 1200)))
    assert reason(tmp_path, "a.npz") == "file_unreadable"


def test_an_archive_that_points_before_its_beginning_is_refused(tmp_path: Path) -> None:
    save(tmp_path, "a.npz")
    data = (tmp_path / "a.npz").read_bytes()
    at = data.rindex(b"PK\x05\x06") + 16  # where the directory begins, as the end record says
    start = int.from_bytes(data[at : at + 4], "little")
    broken = data[:at] + (start + 1000).to_bytes(4, "little") + data[at + 4 :]
    (tmp_path / "a.npz").write_bytes(broken)
    assert reason(tmp_path, "a.npz") == "file_unreadable"


def test_hdf5_that_holds_nothing_of_what_it_claims_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("ct", shape=(1200, 1200, 1200), dtype="i2", chunks=(64, 64, 64))
    assert reason(tmp_path, "a.h5") == "file_unreadable"


def test_hdf5_links_out_of_the_file_are_not_followed(tmp_path: Path) -> None:
    save(tmp_path, "b.h5")
    for name, link in (
        ("soft.h5", h5py.SoftLink("/ct")),
        ("out.h5", h5py.ExternalLink("b.h5", "/ct")),
    ):
        with h5py.File(tmp_path / name, "w") as file:
            file["ct"] = link
        assert reason(tmp_path, name) == "file_unsupported"


def test_hdf5_values_kept_elsewhere_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(bytes(240))
    with h5py.File(tmp_path / "external.h5", "w") as file:
        file.create_dataset("ct", shape=VALUES.shape, dtype="i2", external=[("secret", 0, 240)])
    assert reason(tmp_path, "external.h5") == "file_unsupported"
    save(tmp_path, "b.h5")
    layout = h5py.VirtualLayout(shape=VALUES.shape, dtype="i2")
    layout[...] = h5py.VirtualSource(str(tmp_path / "b.h5"), "ct", shape=VALUES.shape)
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        file.create_virtual_dataset("ct", layout)
    assert reason(tmp_path, "virtual.h5") == "file_unsupported"


def test_a_field_of_a_struct_in_matlab_73_is_found(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a73.mat", "w", userblock_size=512) as file:
        file.create_dataset("cjdata/image", data=VALUES.T)
    with (tmp_path / "a73.mat").open("r+b") as head:
        head.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    stored = Variable(form="variable", variable="cjdata/image", axes="LPS", spacing_mm=SPACING)
    found = read(tmp_path, "a73.mat", VolumeFiles(stored=stored))
    np.testing.assert_array_equal(found.values, VALUES)


MAT_ARRAYS = st.tuples(
    st.tuples(*[st.integers(1, 4)] * 3),
    st.sampled_from(["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"]),
    st.booleans(),
    st.integers(0, 1000),
)


@FUZZ
@given(made=MAT_ARRAYS)
def test_matlab_arrays_are_what_scipy_reads(tmp_path: Path, made: tuple) -> None:
    shape, kind, packed, seed = made
    values = np.random.default_rng(seed).integers(0, 100, shape).astype(kind)
    scipy.io.savemat(tmp_path / "a.mat", {"x": 3, "ct": values}, do_compression=packed)
    expected = scipy.io.loadmat(tmp_path / "a.mat")["ct"]
    found = read(tmp_path, "a.mat", variable("LPS")) if expected.ndim == 3 else None
    if found:
        np.testing.assert_array_equal(found.values, expected)


@pytest.mark.parametrize("what", ["text", {"a": VALUES}, VALUES * 1j, np.array([["a"]], object)])
def test_matlab_variables_that_are_no_plain_arrays_are_refused(
    tmp_path: Path, what: object
) -> None:
    scipy.io.savemat(tmp_path / "a.mat", {"ct": what})
    assert reason(tmp_path, "a.mat") == "file_unsupported"


def test_a_matlab_claim_beyond_the_file_takes_no_memory(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "a.mat", {"ct": VALUES})
    data = bytearray((tmp_path / "a.mat").read_bytes())
    at = data.index(struct.pack("<3i", 6, 5, 4))
    data[at : at + 12] = struct.pack("<3i", 1200, 1200, 1200)
    (tmp_path / "a.mat").write_bytes(data)
    assert reason(tmp_path, "a.mat") == "file_unreadable"


def mutated(folder: Path, name: str, data: st.DataObject) -> str:
    """What a damaged file gives."""
    save(folder, name)
    broken = bytearray((folder / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    (folder / name).write_bytes(broken[: data.draw(st.integers(1, len(broken)))])
    return outcome(folder, name)


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a5.mat"])
@FUZZ
@given(data=st.data())
def test_mutated_files_give_a_volume_or_a_reason(
    tmp_path: Path, name: str, data: st.DataObject
) -> None:
    assert mutated(tmp_path, name, data) in words("rejection") | {"read"}


@pytest.mark.parametrize("name", ["a.h5", "a73.mat"])
@settings(FUZZ, max_examples=25)  # a process each
@given(data=st.data())
def test_mutated_hdf5_gives_a_volume_or_a_reason(
    tmp_path: Path, name: str, data: st.DataObject
) -> None:
    assert mutated(tmp_path, name, data) in words("rejection") | {"read"}


@pytest.mark.parametrize(
    "program",
    [
        "import os; os.abort()",
        "import time; time.sleep(60)",
        'print(\'{"shape": [6, 5, 4], "chunk": [], "dtype": "<i2", "held": 240, '
        '"is_packed": false}\', flush=True); import os; os.abort()',
    ],
)
def test_a_file_that_ends_or_holds_its_reader_is_a_reason(
    tmp_path: Path, program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path, "a.h5")
    (tmp_path / "reader.py").write_text(program)
    monkeypatch.setattr(hdf5, "_PROGRAM", tmp_path / "reader.py")
    monkeypatch.setattr(hdf5, "LIMIT_SECONDS", 2.0)
    assert reason(tmp_path, "a.h5") == "file_unreadable"


def outcome(folder: Path, name: str) -> str:
    """Why a file is refused, or "read"."""
    try:
        read(folder, name)
    except CaseError as error:
        return error.reason
    return "read"


@pytest.mark.parametrize("name", ["a.raw", "a.raw.gz", "a.img"])
@pytest.mark.parametrize("order", ["little", "big"])
def test_raw_bytes_are_read_as_the_manifest_says(tmp_path: Path, name: str, order: str) -> None:
    data = bytes(7) + VALUES.astype({"little": "<i2", "big": ">i2"}[order]).tobytes(order="F")
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    volume = read(tmp_path, name, raw(byte_order=order, skip_bytes=7))
    np.testing.assert_array_equal(volume.values, VALUES)
    np.testing.assert_allclose(volume.affine, np.diag([-1.0, -2.0, 3.0, 1.0]))


@pytest.mark.parametrize(("count", "expected"), [(-1, "file_unreadable"), (1, "shape_mismatch")])
@pytest.mark.parametrize("name", ["a.raw", "a.raw.gz"])
def test_raw_bytes_of_another_length_are_refused(
    tmp_path: Path, name: str, count: int, expected: str
) -> None:
    data = bytes(240 + count)
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    assert reason(tmp_path, name, raw()) == expected


def test_a_shape_of_another_number_of_axes_is_no_manifest() -> None:
    with pytest.raises(ValidationError):
        raw(shape=[6, 5, 4, 2])
