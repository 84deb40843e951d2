"""Builds on a Ray cluster: the same bytes as on one machine, whatever dies while they are made.

They need the extra `ray` and run apart from `.ci/run`: `make test-cluster`.
"""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from converters.manifest import load_manifest
from tests.end_to_end.test_restart import contents
from tests.fakes import build_twin
from tests.fakes.model_server import ModelServer, Say
from tests.fakes.model_writer import write_truth

ray = pytest.importorskip("ray", reason="needs the extra ray: make test-cluster")
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.slow,
    # Ray's own, on import and when its processes end.
    pytest.mark.filterwarnings("ignore"),
]

SOURCE = "bccd"
CASES = 60
ANSWER_SECONDS = 0.15
IN_FLIGHT = 8


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("twin") / SOURCE
    build_twin(load_manifest(SOURCE).manifest, folder, CASES)
    return folder


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer(_slowly) as server:
        yield server


def _slowly(number: int, body: dict[str, Any]) -> Say:
    return Say(body=write_truth(number, body).body, wait_seconds=ANSWER_SECONDS)


def command(root: Path, out: Path, *more: str) -> list[str]:
    return [
        sys.executable, "-m", "pipeline.cli", "--source", SOURCE, "--root", str(root),
        "--out", str(out), "--formats", "caption,region_caption,judgement",
        "--partition-cases", "4", "--workers", "2", *more,
    ]  # fmt: skip


def with_model(server: ModelServer) -> list[str]:
    return [
        "--captioner", "openai", "--model", "small", "--base-url", server.url,
        "--concurrency", str(IN_FLIGHT),
    ]  # fmt: skip


def run(arguments: list[str]) -> str:
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


def asked(server: ModelServer) -> "Counter[str]":
    """How often the server saw each request."""
    return Counter(str(body) for body in server.bodies)


def test_a_cluster_makes_the_same_bytes(root: Path, tmp_path: Path) -> None:
    run(command(root, tmp_path / "local"))
    run(command(root, tmp_path / "ray", "--executor", "ray"))
    assert contents(tmp_path / "ray") == contents(tmp_path / "local")


@pytest.fixture
def quiet(root: Path, tmp_path: Path) -> tuple[dict[str, str], "Counter[str]"]:
    """What a build of this machine makes of the model's texts, and what it asks."""
    with ModelServer(write_truth) as other:
        run(command(root, tmp_path / "quiet", *with_model(other)))
        return contents(tmp_path / "quiet"), asked(other)


def test_a_model_is_asked_each_thing_once(
    root: Path, tmp_path: Path, server: ModelServer, quiet: tuple[dict[str, str], "Counter[str]"]
) -> None:
    said = run(command(root, tmp_path / "ray", *with_model(server), "--executor", "ray"))
    assert contents(tmp_path / "ray") == quiet[0]
    assert asked(server) == quiet[1]
    assert f"{quiet[1].total():,} requests to the model" in said
    assert not list((tmp_path / "ray/.gmai/answers").glob("*.journal"))


def test_no_engine_ends_before_all_have_made_files_of_their_journals(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from pipeline import ray_executor
    from pipeline.asking import Asked

    order: list[str] = []

    class Call:
        def __init__(self, name: str) -> None:
            self.name = name

        def remote(self) -> "Call":
            return self

    class Engine:
        def __init__(self, number: int) -> None:
            self.finish, self.end = Call(f"finish {number}"), Call(f"end {number}")

    def get(call: Call) -> Asked:
        order.append(call.name)
        return Asked(sent=1)

    monkeypatch.setattr(ray_executor.ray, "get", get)
    assert ray_executor._finish([Engine(0), Engine(1)]).sent == 2
    assert order == ["finish 0", "finish 1", "end 0", "end 1"]


@pytest.fixture
def nodes() -> Iterator[Any]:
    """A cluster of a head, which does no work, and two nodes, on this machine."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    for _ in range(2):
        cluster.add_node(num_cpus=2)
    yield cluster
    cluster.shutdown()


def test_a_node_that_dies_while_it_captions_loses_nothing(
    root: Path,
    tmp_path: Path,
    server: ModelServer,
    quiet: tuple[dict[str, str], "Counter[str]"],
    nodes: Any,
) -> None:
    process = subprocess.Popen(
        command(root, tmp_path / "ray", *with_model(server), "--executor", "ray",
                "--ray-address", nodes.address),
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while len(server.bodies) < quiet[1].total() // 3:
        assert process.poll() is None, process.stderr
        time.sleep(0.02)
    kill_node_of_engine(nodes)
    before = len(server.bodies)
    said = process.communicate(timeout=240)[1]
    assert process.returncode == 0, said
    again = asked(server) - quiet[1]
    print(f"{before} of {quiet[1].total()} requests at the kill, {again.total()} asked again")  # noqa: T201
    assert contents(tmp_path / "ray") == quiet[0]
    assert asked(server).keys() == quiet[1].keys()
    assert again.total() <= IN_FLIGHT + IN_FLIGHT * 0.2 / ANSWER_SECONDS


def kill_node_of_engine(nodes: Any) -> None:
    """SIGKILL a node and all its processes at once: the one that holds the engine."""
    raylets = {node.all_processes["raylet"][0].process.pid: node for node in nodes.worker_nodes}
    of_node = {pid: children(pid) for pid in raylets}
    (victim,) = (pid for pid, names in of_node.items() if "ray::RemoteEngine" in names.values())
    for pid in (victim, *of_node[victim]):
        os.kill(pid, signal.SIGKILL)


def children(pid: int) -> dict[int, str]:
    """The processes that one has started, with the first word of their command."""
    out = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = (path / "stat").read_text().rsplit(")", 1)[1].split()[1]
            name = (path / "cmdline").read_text().split("\0")[0].split(".")[0].split(" ")[0]
        except OSError:
            continue
        if int(parent) == pid:
            out[int(path.name)] = name
    return out
