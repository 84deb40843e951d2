"""Twins of structure files: a binary volume for each term, empty where the term is not there."""

import numpy as np

from converters.specs.annotations import StructureFiles
from tests.fakes import Twin
from tests.fakes.paths import path_for
from tests.fakes.volume_files import write_volume
from tests.fakes.volumes import SHAPE, blocks_of


def write(spec: StructureFiles, twin: Twin) -> None:
    """Write every structure of every image."""
    inside = 1 if spec.threshold is None else max(1, int(spec.threshold * 2))
    for image in twin.images:
        blocks = {b.term: b for b in blocks_of(twin.manifest.layout, image.number)}
        for code, term in spec.labels.items():
            values = np.zeros(SHAPE, dtype=np.uint8)
            if term in blocks:
                values[blocks[term].bounds] = inside
            path, _ = path_for(spec.files, {**image.fields, spec.field: code}, image.number)
            write_volume(twin, path, values, image.number)
