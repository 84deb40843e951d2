"""Keeps engines running, gives them prompts, and asks again what a dead one leaves behind.

An engine that ends is started again, and so is one that is silent for too long. One that ends too
often in a row is given up; where all are, no prompt can be answered any more.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from converters.errors import GmaiError, SettingsError
from pipeline.captioner import Answer
from pipeline.engine_jobs import Job, JobQueue
from pipeline.engine_messages import EngineProcess, EngineStarter, Ready, Said
from pipeline.engine_settings import EngineRun
from pipeline.pace import backoff_seconds

_LISTEN_SECONDS = 1.0


@dataclass(kw_only=True, eq=False, slots=True)
class _Place:
    """Where one engine runs, one after another."""

    number: int
    engine: EngineProcess | None = None
    is_ready: bool = False
    was_ready: bool = False
    is_given_up: bool = False
    jobs: dict[int, Job] = field(default_factory=dict)
    heard_at: float = 0.0
    ends_in_row: int = 0


class EngineWatch:
    """Engines, and the prompts that wait for them. They start with the first prompt.

    Attributes:
        starts: How often an engine was started.

    Args:
        start: Starts an engine at a place.
        run: How many, and how long they may take.
        most: The most prompts that each has at once.
        on_said: Told of each answer and error before whoever waits for it; may raise GmaiError
            where no prompt can be answered.
    """

    def __init__(
        self, start: EngineStarter, run: EngineRun, most: int, on_said: Callable[[Said], None]
    ) -> None:
        self._start = start
        self._run = run
        self._most = most
        self._on_said = on_said
        self.starts = 0
        self._lock = threading.Lock()
        self._queue = JobQueue()
        self._places = [_Place(number=number) for number in range(run.engines)]
        self._threads: list[threading.Thread] = []
        self._closed = threading.Event()
        self._failure: GmaiError | None = None

    @property
    def pids(self) -> list[int]:
        """The processes of the engines that run now."""
        with self._lock:
            return [place.engine.pid for place in self._places if place.engine]

    def put(self, job: Job) -> None:
        """Take a prompt; returns at once."""
        with self._lock:
            failure, is_closed = self._failure, self._closed.is_set()
            if not failure and not is_closed:
                self._queue.put(job)
                self._begin()
        if failure:
            job.fail(failure)
        elif is_closed:
            job.future.cancel()
        else:
            self._feed(min(self._places, key=lambda at: (not at.is_ready, len(at.jobs))))

    def close(self) -> None:
        """End the engines; what is in flight is given up."""
        with self._lock:
            self._closed.set()
            engines = [place.engine for place in self._places if place.engine]
        for engine in engines:
            engine.kill()
        for thread in self._threads:
            thread.join()
        for job in self._take_all():
            job.future.cancel()

    def _begin(self) -> None:
        if self._threads:
            return
        for place in self._places:
            thread = threading.Thread(
                target=self._keep, args=[place], name=f"gmai-engine-{place.number}", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def _keep(self, place: _Place) -> None:
        """Run one engine after another until the end."""
        try:
            while not self._closed.is_set() and not place.is_given_up:
                self._run_one(place)
        except GmaiError as error:
            self._fail(error)
        except BaseException:
            # Whatever ends this thread: nobody is left to wait for an answer that cannot come. It
            # is raised again for the one who mends it; those who wait learn that it ended.
            self._fail(GmaiError("captioner", "the watch over the engine ended", "report it"))
            raise

    def _run_one(self, place: _Place) -> None:
        engine = self._started(place)
        try:
            if self._is_ready(place, engine):
                self._feed(place)
                self._listen(place, engine)
        finally:
            with self._lock:
                place.is_ready = False
                place.engine = None
            engine.end()
        self._after_end(place, engine)

    def _started(self, place: _Place) -> EngineProcess:
        try:
            engine = self._start(place.number)
        except OSError as error:
            raise SettingsError("captioner", f"no engine can be started: {error}") from error
        with self._lock:
            self.starts += 1
            place.engine = engine
            is_late = self._closed.is_set()
        if is_late:
            engine.kill()
        return engine

    def _is_ready(self, place: _Place, engine: EngineProcess) -> bool:
        ends_at = time.monotonic() + self._run.start_seconds
        with contextlib.suppress(EOFError):
            while time.monotonic() < ends_at:
                if isinstance(engine.receive(_LISTEN_SECONDS), Ready):
                    with self._lock:
                        place.is_ready = place.was_ready = True
                    return True
        return False

    def _listen(self, place: _Place, engine: EngineProcess) -> None:
        """Hand on what an engine says, until it ends or is stuck."""
        with contextlib.suppress(EOFError):
            while not place.jobs or time.monotonic() < place.heard_at + self._run.silence_seconds:
                said = engine.receive(_LISTEN_SECONDS)
                if isinstance(said, Said):
                    self._hear(place, said)

    def _hear(self, place: _Place, said: Said) -> None:
        with self._lock:
            job = place.jobs.pop(said.number, None)
            place.heard_at = time.monotonic()
            place.ends_in_row = 0
        if job is None:  # given up already
            return
        self._tell(job, said)
        self._feed(place)

    def _tell(self, job: Job, said: Said) -> None:
        try:
            self._on_said(said)
        finally:  # also before everything ends
            job.settle(said.answer)

    def _feed(self, place: _Place) -> None:
        with self._lock:
            engine = place.engine if place.is_ready else None
            held = list(place.jobs.values())
            jobs = self._queue.take(held, self._most) if engine else []
            if jobs and not held:
                place.heard_at = time.monotonic()
            place.jobs.update((job.number, job) for job in jobs)
        for job in jobs:
            assert engine
            engine.send(job.ask())

    def _after_end(self, place: _Place, engine: EngineProcess) -> None:
        """Put back what it had; or give up."""
        if self._closed.is_set():
            engine.log.unlink(missing_ok=True)
            return
        with self._lock:
            place.ends_in_row += 1
            guilty = self._queue.put_back(list(place.jobs.values()))
            place.jobs.clear()
            place.is_given_up |= not place.was_ready or place.ends_in_row > self._run.restarts
            is_last = all(other.is_given_up for other in self._places)
        for other in self._places:
            self._feed(other)
        for job in guilty:
            reason = f"engine_died: the engine ended {job.ends_seen} times over this prompt"
            self._tell(job, Said(number=job.number, answer=_error(reason)))
        if place.is_given_up and is_last:
            raise self._giving_up(place, engine)
        if not place.is_given_up:
            engine.log.unlink(missing_ok=True)
            self._closed.wait(backoff_seconds(place.ends_in_row - 1))

    def _giving_up(self, place: _Place, engine: EngineProcess) -> GmaiError:
        if not place.was_ready:
            return SettingsError(
                "captioner",
                f"the engine did not start: {engine.why()}",
                f"its log says more: {engine.log}",
            )
        return SettingsError(
            "captioner",
            f"the engine ended {place.ends_in_row} times without an answer in between",
            f"its log says more: {engine.log}; every answer is kept: run the same command again",
        )

    def _fail(self, error: GmaiError) -> None:
        with self._lock:
            self._failure = self._failure or error
            for place in self._places:
                place.is_given_up = True
                if place.engine:
                    place.engine.kill()
        for job in self._take_all():
            job.fail(error)

    def _take_all(self) -> list[Job]:
        with self._lock:
            held = [job for place in self._places for job in place.jobs.values()]
            jobs = [*held, *self._queue.take_all()]
            for place in self._places:
                place.jobs.clear()
        return jobs


def _error(reason: str) -> Answer:
    return Answer(text="", finish_reason="error", error=reason)
