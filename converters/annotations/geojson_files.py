"""GeoJSON files of QuPath: one feature an object, in pixels of the picture."""

import json
from collections.abc import Iterator, Mapping

from converters.annotations.outline_files import Drawing, Shape, objects_of, pairs_of
from converters.errors import CaseError
from converters.files import Root
from converters.imaging.outlines import outline_points
from converters.json_files import read_own_json
from converters.records import Json

_BYTES = 256 << 20


def read_geojson(root: Root, path: str) -> Drawing:
    """The features of a file, named by their classification.

    The rings of a feature are one object by the even-odd rule: a ring within another one is a
    hole.

    Raises:
        CaseError: It is not GeoJSON, or a feature is no polygon or has no name.
    """
    content = read_own_json(root, path, _BYTES)
    features = content.get("features") if isinstance(content, dict) else content
    shapes: list[Shape] = []
    for number, feature in enumerate(objects_of(features, path)):
        where = f"{path}, feature {number + 1}"
        code = _name(feature, where)
        shapes += [
            Shape(code=code, points=outline_points(pairs_of(ring, where), where), group=f"{number}")
            for ring in _rings(feature, where)
        ]
    return Drawing(shapes=tuple(shapes))


def _rings(feature: Mapping[str, Json], where: str) -> Iterator[Json]:
    geometry = feature.get("geometry")
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if not isinstance(geometry, dict) or kind not in ("Polygon", "MultiPolygon"):
        raise CaseError("value_invalid", f"{where}: geometry of type {kind!r:.40}")
    polygons = geometry.get("coordinates")
    if kind == "Polygon":
        polygons = [polygons]
    for polygon in polygons if isinstance(polygons, list) else [None]:
        if not isinstance(polygon, list) or not polygon:
            raise CaseError("value_invalid", f"{where}: {polygon!r:.60} are no rings")
        yield from polygon


def _name(feature: Mapping[str, Json], where: str) -> str:
    """The name of the classification, which some programs write as JSON within JSON."""
    properties = feature.get("properties")
    said = properties.get("classification") if isinstance(properties, dict) else None
    if isinstance(said, str):
        try:
            said = json.loads(said)
        except (ValueError, RecursionError):
            said = {"name": said}
    name = said.get("name") if isinstance(said, dict) else None
    if not isinstance(name, str) or not name:
        raise CaseError("value_invalid", f"{where} has no classification with a name")
    return name
