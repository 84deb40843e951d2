"""gmai-build: annotated medical images into image-text pairs in parquet shards."""

import argparse
import os
import sys
from collections.abc import Sequence

from pipeline.command_line import folder, names, positive, run_command
from pipeline.executor_options import add_executor_options, cluster_of
from pipeline.mix import parse_mix
from pipeline.model_options import add_model_options, require_fitting

FORMATS = (
    "caption", "region_caption", "single_choice", "judgement", "detection", "own_question",
    "counting", "measurement", "position", "multiple_choice", "open_question", "recognition",
    "multi_region", "report", "conversation", "comparison", "grading", "surgical_phase",
    "surgical_action", "image_quality", "own_text",
)  # fmt: skip
LANGUAGES = ("en", "zh")


def parser() -> argparse.ArgumentParser:
    """The command line of gmai-build."""
    out = argparse.ArgumentParser(
        prog="gmai-build",
        description="Turn annotated medical imaging datasets into image-text pairs.",
        epilog="A build that was stopped goes on when the same command is run again.",
    )
    out.add_argument("--source", action="append", required=True, metavar="NAME",
                     help="source to build, see gmai-sources list; may be repeated")  # fmt: skip
    out.add_argument("--root", type=folder, metavar="DIR",
                     help="folder with the downloaded files; with several sources, the folder "
                     "that holds one folder a source (default: $GMAI_DATA/NAME, or the installed "
                     "package that carries the files)")  # fmt: skip
    out.add_argument("--out", type=folder, required=True, metavar="DIR",
                     help="folder for the shards")  # fmt: skip
    out.add_argument("--formats", type=names(FORMATS), default=FORMATS, metavar="A,B",
                     help=f"kinds of text, of: {', '.join(FORMATS)} (default: all)")  # fmt: skip
    out.add_argument("--languages", type=names(LANGUAGES), default=("en",), metavar="A,B",
                     help=f"languages, of: {', '.join(LANGUAGES)} (default: en)")  # fmt: skip
    out.add_argument("--boxes", choices=["unit", "thousand"], default="unit",
                     help="numbers of boxes: from 0 to 1 with two decimals (unit), or whole from "
                     "0 to 1000 (thousand) (default: %(default)s)")  # fmt: skip
    out.add_argument("--mix", type=parse_mix, metavar="caption=W,perception=W,instruction=W",
                     help="weights of three kinds of text: of each image that gives all three, as "
                     "many pairs are kept as fit them, drawn by the digest of the pair (default: "
                     "every pair is kept)")  # fmt: skip
    out.add_argument("--workers", type=positive, metavar="N",
                     help="processes (default: one a processor)")  # fmt: skip
    out.add_argument("--limit", type=positive, metavar="N",
                     help="take the first N cases of each source only")  # fmt: skip
    out.add_argument("--images", choices=["embed", "pointers"], default="embed",
                     help="images in the shards, or rows that point to them by file, slice and "
                     "digest; gmai-rehydrate puts them back (default: %(default)s)")  # fmt: skip
    out.add_argument("--license-policy", metavar="POLICY",
                     help="what licences must allow: open, research, any, or a FILE (default: "
                     "everything, but what forbids it is sent to no server elsewhere)")  # fmt: skip
    out.add_argument("--partition-cases", type=positive, metavar="N",
                     help="cases a shard (default: 512 pictures or 32 volumes)")  # fmt: skip
    out.add_argument("--dry-run", action="store_true",
                     help="say what would be made, without reading pixels")  # fmt: skip
    add_executor_options(out)
    add_model_options(out)
    return out


def main(argv: Sequence[str] | None = None) -> int:
    """Run gmai-build; the exit code is 0, 1 (our fault), 2 (the user's) or 130 (Ctrl-C)."""
    arguments = parser().parse_args(argv)
    return run_command("gmai-build", lambda: _build(arguments))


def _build(arguments: argparse.Namespace) -> int:
    require_fitting(arguments)
    from pipeline.build_settings import BuildSettings
    from pipeline.license_policy import DEFAULT, load_policy
    from pipeline.run import run_build

    model, connection = None, None
    if arguments.captioner != "template":
        from pipeline.model_choice import model_and_connection

        model, connection = model_and_connection(arguments)
    settings = BuildSettings(
        sources=tuple(dict.fromkeys(arguments.source)),
        root=arguments.root,
        out=arguments.out,
        formats=arguments.formats,
        languages=arguments.languages,
        boxes=arguments.boxes,
        workers=arguments.workers,
        limit=arguments.limit,
        partition_cases=arguments.partition_cases,
        is_dry_run=arguments.dry_run,
        model=model,
        connection=connection,
        retries_failed=arguments.retry == "failed",
        mix=arguments.mix,
        cluster=cluster_of(arguments),
        share=arguments.shard,
        is_digests_only=arguments.digests_only,
        publish_url=arguments.publish,
        images=arguments.images,
        policy=load_policy(arguments.license_policy or DEFAULT),
    )
    return run_build(settings, os.environ)


if __name__ == "__main__":
    sys.exit(main())
