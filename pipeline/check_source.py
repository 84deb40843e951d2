"""Does a folder match its manifest? Cases are listed, some are read, and what is wrong is told."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from converters.errors import SourceError
from converters.manifest import Manifest, load_manifest
from converters.records import Case, Rejection, Sample
from converters.roots import find_root
from converters.select import converter_for
from converters.vocabulary import vocabulary
from pipeline.describe_sources import labels_in
from pipeline.progress import console, progress

# What a part of a source, or a source as it is published, may well show.
_EXPECTED_REASONS = {"subject_in_two_splits", "image_missing", "annotation_missing"}


@dataclass(kw_only=True)
class _Seen:
    cases: list[Case]
    read: int = 0
    samples: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    terms: Counter[str] = field(default_factory=Counter)
    sizes: Counter[str] = field(default_factory=Counter)
    views: Counter[str] = field(default_factory=Counter)
    rejections: dict[str, list[Rejection]] = field(default_factory=dict)

    def reject(self, rejection: Rejection) -> None:
        """Keep a rejection under its reason."""
        self.rejections.setdefault(rejection.reason, []).append(rejection)


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
    """
    manifest = load_manifest(name).manifest
    screen = console()
    out = Console(highlight=False)
    try:
        root, notes = find_root(manifest, given, environ)
        cases = converter_for(manifest).cases(root)
    except SourceError as error:
        out.print(f"{name}: does not match\n{error}", markup=False)
        return 1
    converter = converter_for(manifest)
    seen = _Seen(cases=cases)
    usable = [case for case in cases if not case.fault]
    chosen = _spread(usable, limit)
    with progress(screen, f"{name}: reading", len(chosen), "cases") as on_done:
        for number, case in enumerate(chosen, start=1):
            _look(seen, list(converter.convert(root, case)))
            on_done(number)
    for case in cases:
        if case.fault:
            seen.reject(
                Rejection(
                    source=name,
                    case_key=case.key,
                    reason=case.fault.reason,
                    message=case.fault.message,
                )
            )
    seen.read = len(chosen)
    return _report(out, manifest, seen, [f"root {root.folder}", *notes])


def _spread(cases: list[Case], limit: int | None) -> list[Case]:
    """Cases spread evenly over the source."""
    if limit is None or limit >= len(cases):
        return cases
    return [cases[at * len(cases) // limit] for at in range(limit)]


def _look(seen: _Seen, outcomes: list[Sample | Rejection]) -> None:
    for outcome in outcomes:
        if isinstance(outcome, Rejection):
            seen.reject(outcome)
            continue
        seen.samples += 1
        seen.codes.update(finding.code for finding in outcome.findings)
        seen.terms.update(finding.label for finding in outcome.findings)
        seen.sizes[f"{outcome.width}x{outcome.height} {outcome.image_format}"] += 1
        seen.views[outcome.view or "none"] += 1


def _report(out: Console, manifest: Manifest, seen: _Seen, notes: list[str]) -> int:
    wrong = False
    table = Table(
        "", "what", "found", title=f"{manifest.name}: {manifest.title}", title_justify="left"
    )
    for note in notes:
        table.add_row("", "root", note.removeprefix("root "))
    usable = sum(1 for case in seen.cases if not case.fault)
    published = manifest.expect.cases
    listed = f"{len(seen.cases):,} listed, {usable:,} usable"
    differs = published is not None and published != len(seen.cases)
    table.add_row("?" if differs else "ok", "cases",
                  listed + (f"; {published:,} are published" if published else ""))  # fmt: skip
    splits = Counter(str(case.split) for case in seen.cases if not case.fault)
    table.add_row("ok", "splits", _counted(splits))
    table.add_row("ok" if seen.samples else "WRONG", "read",
                  f"{seen.read:,} cases gave {seen.samples:,} images")  # fmt: skip
    wrong |= not seen.samples
    table.add_row("ok", "sizes", _counted(Counter(dict(seen.sizes.most_common(6)))))
    table.add_row("ok", "findings", _counted(Counter(dict(seen.terms.most_common(12)))))
    never = sorted({term for _, term in labels_in(manifest)} - set(seen.terms))
    if never:
        table.add_row(
            "?", "labels not seen", ", ".join(never[:12]) + (" ..." if never[12:] else "")
        )
    for reason, found in sorted(seen.rejections.items()):
        is_wrong = reason not in _EXPECTED_REASONS
        wrong |= is_wrong
        meaning = vocabulary()["rejection"][reason]
        first = found[0]
        table.add_row("WRONG" if is_wrong else "?", reason,
                      f"{len(found):,}: {meaning}; first: {first.message}")  # fmt: skip
    out.print(table)
    out.print("does not match" if wrong else "matches", style="bold")
    return 1 if wrong else 0


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "none"
