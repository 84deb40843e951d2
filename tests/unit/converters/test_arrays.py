"""Arrays row by row: read in order, refused where a file is cut, turned with their masks."""

from pathlib import Path

import numpy as np
import pytest

from converters.annotations.array_masks import object_layers
from converters.errors import CaseError
from converters.imaging.array_rows import array_rows


def rows(path: Path, variable: str | None = None, *, is_one: bool = False) -> list[np.ndarray]:
    return list(array_rows(path, path.name, variable, is_one=is_one))


def test_rows_of_npy_come_in_order(tmp_path: Path) -> None:
    values = np.arange(24, dtype=np.uint8).reshape(4, 3, 2)
    np.save(tmp_path / "a.npy", values)
    assert np.array_equal(np.stack(rows(tmp_path / "a.npy")), values)


def test_rows_of_npz_are_those_of_their_name(tmp_path: Path) -> None:
    values = np.arange(12).reshape(4, 3)
    np.savez_compressed(tmp_path / "a.npz", one=values, other=values + 1)
    assert np.array_equal(np.stack(rows(tmp_path / "a.npz", "one")), values)


def test_an_array_may_be_one_picture(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((4, 3)))
    (one,) = rows(tmp_path / "a.npy", is_one=True)
    assert one.shape == (4, 3)


def test_a_file_that_is_cut_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((400, 30)))
    whole = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CaseError, match="cut"):
        rows(tmp_path / "a.npy")


def test_an_array_that_is_stored_column_by_column_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.asfortranarray(np.ones((4, 3))))
    with pytest.raises(CaseError, match="row by row"):
        rows(tmp_path / "a.npy")


def test_objects_are_told_apart_by_number() -> None:
    objects = np.array([[1, 1, 0, 2], [0, 0, 0, 2]])
    codes = np.array([[5, 5, 0, 6], [0, 0, 0, 6]])
    layers = object_layers(objects, codes, {5: "liver", 6: "spleen"}, 1, "toy")
    assert [(layer.label, len(layer.regions)) for layer in layers] == [("liver", 1), ("spleen", 1)]


def test_an_object_with_two_codes_is_refused() -> None:
    with pytest.raises(CaseError, match="object 1"):
        object_layers(np.ones((1, 2)), np.array([[5, 6]]), {5: "liver", 6: "spleen"}, 1, "toy")
