"""What a kill costs: requests asked again, rows lost, bytes that differ.

A build whose captions come from a server of this machine is killed at random moments, as often as
is asked for, and run to its end; the moments follow a seed. The server counts what it sees. Killed
is, in turn: the driver with all its processes (`driver`), or, with `--executor ray`, one process of
the cluster: a task (`task`) or the engine (`engine`), and then nobody runs anything again by hand.

    python benchmarks/crash.py [--kills 10] [--seed 1] [--executor local]
"""

import argparse
import contextlib
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from converters.manifest import load_manifest
from tests.fakes import build_twin
from tests.fakes.model_server import ModelServer, Say
from tests.fakes.model_writer import write_truth

CASES = 40
IN_FLIGHT = 8
ANSWER_SECONDS = 0.15


def slowly(number: int, body: dict[str, Any]) -> Say:
    """The truth, after a while."""
    return Say(body=write_truth(number, body).body, wait_seconds=ANSWER_SECONDS)


def contents(out: Path) -> dict[str, str]:
    """Digests of all that a reader sees."""
    return {
        path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file() and ".gmai" not in path.parts
    }


def command(root: Path, out: Path, url: str, executor: str) -> list[str]:
    """The build."""
    return [
        sys.executable, "-m", "pipeline.cli", "--source", "bccd", "--root", str(root), "--out",
        str(out), "--formats", "caption,region_caption", "--partition-cases", "4", "--workers", "2",
        "--captioner", "openai", "--model", "m", "--base-url", url, "--concurrency",
        str(IN_FLIGHT), "--executor", executor,
    ]  # fmt: skip


def start(arguments: list[str]) -> "subprocess.Popen[str]":
    """Begin a build in a group of processes of its own."""
    return subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True, start_new_session=True)


def named(root: int, name: str) -> list[int]:
    """A process and all that it and its children started, whose command begins with a name."""
    parents, commands = {}, {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(path.name)] = int((path / "stat").read_text().rsplit(")", 1)[1].split()[1])
            commands[int(path.name)] = (path / "cmdline").read_bytes().decode("utf-8", "replace")
        except (OSError, ValueError):
            continue
    family = [root]
    for pid in family:
        family += [child for child, parent in parents.items() if parent == pid]
    return [pid for pid in family if commands.get(pid, "").startswith(name)]


def kill(pids: list[int]) -> None:
    """SIGKILL, to those that are still there."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def once(root: Path, quiet: dict[str, str], asked: Counter, what: str, executor: str,
         draw: random.Random) -> list[str]:  # fmt: skip
    """Kill once; a row of the table."""
    with tempfile.TemporaryDirectory() as folder, ModelServer(slowly) as server:
        out = Path(folder) / "out"
        arguments = command(root, out, server.url, executor)
        process = start(arguments)
        until = draw.randrange(1, asked.total())
        while len(server.bodies) < until and process.poll() is None:
            time.sleep(0.005)
        seen = len(server.bodies)
        if what == "driver":
            kill(named(process.pid, ""))
            process.wait()
            process = start(arguments)
        else:
            name = "ray::RemoteEngine" if what == "engine" else "ray::make"
            kill(named(process.pid, name)[:1])
        said = process.communicate(timeout=300)[1]
        again = Counter(str(body) for body in server.bodies) - asked
        same = process.returncode == 0 and contents(out) == quiet
        if process.returncode:
            print(said[-2000:])
        return [what, str(seen), str(again.total()), str(sum(again.values()) > IN_FLIGHT * 2),
                "equal" if same else "DIFFERENT"]  # fmt: skip


def main() -> None:
    """Print a row for each kill."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--executor", choices=["local", "ray"], default="local")
    given = parser.parse_args()
    draw = random.Random(given.seed)
    kinds = ["driver"] if given.executor == "local" else ["driver", "task", "engine"]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "bccd"
        build_twin(load_manifest("bccd").manifest, root, CASES)
        with ModelServer(write_truth) as server:
            out = Path(folder) / "quiet"
            assert start(command(root, out, server.url, "local")).wait() == 0
            quiet, asked = contents(out), Counter(str(body) for body in server.bodies)
        table = Table(
            title=f"{asked.total()} requests, {IN_FLIGHT} in flight, seed {given.seed}, "
            f"executor {given.executor}",
            title_justify="left",
        )
        for column in ("killed", "seen at the kill", "asked again", "more than 2 x in flight",
                       "shards and receipt"):  # fmt: skip
            table.add_column(column)
        for number in range(given.kills):
            what = kinds[number % len(kinds)]
            table.add_row(*once(root, quiet, asked, what, given.executor, draw))
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
