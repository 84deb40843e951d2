"""Twins of volumes with several sequences: files of their own, or volumes of one file."""

import numpy as np

from tests.fakes import Twin
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
    if layout.volume is not None:
        others = [weaker(values, place) for place in range(layout.volume)]
        write_volume(twin, path, np.stack([*others, values], axis=-1), number)
        return 1
    write_volume(twin, path, values, number)
    return 1


def weaker(values: np.ndarray, place: int) -> np.ndarray:
    """The same volume with less contrast, other for each place."""
    least = values.min()
    return (least + (values - least) * (6 - place % 4) // 8).astype(values.dtype)
