"""Twins of arrays: a few rows an array, each a smooth scene with a bright disc of its own."""

import io

import numpy as np

from tests.fakes import Twin, TwinImage
from tests.fakes.images import owned_values
from tests.fakes.paths import path_for

SIZE = (72, 56)
ROWS = 4
MATLAB_HEADER = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"


def write(twin: Twin, count: int) -> None:
    """Write files with an array of pictures for each part; a file or three, as names allow."""
    layout = twin.manifest.layout
    owned = owned_values(layout)
    _, captured = path_for(layout.images, {}, 0)
    # Without a placeholder there is one file; then all parts are in it.
    for number in range(count // ROWS if captured.keys() - set(owned) else 1):
        fields = {name: values[number % len(values)] for name, values in owned.items()}
        path, fields = path_for(layout.images, fields, number)
        for at, (part, variable) in enumerate(layout.variables.items()):
            turn = number * len(layout.variables) + at
            rows = [pixels(layout, ROWS * turn + row) for row in range(ROWS)]
            put(twin, path, variable, rows[0] if layout.one_picture else np.stack(rows))
            named = f"{path}#{part}" if len(layout.variables) > 1 else path
            twin.images.append(
                TwinImage(
                    path=named,
                    fields={"path": path, **fields, "file": path, "part": fields.get("part", part)},
                    number=turn,
                    width=SIZE[0],
                    height=SIZE[1],
                )
            )


def rows_of(layout) -> int:
    """How many pictures an array holds."""
    return 1 if layout.one_picture else ROWS


def pixels(layout, number: int) -> np.ndarray:
    """A picture as it is stored: of one byte in files of NumPy, else larger numbers."""
    y, x = np.mgrid[0 : SIZE[1], 0 : SIZE[0]]
    grey = (40 + 2 * x + y + 9 * number) % 160
    disc = np.hypot(x - 20 - 3 * (number % 10), y - SIZE[1] / 2) < SIZE[1] / 5
    grey = np.where(disc, 220 - number % 30, grey)
    if layout.images.endswith((".npy", ".npz")):
        colors = [grey, grey // 2 + 20, grey // 3 + 40]
        if layout.channels:  # masks follow, which a block puts in
            return np.stack([*colors, 0 * grey], axis=-1).astype(np.int32)
        return np.stack(colors, axis=-1).astype(np.uint8)
    return grey.astype(np.float32) * 7


def put(twin: Twin, path: str, variable: str | None, values: np.ndarray) -> None:
    """Add an array to a file, which is written anew."""
    held = twin.arrays.setdefault(path, {})
    held[variable or ""] = values
    out = io.BytesIO()
    suffix = path.rsplit(".", 1)[-1]
    if suffix == "npy":
        np.save(out, values)
    elif suffix == "npz":
        np.savez_compressed(out, **held)
    else:
        out.write(_hdf5(held, is_matlab=suffix == "mat"))
    twin.write(path, out.getvalue())


def _hdf5(held: dict[str, np.ndarray], *, is_matlab: bool) -> bytes:
    """An HDF5 file; as MATLAB writes it, with its header before and its axes turned."""
    import h5py

    out = io.BytesIO()
    with h5py.File(out, "w", userblock_size=512 if is_matlab else 0) as file:
        for name, values in held.items():
            file[name] = values.T if is_matlab else values
    data = out.getvalue()
    return MATLAB_HEADER + data[len(MATLAB_HEADER) :] if is_matlab else data
