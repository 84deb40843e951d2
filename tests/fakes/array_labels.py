"""Twins of labels in arrays: codes in turn, or numbers of which one or two are 1."""

import numpy as np

from converters.specs.arrays import ArrayLabels
from tests.fakes import Twin
from tests.fakes.arrays import put, rows_of
from tests.fakes.paths import path_for


def write(spec: ArrayLabels, twin: Twin) -> None:
    """Write the labels of each array of pictures."""
    codes = list(spec.labels)
    for image in twin.images:
        numbers = []
        for row in range(rows_of(twin.manifest.layout)):
            turn = image.number * rows_of(twin.manifest.layout) + row
            there = [codes[turn % len(codes)]]
            if not spec.exclusive:
                there = sorted({*there, codes[turn * 3 % len(codes)]})
            for code in there if spec.style == "one_hot" else there[:1]:
                twin.expect(spec.labels[code])
            width = len(codes) + len(spec.ignore)
            one_hot = [int(code in there) for code in range(width)]
            numbers.append(one_hot if spec.style == "one_hot" else there[:1])
        path = path_for(spec.files, image.fields, 0)[0] if spec.files else image.fields["file"]
        put(twin, path, spec.variables[image.fields["part"]], np.array(numbers, dtype=np.int64))
