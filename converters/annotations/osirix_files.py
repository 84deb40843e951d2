"""Outlines as OsiriX exports them: property lists in XML, one an image."""

import plistlib
import re
from collections.abc import Mapping
from typing import Any
from xml.parsers.expat import ExpatError

from converters.annotations.outline_files import MAX_SHAPES, Drawing, Shape
from converters.errors import CaseError
from converters.files import Root
from converters.imaging.outlines import outline_points

_BYTES = 64 << 20
_POINT = re.compile(r"\(\s*(-?[0-9.]{1,20})\s*,\s*(-?[0-9.]{1,20})\s*\)")
# Entities are refused by plistlib itself.
_BROKEN = (ExpatError, plistlib.InvalidFileException, ValueError, TypeError, KeyError,
           IndexError, AttributeError, OverflowError, RecursionError)  # fmt: skip


def read_osirix(root: Root, path: str) -> Drawing:
    """The regions of one image; those of one or two points have no outline and are counted.

    Raises:
        CaseError: ``file_unreadable`` or ``value_invalid``, where it is no such list;
            ``file_too_large``.
    """
    data = root.read(path, _BYTES)
    try:
        content = plistlib.loads(data, fmt=plistlib.FMT_XML)
    except _BROKEN as error:
        text = f"{type(error).__name__}: {error}"[:160]
        raise CaseError("file_unreadable", f"{path} is no property list: {text}") from error
    regions = _regions(content, path)
    shapes = []
    for at, region in enumerate(regions):
        where = f"{path}, region {at + 1}"
        points = _points(region, where)
        if len(points) >= 3:
            shapes.append(Shape(code=_name(region, where), points=outline_points(points, where)))
    return Drawing(shapes=tuple(shapes), left_out=len(regions) - len(shapes))


def _regions(content: Any, path: str) -> list[Mapping[str, Any]]:  # noqa: ANN401 - of a stranger
    images = content.get("Images") if isinstance(content, dict) else None
    if not isinstance(images, list) or len(images) != 1 or not isinstance(images[0], dict):
        raise CaseError("value_invalid", f"{path} holds no list of one image")
    regions = images[0].get("ROIs", [])
    if not isinstance(regions, list) or not all(isinstance(one, dict) for one in regions):
        raise CaseError("value_invalid", f"{path} holds no list of regions")
    if len(regions) > MAX_SHAPES:
        raise CaseError("file_too_large", f"{path} holds {len(regions):,} regions")
    return regions


def _name(region: Mapping[str, Any], where: str) -> str:
    name = region.get("Name", "")
    if not isinstance(name, str):
        raise CaseError("value_invalid", f"{where}: name {name!r:.40}")
    return name.strip()


def _points(region: Mapping[str, Any], where: str) -> list[list[float]]:
    written = region.get("Point_px")
    if not isinstance(written, list):
        raise CaseError("value_invalid", f"{where}: no list of points")
    points = []
    for one in written:
        found = _POINT.fullmatch(one) if isinstance(one, str) else None
        if found is None:
            raise CaseError("value_invalid", f"{where}: {one!r:.40} is no point")
        try:
            points.append([float(found[1]), float(found[2])])
        except ValueError as error:
            raise CaseError("value_invalid", f"{where}: {one!r:.40} is no point") from error
    return points
