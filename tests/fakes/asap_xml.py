"""Twins of ASAP outlines: a marked square in one region of each slide, with a hole."""

from converters.annotations.asap_xml import _is_free
from converters.specs.slides import AsapXml
from tests.fakes import Twin
from tests.fakes.paths import path_for

CORNER, SIDE, HOLE = 0.1, 0.3, 0.04  # of the region


def write(spec: AsapXml, twin: Twin) -> None:
    """Write a file for every slide that is not free of labels."""
    for image in twin.images:
        if spec.free and _is_free(spec, image.fields.get(spec.free.field)):
            continue
        group, label = list(spec.labels.items())[image.number % len(spec.labels)]
        corner, side, hole = (round(image.height * share) for share in (CORNER, SIDE, HOLE))
        left = image.height + corner  # in the second region
        shapes = [(group, square(left, corner, side))]
        shapes += [(name, square(left + hole, corner + hole, hole)) for name in spec.holes[:1]]
        path, _ = path_for(spec.files, image.fields, image.number)
        twin.write(path, document(shapes))
        twin.expect(label)


def square(left: int, top: int, side: int) -> list[tuple[int, int]]:
    """The corners of a square."""
    return [(left, top), (left + side, top), (left + side, top + side), (left, top + side)]


def document(shapes: list[tuple[str, list[tuple[int, int]]]]) -> str:
    """An XML file as ASAP writes it."""
    lines = ['<?xml version="1.0"?>', "<ASAP_Annotations>", "  <Annotations>"]
    for number, (group, points) in enumerate(shapes):
        lines.append(
            f'    <Annotation Name="Annotation {number}" Type="Polygon" '
            f'PartOfGroup="{group}" Color="#F4FA58">'
        )
        lines.append("      <Coordinates>")
        lines += [
            f'        <Coordinate Order="{order}" X="{x}" Y="{y}" />'
            for order, (x, y) in enumerate(points)
        ]
        lines += ["      </Coordinates>", "    </Annotation>"]
    return "\n".join([*lines, "  </Annotations>", "</ASAP_Annotations>", ""])
