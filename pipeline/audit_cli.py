"""gmai-audit: pairs of a build for people and models to rate, and what that says of each source."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from converters.errors import SettingsError
from pipeline.command_line import folder, positive, run_command
from pipeline.model_options import add_server_options


def parser() -> argparse.ArgumentParser:
    """The command line of gmai-audit."""
    out = argparse.ArgumentParser(
        prog="gmai-audit",
        description="Pairs of a build for people and models to rate, and what the ratings say.",
    )
    commands = out.add_subparsers(dest="command", required=True, metavar="COMMAND")
    sample = commands.add_parser("sample", help="draw pairs of each source, and write a page")
    judge = commands.add_parser("judge", help="draw the same pairs, and ask a model to rate them")
    for command in (sample, judge):
        command.add_argument("--pairs", type=positive, default=30, metavar="N",
                             help="pairs a source (default: %(default)s)")  # fmt: skip
        command.add_argument("--seed", default="", metavar="TEXT",
                             help="another one draws other pairs")  # fmt: skip
    sample.add_argument("--page", type=Path, metavar="FILE",
                        help="where the page goes (default: OUT/audit/page.html)")  # fmt: skip
    judge.add_argument("--model", required=True, metavar="NAME",
                       help="name that the server knows the model by")  # fmt: skip
    judge.add_argument("--revision", default="", metavar="TEXT",
                       help="which weights the server has (default: not stated)")  # fmt: skip
    add_server_options(judge)
    keep = commands.add_parser("keep", help="keep the ratings that the page saved")
    keep.add_argument("file", type=Path, metavar="FILE")
    report = commands.add_parser("report", help="the mean of each source, and which fail")
    report.add_argument("--require", type=positive, metavar="N",
                        help="exit 1 where a source has fewer than N rated pairs, or a mean "
                        "above 3")  # fmt: skip
    for command in (sample, judge, keep, report):
        command.add_argument("--data", type=folder, required=True, metavar="OUT",
                             help="out folder of gmai-build")  # fmt: skip
    return out


def main(argv: Sequence[str] | None = None) -> int:
    """Run gmai-audit; exit code 1 says that a source fails."""
    arguments = parser().parse_args(argv)
    work = {"sample": _sample, "judge": _judge, "keep": _keep, "report": _report}[arguments.command]
    return run_command("gmai-audit", lambda: work(arguments))


def _sample(arguments: argparse.Namespace) -> int:
    from pipeline.audit import draw, rows_of
    from pipeline.audit_page import audit_page
    from pipeline.progress import console
    from pipeline.shards import write_whole

    drawn = draw(arguments.data, arguments.pairs, arguments.seed)
    wanted = [pair_id for pairs in drawn.values() for pair_id in pairs]
    rows = rows_of(arguments.data, wanted)
    page = arguments.page or arguments.data / "audit" / "page.html"
    write_whole(page, audit_page(rows[pair_id] for pair_id in wanted).encode())
    console().print(f"{len(wanted):,} pairs of {len(drawn):,} sources: open {page} in a browser")
    return 0


def _judge(arguments: argparse.Namespace) -> int:
    from pipeline.audit import draw
    from pipeline.audit_judge import JUDGEMENTS_FILE, judge
    from pipeline.captioning import Connection, captioning
    from pipeline.model_choice import server_of
    from pipeline.progress import console

    if not arguments.base_url:
        raise SettingsError("--base-url", "is missing", "name the server of the model")
    screen = console()
    drawn = draw(arguments.data, arguments.pairs, arguments.seed)
    wanted = [pair_id for pairs in drawn.values() for pair_id in pairs]
    sees_image = bool(arguments.allow_image_egress)
    if not sees_image:
        screen.print("images are not sent (--allow-image-egress): the model judges by the findings")
    with captioning(Connection(to=server_of(arguments)), arguments.data) as asking:
        judged, refused = judge(
            arguments.data, wanted, asking, model=arguments.model, revision=arguments.revision,
            sees_image=sees_image,
        )  # fmt: skip
    for why in refused:
        screen.print(f"not judged: {why}")
    screen.print(f"{len(judged):,} judgements kept in {arguments.data / JUDGEMENTS_FILE}")
    return 0 if judged or not refused else 1


def _keep(arguments: argparse.Namespace) -> int:
    from pipeline.audit import RATINGS_FILE, keep_ratings
    from pipeline.progress import console

    count, refused = keep_ratings(arguments.data, arguments.file)
    screen = console()
    for why in refused:
        screen.print(f"not kept: {why}")
    screen.print(f"{count:,} ratings kept in {arguments.data / RATINGS_FILE}")
    return 0 if count or not refused else 1


def _report(arguments: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.table import Table

    from pipeline.audit import WORST_MEAN, verdicts
    from pipeline.audit_judge import means_of

    table = Table("source", "pairs rated", "people", "mean (1 best)", "verdict", "models")
    judged = means_of(arguments.data)
    failed = 0
    for one in verdicts(arguments.data):
        passes = one.passes(arguments.require or 1)
        failed += not passes
        mean = "-" if one.mean is None else f"{one.mean:.2f}"
        said = "passes" if passes else "not rated enough"
        if one.mean is not None and one.mean > WORST_MEAN:
            said = "fails"
        models = ", ".join(f"{name} {value:.2f}" for name, value in judged.get(one.source, ()))
        table.add_row(one.source, f"{one.pairs:,}", str(one.raters), mean, said, models or "-")
    Console(highlight=False).print(table)
    return 1 if failed and arguments.require else 0


if __name__ == "__main__":
    sys.exit(main())
