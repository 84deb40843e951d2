"""Files that hold outlines, read into shapes: what each program writes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from converters.errors import CaseError
from converters.files import Root
from converters.imaging.arrays import read_array
from converters.imaging.outlines import Points, outline_points
from converters.json_files import read_own_json
from converters.records import Json
from converters.specs.outlines import LabelmeFile

_TEXT_BYTES = 64 << 20
MAX_SHAPES = 100_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """One outline as it is drawn.

    Attributes:
        code: Label as the file writes it.
        points: In pixels, or from 0 to 1 of the size of the picture (YOLO).
        group: Shapes of one code and one group are one object; "" for an object of its own.
    """

    code: str
    points: Points
    group: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawing:
    """The shapes of one file, and the size of the picture that they were drawn on, if said.

    `left_out` is how many of its marks have no outline.
    """

    shapes: tuple[Shape, ...]
    size: tuple[int, int] | None = None
    left_out: int = 0


def read_labelme(form: LabelmeFile, root: Root, path: str) -> Drawing:
    """A LabelMe file.

    Raises:
        CaseError: It is not LabelMe, or holds a type of shape that the manifest does not name.
    """
    content = read_own_json(root, path, _TEXT_BYTES)
    if not isinstance(content, dict) or not isinstance(content.get("shapes"), list):
        raise CaseError("file_unreadable", f"{path} holds no list of shapes")
    said = (content.get("imageWidth"), content.get("imageHeight"))
    size = (said[0], said[1]) if isinstance(said[0], int) and isinstance(said[1], int) else None
    return Drawing(shapes=tuple(_labelme_shapes(form, content["shapes"], path)), size=size)


def _labelme_shapes(form: LabelmeFile, shapes: Json, path: str) -> Iterator[Shape]:
    for at, shape in enumerate(objects_of(shapes, path)):
        where = f"{path}, shape {at + 1}"
        kind, code = shape.get("shape_type", "polygon"), shape.get("label")
        if kind in form.passed_over:
            continue
        if kind not in form.shapes or not isinstance(code, str):
            raise CaseError("value_invalid", f"{where}: type {kind!r:.40} with label {code!r:.40}")
        values = pairs_of(shape.get("points"), where)
        if kind == "rectangle":
            values = _corners(values, where)
        group = shape.get("group_id")
        yield Shape(
            code=code,
            points=outline_points(values, where),
            group=str(group) if form.grouped and group is not None else "",
        )


def _corners(values: Sequence[Sequence[float]], where: str) -> list[list[float]]:
    """The four corners of a rectangle that is written as two that lie across."""
    if len(values) not in (2, 4):
        raise CaseError("value_invalid", f"{where}: a rectangle of {len(values)} points")
    if len(values) == 4:
        return [list(value) for value in values]
    (x_a, y_a), (x_b, y_b) = values
    return [[x_a, y_a], [x_b, y_a], [x_b, y_b], [x_a, y_b]]


def read_contour(root: Root, path: str, code: str) -> Drawing:
    """One outline: a JSON list of [x, y], an array of x and y (`.npy`), or lines of "x y".

    Raises:
        CaseError: The file is none of them.
    """
    if path.lower().endswith(".npy"):
        array = read_array(root.checked(path), path, None)
        values = pairs_of(array.tolist(), path)
    elif path.lower().endswith(".json"):
        values = pairs_of(read_own_json(root, path, _TEXT_BYTES), path)
    else:
        values = [_numbers(words, path) for _, words in text_lines(root, path)]
    return Drawing(shapes=(Shape(code=code, points=outline_points(values, path)),))


def read_yolo(root: Root, path: str) -> Drawing:
    """A file of "class x y x y ..." lines; coordinates from 0 to 1 of the size of the picture.

    An empty file says that there is nothing.

    Raises:
        CaseError: A line is not of this kind.
    """
    shapes = []
    for number, words in text_lines(root, path):
        where = f"{path}, line {number}"
        if len(words) % 2 == 0:
            raise CaseError("value_invalid", f"{where}: {len(words) - 1} coordinates are no pairs")
        numbers = _numbers(words[1:], where)
        values = list(zip(numbers[0::2], numbers[1::2], strict=True))
        shapes.append(Shape(code=words[0], points=outline_points(values, where)))
    return Drawing(shapes=tuple(shapes))


def text_lines(root: Root, path: str) -> Iterator[tuple[int, list[str]]]:
    """Number and words of each line that has any; a comma parts words as a blank does.

    Raises:
        CaseError: It is no text, or has too many lines.
    """
    try:
        text = root.read(path, _TEXT_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CaseError("file_unreadable", f"{path} is no text: {error}"[:200]) from error
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.replace(",", " ").split()
        if words:
            if number > MAX_SHAPES:
                raise CaseError("file_too_large", f"{path} has more than {MAX_SHAPES:,} lines")
            yield number, words


def _numbers(words: Sequence[str], where: str) -> list[float]:
    try:
        return [float("x" if "_" in word else word) for word in words]
    except ValueError as error:
        raise CaseError("value_invalid", f"{where}: {error}"[:200]) from error


def objects_of(value: Json, where: str) -> list[Mapping[str, Json]]:
    """A list of JSON objects.

    Raises:
        CaseError: ``value_invalid`` or ``file_too_large``.
    """
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise CaseError("value_invalid", f"{where}: no list of objects")
    if len(value) > MAX_SHAPES:
        raise CaseError("file_too_large", f"{where} holds {len(value):,} shapes")
    return [one for one in value if isinstance(one, dict)]


def pairs_of(value: Json, where: str) -> list[list[float]]:
    """A JSON list of [x, y] with numbers.

    Raises:
        CaseError: ``value_invalid``.
    """
    if not isinstance(value, list):
        raise CaseError("value_invalid", f"{where}: no list of points")
    return [_pair(one, where) for one in value]


def _pair(one: Json, where: str) -> list[float]:
    if not isinstance(one, list) or len(one) != 2:
        raise CaseError("value_invalid", f"{where}: {one!r:.60} is not x and y")
    found: list[float] = []
    for number in one:
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise CaseError("value_invalid", f"{where}: {one!r:.60} is not of numbers")
        if not -1e7 < number < 1e7:
            raise CaseError("value_invalid", f"{where}: {one!r:.60} is no place in a picture")
        found.append(float(number))
    return found
