"""Twins of Pascal VOC: an XML file an image with an object of each label."""

from converters.specs.annotations import Voc
from tests.fakes import Twin
from tests.fakes.paths import path_for


def write(spec: Voc, twin: Twin) -> None:
    """Write the XML files; the number of objects changes from image to image."""
    codes = list(spec.labels)
    for image in twin.images:
        count = 1 + image.number % min(len(codes) + 1, 7)  # more would not fit
        objects = []
        for at in range(count):
            code = codes[(image.number + at) % len(codes)]
            twin.expect(spec.labels[code])
            x, y = 4 + 7 * at, 3 + 5 * at
            objects.append(_object(spec, code, x, y, x + 9, y + 8))
        for code in spec.ignore[:1]:
            objects.append(_object(spec, code, 1, 1, 5, 5))
        path, _ = path_for(spec.files, image.fields, image.number)
        size = f"<size><width>{image.width}</width><height>{image.height}</height></size>"
        twin.write(path, f"<annotation>{size}{''.join(objects)}</annotation>\n")


def _object(spec: Voc, code: str, *corners: int) -> str:
    """Corners are pixels from 0, upper bounds exclusive; they are written as the spec counts."""
    first, more = spec.first_pixel, int(spec.inclusive)
    x_min, y_min, x_max, y_max = corners
    numbers = (x_min + first, y_min + first, x_max + first - more, y_max + first - more)
    names = ("xmin", "ymin", "xmax", "ymax")
    box = "".join(f"<{name}>{n}</{name}>" for name, n in zip(names, numbers, strict=True))
    return f"<object><name>{code}</name><bndbox>{box}</bndbox></object>"
