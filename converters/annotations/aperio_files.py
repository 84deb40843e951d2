"""Outlines as Aperio ImageScope writes them: XML, one file an image."""

from collections.abc import Iterator
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from converters.annotations.boxes import parse_number
from converters.annotations.outline_files import MAX_SHAPES, Drawing, Shape
from converters.errors import CaseError
from converters.files import Root
from converters.imaging.outlines import MAX_POINTS, outline_points

_BYTES = 256 << 20
_OPEN = ("3", "4", "5")  # Region types of pen line, arrow and ruler


def read_aperio(root: Root, path: str, only: str | None) -> Drawing:
    """The regions of a file; those of one or two points have no outline and are counted.

    Args:
        root: Of the source.
        path: Of the file.
        only: The code of every region; None where each annotation is named by its first
            attribute.

    Raises:
        CaseError: ``file_unreadable`` or ``value_invalid``.
    """
    try:
        tree = fromstring(root.read(path, _BYTES), forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise CaseError("file_unreadable", f"{path} is no plain XML: {error}"[:200]) from error
    if tree.tag != "Annotations":
        raise CaseError("file_unreadable", f"{path} holds {tree.tag[:40]!r}, no Annotations")
    shapes: list[Shape] = []
    left_out = 0
    for annotation in tree.findall("Annotation"):
        for number, region in enumerate(annotation.findall("Regions/Region"), start=1):
            where = f"{path}, region {region.get('Id', number)}"
            points = list(_points(region, where))
            if len(points) < 3:
                left_out += 1
                continue
            code = _name(annotation, where) if only is None else only
            shapes.append(Shape(code=code, points=outline_points(points, where)))
    if len(shapes) > MAX_SHAPES:
        raise CaseError("file_too_large", f"{path} holds {len(shapes):,} regions")
    return Drawing(shapes=tuple(shapes), left_out=left_out)


def _points(region: Element, where: str) -> Iterator[list[float]]:
    if region.get("NegativeROA", "0") != "0":
        raise CaseError("value_invalid", f"{where} is one to be cut out of another")
    if region.get("Type", "0") in _OPEN:
        raise CaseError("outline_open", f"{where} is of type {region.get('Type')}, no closed line")
    for number, vertex in enumerate(region.findall("Vertices/Vertex")):
        if number > MAX_POINTS:
            raise CaseError("value_invalid", f"{where} has more than {MAX_POINTS:,} points")
        yield [parse_number(vertex.get(axis, ""), where) for axis in ("X", "Y")]


def _name(annotation: Element, where: str) -> str:
    attribute = annotation.find("Attributes/Attribute")
    name = attribute.get("Name", "").strip() if attribute is not None else ""
    if not name:
        raise CaseError("value_invalid", f"{where}: its annotation has no attribute with a name")
    return name
