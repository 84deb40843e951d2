"""Cells of tables before they are used: what is mended in them, and which rows count."""

import re
from collections.abc import Iterator, Mapping, Sequence

from converters.errors import SourceError
from converters.pattern import compile_pattern, field_names
from converters.specs.base import TableFile


def mended(spec: TableFile, values: dict[str, str]) -> dict[str, str]:
    """A row with what the manifest mends in its cells."""
    for column, changes in spec.mend.items():
        for regex, text in changes.items():
            values[column] = re.sub(regex, text, values[column]).strip()
    return values


def counts(spec: TableFile, values: Mapping[str, str]) -> bool:
    """Whether a row is one of those that the manifest uses."""
    return all(values[name] in cells for name, cells in spec.only.items()) and not any(
        values[name] in cells for name, cells in spec.leave_out.items()
    )


def require_asked(spec: TableFile, names: Sequence[str], source: str, path: str) -> None:
    """Refuse a table that lacks a column by which rows are chosen or mended.

    Raises:
        SourceError: A column of `mend`, `only` or `leave_out` is not there.
    """
    missing = sorted({*spec.mend, *spec.only, *spec.leave_out} - set(names))
    if missing:
        raise SourceError(
            source,
            f"{path} has no column {', '.join(map(repr, missing))}",
            f"its columns are: {', '.join(names)}",
        )


def lines_of(text: str, pattern: str, source: str, path: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the names of the columns, then the cells of each line, by the pattern of a line.

    Raises:
        SourceError: A line is not what the pattern says.
    """
    names = field_names(pattern)
    regex = compile_pattern(pattern)
    yield 0, names
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        found = regex.fullmatch(line.strip())
        if found is None:
            raise SourceError(
                source,
                f"{path}, line {number}: {line[:80]!r} is not like {pattern!r}",
                "get the table again, or mend the line",
            )
        yield number, [found[name].strip() for name in names]
