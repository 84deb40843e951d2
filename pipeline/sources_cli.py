"""gmai-sources: which sources there are, what each is, and whether a folder is one."""

import argparse
import os
import sys
from collections.abc import Sequence

from pipeline.command_line import folder, positive, run_command


def parser() -> argparse.ArgumentParser:
    """The command line of gmai-sources."""
    out = argparse.ArgumentParser(
        prog="gmai-sources", description="The sources that gmai-build knows, and their folders."
    )
    commands = out.add_subparsers(dest="command", required=True, metavar="COMMAND")
    listing = commands.add_parser("list", help="list sources")
    for name in ("modality", "task", "license", "anatomy", "access", "evidence"):
        listing.add_argument(f"--{name}", metavar="WORD", help=f"only sources with this {name}")
    listing.add_argument("--json", action="store_true", help="print JSON")
    show = commands.add_parser("show", help="what a source is, and where to get it")
    show.add_argument("name", metavar="NAME")
    check = commands.add_parser("check", help="whether a folder is what a source should be")
    check.add_argument("name", metavar="NAME")
    check.add_argument("--root", type=folder, metavar="DIR",
                       help="folder with the files (default: as for gmai-build)")  # fmt: skip
    check.add_argument("--cases", type=_cases, default=50, metavar="N",
                       help="cases that are read, or all (default: 50)")  # fmt: skip
    return out


def _cases(text: str) -> int | None:
    return None if text == "all" else positive(text)


def main(argv: Sequence[str] | None = None) -> int:
    """Run gmai-sources; the exit code is 0, 1 (a folder does not match) or 2 (the user's)."""
    arguments = parser().parse_args(argv)
    return run_command("gmai-sources", lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    if arguments.command == "check":
        from pipeline.check_source import check_source

        return check_source(arguments.name, arguments.root, os.environ, arguments.cases)
    if arguments.command == "show":
        from pipeline.describe_sources import show

        return show(arguments.name)
    from pipeline.list_sources import list_all

    wanted = {
        name: getattr(arguments, name)
        for name in ("modality", "task", "license", "anatomy", "access", "evidence")
        if getattr(arguments, name)
    }
    return list_all(wanted, as_json=arguments.json)


if __name__ == "__main__":
    sys.exit(main())
