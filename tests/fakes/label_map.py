"""Twins of label maps: the blocks of the phantom, each with its code."""

import numpy as np

from converters.specs.annotations import LabelMap
from tests.fakes import Twin
from tests.fakes.paths import path_for
from tests.fakes.sequences import in_frames
from tests.fakes.volume_files import write_volume
from tests.fakes.volumes import SHAPE, blocks_of


def write(spec: LabelMap, twin: Twin) -> None:
    """Write one label map an image, and the names of the codes where the source ships them."""
    codes = {term: code for code, term in spec.labels.items()}
    largest = max(spec.labels)
    for image in twin.images:
        values = np.zeros(SHAPE, dtype=np.uint8 if largest < 256 else np.uint16)
        for block in blocks_of(twin.manifest.layout, image.number):
            if block.term in codes:
                values[block.bounds] = codes[block.term]
        if spec.volume == "frame":
            none = np.zeros_like(values)
            values = in_frames(twin.manifest.layout, values, none, image.number)
        path, _ = path_for(spec.files, image.fields, image.number)
        write_volume(twin, path, values, image.number)
    if spec.names_file:
        path, _ = path_for(spec.names_file, {}, 0)
        lines = [f"{code} {name} {1000 + code}\n" for code, name in (spec.names or {}).items()]
        twin.write(path, "".join(lines))
