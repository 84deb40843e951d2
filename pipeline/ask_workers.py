"""Questions of worker processes, carried to the one captioner of the build.

There is one captioner and one store of answers, in the driver: its limits hold for the whole build,
and the same request of two workers is sent once. Each worker has a pipe to it.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent import futures
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from queue import SimpleQueue
from typing import TypeAlias

from converters.errors import GmaiError
from pipeline.answers import AnswerStore, OpenPartition
from pipeline.asking import Asking
from pipeline.captioner import Answer
from pipeline.model_request import Request

_POLL_SECONDS = 0.1

# Number of the question, the partition that it is for, the request, and the image or b"".
Question: TypeAlias = tuple[int, str, Request, bytes]
Reply: TypeAlias = tuple[int, Answer | BaseException]


class OpenPartitions:
    """Partitions of a store, each opened when its first request comes.

    Args:
        store: The answers.
    """

    def __init__(self, store: AnswerStore) -> None:
        self._store = store
        self._open: dict[str, OpenPartition] = {}
        self._lock = threading.Lock()

    def get(self, name: str) -> OpenPartition:
        """The partition, opened where it is not yet.

        Raises:
            OSError: Its journal cannot be made.
        """
        with self._lock:
            if name not in self._open:
                self._open[name] = self._store.open(name)
            return self._open[name]

    def close(self, name: str) -> None:
        """Close a partition whose shard is committed.

        Raises:
            OSError: The disk is full or broken; the answers stay.
        """
        with self._lock:
            opened = self._open.pop(name, None)
        if opened:
            opened.close()


class PartitionAsker:
    """Asks for one partition, in the process of the captioner.

    Args:
        asking: The captioner and the store.
        partition: What the answers are for.
    """

    def __init__(self, asking: Asking, partition: OpenPartition) -> None:
        self._asking = asking
        self._partition = partition

    def submit(self, request: Request, image: bytes) -> "Future[Answer]":
        """Begin to ask.

        Raises:
            SettingsError: Images may not be sent.
        """
        images = {request.image_digest: image} if request.image_digest else {}
        (future,) = self._asking.begin(self._partition, [request], images)
        return future


class WorkerAsker:
    """Asks for one partition after the other, in a worker process.

    Args:
        pipe: The worker's end.
    """

    def __init__(self, pipe: Connection) -> None:
        self.partition = ""
        self._pipe = pipe
        self._number = 0
        self._waiting: dict[int, Future[Answer]] = {}
        threading.Thread(target=self._read, name="gmai-replies", daemon=True).start()

    def submit(self, request: Request, image: bytes) -> "Future[Answer]":
        """Begin to ask."""
        future: Future[Answer] = Future()
        self._number += 1
        self._waiting[self._number] = future
        self._pipe.send((self._number, self.partition, request, image))
        return future

    def _read(self) -> None:
        while True:
            try:
                number, said = self._pipe.recv()
            except EOFError:  # the driver is gone, and this process goes with it
                return
            future = self._waiting.pop(number)
            if isinstance(said, Answer):
                future.set_result(said)
            else:
                future.set_exception(said)


class Ends:
    """The workers' ends of all pipes; each worker takes one when it starts.

    Args:
        context: What makes the processes.
        pipes: The ends.
    """

    def __init__(self, context: BaseContext, pipes: Sequence[Connection]) -> None:
        self._pipes = list(pipes)
        self._next = context.Value("i", 0)

    def take(self) -> Connection:
        """The next one that nobody has taken."""
        with self._next.get_lock():
            number = self._next.value
            self._next.value += 1
        return self._pipes[number]


class AskingForWorkers:
    """The driver's end of all pipes.

    Made before the workers are, so that they inherit its pipes; it begins to serve when there is
    a captioner.

    Args:
        context: What makes the processes.
        count: How many workers there are.
    """

    def __init__(self, context: BaseContext, count: int) -> None:
        pipes = [context.Pipe() for _ in range(count)]
        self._ours = [ours for ours, _ in pipes]
        self.ends = Ends(context, [theirs for _, theirs in pipes])
        self._replies: SimpleQueue[tuple[Connection, Reply] | None] = SimpleQueue()
        self._stop = threading.Event()
        self._running: list[Future[None]] = []

    def start(self, asking: Asking, partitions: OpenPartitions) -> None:
        """Begin to serve."""
        threads = ThreadPoolExecutor(2, thread_name_prefix="gmai-questions")
        self._running = [
            threads.submit(self._send),
            threads.submit(self._serve, asking, partitions),
        ]
        threads.shutdown(wait=False)

    def require_serving(self) -> None:
        """Raise what ended the service, if something did: workers would wait for ever."""
        for one in self._running:
            if one.done():
                one.result()

    def stop(self) -> None:
        """End; what workers still ask is not heard."""
        self._stop.set()
        self._replies.put(None)
        futures.wait(self._running)

    def _serve(self, asking: Asking, partitions: OpenPartitions) -> None:
        there = list(self._ours)
        while there and not self._stop.is_set():
            for pipe in wait(there, _POLL_SECONDS):
                assert isinstance(pipe, Connection)
                try:
                    question: Question = pipe.recv()
                except (EOFError, OSError):  # a worker was killed; the pool says so
                    there.remove(pipe)
                    continue
                self._ask(asking, partitions, pipe, question)

    def _ask(
        self, asking: Asking, partitions: OpenPartitions, pipe: Connection, question: Question
    ) -> None:
        number, name, request, image = question
        try:
            future = PartitionAsker(asking, partitions.get(name)).submit(request, image)
        except (GmaiError, OSError, ValueError) as error:
            self._replies.put((pipe, (number, error)))
            return
        future.add_done_callback(self._reply(pipe, number))

    def _reply(self, pipe: Connection, number: int) -> Callable[["Future[Answer]"], None]:
        def put(done: "Future[Answer]") -> None:
            self._replies.put((pipe, (number, done.exception() or done.result())))

        return put

    def _send(self) -> None:
        """Send replies from one thread: a worker that is slow to read holds up no captioner."""
        while (reply := self._replies.get()) is not None:
            pipe, said = reply
            try:
                pipe.send(said)
            except OSError:  # the worker was killed
                continue
