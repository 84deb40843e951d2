"""What a person sees of long work: bars on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

_LINE_SECONDS = 10.0


def console() -> Console:
    """Where progress and tables go: standard error, so that output can be piped."""
    return Console(stderr=True, highlight=False, markup=False, soft_wrap=not sys.stderr.isatty())


@contextmanager
def progress(screen: Console, what: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    """Show how far some work is; the block is given a function that takes what is done so far.

    Args:
        screen: Where to show it.
        what: What is being done.
        total: How much there is.
        unit: What is counted.
    """
    if not screen.is_terminal:
        yield _plain(screen, what, total, unit)
        return
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=screen,
    )
    started = time.monotonic()
    with bar:
        task = bar.add_task(what, total=total, rate="")

        def on_done(done: int) -> None:
            seconds = max(time.monotonic() - started, 1e-3)
            bar.update(task, completed=done, rate=f"{done / seconds:,.1f}/s")

        yield on_done


def _plain(screen: Console, what: str, total: int, unit: str) -> Callable[[int], None]:
    started = time.monotonic()
    shown = started

    def on_done(done: int) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - shown < _LINE_SECONDS:
            return
        shown = now
        rate = done / (now - started)
        left = (total - done) / rate if rate else 0
        screen.print(f"{what}: {done:,} of {total:,} {unit}, {rate:,.1f}/s, {left:,.0f} s left")

    return on_done
