"""Twins of label maps of several readers, one of whom sees less than the others."""

import numpy as np

from converters.specs.readers import ReaderMaps
from tests.fakes import Twin
from tests.fakes.paths import path_for
from tests.fakes.volume_files import write_volume
from tests.fakes.volumes import SHAPE, blocks_of


def write(spec: ReaderMaps, twin: Twin) -> None:
    """Write the same label map for every reader but one, who sees nothing on every other image."""
    codes = {term: code for code, term in spec.labels.items()}
    for image in twin.images:
        values = np.zeros(SHAPE, dtype=np.uint8)
        for block in blocks_of(twin.manifest.layout, image.number):
            if block.term in codes:
                values[block.bounds] = codes[block.term]
        for reader in range(spec.readers):
            is_blind = reader == 0 and image.number % 2 == 1 and spec.at_least < spec.readers
            own = {**image.fields, spec.reader: str(reader + 1)}
            path, _ = path_for(spec.files, own, image.number)
            write_volume(twin, path, np.zeros_like(values) if is_blind else values, image.number)
