"""JSON files that hold the outlines of many images: joined with the images, read one by one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from converters.annotations.coco import read_coco
from converters.annotations.contract import Block, Index
from converters.annotations.outline_files import MAX_SHAPES, Drawing, Shape, objects_of, pairs_of
from converters.errors import CaseError, SourceError
from converters.imaging.outlines import Points, outline_points
from converters.json_files import read_json
from converters.pattern import field_names, fill, match_paths
from converters.records import Entry, Fault, Json
from converters.specs.outlines import ListsFile, Polygons, RecordsFile, SharedFile, ViaFile


def index_shared(spec: Polygons, form: SharedFile, block: Block) -> Index:
    """Join the objects of the JSON files with images by name and `match`.

    Placeholders that the patterns of files and images share must agree as well: names may
    begin anew in each part of a source.

    Raises:
        SourceError: No file matches; it is not of its kind; a name is not in the label map; two
            objects are of one image.
    """
    own = block.images[0].fields if block.images else {}
    shared = [name for name in field_names(spec.files) if name in own]
    found = dict(_all_objects(spec, form, block, shared))
    entries: dict[str, Entry] = {}
    faults: dict[str, Fault] = {}
    used: set[tuple[str, ...]] = set()
    for image in block.images:
        try:
            key = (*(image.fields[field] for field in shared), fill(form.match, image.fields))
        except CaseError as error:
            faults[image.path] = Fault(reason=error.reason, message=error.message)
            continue
        if key in found:
            used.add(key)
            entries[image.path] = found[key]
    return Index(
        entries=entries,
        faults=faults,
        orphans=tuple(
            (f"{entry.table}:{key[-1]}", "an annotation without its image")
            for key, entry in found.items()
            if key not in used
        ),
    )


def _all_objects(
    spec: Polygons, form: SharedFile, block: Block, shared: list[str]
) -> Iterator[tuple[tuple[str, ...], Entry]]:
    paths = match_paths(spec.files, block.listing.paths)
    if not paths:
        raise SourceError(block.source, f"no file matches {spec.files!r}", "get it as well")
    seen: dict[tuple[str, ...], str] = {}
    for path, fields in paths:
        content = read_json(block.root, path)
        try:
            if isinstance(form, RecordsFile):
                read = _from_records(form, _names_beside(form, block, fields), content)
            else:
                read = _drawn(spec, form, path, content)
            for drawn in read:
                key = (*(fields[field] for field in shared), drawn.name)
                if key in seen:
                    raise ValueError(f"{drawn.name!r} stands twice, also in {seen[key]}")
                seen[key] = path
                yield key, _entry(spec, path, drawn)
        except (KeyError, TypeError, AttributeError, ValueError, CaseError) as error:
            raise SourceError(
                block.source,
                f"{path} is not {form.format}: {error!r}"[:300],
                "get the file again, or mend it",
            ) from error


def _drawn(spec: Polygons, form: SharedFile, path: str, content: Json) -> Iterator["_Drawn"]:
    if isinstance(form, ListsFile):
        return _from_lists(form, content)
    if isinstance(form, ViaFile):
        return _from_via(spec, form, content)
    return _from_coco(spec, path, content)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Drawn:
    """What a file has of one image; an outline is a list of rings, each of them points."""

    name: str
    codes: list[str]
    outlines: list[Json]
    size: Json = None


def _entry(spec: Polygons, path: str, drawn: _Drawn) -> Entry:
    for code in drawn.codes:
        if code not in spec.labels and code not in spec.ignore:
            raise ValueError(f"{code[:60]!r} is not in the label map of the manifest")
    said = zip(drawn.codes, drawn.outlines, strict=True)
    values: dict[str, Json] = {
        "codes": [*drawn.codes], "outlines": drawn.outlines, "size": drawn.size
    }  # fmt: skip
    labels = tuple(sorted(f"{code} {outline}"[:400] for code, outline in said))
    return Entry(table=path, values=values, labels=labels)


def _from_lists(form: ListsFile, content: Json) -> Iterator[_Drawn]:
    for one in objects_of(content, "the list"):
        codes, outlines = one[form.names], one[form.outlines]
        if not isinstance(codes, list) or not isinstance(outlines, list):
            raise TypeError(f"{form.names} or {form.outlines} is no list")
        if len(codes) != len(outlines) or len(codes) > MAX_SHAPES:
            raise ValueError(f"{len(codes)} {form.names} for {len(outlines)} {form.outlines}")
        yield _Drawn(
            name=_text(one[form.image]),
            codes=[_text(code) for code in codes],
            outlines=[[outline] for outline in outlines],
        )


def _from_via(spec: Polygons, form: ViaFile, content: Json) -> Iterator[_Drawn]:
    if not isinstance(content, dict):
        raise TypeError("no object at the top")
    images = content.get("_via_img_metadata", content)
    if not isinstance(images, dict):
        raise TypeError("no images")
    for one in objects_of(list(images.values()), "the images"):
        regions = one["regions"]
        if isinstance(regions, dict):  # as version 1 writes them
            regions = list(regions.values())
        drawn = [_via_region(spec, form, one) for one in objects_of(regions, "the regions")]
        yield _Drawn(
            name=_text(one["filename"]),
            codes=[code for code, _ in drawn],
            outlines=[[outline] for _, outline in drawn],
        )


def _via_region(spec: Polygons, form: ViaFile, region: Mapping[str, Json]) -> tuple[str, Json]:
    shape, said = region["shape_attributes"], region.get("region_attributes", {})
    if not isinstance(shape, dict) or not isinstance(said, dict):
        raise TypeError("a region without attributes")
    if shape["name"] not in ("polygon", "polyline"):
        raise ValueError(f"a region of type {shape['name']!r}")
    x, y = shape["all_points_x"], shape["all_points_y"]
    if not isinstance(x, list) or not isinstance(y, list):
        raise TypeError("points that are no lists")
    pairs: list[Json] = [[a, b] for a, b in zip(x, y, strict=True)]
    code = _text(said[form.attribute]) if form.attribute else next(iter(spec.labels))
    return code, pairs


def _from_coco(spec: Polygons, path: str, content: Json) -> Iterator[_Drawn]:
    known = [*spec.labels, *spec.ignore]
    file = read_coco(path, content, known=known, wanted="segmentation")
    for name, image in file.images.items():
        drawn = file.annotations.get(int(str(image["id"])), [])
        yield _Drawn(
            name=name,
            codes=[str(one["name"]) for one in drawn],
            outlines=[one["segmentation"] for one in drawn],
            size=[image["width"], image["height"]],
        )


def _names_beside(form: RecordsFile, block: Block, fields: Mapping[str, str]) -> dict[str, str]:
    """Names of labels by id, from the one file that goes with a file of records."""
    paths = [
        path
        for path, own in match_paths(form.names_file, block.listing.paths)
        if all(fields.get(name, value) == value for name, value in own.items())
    ]
    if len(paths) != 1:
        raise ValueError(f"{len(paths)} files match {form.names_file!r}")
    names: dict[str, str] = {}
    for one in objects_of(read_json(block.root, paths[0]), paths[0]):
        if names.setdefault(_text(one["id"]), _text(one["name"])) != one["name"]:
            raise ValueError(f"label id {one['id']!r:.60} stands twice in {paths[0]}")
    return names


def _from_records(form: RecordsFile, names: Mapping[str, str], content: Json) -> Iterator[_Drawn]:
    """Records of one image together, in the order of the file."""
    found: dict[str, _Drawn] = {}
    for one in objects_of(content, "the records"):
        image, codes = _text(one[form.image]), one[form.codes]
        points = [[at["x"], at["y"]] for at in objects_of(one[form.points], "the points")]
        if not isinstance(codes, list):
            raise TypeError(f"{form.codes} is no list")
        drawn = found.setdefault(image, _Drawn(name=image, codes=[], outlines=[]))
        for code in codes:
            drawn.codes.append(names[_text(code)])
            drawn.outlines.append([[*points]])
    yield from found.values()


def _text(value: Json) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError(f"{value!r:.40} is no name")
    return value


def drawing_of(entry: Entry, where: str) -> Drawing:
    """The shapes that an entry holds.

    Raises:
        CaseError: An outline is none; ``file_unsupported`` where it is a run-length code.
    """
    assert isinstance(entry.values, dict)
    codes, outlines, size = (entry.values[name] for name in ("codes", "outlines", "size"))
    assert isinstance(codes, list)
    assert isinstance(outlines, list)
    shapes = [
        Shape(code=str(code), points=points, group=str(number))
        for number, (code, outline) in enumerate(zip(codes, outlines, strict=True))
        for points in _rings(outline, where)
    ]
    width, height = size if isinstance(size, list) else (None, None)
    is_sized = isinstance(width, int) and isinstance(height, int)
    return Drawing(shapes=tuple(shapes), size=(width, height) if is_sized else None)  # type: ignore[arg-type]


def _rings(outline: Json, where: str) -> list[Points]:
    if isinstance(outline, dict):
        raise CaseError("file_unsupported", f"{where}: a run-length code among the outlines")
    if not isinstance(outline, list) or not outline:
        raise CaseError("value_invalid", f"{where}: {outline!r:.60} is no outline")
    return [outline_points(pairs_of(_paired(ring), where), where) for ring in outline]


def _paired(ring: Json) -> Json:
    """Points of a ring that COCO writes as x, y, x, y, ..."""
    if not isinstance(ring, list) or not ring or isinstance(ring[0], list):
        return ring
    return [ring[at : at + 2] for at in range(0, len(ring), 2)]
