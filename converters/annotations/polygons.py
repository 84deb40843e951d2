"""Outlines as lists of points, made regions of the picture."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from converters.annotations.aperio_files import read_aperio
from converters.annotations.contract import Block, Index, Question, Said, absent_terms
from converters.annotations.geojson_files import read_geojson
from converters.annotations.joins import join_files
from converters.annotations.layers import Layer, layer_findings, mask_layer
from converters.annotations.osirix_files import read_osirix
from converters.annotations.outline_files import (
    Drawing,
    Shape,
    read_contour,
    read_labelme,
    read_yolo,
)
from converters.annotations.outline_tables import drawing_of, index_shared
from converters.errors import CaseError, SourceError
from converters.facts import Mask, Region
from converters.imaging.outlines import Points, outline_region, overhang
from converters.pattern import compile_pattern, match_paths
from converters.records import Entry, Fault, Json
from converters.specs.outlines import (
    AperioFile,
    Consensus,
    ContourFiles,
    GeojsonFile,
    LabelmeFile,
    OsirixFile,
    Polygons,
    SharedFile,
)

RIM_PX = 1.0  # how far an outline may reach out of the picture and still be a matter of counting


@dataclass(frozen=True, kw_only=True, slots=True)
class _Object:
    """One object of one reader: its outlines in pixels, (0, 0) the corner of the first pixel."""

    code: str
    reader: str
    rings: tuple[Points, ...]
    where: str


def index(spec: Polygons, block: Block) -> Index:
    """Join files with images by placeholders, or the objects of shared files by name.

    Raises:
        SourceError: A shared file is missing or not of its kind; a name is not in the label map.
        ManifestError: The patterns have nothing in common.
    """
    if isinstance(spec.written, SharedFile):
        return index_shared(spec, spec.written, block)
    if isinstance(spec.written, ContourFiles):
        _require_known_files(spec, block)
    joined = join_files(spec.files, spec.fields or {}, block)
    faults = {}
    if not isinstance(spec.written, ContourFiles) and not spec.consensus:
        faults = {
            path: Fault(reason="name_duplicate", message=f"outlines {', '.join(files[:3])}")
            for path, files in joined.files.items()
            if len(files) > 1
        }
    used = {
        path: tuple(f for f in files if _is_read(spec, f)) for path, files in joined.files.items()
    }
    return Index(
        entries={path: Entry(files=files) for path, files in used.items() if files},
        faults=faults,
        orphans=tuple((files[0], "outlines without their image") for files in joined.orphans),
    )


def _require_known_files(spec: Polygons, block: Block) -> None:
    for path, _ in match_paths(spec.files, block.listing.paths):
        code = _code_of(spec, path)
        if code not in spec.labels and code not in spec.ignore:
            raise SourceError(
                block.source,
                f"{path}: {code!r} is not in the label map",
                f"add it to the manifest (labels or ignore); known: {', '.join(spec.labels)}",
            )


def _is_read(spec: Polygons, path: str) -> bool:
    """False for a contour of a label that is passed over."""
    return not isinstance(spec.written, ContourFiles) or _code_of(spec, path) in spec.labels


def _code_of(spec: Polygons, path: str) -> str:
    """The label that the name of a contour file says; the one label where names say none."""
    field = getattr(spec.written, "field", None)
    return _field_of(spec, path, field) if field else next(iter(spec.labels))


def _field_of(spec: Polygons, path: str, field: str) -> str:
    found = compile_pattern(spec.files).fullmatch(path)
    return found[field] if found else ""


def read(spec: Polygons, question: Question) -> Said:
    """Findings from the outlines of one image, and which labels are surely not there.

    Raises:
        CaseError: A file cannot be read, names what is not in the label map, or is for a picture
            of another size; an outline does not fit the picture or covers none of it; readers
            are missing.
    """
    size = question.picture.size
    drawings = list(_drawings(spec, question))
    objects = [one for path, drawing in drawings for one in _objects(spec, path, drawing, size)]
    clipped = sum(_is_clipped(spec, one, size) for one in objects)
    covered = [(one, region) for one in objects if (region := _region(spec, one, size))]
    if spec.objects == "outlines":
        layers = list(_instance_layers(spec, covered))
    else:
        layers = list(_region_layers(spec, covered, size))
    steps: list[Mapping[str, Json]] = []
    if len(covered) < len(objects):
        steps.append({"step": "leave_out_tiny", "objects": len(objects) - len(covered)})
    if clipped:
        steps.append({"step": "clip_outlines", "objects": clipped})
    left_out = sum(drawing.left_out for _, drawing in drawings)
    if left_out:
        steps.append({"step": "pass_over_points", "marks": left_out})
    if spec.consensus and objects:
        readers = len({one.reader for one in objects})
        steps.append({"step": "consensus", "readers": readers, "at_least": spec.consensus.at_least})
    return Said(
        findings=layer_findings(layers, question),
        absent=_absent(spec, question, {spec.labels[one.code] for one in objects}),
        transforms=tuple(steps),
    )


def _drawings(spec: Polygons, question: Question) -> Iterator[tuple[str, Drawing]]:
    if isinstance(spec.written, SharedFile):
        yield question.entry.table, drawing_of(question.entry, question.path)
    for path in question.entry.files:
        yield path, _read_file(spec, path, question)


def _read_file(spec: Polygons, path: str, question: Question) -> Drawing:
    if isinstance(spec.written, LabelmeFile):
        return read_labelme(spec.written, question.root, path)
    if isinstance(spec.written, ContourFiles):
        return read_contour(question.root, path, _code_of(spec, path))
    if isinstance(spec.written, OsirixFile):
        return read_osirix(question.root, path)
    if isinstance(spec.written, GeojsonFile):
        return read_geojson(question.root, path)
    if isinstance(spec.written, AperioFile):
        only = None if spec.written.named else next(iter(spec.labels))
        return read_aperio(question.root, path, only)
    return _read_yolo(path, question)


def _read_yolo(path: str, question: Question) -> Drawing:
    try:
        return read_yolo(question.root, path)
    except CaseError as error:
        if error.reason == "file_empty":  # a file without lines says that there is nothing
            return Drawing(shapes=())
        raise


def _objects(spec: Polygons, path: str, drawing: Drawing, size: tuple[int, int]) -> list[_Object]:
    if drawing.size and drawing.size != size:
        raise CaseError(
            "size_unexpected",
            f"{path} is for {drawing.size[0]}x{drawing.size[1]} pixels, the picture has "
            f"{size[0]}x{size[1]}",
        )
    reader = _field_of(spec, path, spec.consensus.field) if spec.consensus else ""
    rings: dict[tuple[str, str], list[Points]] = {}
    for number, shape in enumerate(drawing.shapes):
        if shape.code not in spec.labels and shape.code not in spec.ignore:
            raise CaseError("label_unknown", f"{path}: {shape.code[:60]!r} is not in the label map")
        if shape.code in spec.labels:
            key = (shape.code, f"group {shape.group}" if shape.group else f"{number}")
            rings.setdefault(key, []).append(_in_pixels(spec, shape, size))
    return [
        _Object(code=code, reader=reader, rings=tuple(found), where=f"{path}: {code}")
        for (code, _), found in rings.items()
    ]


def _in_pixels(spec: Polygons, shape: Shape, size: tuple[int, int]) -> Points:
    points = shape.points
    if spec.written.format == "yolo":
        points = points * np.asarray(size, dtype=np.float64)
    return points + 0.5 if spec.origin == "center" else points


def _is_clipped(spec: Polygons, one: _Object, size: tuple[int, int]) -> bool:
    out = max(overhang(ring, size) for ring in one.rings)
    if spec.outside == "reject" and out > RIM_PX:
        raise CaseError(
            "box_outside",
            f"{one.where}: an outline reaches {out:.4g} pixels out of the {size[0]}x{size[1]} "
            "picture",
        )
    return out > 0


def _region(spec: Polygons, one: _Object, size: tuple[int, int]) -> Region | None:
    """What an object covers; None where it covers nothing and may be left out."""
    has_holes = isinstance(spec.written, GeojsonFile)
    region = outline_region(one.rings, size, is_even_odd=has_holes)
    if region is None and spec.tiny == "reject":
        (x, y), *_ = one.rings[0]
        raise CaseError("box_empty", f"{one.where}: the outline at ({x:g}, {y:g}) covers no pixel")
    return region


def _instance_layers(spec: Polygons, covered: list[tuple[_Object, Region]]) -> Iterator[Layer]:
    for code, label in spec.labels.items():
        # The same outline drawn twice is one object.
        found: dict[tuple[int, int, tuple[int, ...], bytes], Region] = {}
        for one, region in covered:
            if one.code == code:
                place = (region.row, region.column, region.mask.shape, region.mask.tobytes())
                found.setdefault(place, region)
        if found:
            yield Layer(
                label=label,
                code=code,
                regions=tuple(found.values()),
                are_instances=True,
                is_marked=True,
            )


def _region_layers(
    spec: Polygons, covered: list[tuple[_Object, Region]], size: tuple[int, int]
) -> Iterator[Layer]:
    for code, label in spec.labels.items():
        masks: dict[str, Mask] = {}
        for one, region in covered:
            if one.code == code:
                mask = masks.setdefault(one.reader, np.zeros((size[1], size[0]), dtype=bool))
                rows, columns = region.mask.shape
                mask[region.row : region.row + rows, region.column : region.column + columns] |= (
                    region.mask
                )
        if masks:
            mask = agreed(masks, spec.consensus, code)
            yield mask_layer(mask, label, code, are_instances=False)


def agreed(masks: Mapping[str, Mask], consensus: Consensus | None, where: str) -> Mask:
    """The pixels that enough readers have marked.

    Args:
        masks: By reader, all of one shape, one at least.
        consensus: The rule; without one, there is one reader.
        where: For messages.

    Raises:
        CaseError: ``annotation_missing``, where there are fewer readers than must agree.
    """
    needed = consensus.at_least if consensus else 1
    if len(masks) < needed:
        raise CaseError(
            "annotation_missing", f"{where}: {len(masks)} readers, and {needed} must agree"
        )
    votes = np.sum([mask.astype(np.uint8) for mask in masks.values()], axis=0)
    return np.asarray(votes >= needed)


def _absent(spec: Polygons, question: Question, marked: set[str]) -> tuple[str, ...]:
    """Terms that nothing is drawn of; those without a file only where missing means absent."""
    asked = set(terms_of(spec))
    if isinstance(spec.written, ContourFiles) and spec.if_missing != "absent":
        asked = {
            spec.labels[code]
            for path in question.entry.files
            if (code := _code_of(spec, path)) in spec.labels
        }
    return absent_terms(asked, marked, is_known=spec.completeness != "partial")


def terms_of(spec: Polygons) -> tuple[str, ...]:
    """Every term that the block can say."""
    return tuple(dict.fromkeys(spec.labels.values()))
