"""Partitions spread over worker processes of this machine.

A worker dies with its driver, however the driver ends, so that nothing writes into an out
folder that another driver has taken over.
"""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from types import TracebackType

from converters.errors import SettingsError
from pipeline.ask_workers import (
    AskingForWorkers,
    Ends,
    OpenPartitions,
    PartitionAsker,
    WorkerAsker,
)
from pipeline.asking import Asked, Asking
from pipeline.build import Job, Made, make_partition
from pipeline.captioning import Connection, captioning

_POLL_SECONDS = 0.2
_FEW_WORKERS = 16  # forking more would be felt where there is nothing to do
_FEW_CASES = 16  # a worker takes longer to start than these take to make
_cases_done: "Synchronized[int] | None" = None
_asker: WorkerAsker | None = None


class Workers:
    """Processes that make partitions; use as a context manager around a whole build.

    On Linux a few of them are forked on entering, while this process is still small and has a
    single thread: they are ready when the plan is. Elsewhere, and where there are many, they
    are started when they are needed, each with an interpreter of its own (about a second).

    Attributes:
        asked: What the model was asked, once everything is made.

    Args:
        count: How many; with one, everything is made in this process.
    """

    def __init__(self, count: int) -> None:
        self.asked: Asked | None = None
        self._count = count
        self._pool: _Pool | None = None

    def __enter__(self) -> "Workers":
        is_single = threading.active_count() == 1
        if sys.platform == "linux" and is_single and 1 < self._count <= _FEW_WORKERS:
            self._pool = _Pool(self._count, "fork")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pool:
            self._pool.shutdown()

    def make_all(
        self,
        jobs: Sequence[Job],
        *,
        on_cases: Callable[[int], None],
        connection: Connection | None = None,
    ) -> Generator[Made, None, None]:
        """Make every partition, see :meth:`pipeline.executor.Executor.make_all`.

        Raises:
            GmaiError: A worker was killed from outside, or the model cannot be asked any more.
        """
        if not connection or not jobs:
            yield from self._make_all(jobs, on_cases, None)
            return
        with captioning(connection, jobs[0].out) as asking:
            yield from self._make_all(jobs, on_cases, asking)
            self.asked = Asked.of(asking)

    def _make_all(
        self, jobs: Sequence[Job], on_cases: Callable[[int], None], asking: Asking | None
    ) -> Generator[Made, None, None]:
        cases = sum(len(job.partition.cases) for job in jobs)
        if self._count == 1 or len(jobs) <= 1 or (not self._pool and cases <= _FEW_CASES):
            yield from _make_here(jobs, on_cases, asking)
            return
        if not self._pool:
            self._pool = _Pool(min(self._count, len(jobs)), "spawn")
        yield from self._pool.make_all(jobs, on_cases, asking)


def _make_here(
    jobs: Sequence[Job], on_cases: Callable[[int], None], asking: Asking | None
) -> Generator[Made, None, None]:
    done = 0

    def on_case() -> None:
        nonlocal done
        done += 1
        on_cases(done)

    for job in jobs:
        if asking is None:
            yield make_partition(job, on_case)
            continue
        with asking.store.open(job.partition.name) as opened:
            made = make_partition(job, on_case, PartitionAsker(asking, opened))
        yield made


class _Pool:
    """A pool of processes, and what they share with this one."""

    def __init__(self, count: int, how: str) -> None:
        context = multiprocessing.get_context(how)
        self._counter: Synchronized[int] = context.Value("q", 0)
        self._stop = context.Event()
        self._questions = AskingForWorkers(context, count)
        self._pool = ProcessPoolExecutor(
            count,
            context,
            initializer=_start_worker,
            initargs=(self._counter, self._stop, os.getpid(), self._questions.ends),
        )
        self._pool.submit(os.getpid)  # starts them

    def shutdown(self) -> None:
        self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def make_all(
        self, jobs: Sequence[Job], on_cases: Callable[[int], None], asking: Asking | None
    ) -> Generator[Made, None, None]:
        running: list[str] = []
        partitions = OpenPartitions(asking.store) if asking else None
        if asking and partitions:
            self._questions.start(asking, partitions)
        try:
            made_of = {self._pool.submit(_make_in_worker, job): job.partition for job in jobs}
            waiting: set[Future[Made]] = set(made_of)
            while waiting:
                finished, waiting = wait(waiting, _POLL_SECONDS, return_when=FIRST_COMPLETED)
                running = [made_of[f].path for f in waiting if f.running()] or running
                on_cases(self._counter.value)
                self._questions.require_serving()
                for future in finished:
                    made = future.result()
                    if partitions:
                        partitions.close(made_of[future].name)
                    yield made
        except BrokenProcessPool as error:
            raise SettingsError(
                "workers",
                f"a worker process died while it made one of: {', '.join(sorted(running)[:4])}",
                "if memory was short, run the same command again with fewer --workers; if it dies "
                "in the same place, a file there breaks a library: please report it. What is done "
                "is kept",
            ) from error
        finally:
            if asking:
                self._questions.stop()


def _start_worker(counter: "Synchronized[int]", stop: Event, driver: int, ends: Ends) -> None:
    global _cases_done, _asker  # noqa: PLW0603 - a process pool gives its workers no other state
    _cases_done = counter
    _asker = WorkerAsker(ends.take())
    # The driver alone answers Ctrl-C.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_driver, args=(stop, driver), daemon=True).start()


def _die_with_driver(stop: Event, driver: int) -> None:
    while os.getppid() == driver and not stop.is_set():
        time.sleep(_POLL_SECONDS)
    os._exit(1)


def _make_in_worker(job: Job) -> Made:
    assert _cases_done is not None, "a worker starts with _start_worker"
    counter = _cases_done

    def on_case() -> None:
        with counter.get_lock():
            counter.value += 1

    if job.text.model is None:
        return make_partition(job, on_case)
    assert _asker is not None, "a worker starts with _start_worker"
    _asker.partition = job.partition.name
    return make_partition(job, on_case, _asker)
