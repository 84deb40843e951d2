"""gmai-sources list: one line a source, of those that have the wanted words."""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict

from converters.errors import ManifestError, SettingsError
from converters.vocabulary import words
from pipeline.source_heads import Head, heads

_SECTIONS = {"modality": "modality", "task": "task", "license": "license", "anatomy": "anatomy",
             "access": "access", "evidence": "evidence"}  # fmt: skip


def list_all(wanted: Mapping[str, str], *, as_json: bool) -> int:
    """Print the sources that have all the wanted words; a broken manifest is named, and exit 2."""
    for name, word in wanted.items():
        if word not in words(_SECTIONS[name]) and not word.startswith("LicenseRef-"):
            known = ", ".join(sorted(words(_SECTIONS[name])))
            raise SettingsError(f"--{name}", f"{word!r} is not known", f"there are: {known}")
    broken: list[ManifestError] = []
    found = [
        head
        for head in heads(broken)
        if all(word in _words(head, name) for name, word in wanted.items())
    ]
    if as_json:
        rows = [asdict(head) for head in found]
        print(json.dumps(rows, indent=1, ensure_ascii=False))  # noqa: T201 - the output
    else:
        for line in _lines(found):
            print(line)  # noqa: T201 - the output
    for error in broken:
        print(f"gmai-sources: {error}", file=sys.stderr)  # noqa: T201 - the message
    return 2 if broken else 0


def _words(head: Head, name: str) -> list[str]:
    return {
        "modality": [head.modality],
        "task": head.tasks,
        "license": [head.license],
        "anatomy": head.anatomy,
        "access": [head.access],
        "evidence": [head.evidence],
    }[name]


def _lines(found: list[Head]) -> Iterator[str]:
    rows = [
        (one.name, one.modality, ", ".join(one.tasks), one.license, one.evidence, one.title)
        for one in found
    ]
    first = ("name", "modality", "tasks", "licence", "evidence", "title")
    widths = [max(len(row[at]) for row in [first, *rows]) for at in range(5)]
    for row in [first, *rows]:
        cells = [row[at].ljust(widths[at]) for at in range(5)]
        yield "  ".join([*cells, row[5]]).rstrip()
    yield f"{len(rows)} source{'' if len(rows) == 1 else 's'}"
