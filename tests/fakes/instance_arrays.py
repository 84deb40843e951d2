"""Twins of objects in arrays: a few squares with numbers that leave some out, and their codes."""

import io

import numpy as np

from converters.specs.instance_arrays import InstanceArrays
from tests.fakes import Twin, TwinImage
from tests.fakes.paths import path_for


def write(spec: InstanceArrays, twin: Twin) -> None:
    """Write a file for each image."""
    for image in twin.images:
        held = _arrays(spec, twin, image)
        path, _ = path_for(spec.files, image.fields, image.number)
        out = io.BytesIO()
        if path.endswith(".mat"):
            from scipy.io import savemat

            savemat(out, held, do_compression=bool(image.number % 2))
        elif path.endswith(".npy"):
            np.save(out, held[""])
        else:
            np.savez(out, **held)
        twin.write(path, out.getvalue())


def _arrays(spec: InstanceArrays, twin: Twin, image: TwinImage) -> dict[str, np.ndarray]:
    objects = np.zeros((image.height, image.width), dtype=np.float64)
    codes = np.zeros_like(objects)
    ids, kinds = [], []
    for at in range(2 + image.number % 2):
        code = list(spec.labels)[(image.number + at) % len(spec.labels)]
        where = (slice(5 + 9 * at, 11 + 9 * at), slice(7 + 8 * at, 14 + 8 * at))
        objects[where], codes[where] = 2 * at + 1, code
        ids.append(2 * at + 1)
        kinds.append(code)
        twin.expect(spec.labels[code])
    held = {spec.objects or "": objects}
    if spec.pixel_codes:
        held[spec.pixel_codes] = codes
    if spec.object_ids and spec.object_codes:
        # In no order, as some sources have them.
        held[spec.object_ids] = np.array(ids[::-1], dtype=np.float64)[:, None]
        held[spec.object_codes] = np.array(kinds[::-1], dtype=np.float64)[:, None]
    return held
