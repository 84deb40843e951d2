"""JSON files that are tables: a list of objects, one a row, or one for several rows.

The columns are named by the path to a value: `image.pathname`, or `boxes.0` for the first
number of a list. What a row lacks is an empty cell.
"""

from collections.abc import Iterator

from converters.errors import SourceError
from converters.json_files import parse_json
from converters.records import Json

EVERY_LIST = "*"
LIST_COLUMN = "list"
_DEPTH = 8
_REMEDY = "get the file again, or mend it"


def json_rows(
    data: bytes,
    explode: list[str],
    source: str,
    path: str,
    *,
    within: str | None = None,
    named: str | None = None,
) -> Iterator[tuple[int, list[str]]]:
    """Yield the names of the columns, then the cells of each row, as a table has them.

    Args:
        data: The file.
        explode: Keys of lists of one length, whose items are a row each; an object whose lists
            are empty is one row without them.
        source: For messages.
        path: For messages; its suffix says whether the file has one object a line.
        within: Key of the list, where the file is an object that holds several; of every list
            where it is "*", and the column "list" then holds its key.
        named: Column of the one key of each object, where what is said stands below it.

    Raises:
        SourceError: It is no list of objects, a list to be taken apart is missing or has another
            length, or objects lie too deep.
    """
    try:
        content = _content(data, path, within)
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise SourceError(source, f"{path} is not JSON: {error}"[:200], _REMEDY) from error
    if not isinstance(content, list):
        raise SourceError(source, f"{path} is not a list of objects", _REMEDY)
    rows: list[tuple[int, dict[str, str]]] = []
    for number, one in enumerate(content, start=1):
        where = f"{path}, object {number}"
        if not isinstance(one, dict):
            raise SourceError(source, f"{where} is not an object", _REMEDY)
        said = _unnamed(one, named, source, where) if named else one
        rows += [(number, row) for row in _rows_of(said, explode, source, where)]
    names = list(dict.fromkeys(name for _, row in rows for name in row))
    yield 0, names
    for number, row in rows:
        yield number, [row.get(name, "") for name in names]


def _content(data: bytes, path: str, within: str | None) -> Json:
    if path.lower().endswith(".jsonl"):
        return [parse_json(line) for line in data.splitlines() if line.strip()]
    content = parse_json(data)
    if within is None or not isinstance(content, dict):
        return content
    if within != EVERY_LIST:
        return content.get(within)
    rows: list[Json] = []
    for key, items in content.items():
        for one in items if isinstance(items, list) else [items]:
            rows.append({**one, LIST_COLUMN: key} if isinstance(one, dict) else one)
    return rows


def _unnamed(one: dict[str, Json], named: str, source: str, where: str) -> dict[str, Json]:
    """What is said below the one key of an object, with that key in a column."""
    key, *others = one
    said = one[key]
    if others or not isinstance(said, dict) or named in said:
        raise SourceError(source, f"{where} is not one name with what is said of it", _REMEDY)
    return {named: key, **said}


def _rows_of(
    one: dict[str, Json], explode: list[str], source: str, where: str
) -> Iterator[dict[str, str]]:
    shared: dict[str, str] = {}
    for key, value in one.items():
        if key not in explode:
            _flatten(key, value, shared, source, where)
    lists = [_list_of(one, key, source, where) for key in explode]
    if len({len(items) for items in lists}) > 1:
        raise SourceError(source, f"{where}: {', '.join(explode)} differ in length", _REMEDY)
    if not lists or not lists[0]:
        yield shared
        return
    for items in zip(*lists, strict=True):
        row = dict(shared)
        for key, item in zip(explode, items, strict=True):
            _flatten(key, item, row, source, where)
        yield row


def _list_of(one: dict[str, Json], key: str, source: str, where: str) -> list[Json]:
    value = one.get(key)
    if not isinstance(value, list):
        raise SourceError(source, f"{where} has no list {key!r}", _REMEDY)
    return value


def _flatten(name: str, value: Json, row: dict[str, str], source: str, where: str) -> None:
    """Put a value and what lies in it into a row, each under the path to it."""
    if name.count(".") > _DEPTH:
        raise SourceError(source, f"{where}: {name[:80]} lies too deep", _REMEDY)
    if isinstance(value, dict):
        for key, inner in value.items():
            _flatten(f"{name}.{key}", inner, row, source, where)
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            _flatten(f"{name}.{at}", inner, row, source, where)
    else:
        row[name] = _cell(value)


def _cell(value: Json) -> str:
    if value is None:
        return ""
    return value.strip() if isinstance(value, str) else repr(value)
