"""Twins of sidecars: a JSON file with a pixel size for each image."""

import json

from converters.specs.annotations import Sidecar
from tests.fakes import Twin
from tests.fakes.paths import path_for


def write(spec: Sidecar, twin: Twin) -> None:
    """Write one sidecar an image, under the first pattern."""
    for image in twin.images:
        path, _ = path_for(spec.files[0], image.fields, image.number)
        twin.write(path, json.dumps({spec.size: [0.1, 0.2], spec.unit: "um"}))
