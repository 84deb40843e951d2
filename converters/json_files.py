"""JSON files of a source, read strictly."""

import json
from collections.abc import Iterable

from converters.errors import CaseError, SourceError
from converters.files import Root
from converters.records import Json

JSON_BYTES = 2 << 30


def read_json(root: Root, path: str) -> Json:
    """A JSON file that many images share.

    Raises:
        SourceError: It is unreadable, not UTF-8, not JSON, repeats a key of an object, or holds
            NaN, Infinity or half a character.
    """
    try:
        return parse_json(root.read(path, JSON_BYTES))
    except (CaseError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise SourceError(
            root.source, f"{path} is not usable: {error}"[:300], "get the file again, or mend it"
        ) from error


def read_own_json(root: Root, path: str, limit_bytes: int) -> Json:
    """A JSON file that belongs to one image.

    Raises:
        CaseError: As :func:`read_json`, ``file_unreadable``; or what
            :meth:`converters.files.Root.read` raises.
    """
    data = root.read(path, limit_bytes)
    try:
        return parse_json(data)
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise CaseError("file_unreadable", f"{path} is not JSON: {error}"[:200]) from error


def parse_json(data: bytes) -> Json:
    """What the bytes of a JSON file hold.

    Raises:
        UnicodeDecodeError: They are not UTF-8.
        ValueError: They are not JSON, repeat a key, or hold NaN, Infinity or half a character.
        RecursionError: They lie too deep.
    """
    content: Json = json.loads(
        data.decode("utf-8-sig"), object_pairs_hook=_unique, parse_constant=_no_constant
    )
    return content


def _unique(pairs: Iterable[tuple[str, Json]]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for key, value in pairs:
        _require_unicode(key)
        _require_unicode(value)
        if key in found:
            raise ValueError(f"key {key[:40]!r} stands twice in an object")
        found[key] = value
    return found


def _require_unicode(value: Json) -> None:
    """Half of a character (a lone surrogate, written as an escape) can go into no shard."""
    if isinstance(value, str) and not value.isascii():
        value.encode("utf-8")


def _no_constant(name: str) -> Json:
    raise ValueError(f"{name} is not JSON")
