"""JSON files that hold the outlines of many images: joined with the images, read one by one."""

from collections.abc import Iterator, Mapping

from converters.annotations.contract import Block, Index
from converters.annotations.outline_files import MAX_SHAPES, Drawing, Shape, objects_of, pairs_of
from converters.errors import CaseError, SourceError
from converters.imaging.outlines import outline_points
from converters.json_files import read_json
from converters.pattern import field_names, fill, match_paths
from converters.records import Entry, Fault, Json
from converters.specs.shapes import ListsFile, Polygons, ViaFile


def index_shared(spec: Polygons, form: ListsFile | ViaFile, block: Block) -> Index:
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
    spec: Polygons, form: ListsFile | ViaFile, block: Block, shared: list[str]
) -> Iterator[tuple[tuple[str, ...], Entry]]:
    paths = match_paths(spec.files, block.listing.paths)
    if not paths:
        raise SourceError(block.source, f"no file matches {spec.files!r}", "get it as well")
    seen: dict[tuple[str, ...], str] = {}
    for path, fields in paths:
        content = read_json(block.root, path)
        try:
            read = _from_lists if isinstance(form, ListsFile) else _from_via
            for name, codes, outlines in read(spec, form, content):  # type: ignore[arg-type]
                key = (*(fields[field] for field in shared), name)
                if key in seen:
                    raise ValueError(f"{name!r} stands twice, also in {seen[key]}")
                seen[key] = path
                _require_known(spec, codes)
                values: dict[str, Json] = {"codes": list(codes), "outlines": outlines}
                labels = tuple(
                    sorted(f"{c} {o}"[:400] for c, o in zip(codes, outlines, strict=True))
                )
                yield key, Entry(table=path, values=values, labels=labels)
        except (KeyError, TypeError, AttributeError, ValueError, CaseError) as error:
            raise SourceError(
                block.source,
                f"{path} is not {form.format}: {error!r}"[:300],
                "get the file again, or mend it",
            ) from error


def _require_known(spec: Polygons, codes: list[str]) -> None:
    for code in codes:
        if code not in spec.labels and code not in spec.ignore:
            raise ValueError(f"{code[:60]!r} is not in the label map of the manifest")


def _from_lists(
    spec: Polygons, form: ListsFile, content: Json
) -> Iterator[tuple[str, list[str], list[Json]]]:
    for one in objects_of(content, "the list"):
        codes, outlines = one[form.names], one[form.outlines]
        if not isinstance(codes, list) or not isinstance(outlines, list):
            raise TypeError(f"{form.names} or {form.outlines} is no list")
        if len(codes) != len(outlines) or len(codes) > MAX_SHAPES:
            raise ValueError(f"{len(codes)} {form.names} for {len(outlines)} {form.outlines}")
        yield _text(one[form.image]), [_text(code) for code in codes], outlines


def _from_via(
    spec: Polygons, form: ViaFile, content: Json
) -> Iterator[tuple[str, list[str], list[Json]]]:
    if not isinstance(content, dict):
        raise TypeError("no object at the top")
    images = content.get("_via_img_metadata", content)
    if not isinstance(images, dict):
        raise TypeError("no images")
    for one in objects_of(list(images.values()), "the images"):
        regions = one["regions"]
        if isinstance(regions, dict):  # as version 1 writes them
            regions = list(regions.values())
        codes: list[str] = []
        outlines: list[Json] = []
        for region in objects_of(regions, "the regions"):
            code, outline = _via_region(spec, form, region)
            codes.append(code)
            outlines.append(outline)
        yield _text(one["filename"]), codes, outlines


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


def _text(value: Json) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError(f"{value!r:.40} is no name")
    return value


def drawing_of(entry: Entry, where: str) -> Drawing:
    """The shapes that an entry holds.

    Raises:
        CaseError: An outline is none.
    """
    assert isinstance(entry.values, dict)
    codes, outlines = entry.values["codes"], entry.values["outlines"]
    assert isinstance(codes, list)
    assert isinstance(outlines, list)
    return Drawing(
        shapes=tuple(
            Shape(code=str(code), points=outline_points(pairs_of(one, where), where))
            for code, one in zip(codes, outlines, strict=True)
        )
    )
