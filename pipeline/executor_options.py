"""Options of gmai-build for where it runs."""

import argparse

from converters.errors import SettingsError
from pipeline.cluster import Cluster


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
