"""Twins of COCO: one JSON file for all images."""

import json

from converters.pattern import fill
from converters.specs.annotations import Coco
from tests.fakes import Twin
from tests.fakes.paths import path_for


def write(spec: Coco, twin: Twin) -> None:
    """Write the file; one category that is ignored, where the manifest names one."""
    names = [*spec.labels, *spec.ignore]
    categories = [{"id": at + 3, "name": name} for at, name in enumerate(names)]
    images, annotations = [], []
    for image in twin.images:
        name = fill(spec.match, image.fields)
        images.append({"id": image.number + 100, "file_name": name, "width": image.width,
                       "height": image.height})  # fmt: skip
        for at in range(1 + image.number % 3):
            code = names[(image.number + at) % len(names)]
            if code in spec.labels:
                twin.expect(spec.labels[code])
            annotations.append({
                "id": len(annotations), "image_id": image.number + 100,
                spec.category: names.index(code) + 3, "bbox": [3 + 8 * at, 2 + 4 * at, 9.5, 8.25],
                "iscrowd": 0, "area": 78.4,
            })  # fmt: skip
    content = {"images": images, "annotations": annotations, spec.categories: categories}
    path, _ = path_for(spec.files[0], {}, 0)
    twin.write(path, json.dumps(content))
