"""Twins of masks in arrays: a square a label, each with a number of its own."""

import numpy as np

from converters.specs.arrays import ArrayMasks
from tests.fakes import Twin
from tests.fakes.arrays import SIZE, put, rows_of
from tests.fakes.paths import path_for


def write(spec: ArrayMasks, twin: Twin) -> None:
    """Write the masks of each array of pictures, in as many channels as the spec names."""
    layout = twin.manifest.layout
    for image in twin.images:
        rows = [
            _row(spec, twin, image.number * rows_of(layout) + at) for at in range(rows_of(layout))
        ]
        path = path_for(spec.files, image.fields, 0)[0] if spec.files else image.fields["file"]
        values = np.stack([np.flipud(row) if layout.upside_down else row for row in rows])
        variable = spec.variables[image.fields["part"]]
        values = values[0] if layout.one_picture else values
        held = twin.arrays.get(path, {}).get(variable or "")
        if held is not None:  # pictures and masks are channels of one array
            values = np.where(np.arange(held.shape[-1]) == spec.objects, values, held)
        put(twin, path, variable, values)


def _row(spec: ArrayMasks, twin: Twin, turn: int) -> np.ndarray:
    codes = np.full(SIZE[::-1], spec.ignore[0] if spec.ignore else 0, dtype=np.int32)
    objects = np.zeros(SIZE[::-1], dtype=np.int32)
    labels = spec.labels or spec.by_channel or {1: spec.every_object}
    for at, (code, label) in enumerate(labels.items()):
        if (turn + at) % 3 == 2 and len(labels) > 1:
            continue
        twin.expect(label)
        where = (slice(6 * at + 2, 6 * at + 7), slice(5 + 3 * at, 14 + 3 * at))
        codes[where], objects[where] = code, 2 * at + 1
    if spec.by_channel:  # one more channel follows, as PanNuke has its background
        channels = np.arange(2 + max(spec.by_channel))
        return np.where(codes[..., None] == channels, objects[..., None], 0).astype(np.float64)
    return _planes(spec, codes, objects)


def _planes(spec: ArrayMasks, codes: np.ndarray, objects: np.ndarray) -> np.ndarray:
    """Codes and numbers in the channels that the spec names, or the codes alone."""
    if spec.channel is None and spec.objects is None:
        return codes
    last = max(spec.channel or 0, spec.objects or 0)
    planes = np.zeros((*codes.shape, 1 + last), dtype=np.int32)
    if spec.channel is not None:
        planes[..., spec.channel] = codes
    if spec.objects is not None:
        planes[..., spec.objects] = objects
    return planes
