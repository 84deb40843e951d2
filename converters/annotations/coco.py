"""COCO: one JSON file for many images (Lin et al. 2014, data format of cocodataset.org)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from converters.annotations.boxes import Marked, parse_number, say_boxes
from converters.annotations.contract import Block, Index, Question, Said
from converters.errors import CaseError, SourceError
from converters.json_files import read_json
from converters.pattern import fill, match_paths
from converters.records import Box, Entry, Fault, Json
from converters.specs.annotations import Coco

_Object = Mapping[str, Json]


@dataclass(kw_only=True)
class CocoContent:
    """One COCO file: images by their name, annotations by the id of their image.

    An annotation has the `name` of its category, `iscrowd`, and what was asked for.
    """

    path: str
    images: dict[str, _Object] = field(default_factory=dict)
    annotations: dict[int, list[_Object]] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)


def index(spec: Coco, block: Block) -> Index:
    """Join the images of the JSON files with those on disk by `file_name` and `match`.

    Raises:
        SourceError: No file matches; it is not COCO; a category is not in the label map.
    """
    files = [
        _read(spec, path, block)
        for pattern in spec.files
        for path, _ in match_paths(pattern, block.listing.paths)
    ]
    if not files:
        raise SourceError(
            block.source, f"no file matches {', '.join(spec.files)}", "get it as well"
        )
    entries: dict[str, Entry] = {}
    faults: dict[str, Fault] = {}
    used: set[tuple[str, str]] = set()
    for image in block.images:
        try:
            name = fill(spec.match, image.fields)
        except CaseError as error:
            faults[image.path] = Fault(reason=error.reason, message=error.message)
            continue
        holding = [file for file in files if name in file.images]
        used.update((file.path, name) for file in holding)
        if len(holding) > 1:
            where = ", ".join(file.path for file in holding)
            faults[image.path] = Fault(reason="name_duplicate", message=f"{name} is in {where}")
        elif holding:
            entries[image.path] = _entry(spec, holding[0], name)
    orphans = [
        (f"{file.path}:{name}", "an annotation without its image")
        for file in files
        for name in file.images
        if (file.path, name) not in used
    ]
    return Index(entries=entries, faults=faults, orphans=tuple(orphans))


def _read(spec: Coco, path: str, block: Block) -> CocoContent:
    content = read_json(block.root, path)
    try:
        return read_coco(
            path,
            content,
            known=[*spec.labels, *spec.ignore],
            wanted="bbox",
            keys=(spec.category, spec.categories),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise SourceError(
            block.source, f"{path} is not COCO: {error}"[:300], "get the file again, or mend it"
        ) from error


def read_coco(
    path: str,
    content: Json,
    *,
    known: Collection[str],
    wanted: str,
    keys: tuple[str, str] = ("category_id", "categories"),
) -> CocoContent:
    """The content of a COCO file.

    Args:
        path: Of the file.
        content: As JSON.
        known: Names of categories that the manifest knows.
        wanted: What is kept of an annotation: "bbox" or "segmentation".
        keys: Of an annotation's category, and of the list of categories.

    Raises:
        ValueError: An id stands twice or is not listed, or a category is not known.
        KeyError, TypeError: It is not COCO.
    """
    if not isinstance(content, dict):
        raise TypeError("no object at the top")
    file = CocoContent(path=path)
    file.names = _names(content, keys[1])
    file.images = _images(content)
    ids = {image["id"] for image in file.images.values()}
    for one in _objects(content, "annotations"):
        name = file.names[_integer(one[keys[0]])]
        if name not in known:
            raise ValueError(f"category {name!r} is not in the label map of the manifest")
        kept = {"name": name, wanted: one[wanted], "iscrowd": one.get("iscrowd", 0)}
        if _integer(one["image_id"]) not in ids:
            raise ValueError(f"an annotation is of image id {one['image_id']}, which is not listed")
        file.annotations.setdefault(_integer(one["image_id"]), []).append(kept)
    return file


def _names(content: _Object, key: str) -> dict[int, str]:
    names: dict[int, str] = {}
    for category in _objects(content, key):
        number = _integer(category["id"])
        if number in names:  # its boxes would carry another label
            raise ValueError(f"category id {number} stands twice")
        names[number] = str(category["name"])
    return names


def _images(content: _Object) -> dict[str, _Object]:
    images: dict[str, _Object] = {}
    ids: set[int] = set()
    for image in _objects(content, "images"):
        name, number = str(image["file_name"]), _integer(image["id"])
        if name in images or number in ids:  # boxes of one image would stand on another
            raise ValueError(f"image {name!r} or its id {number} stands twice")
        ids.add(number)
        images[name] = {key: image[key] for key in ("id", "width", "height")}
    return images


def _objects(content: _Object, name: str) -> list[dict[str, Json]]:
    found = content[name]
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise TypeError(f"{name} is not a list of objects")
    return found  # type: ignore[return-value]


def _integer(value: Json) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"id {value!r} is not a whole number")
    return value


def _entry(spec: Coco, file: CocoContent, name: str) -> Entry:
    image = file.images[name]
    found = file.annotations.get(_integer(image["id"]), [])
    said: list[Json] = [dict(one) for one in found if one["name"] in spec.labels]
    values: dict[str, Json] = {"size": [image["width"], image["height"]], "annotations": said}
    labels = tuple(sorted(f"{one['name']} {one['bbox']}" for one in found))
    return Entry(table=file.path, values=values, labels=labels)


def read(spec: Coco, question: Question) -> Said:
    """Every annotation of the image as a finding with a box; a crowd is not an object.

    Raises:
        CaseError: ``size_unexpected``, ``value_invalid``, or a box does not fit the picture.
    """
    values = question.entry.values
    assert isinstance(values, dict)
    size = question.picture.size
    if values["size"] != list(size):
        raise CaseError(
            "size_unexpected",
            f"{question.path} is {size}, its annotations are for {values['size']}",
        )
    annotations = values["annotations"]
    assert isinstance(annotations, list)
    marked = [_marked(one, question.path) for one in annotations if isinstance(one, dict)]
    return say_boxes(
        marked, spec.labels, size=size, completeness=spec.completeness, where=question.path
    )


def _marked(one: _Object, path: str) -> Marked:
    box = one["bbox"]
    if not isinstance(box, list) or len(box) != 4:
        raise CaseError("value_invalid", f"{path}: box {box!r:.60} is not x, y, width, height")
    if any(isinstance(v, bool) or not isinstance(v, (int, float)) for v in box):
        raise CaseError("value_invalid", f"{path}: box {box!r:.60} is not of numbers")
    x, y, width, height = (parse_number(str(v), path) for v in box)
    return Marked(
        code=str(one["name"]),
        box=Box(x_min=x, y_min=y, x_max=x + width, y_max=y + height),
        is_instance=not one["iscrowd"],
    )


def terms_of(spec: Coco) -> tuple[str, ...]:
    """Every term that the block can say."""
    return tuple(dict.fromkeys(spec.labels.values()))
