"""Twins of YOLO boxes: a text file an image with a box of each label."""

from converters.specs.shapes import YoloBoxes
from tests.fakes import Twin
from tests.fakes.paths import path_for


def write(spec: YoloBoxes, twin: Twin) -> None:
    """Write the text files; the number of boxes changes from image to image."""
    codes = list(spec.labels)
    for image in twin.images:
        lines = [f"{code} 0.5 0.5 0.25 0.5" for code in spec.ignore[:1]]
        for at in range(1 + image.number % min(len(codes) + 1, 12)):
            code = codes[(image.number + at) % len(codes)]
            twin.expect(spec.labels[code])
            lines.append(f"{code} {0.25 + 0.03 * at:.6f} 0.5 0.2 0.25")
        path, _ = path_for(spec.files, image.fields, image.number)
        twin.write(path, "".join(f"{line}\n" for line in lines))
