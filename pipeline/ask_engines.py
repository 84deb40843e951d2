"""Questions of a task to engines that run elsewhere: the side of the task.

A question is kept until its answer is here, and asked again where an engine was started anew. The
same request goes to the same engine, whoever asks it: two tasks that ask it at once share one
answer.
"""

import asyncio
import threading
import uuid
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial

from converters.errors import SettingsError
from pipeline.captioner import Answer
from pipeline.engine_mail import EngineGoneError, EngineMail, Question
from pipeline.model_request import Request

_BATCH = 64
_BATCH_BYTES = 8 << 20
_AGAIN_SECONDS = 0.5


@dataclass(kw_only=True)
class _Engine:
    """An engine as a task sees it.

    Attributes:
        mail: How it is reached.
        open: Questions without an answer, by number.
        unsent: Those of them that have to be handed in, first come first.
        life: Of the engine that has the others.
        changed: Set when there is something to hand in.
        asked: Set while answers are waited for.
        gone_since: When it was not reached any more, in seconds of the loop.
        broken: Why it cannot be asked at all.
    """

    mail: EngineMail
    open: dict[int, Question] = field(default_factory=dict)
    unsent: dict[int, Question] = field(default_factory=dict)
    life: str = ""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    gone_since: float | None = None
    broken: Exception | None = None

    def again(self) -> None:
        """Hand in everything anew."""
        self.unsent = dict(self.open)
        if self.unsent:
            self.changed.set()

    def lives(self, life: str) -> None:
        """Note which life answered; another one than before knows none of the questions."""
        self.gone_since = None
        if self.life and self.life != life:
            self.again()
        self.life = life

    def batch(self) -> list[Question]:
        """What is handed in next."""
        out: list[Question] = []
        size = 0
        for number, question in list(self.unsent.items()):
            if out and (len(out) == _BATCH or size + len(question[2]) > _BATCH_BYTES):
                break
            out.append(question)
            size += len(question[2])
            del self.unsent[number]
        if not self.unsent:
            self.changed.clear()
        return out


class EngineAsker:
    """The side of a task: asks engines for one partition; used as a context.

    Args:
        mails: The engines.
        patience_seconds: How long an engine may be away.
    """

    def __init__(self, mails: Sequence[EngineMail], patience_seconds: float = 3600.0) -> None:
        self._client = uuid.uuid4().hex
        self._patience = patience_seconds
        self._number = 0
        self._futures: dict[int, Future[Answer]] = {}
        self._loop = asyncio.new_event_loop()
        self._engines = [_Engine(mail=mail) for mail in mails]
        self._thread = threading.Thread(target=self._run, name="gmai-mail", daemon=True)
        self._thread.start()

    def __enter__(self) -> "EngineAsker":
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def submit(self, request: Request, image: bytes) -> "Future[Answer]":
        """Begin to ask."""
        future: Future[Answer] = Future()
        self._number += 1
        self._futures[self._number] = future
        engine = self._engines[engine_of(request, len(self._engines))]
        question = (self._number, request, image if request.image_digest else b"")
        self._loop.call_soon_threadsafe(self._add, engine, question)
        return future

    def _add(self, engine: _Engine, question: Question) -> None:
        engine.open[question[0]] = engine.unsent[question[0]] = question
        engine.changed.set()
        engine.asked.set()
        if engine.broken:
            self._settle(engine, question[0], engine.broken)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        tasks = []
        for engine in self._engines:
            for work in (self._hand_in, self._take_back):
                task = self._loop.create_task(work(engine))
                task.add_done_callback(partial(self._fail, engine))
                tasks.append(task)
        self._loop.run_forever()
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def _hand_in(self, engine: _Engine) -> None:
        while True:
            await engine.changed.wait()
            batch = engine.batch()
            try:
                engine.lives(await engine.mail.put(self._client, batch))
            except EngineGoneError:
                await self._gone(engine)

    async def _take_back(self, engine: _Engine) -> None:
        while True:
            await engine.asked.wait()
            try:
                life, replies = await engine.mail.take(self._client)
            except EngineGoneError:
                await self._gone(engine)
                continue
            engine.lives(life)
            for number, said in replies:
                self._settle(engine, number, said)
            if not engine.open:
                engine.asked.clear()

    def _settle(self, engine: _Engine, number: int, said: Answer | Exception) -> None:
        if isinstance(said, EngineGoneError):
            engine.again()
            return
        engine.unsent.pop(number, None)
        if engine.open.pop(number, None) is None:
            return  # asked twice because an engine was away, and answered twice from its store
        future = self._futures.pop(number)
        if isinstance(said, Answer):
            future.set_result(said)
        else:
            future.set_exception(said)

    def _fail(self, engine: _Engine, task: "asyncio.Task[None]") -> None:
        """Hand on a mistake of ours, here or in the engine, to those who wait."""
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            engine.broken = error
            for number in list(engine.open):
                self._settle(engine, number, error)

    async def _gone(self, engine: _Engine) -> None:
        now = self._loop.time()
        engine.gone_since = engine.gone_since or now
        if now - engine.gone_since > self._patience:
            error = SettingsError(
                "engine",
                f"could not be reached for {now - engine.gone_since:.0f} s",
                "see on the cluster why it does not start; every answer is kept: run the same "
                "command again",
            )
            for number in list(engine.open):
                self._settle(engine, number, error)
        await asyncio.sleep(_AGAIN_SECONDS)
        engine.again()


def engine_of(request: Request, engines: int) -> int:
    """The place of the engine that a request goes to, always the same."""
    return int(request.key.removeprefix("sha256:")[:16], 16) % engines
