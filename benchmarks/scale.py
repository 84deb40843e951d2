"""What grows with the size of a build, and what with the number of nodes.

    python benchmarks/scale.py plan [--files 2000000]
    python benchmarks/scale.py kept [--partitions 20000]
    python benchmarks/scale.py nodes [--nodes 1,2,4,8]

`plan` cuts generated cases, of two files each, into partitions and jobs, at an eighth, a quarter, a
half and the whole of the size; time and memory are those of a process of its own, cases and digests
among them. Digesting the files is not part of it: that is reading them once. `kept` looks at an out
folder whose receipt names so many shards, as a build does that has nothing to do.

`nodes` starts clusters of logical nodes on this machine, of one processor and one engine each. An
engine is simulated: its server answers four requests at a time, each after two seconds. The rate is
that of the requests from a fifth to four fifths of them; starting processes is not part of it. It
needs the extra `ray` and the tests' generated files.
"""

import argparse
import json
import math
import multiprocessing
import resource
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

from rich.console import Console
from rich.table import Table

ANSWER_SECONDS = 2.0
IN_FLIGHT = 4
CASES_A_NODE = 36


def in_process(work, *given):
    """What a function says, called in a process of its own."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=work, args=(*given, there))
    process.start()
    said = here.recv()
    process.join()
    return said


def plan_so_many(files: int, pipe: Connection) -> None:
    """Cut a source of so many files; say seconds, partitions and the most memory."""
    from converters.files import Root
    from converters.manifest import load_manifest
    from converters.records import Case, Entry
    from pipeline.build import Job
    from pipeline.digests import Stamp
    from pipeline.plan import make_plan, own_files_digest
    from pipeline.write_text import TextSettings, text_identity

    loaded = load_manifest("kvasir_seg")
    names = [(f"images/{n:08}.jpg", f"masks/{n:08}.jpg") for n in range(files // 2)]
    cases = [
        Case(source="kvasir_seg", key=image, subject_id=f"subject-{n // 4}", split="train",
             image=image, entries=(Entry(files=(mask,)),))
        for n, (image, mask) in enumerate(names)
    ]  # fmt: skip
    digests = {name: f"sha256:{n:064x}" for n, pair in enumerate(names) for name in pair}
    digests = {name: f"{digest}{name[0]}" for name, digest in digests.items()}
    stamp = Stamp(1, 2, 3, 4)
    text = TextSettings(formats=("caption",), languages=("en",))
    # Words are read at the first plan, whatever its size.
    make_plan(loaded, cases[:1], digests, partition_cases=1, text=text_identity(text))
    started = time.monotonic()
    plan = make_plan(loaded, cases, digests, partition_cases=512, text=text_identity(text))
    own = own_files_digest("kvasir_seg")
    jobs = [
        Job(
            partition=partition,
            root=Root(source="kvasir_seg", folder=Path()),
            digests={f: digests[f] for c in partition.cases for f in c.files},
            stamps={f: stamp for c in partition.cases for f in c.files},
            own_files=own,
            text=text,
            out=Path("out"),
        )
        for partition in plan.partitions
    ]
    seconds = time.monotonic() - started
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    pipe.send((seconds, len(jobs), most))


def plan(files: int) -> None:
    """Print seconds and memory against the size."""
    table = Table(title="planning", title_justify="left")
    for column in ("files", "partitions", "seconds", "memory, GB", "seconds a million files"):
        table.add_column(column, justify="right")
    points = []
    for part in (8, 4, 2, 1):
        count = files // part
        seconds, partitions, memory = in_process(plan_so_many, count)
        points.append((math.log(count), math.log(seconds)))
        table.add_row(f"{count:,}", f"{partitions:,}", f"{seconds:.1f}", f"{memory:.2f}",
                      f"{1e6 * seconds / count:.1f}")  # fmt: skip
    console = Console(width=100)
    console.print(table)
    console.print(f"seconds grow with the size to the power of {slope(points):.2f}")


def slope(points: list[tuple[float, float]]) -> float:
    """Of the line of least squares."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    above = sum((x - mean_x) * (y - mean_y) for x, y in points)
    return above / sum((x - mean_x) ** 2 for x, _ in points)


