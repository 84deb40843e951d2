r"""Patterns of paths, and templates over what they capture.

A pattern is a path relative to the root with:

- ``{name}``: one or more characters other than ``/``, captured as a field; the same name
  again must match the same text;
- ``{name:regex}``: what the regular expression matches, captured;
- ``*``: any characters other than ``/``; ``**/``: any number of folders; ``?``: one character.

A template such as ``"{patient}_{eye}"`` is filled with fields.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from converters.errors import CaseError

_TEMPLATE_FIELD = re.compile(r"\{([^{}]+)\}")


@lru_cache(maxsize=4096)
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """The regular expression of a pattern; match it against a whole relative path.

    Raises:
        ValueError: A brace is not closed, a name is not an identifier, or the path is not
            relative.
    """
    if pattern.startswith(("/", "~")) or ".." in pattern.split("/"):
        raise ValueError(f"{pattern!r} must be a path below the root")
    out: list[str] = []
    seen: set[str] = set()
    at = 0
    while at < len(pattern):
        at = _token(pattern, at, out, seen)
    try:
        return re.compile("".join(out))
    except re.error as error:
        raise ValueError(f"{pattern!r}: {error}") from error


def _token(pattern: str, at: int, out: list[str], seen: set[str]) -> int:
    if pattern.startswith("**/", at):
        out.append("(?:[^/]+/)*")
        return at + 3
    char = pattern[at]
    if char == "{":
        end = _closing(pattern, at)
        out.append(_capture(pattern[at + 1 : end], pattern, seen))
        return end + 1
    out.append({"*": "[^/]*", "?": "[^/]"}.get(char) or re.escape(char))
    return at + 1


def _closing(pattern: str, start: int) -> int:
    depth = 0
    for at in range(start, len(pattern)):
        depth += {"{": 1, "}": -1}.get(pattern[at], 0)
        if depth == 0:
            return at
    raise ValueError(f"{pattern!r}: brace at {start} is not closed")


def _capture(inside: str, pattern: str, seen: set[str]) -> str:
    name, _, regex = inside.partition(":")
    if not name.isidentifier():
        raise ValueError(f"{pattern!r}: {name!r} is not a name for a field")
    if name in seen:
        if regex:
            raise ValueError(f"{pattern!r}: field {name!r} is described twice")
        return f"(?P={name})"
    seen.add(name)
    return f"(?P<{name}>{regex or '[^/]+'})"


def check_pattern(pattern: str) -> str:
    """Return `pattern` as it is, or raise ValueError where it cannot be used."""
    compile_pattern(pattern)
    return pattern


def field_names(pattern: str) -> list[str]:
    """Names of the fields that a pattern captures, in order."""
    return list(compile_pattern(pattern).groupindex)


def match_paths(pattern: str, paths: Iterable[str]) -> list[tuple[str, dict[str, str]]]:
    """Every path that matches as a whole, with its fields, in the order of `paths`."""
    full = compile_pattern(pattern).fullmatch
    return [(path, found.groupdict()) for path in paths if (found := full(path))]


def fill(template: str, fields: Mapping[str, str]) -> str:
    """Put fields into a template.

    Raises:
        CaseError: ``value_invalid``, where a field is not known or empty.
    """

    def value(found: re.Match[str]) -> str:
        name = found.group(1)
        text = fields.get(name, "")
        if not text:
            known = ", ".join(sorted(fields)) or "none"
            raise CaseError("value_invalid", f"{template!r} needs {name!r}; there are: {known}")
        return text

    return _TEMPLATE_FIELD.sub(value, template)


def template_names(template: str) -> list[str]:
    """Names of the fields that a template needs, in order."""
    return _TEMPLATE_FIELD.findall(template)
