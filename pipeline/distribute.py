"""Partitions spread over worker processes of this machine.

A worker dies with its driver, however the driver ends, so that nothing writes into an out
folder that another driver has taken over.
"""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event

from converters.errors import SettingsError
from pipeline.build import Job, Made, make_partition

_POLL_SECONDS = 0.2
_FEW_CASES = 16  # a worker takes longer to start than these take to make
_cases_done: "Synchronized[int] | None" = None


def make_all(
    jobs: Sequence[Job], *, workers: int, on_cases: Callable[[int], None]
) -> Iterator[Made]:
    """Make every partition; yield each as it is done, in any order.

    Args:
        jobs: What to make.
        workers: Processes; with one, or with few cases, everything runs in this process.
        on_cases: Called now and then with the number of cases done so far.

    Raises:
        SettingsError: A worker was killed from outside.
    """
    cases = sum(len(job.partition.cases) for job in jobs)
    if workers == 1 or len(jobs) <= 1 or cases <= _FEW_CASES:
        yield from _make_here(jobs, on_cases)
    else:
        yield from _make_in_workers(jobs, min(workers, len(jobs)), on_cases)


def _make_here(jobs: Sequence[Job], on_cases: Callable[[int], None]) -> Iterator[Made]:
    done = 0

    def on_case() -> None:
        nonlocal done
        done += 1
        on_cases(done)

    for job in jobs:
        yield make_partition(job, on_case)


def _make_in_workers(
    jobs: Sequence[Job], workers: int, on_cases: Callable[[int], None]
) -> Iterator[Made]:
    context = multiprocessing.get_context("spawn")
    counter = context.Value("q", 0)
    stop = context.Event()
    pool = ProcessPoolExecutor(
        workers,
        context,
        initializer=_start_worker,
        initargs=(counter, stop, os.getpid()),
    )
    running: list[str] = []
    try:
        paths = {pool.submit(_make_in_worker, job): job.partition.path for job in jobs}
        waiting: set[Future[Made]] = set(paths)
        while waiting:
            finished, waiting = wait(waiting, _POLL_SECONDS, return_when=FIRST_COMPLETED)
            running = [paths[f] for f in waiting if f.running()] or running
            on_cases(counter.value)
            for future in finished:
                yield future.result()
    except BrokenProcessPool as error:
        raise SettingsError(
            "workers",
            f"a worker process died while it made one of: {', '.join(sorted(running)[:4])}",
            "if memory was short, run the same command again with fewer --workers; if it dies in "
            "the same place, a file there breaks a library: please report it. What is done is kept",
        ) from error
    finally:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)


def _start_worker(counter: "Synchronized[int]", stop: Event, driver: int) -> None:
    global _cases_done  # noqa: PLW0603 - a process pool gives its workers no other state
    _cases_done = counter
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

    return make_partition(job, on_case)
