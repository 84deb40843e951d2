"""What a build tells the person at the screen: what it will make, and what it made."""

import os
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from converters.manifest import Manifest
from converters.records import Case
from pipeline.asking import Asked
from pipeline.license_policy import Terms
from pipeline.mixture_terms import conditions
from pipeline.receipt import SourceResult


def say_plan(
    screen: Console, manifest: Manifest, root: Path, cases: Sequence[Case], partition_cases: int
) -> None:
    """What would be made of a source, as far as names and tables tell."""
    usable = [case for case in cases if not case.fault]
    splits = Counter(str(case.split) for case in usable)
    parts = sum(-(-count // partition_cases) for count in splits.values())
    reasons = Counter(case.fault.reason for case in cases if case.fault)
    table = Table(
        title=f"{manifest.name}: {manifest.title}", title_justify="left", show_header=False
    )
    table.add_row("root", str(root))
    table.add_row(
        "licence", f"{manifest.license} ({manifest.terms or 'access: ' + manifest.access})"
    )
    table.add_row("cases", f"{len(usable):,}")
    table.add_row("subjects", f"{len({case.subject_id for case in usable}):,}")
    table.add_row("splits", ", ".join(f"{k} {v:,}" for k, v in sorted(splits.items())))
    table.add_row("partitions", f"{parts:,} of at most {partition_cases:,} cases")
    table.add_row("rejected before reading", counted(reasons))
    screen.print(table)


def say_nothing_written(screen: Console, out: Path) -> None:
    """The end of a dry run."""
    there = out.absolute()
    while not os.path.exists(there):  # noqa: PTH110 - Path.exists fails where rights are missing
        there = there.parent
    free = shutil.disk_usage(there).free
    screen.print(f"{out}: {free / 1e9:,.1f} GB free; nothing was written")
    screen.print("Equal images and unreadable files are found by the build itself.")


def say_results(
    screen: Console, out: Path, results: Sequence[SourceResult], seconds: float
) -> None:
    """The last table of a build."""
    table = Table(title=f"built in {seconds:,.1f} s", title_justify="left")
    for column in ("source", "images", "pairs", "pairs by format", "rejected", "by reason"):
        is_number = column in ("images", "pairs", "rejected")
        table.add_column(column, justify="right" if is_number else "left")
    images = 0
    for result in results:
        pairs = Counter[str]()
        for made in result.made:
            pairs.update(made.pairs)
        samples = sum(made.samples for made in result.made)
        images += samples
        reasons = Counter(rejection.reason for rejection in result.rejections)
        table.add_row(result.loaded.manifest.name, f"{samples:,}", f"{pairs.total():,}",
                      counted(pairs), f"{reasons.total():,}", counted(reasons))  # fmt: skip
    screen.print(table)
    texts = Counter[str]()
    for made in (made for result in results for made in result.made):
        texts.update(made.texts)
    if texts:
        shares = (
            f"{name} {count:,} ({count / texts.total():.1%})"
            for name, count in sorted(texts.items())
        )
        screen.print(f"texts of the model: {', '.join(shares)}")
    screen.print(f"{images / max(seconds, 1e-3):,.1f} images/s; written to {out}")


def say_asked(screen: Console, asked: Asked) -> None:
    """What a model was asked, and what the store answered in its place."""
    screen.print(
        f"{asked.sent:,} requests to the model, {asked.from_store:,} answered from the store; "
        f"{asked.tokens_in:,} tokens read, {asked.tokens_out:,} written"
    )


def say_terms(screen: Console, terms: Iterable[Terms]) -> None:
    """What the licences of the sources come to together."""
    for line in conditions(terms):
        screen.print(f"terms: {line}", markup=False)


def say_expectation(screen: Console, result: SourceResult) -> None:
    """Compare with what the owner publishes; a part of the source is a part, not a fault."""
    manifest = result.loaded.manifest
    expected = manifest.expect.cases
    seen = sum(len(p.cases) for p in result.plan.partitions) + len(result.plan.rejections)
    if expected is not None and seen != expected:
        screen.print(f"{manifest.name}: {seen:,} cases found, {expected:,} are published")


def counted(counts: Mapping[str, int]) -> str:
    """Counts in one line, by name."""
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items())) or "none"
