"""Outlines of the ASAP viewer, one XML file a slide."""

from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np
from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from converters.annotations.contract import Block, Index, Question, Said, absent_terms
from converters.annotations.joins import join_files
from converters.errors import CaseError
from converters.facts import Mask, region_finding, region_of
from converters.files import Root
from converters.imaging.outlines import Points, fill_polygon, outline_points
from converters.records import Entry, Fault
from converters.specs.slides import AsapXml
from converters.vocabulary import term

XML_BYTES = 64 << 20
_POLYGONS = ("Polygon", "Spline", "Rectangle")


@dataclass(frozen=True, kw_only=True, slots=True)
class Outline:
    """One outline of a slide.

    Attributes:
        group: Its group in the file.
        points: Shape (n, 2): x and y in pixels of the full resolution, (0, 0) the corner of the
            first one.
    """

    group: str
    points: Points


def index(spec: AsapXml, block: Block) -> Index:
    """Join files with slides by the placeholders that their paths share."""
    joined = join_files(spec.files, {}, block)
    entries = {path: Entry(files=files) for path, files in joined.files.items()}
    faults = {
        path: Fault(reason="name_duplicate", message=f"outlines {', '.join(files[:3])}")
        for path, files in joined.files.items()
        if len(files) > 1
    }
    for image in block.images:
        if not _is_free(spec, image.fields.get(spec.free.field) if spec.free else None):
            continue
        if image.path in entries:
            faults[image.path] = Fault(
                reason="labels_contradict",
                message=f"{image.path} is said to be free of labels, and has outlines",
            )
        entries[image.path] = Entry(labels=())
    orphans = tuple((files[0], f"no slide belongs to {files[0]}") for files in joined.orphans)
    return Index(entries=entries, faults=faults, orphans=orphans)


def _is_free(spec: AsapXml, value: str | None) -> bool:
    return spec.free is not None and value in spec.free.values


def outlines(spec: AsapXml, root: Root, entry: Entry) -> list[Outline]:
    """Every outline of a slide; none where it is free of labels.

    Raises:
        CaseError: The file is unreadable, or names a group that the manifest does not know.
    """
    return [one for path in entry.files for one in _read_file(spec, root, path)]


def _read_file(spec: AsapXml, root: Root, path: str) -> list[Outline]:
    try:
        tree = ElementTree.fromstring(root.read(path, XML_BYTES))
    except (ElementTree.ParseError, DefusedXmlException, ValueError) as error:
        raise CaseError("file_unreadable", f"{path}: {type(error).__name__}") from error
    known = {*spec.labels, *spec.holes, *spec.ignore}
    found = []
    for number, one in enumerate(tree.iter("Annotation")):
        where = f"{path}, annotation {number}"
        group = one.get("PartOfGroup", "")
        if group not in known:
            raise CaseError("label_unknown", f"{where}: group {group[:40]!r} is not known")
        if group in spec.ignore:
            continue
        if one.get("Type") not in _POLYGONS:
            raise CaseError("value_invalid", f"{where} is a {one.get('Type', 'nothing')[:20]}")
        found.append(Outline(group=group, points=_points(one, where)))
    return found


def _points(annotation: Element, where: str) -> Points:
    places = []
    for one in annotation.iter("Coordinate"):
        try:
            places.append((int(one.get("Order", "")), float(one.get("X", "")),
                           float(one.get("Y", ""))))  # fmt: skip
        except ValueError as error:
            raise CaseError("value_invalid", f"{where}: {error}") from error
    if [order for order, _, _ in places] != list(range(len(places))):
        raise CaseError("value_invalid", f"{where}: its points are not in order")
    return outline_points([(x, y) for _, x, y in places], where)


def region_entry(
    entry: Entry, found: list[Outline], *, left: float, top: float, scale: float, side_px: int
) -> Entry:
    """What a slide's entry says of one region: outlines that reach into it, in its own pixels."""
    inside: list[Any] = []
    for one in found:
        points = (one.points - (left, top)) / scale
        if (points.max(axis=0) > 0).all() and (points.min(axis=0) < side_px).all():
            inside.append([one.group, points.tolist()])
    return Entry(files=entry.files, values=inside, labels=entry.labels)


def read(spec: AsapXml, question: Question) -> Said:
    """Findings of one region.

    A label whose part of the region is below the smallest area is neither there nor absent.

    Raises:
        CaseError: ``box_empty`` where all marked parts are too small.
    """
    values = question.entry.values
    assert isinstance(values, list)
    drawn: list[tuple[str, Points]] = [(one[0], np.array(one[1])) for one in values]  # type: ignore[index, misc]
    findings, small = [], set()
    for label in dict.fromkeys(spec.labels.values()):
        groups = [group for group, name in spec.labels.items() if name == label]
        mask = _filled(drawn, groups, question) & ~_filled(drawn, spec.holes, question)
        region = region_of(mask)
        if region is None:
            continue
        if np.count_nonzero(region.mask) < spec.min_area_px:
            small.add(label)
            continue
        findings.append(
            region_finding(
                region,
                term=term(label),
                code=", ".join(groups),
                size=question.picture.size,
                spacing_mm=question.spacing_mm,
                is_instance=False,
            )
        )
    there = {finding.label for finding in findings} | small
    is_known = question.entry.labels == () or spec.completeness == "complete"
    return Said(
        findings=tuple(findings),
        absent=absent_terms(terms_of(spec), there, is_known=is_known),
    )


def _filled(drawn: list[tuple[str, Points]], groups: list[str], question: Question) -> Mask:
    width, height = question.picture.size
    mask = np.zeros((height, width), dtype=bool)
    for group, points in drawn:
        if group in groups:
            mask |= fill_polygon(points, (width, height))
    return mask


def terms_of(spec: AsapXml) -> tuple[str, ...]:
    """Every term that the block can say."""
    return tuple(dict.fromkeys(spec.labels.values()))
