"""XML files of LIDC-IDRI: what each reader has outlined, before it is put on voxels."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree.ElementTree import Element, ParseError

import numpy as np
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring, iterparse

from converters.annotations.boxes import parse_number
from converters.errors import CaseError
from converters.imaging.readers import Pixels

_NS = "{http://www.nih.gov}"
_ROOT = f"{_NS}LidcReadMessage"
_MAX_POINTS = 2_000_000
_MAX_PLACE = 1 << 16
_BROKEN = (ParseError, DefusedXmlException, StopIteration, ValueError, LookupError)


@dataclass(frozen=True, kw_only=True, slots=True)
class Roi:
    """An outline on one slice.

    Attributes:
        sop_uid: SOP Instance UID of the slice.
        z_mm: Its place along z, LPS.
        is_hole: Whether what it goes around is left out of the nodule.
        points: Column and row of each pixel, from 0.
    """

    sop_uid: str
    z_mm: float
    is_hole: bool
    points: Pixels


@dataclass(frozen=True, kw_only=True, slots=True)
class Readings:
    """What an XML file says of a series.

    Attributes:
        series_uid: Series Instance UID.
        readers: By reader: the outlines of each nodule of 3 mm or more.
    """

    series_uid: str
    readers: tuple[tuple[tuple[Roi, ...], ...], ...]


def series_of(data: bytes, path: str) -> str | None:
    """The series that a file is of, from its head; None where it is of another kind.

    Raises:
        CaseError: ``file_unreadable`` or ``value_invalid``.
    """
    events = iterparse(io.BytesIO(data), events=("start", "end"), forbid_dtd=True)
    try:
        _, top = next(events)
        if top.tag != _ROOT:
            return None
        for event, element in events:
            if event == "end" and element.tag == f"{_NS}ResponseHeader":
                return _text(element, "SeriesInstanceUid", path)
    except _BROKEN as error:
        raise CaseError("file_unreadable", f"{path} is no plain XML: {error}"[:200]) from error
    raise CaseError("value_invalid", f"{path} names no series")


def parse_readings(data: bytes, path: str) -> Readings | None:
    """The readings of a file; None where it is of another kind (of radiographs).

    Nodules below 3 mm and what is no nodule have a point and no outline; they are left out.

    Raises:
        CaseError: ``file_unreadable`` or ``value_invalid``.
    """
    try:
        tree = fromstring(data, forbid_dtd=True)
    except _BROKEN as error:
        raise CaseError("file_unreadable", f"{path} is no plain XML: {error}"[:200]) from error
    if tree.tag != _ROOT:
        return None
    series_uid = (tree.findtext(f"{_NS}ResponseHeader/{_NS}SeriesInstanceUid") or "").strip()
    if not series_uid:
        raise CaseError("value_invalid", f"{path} names no series")
    if sum(1 for _ in tree.iter(f"{_NS}edgeMap")) > _MAX_POINTS:
        raise CaseError("file_too_large", f"{path} holds more than {_MAX_POINTS:,} points")
    readers = tuple(
        tuple(_nodules(session, path)) for session in tree.findall(f"{_NS}readingSession")
    )
    return Readings(series_uid=series_uid, readers=readers)


def _nodules(session: Element, path: str) -> Iterator[tuple[Roi, ...]]:
    for nodule in session.findall(f"{_NS}unblindedReadNodule"):
        name = nodule.findtext(f"{_NS}noduleID") or "?"
        where = f"{path}, nodule {name.strip()[:40]}"
        rois = tuple(_roi(roi, where) for roi in nodule.findall(f"{_NS}roi"))
        if any(len(roi.points) > 1 for roi in rois):
            yield rois


def _roi(roi: Element, where: str) -> Roi:
    inclusion = _text(roi, "inclusion", where).upper()
    if inclusion not in ("TRUE", "FALSE"):
        raise CaseError("value_invalid", f"{where}: inclusion is {inclusion[:40]!r}")
    points = [
        [_place(_text(edge, name, where), where) for name in ("xCoord", "yCoord")]
        for edge in roi.findall(f"{_NS}edgeMap")
    ]
    return Roi(
        sop_uid=_text(roi, "imageSOP_UID", where),
        z_mm=parse_number(_text(roi, "imageZposition", where), where),
        is_hole=inclusion == "FALSE",
        points=np.array(points, dtype=np.int64).reshape(-1, 2),
    )


def _text(element: Element, name: str, where: str) -> str:
    text = (element.findtext(f"{_NS}{name}") or "").strip()
    if not text:
        raise CaseError("value_invalid", f"{where} has no {name}")
    return text


def _place(text: str, where: str) -> int:
    value = parse_number(text, where)
    if not (value.is_integer() and 0 <= value < _MAX_PLACE):
        raise CaseError("value_invalid", f"{where}: {text[:40]!r} is no pixel")
    return int(value)
