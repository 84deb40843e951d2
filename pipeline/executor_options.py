"""Options of gmai-build for where it runs."""

import argparse
import re

from converters.errors import SettingsError
from pipeline.cluster import Cluster, Share


def add_executor_options(parser: argparse.ArgumentParser) -> None:
    """Add them, in a group of their own."""
    out = parser.add_argument_group(
        "where it runs", "The shards are the same, byte for byte, wherever they are made."
    )
    out.add_argument("--executor", choices=["local", "ray"], default="local",
                     help="processes of this machine, or tasks of a Ray cluster whose nodes share "
                     "the disk (default: %(default)s)")  # fmt: skip
    out.add_argument("--ray-address", metavar="ADDRESS",
                     help="of a cluster that is there, or auto; it is looked for in $RAY_ADDRESS "
                     "too (default: a cluster of this machine, for this build)")  # fmt: skip
    out.add_argument("--shard", type=_share, metavar="I/N",
                     help="make every Nth partition from the Ith on, counted from 0, and write no "
                     "receipt; a run without it finds all of them made (for job arrays without "
                     "Ray)")  # fmt: skip
    out.add_argument("--digests-only", action="store_true",
                     help="digest the files of the sources and stop; what --shard begins with, so "
                     "that each file is read once")  # fmt: skip
    out.add_argument("--publish", type=_url, metavar="URL",
                     help="put the finished build on an object store as well, as "
                     "s3://bucket/prefix: shards first, the receipt last")  # fmt: skip


def _url(text: str) -> str:
    """An argument that is a URL of a store."""
    if not re.fullmatch(r"[a-z][a-z0-9+.-]*://[^?#@\s]+", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a URL such as s3://bucket/prefix")
    return text


def _share(text: str) -> Share:
    """An argument such as 3/8."""
    index, slash, count = text.partition("/")
    if not (slash and index.isdecimal() and count.isdecimal() and int(index) < int(count)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a share such as 0/8 or 7/8")
    return Share(index=int(index), count=int(count))


def cluster_of(arguments: argparse.Namespace) -> Cluster | None:
    """The cluster that is named; None for this machine.

    Raises:
        SettingsError: Options do not fit together.
    """
    if arguments.executor == "ray":
        return Cluster(address=arguments.ray_address, processors=arguments.workers)
    if arguments.ray_address is not None:
        raise SettingsError("--ray-address", "is for a cluster", "add --executor ray")
    return None
