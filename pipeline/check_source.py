"""Does a folder match its manifest? Cases are listed, some are read, and what is wrong is told."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from rich.console import Console
from rich.table import Table
from rich.text import Text

from converters.errors import SourceError
from converters.files import Root
from converters.manifest import Manifest, load_manifest
from converters.pattern import match_paths
from converters.records import Case, Rejection, Sample
from converters.roots import find_root
from converters.select import Converter, converter_for
from converters.specs.base import TableFile
from converters.tables import read_table
from converters.vocabulary import vocabulary
from pipeline.describe_sources import expected_files, labels_in, tables_of
from pipeline.progress import console, progress

# What a part of a source, or a source as it is published, may well show.
_EXPECTED_REASONS = {"subject_in_two_splits", "image_missing", "annotation_missing"}
_SHOWN = 12

Mark: TypeAlias = Literal["ok", "?", "WRONG", ""]


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One line of the report; WRONG makes the folder one that does not match."""

    mark: Mark
    what: str
    found: str


@dataclass(kw_only=True)
class _Seen:
    """What the cases that were read gave."""

    read: int
    samples: int = 0
    terms: Counter[str] = field(default_factory=Counter)
    sizes: Counter[str] = field(default_factory=Counter)
    rejections: dict[str, list[Rejection]] = field(default_factory=dict)

    def add(self, outcome: Sample | Rejection) -> None:
        """Count a record."""
        if isinstance(outcome, Rejection):
            self.rejections.setdefault(outcome.reason, []).append(outcome)
            return
        self.samples += 1
        self.terms.update(finding.label for finding in outcome.findings)
        self.sizes[f"{outcome.width}x{outcome.height} {outcome.image_format}"] += 1


def check_source(
    name: str, given: Path | None, environ: Mapping[str, str], limit: int | None
) -> int:
    """Print a table of what was found; return 0 where all is well and 1 where it is not.

    Args:
        name: The source.
        given: Its folder, or None for where gmai-build would look.
        environ: For GMAI_DATA.
        limit: How many cases are read; None for all.

    Raises:
        SettingsError: There is no such source.
        SourceError: No folder is named, or it is not there.
    """
    manifest = load_manifest(name).manifest
    lines: list[Line] = []
    try:
        root, notes = find_root(manifest, given, environ)
    except SourceError as error:
        if given is None or not given.expanduser().is_dir():
            raise
        lines.append(Line(mark="WRONG", what="files", found=str(error)))
    else:
        lines.append(Line(mark="", what="root", found="; ".join([str(root.folder), *notes])))
        lines += _look(manifest, root, limit)
    is_wrong = any(line.mark == "WRONG" for line in lines)
    _print(Console(highlight=False), manifest, lines, "does not match" if is_wrong else "matches")
    return 1 if is_wrong else 0


def _look(manifest: Manifest, root: Root, limit: int | None) -> Iterator[Line]:
    """Files, tables, cases, then what some cases give; the first that stops a build is last."""
    try:
        listing = root.listing()
        for pattern, use in expected_files(manifest):
            count = len(match_paths(pattern, listing.paths))
            yield Line(mark="ok" if count else "?", what=f"files, {use}",
                       found=f"{count:,} match {pattern}")  # fmt: skip
        for spec in tables_of(manifest):
            yield _table_line(spec, root)
        converter = converter_for(manifest)
        cases = converter.cases(root)
        yield from _case_lines(manifest, cases)
        yield from _read_lines(manifest, cases, _read(converter, root, cases, limit))
    except SourceError as error:
        yield Line(mark="WRONG", what="stops a build", found=str(error))


def _table_line(spec: TableFile, root: Root) -> Line:
    table = read_table(spec, root, root.listing())
    named = " (named by the manifest)" if spec.header else ""
    columns = ", ".join(table.columns[:_SHOWN]) + (", ..." if table.columns[_SHOWN:] else "")
    found = f"{table.path}: {len(table.rows):,} rows; columns{named}: {columns}"
    return Line(mark="ok", what="table", found=found)


def _case_lines(manifest: Manifest, cases: list[Case]) -> Iterator[Line]:
    usable = [case for case in cases if not case.fault]
    published = manifest.expect.cases
    found = f"{len(cases):,} listed, {len(usable):,} usable"
    if published is not None:
        found += f"; {published:,} are published"
    differs = published is not None and published != len(usable)
    yield Line(mark="?" if differs else "ok", what="cases", found=found)
    splits = Counter(str(case.split) for case in usable)
    yield Line(mark="ok", what="splits", found=_counted(splits))


def _read(converter: Converter, root: Root, cases: list[Case], limit: int | None) -> _Seen:
    usable = [case for case in cases if not case.fault]
    chosen = _spread(usable, limit)
    seen = _Seen(read=len(chosen))
    # A case with a fault is told without reading, so that all of them are.
    for case in cases:
        if case.fault:
            for outcome in converter.convert(root, case):
                seen.add(outcome)
    screen = console()
    with progress(screen, f"{converter.manifest.name}: reading", len(chosen), "cases") as on_done:
        for number, case in enumerate(chosen, start=1):
            for outcome in converter.convert(root, case):
                seen.add(outcome)
            on_done(number)
    return seen


def _spread(cases: list[Case], limit: int | None) -> list[Case]:
    """Cases spread evenly over the source."""
    if limit is None or limit >= len(cases):
        return cases
    return [cases[at * len(cases) // limit] for at in range(limit)]


def _read_lines(manifest: Manifest, cases: list[Case], seen: _Seen) -> Iterator[Line]:
    yield Line(mark="ok" if seen.samples else "WRONG", what="read",
               found=f"{seen.read:,} cases gave {seen.samples:,} images")  # fmt: skip
    yield Line(mark="ok", what="sizes", found=_counted(dict(seen.sizes.most_common(6))))
    yield Line(mark="ok", what="findings", found=_counted(dict(seen.terms.most_common(_SHOWN))))
    never = sorted({term for _, term in labels_in(manifest)} - set(seen.terms))
    if never:
        more = ", ..." if never[_SHOWN:] else ""
        yield Line(mark="?", what="labels not seen", found=", ".join(never[:_SHOWN]) + more)
    is_whole = seen.read == len(cases) == manifest.expect.cases
    for term, expected in (manifest.expect.findings or {}).items() if is_whole else ():
        found = seen.terms[term]
        yield Line(mark="ok" if found == expected else "?", what=f"count of {term}",
                   found=f"{found:,}; {expected:,} are published")  # fmt: skip
    for reason, rejections in sorted(seen.rejections.items()):
        meaning = vocabulary()["rejection"][reason]
        first = rejections[0]
        yield Line(mark="?" if reason in _EXPECTED_REASONS else "WRONG", what=reason,
                   found=f"{len(rejections):,}: {meaning}; first: {first.case_key}: "
                   f"{first.message}")  # fmt: skip


def _print(out: Console, manifest: Manifest, lines: list[Line], verdict: str) -> None:
    table = Table("", "what", "found", title=f"{manifest.name}: {manifest.title}",
                  title_justify="left")  # fmt: skip
    for line in lines:
        # Names of files and cells of tables are text, never markup.
        table.add_row(line.mark, Text(line.what), Text(line.found))
    out.print(table)
    out.print(f"{manifest.name}: {verdict}", style="bold")


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "none"
