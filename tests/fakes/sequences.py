"""Twins of volumes with several sequences: files of their own, or volumes of one file."""

import numpy as np

from converters.pattern import fill
from tests.fakes import Twin
from tests.fakes.label_table import key_values, table_bytes
from tests.fakes.paths import path_for
from tests.fakes.volume_files import write_volume


def write_images(
    twin: Twin, path: str, fields: dict[str, str], values: np.ndarray, number: int
) -> int:
    """Write the images of one case; how many volumes of it are to be shown."""
    layout = twin.manifest.layout
    names = getattr(layout, "sequences", None)
    if isinstance(names, dict):
        for place, pattern in enumerate(names.values()):
            own, _ = path_for(pattern, fields, number)
            shown = values if own == path else weaker(values, place)
            write_volume(twin, own, shown, number + place)
        return len(names)
    if names:
        others = [weaker(values, place) for place in range(1, len(names))]
        write_volume(twin, path, np.stack([values, *others], axis=-1), number)
        return len(names)
    if layout.frames:
        write_volume(twin, path, in_frames(layout, values, weaker(values, 1), number), number)
        return len(layout.frames.columns)
    if layout.volume is not None:
        others = [weaker(values, place) for place in range(layout.volume)]
        write_volume(twin, path, np.stack([*others, values], axis=-1), number)
        return 1
    write_volume(twin, path, values, number)
    return 1


def frame_indices(layout, number: int) -> dict[str, int]:
    """By column of the table of frames: which volume of a file it names."""
    columns = list(layout.frames.columns.values())
    return {column: 2 * place + number % 2 for place, column in enumerate(columns)}


def in_frames(layout, marked: np.ndarray, other: np.ndarray, number: int) -> np.ndarray:
    """A series in time: `marked` at the frames that the table names, `other` at the rest."""
    indices = frame_indices(layout, number).values()
    count = 2 * len(layout.frames.columns) + 1
    return np.stack([marked if at in indices else other for at in range(count)], axis=-1)


def write_frames(twin: Twin) -> None:
    """The table of frames, a row an image."""
    frames = twin.manifest.layout.frames
    rows = [
        {
            **key_values(frames.key, fill(frames.match, image.fields)),
            **{c: str(at) for c, at in frame_indices(twin.manifest.layout, image.number).items()},
        }
        for image in twin.images
    ]
    twin.write(path_for(frames.table.path, {}, 0)[0], table_bytes(frames.table, rows))


def weaker(values: np.ndarray, place: int) -> np.ndarray:
    """The same volume with less contrast, other for each place."""
    least = values.min()
    return (least + (values - least) * (6 - place % 4) // 8).astype(values.dtype)
