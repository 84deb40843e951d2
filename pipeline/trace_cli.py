"""gmai-trace: where a sentence comes from, and whether it comes out again."""

import argparse
import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.command_line import folder, positive, run_command

if TYPE_CHECKING:
    from rich.console import Console

_LONGEST = 160  # characters of a value that differs


def parser() -> argparse.ArgumentParser:
    """The command line of gmai-trace."""
    out = argparse.ArgumentParser(
        prog="gmai-trace",
        description="Where a pair comes from; with --root, whether it comes out again.",
    )
    which = out.add_mutually_exclusive_group(required=True)
    which.add_argument("pair_id", nargs="*", default=[], metavar="PAIR_ID", help="pairs to trace")
    which.add_argument("--sample", type=positive, metavar="N",
                       help="draw N pairs of each source, and make them again")  # fmt: skip
    out.add_argument("--data", type=folder, required=True, metavar="OUT",
                     help="out folder of gmai-build")  # fmt: skip
    out.add_argument("--root", type=folder, metavar="DIR",
                     help="folder with the files of the source; with several sources, the folder "
                     "that holds one folder a source")  # fmt: skip
    out.add_argument("--prov", type=Path, metavar="FILE",
                     help="write the way in the terms of W3C PROV, as JSON-LD")  # fmt: skip
    out.add_argument("--html", type=Path, metavar="FILE",
                     help="write a page: picture, boxes and words side by side")  # fmt: skip
    return out


def main(argv: Sequence[str] | None = None) -> int:
    """Run gmai-trace; exit code 1 says that a pair did not come out equal."""
    arguments = parser().parse_args(argv)
    return run_command("gmai-trace", lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    screen = Console(highlight=False, markup=False, soft_wrap=True)
    rows = _rows(arguments)
    if arguments.prov:
        _write_prov(arguments.prov, rows)
    if arguments.html:
        _write_page(arguments.html, rows)
    if not arguments.sample:
        for row in rows:
            _say_way(screen, row)
    if arguments.root is None and not arguments.sample:
        return 0
    return _remake(screen, arguments, rows)


def _rows(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    from converters.errors import SettingsError
    from pipeline.audit import draw, rows_of

    wanted = list(arguments.pair_id)
    if arguments.sample:
        drawn = draw(arguments.data, arguments.sample)
        wanted = [pair_id for pairs in drawn.values() for pair_id in pairs]
    found = rows_of(arguments.data, wanted)
    missing = [pair_id for pair_id in wanted if pair_id not in found]
    if missing:
        raise SettingsError(
            str(arguments.data), f"holds no pair {missing[0]}", "take it from the column pair_id"
        )
    return [found[pair_id] for pair_id in wanted]


def _write_prov(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    from pipeline.digests import canonical
    from pipeline.shards import write_whole
    from pipeline.trace import prov_of

    write_whole(path, canonical([prov_of(row) for row in rows]).encode())


def _write_page(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    from pipeline.shards import write_whole
    from pipeline.trace_page import trace_page

    write_whole(path, trace_page(rows).encode())


def _say_way(screen: "Console", row: Mapping[str, Any]) -> None:
    from pipeline.trace import way_of

    screen.print(f"pair {row['pair_id']}")
    for heading, values in way_of(row):
        screen.print(f"\n{heading}")
        for name, value in values:
            if value:
                shown = value.strip().replace("\n", f"\n{' ' * 17}")
                screen.print(f"  {name:<14} {shown}")
    screen.print("")


def _remake(
    screen: "Console", arguments: argparse.Namespace, rows: Sequence[Mapping[str, Any]]
) -> int:
    from converters.files import Root
    from converters.manifest import load_manifest
    from converters.roots import find_root
    from pipeline.progress import console, progress
    from pipeline.remake import remake

    several = len({row["source"] for row in rows}) > 1

    def root_of(source: str) -> Root:
        given = arguments.root / source if arguments.root and several else arguments.root
        return find_root(load_manifest(source).manifest, given, os.environ)[0]

    source_of = {row["pair_id"]: row["source"] for row in rows}
    equal: Counter[str] = Counter()
    with progress(console(), "making again", len(rows), "pairs") as on_done:
        for number, one in enumerate(remake(arguments.data, rows, root_of), start=1):
            on_done(number)
            equal[source_of[one.pair_id]] += not one.differs
            for column, (before, after) in one.differs.items():
                screen.print(f"{one.pair_id}: {column} differs\n  in the shard {_short(before)}\n"
                             f"  made again   {_short(after)}")  # fmt: skip
    for source, count in Counter(source_of.values()).items():
        share = equal[source] / count
        screen.print(
            f"{source}: {equal[source]:,} of {count:,} pairs made again equal ({share:.1%})"
        )
    return 0 if equal.total() == len(rows) else 1


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... ({len(text):,} characters)"


if __name__ == "__main__":
    sys.exit(main())