def kept(partitions: int) -> None:
    """Print how long it takes to see that so many shards are there."""
    from pipeline.out_folder import known_sources
    from pipeline.receipt import ENTRY_KEYS
    from pipeline.shards import RECEIPT_FILE

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        (out / "data" / "one").mkdir(parents=True)
        shards = []
        for number in range(partitions):
            path = f"data/one/train-{number:05d}-0123456789ab.parquet"
            (out / path).write_bytes(b"shard")
            shards.append({"path": path, "bytes": 5, "digest": "sha256:" + "0" * 64})
        entry = {**{key: {} for key in ENTRY_KEYS}, "shards": shards}
        (out / RECEIPT_FILE).write_text(json.dumps({"sources": {"one": entry}}))
        started = time.monotonic()
        whole, broken = known_sources(out)
        seconds = time.monotonic() - started
    assert whole
    assert not broken
    Console().print(f"{partitions:,} shards of a receipt looked at in {seconds:.2f} s")


def build(address: str, engines: int, root: str, url: str, pipe: Connection) -> None:
    """Build on a cluster; say the exit code and the seconds."""
    from pipeline.build_settings import BuildSettings
    from pipeline.captioning import Connection as To
    from pipeline.cluster import Cluster
    from pipeline.model_settings import ModelSettings
    from pipeline.run import run_build
    from pipeline.server_settings import ServerSettings

    started = time.monotonic()
    with tempfile.TemporaryDirectory() as out:
        settings = BuildSettings(
            sources=("bccd",), root=Path(root), out=Path(out), formats=("caption",),
            languages=("en",), boxes="unit", workers=None, limit=None, partition_cases=6,
            is_dry_run=False, model=ModelSettings(captioner="openai", model="m"),
            connection=To(to=ServerSettings(base_urls=(url,), concurrency=IN_FLIGHT)),
            cluster=Cluster(address=address, engines=engines),
        )  # fmt: skip
        pipe.send((run_build(settings, {}), time.monotonic() - started))


def rate_of(nodes: int) -> tuple[float, float, int]:
    """Requests a second in the middle of a build, its seconds, and its requests."""
    from ray.cluster_utils import Cluster

    from converters.manifest import load_manifest
    from tests.fakes import build_twin
    from tests.fakes.model_server import ModelServer, Say
    from tests.fakes.model_writer import write_truth

    def slowly(number: int, body: dict) -> Say:
        return Say(body=write_truth(number, body).body, wait_seconds=ANSWER_SECONDS)

    with tempfile.TemporaryDirectory() as folder, ModelServer(slowly) as server:
        root = Path(folder) / "bccd"
        build_twin(load_manifest("bccd").manifest, root, CASES_A_NODE * nodes)
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
        for _ in range(nodes):
            cluster.add_node(num_cpus=1)
        code, seconds = in_process(build, cluster.address, nodes, str(root), server.url)
        cluster.shutdown()
        assert code == 0
        times = server.times
        first, last = len(times) // 5, len(times) * 4 // 5
        return (last - first) / (times[last] - times[first]), seconds, len(times)


def nodes(counts: list[int]) -> None:
    """Print how the rate grows with the nodes."""
    table = Table(
        title=f"simulated engines, one a node: {IN_FLIGHT} at a time, {ANSWER_SECONDS:g} s each",
        title_justify="left",
    )
    for column in ("nodes", "requests", "requests/s", "of what engines can", "build, s"):
        table.add_column(column, justify="right")
    for count in counts:
        rate, seconds, requests = rate_of(count)
        best = count * IN_FLIGHT / ANSWER_SECONDS
        table.add_row(str(count), str(requests), f"{rate:.2f}", f"{rate / best:.0%}",
                      f"{seconds:.0f}")  # fmt: skip
    Console(width=100).print(table)


def main() -> None:
    """Print the table that is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=["plan", "kept", "nodes"])
    parser.add_argument("--files", type=int, default=2_000_000)
    parser.add_argument("--partitions", type=int, default=20_000)
    parser.add_argument("--nodes", default="1,2,4,8")
    given = parser.parse_args()
    if given.what == "plan":
        plan(given.files)
    elif given.what == "kept":
        kept(given.partitions)
    else:
        nodes([int(count) for count in given.nodes.split(",")])


if __name__ == "__main__":
    sys.exit(main())
