"""Questions to engines elsewhere: each answered once, whatever is lost on the way."""

import asyncio
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path

import pytest

from converters.errors import SettingsError
from pipeline.answers import AnswerStore
from pipeline.ask_engines import EngineAsker, engine_of
from pipeline.asking import Asking
from pipeline.captioner import Answer, Usage
from pipeline.engine_mail import EngineGoneError, MailRoom, Question, Reply
from pipeline.model_request import Request


def requests(count: int) -> list[Request]:
    return [Request(model="m", revision="r", system="s", user=f"q{n}") for n in range(count)]


class Model:
    """Answers after a moment, and counts what it was asked."""

    name = "model"

    def __init__(self) -> None:
        self.usage = Usage()
        self.asked: Counter[str] = Counter()

    def submit(
        self, request: Request, image: bytes = b"", on_answer: Callable[[Answer], None] = print
    ) -> "Future[Answer]":
        future: Future[Answer] = Future()
        self.asked[request.user] += 1

        def answer() -> None:
            said = Answer(text=f"said: {request.user}")
            on_answer(said)
            future.set_result(said)

        threading.Timer(0.02, answer).start()
        return future


class Engine:
    """An engine that can be killed: each life has a store and a mail room of its own."""

    def __init__(self, out: Path, model: Model, number: int = 0) -> None:
        self._out, self.model, self._number = out, model, number
        self._stack = ExitStack()
        self.life = 0
        self._start()

    def _start(self) -> None:
        self.life += 1
        store = self._stack.enter_context(AnswerStore(self._out))
        asking = Asking(captioner=self.model, store=store)
        self.room = MailRoom(asking, f"engine-{self._number:04}")

    def kill(self) -> None:
        self._start()  # the one before is forgotten as it is, with all that waited there

    def close(self) -> None:
        self._stack.close()

    async def put(self, client: str, questions: Sequence[Question]) -> str:
        life = self.life
        await self.room.put(client, questions)
        self._require(life)
        return str(life)

    async def take(self, client: str) -> tuple[str, list[Reply]]:
        life = self.life
        replies = await self.room.take(client)
        self._require(life)
        return str(life), replies

    def _require(self, life: int) -> None:
        if life != self.life:
            raise EngineGoneError("killed")


@pytest.fixture
def engines(tmp_path: Path) -> Iterator[list[Engine]]:
    model = Model()
    engines = [Engine(tmp_path, model, number) for number in range(2)]
    yield engines
    for engine in engines:
        engine.close()


def texts(asker: EngineAsker, wanted: list[Request]) -> list[str]:
    futures = [asker.submit(request, b"") for request in wanted]
    return [future.result(timeout=60).text for future in futures]


def expected(count: int) -> list[str]:
    return [f"said: q{number}" for number in range(count)]


def test_every_question_has_its_answer(engines: list[Engine]) -> None:
    with EngineAsker(engines) as asker:
        assert texts(asker, requests(300)) == expected(300)
    assert set(engines[0].model.asked.values()) == {1}


def test_two_tasks_that_ask_the_same_share_one_answer(engines: list[Engine]) -> None:
    with EngineAsker(engines) as first, EngineAsker(engines) as second:
        futures = [
            asker.submit(request, b"") for request in requests(50) for asker in (first, second)
        ]
        assert {future.result(timeout=60).text for future in futures} == set(expected(50))
    assert set(engines[0].model.asked.values()) == {1}


def test_an_engine_that_dies_is_asked_again_for_what_was_in_flight(engines: list[Engine]) -> None:
    moments = random.Random(20261124)
    with EngineAsker(engines) as asker:
        futures = []
        for number, request in enumerate(requests(200)):
            futures.append(asker.submit(request, b""))
            if number % 50 == 49:
                threading.Event().wait(moments.uniform(0.0, 0.05))
                engines[moments.randrange(2)].kill()
        assert [future.result(timeout=60).text for future in futures] == expected(200)


def test_a_death_between_two_calls_is_noticed(tmp_path: Path) -> None:
    """The new life knows no question, and no call of the old one fails."""

    class Quiet(Engine):
        def _require(self, life: int) -> None:
            pass

    engine = Quiet(tmp_path, Model())
    with EngineAsker([engine]) as asker:
        assert texts(asker, requests(1)) == expected(1)
        future = asker.submit(requests(2)[1], b"")
        engine.kill()
        assert future.result(timeout=60).text == "said: q1"
    engine.close()


def test_a_mistake_of_the_captioner_reaches_the_task(tmp_path: Path) -> None:
    class Refusing(Model):
        def submit(self, *_: object, **__: object) -> "Future[Answer]":
            raise SettingsError("captioner", "will not", "ask another")

    engine = Engine(tmp_path, Refusing())
    with (
        EngineAsker([engine]) as asker,
        pytest.raises(SettingsError, match="will not"),
    ):
        texts(asker, requests(1))
    engine.close()


def test_an_engine_that_stays_away_is_said(tmp_path: Path) -> None:
    class Away(Engine):
        async def put(self, client: str, questions: Sequence[Question]) -> str:
            raise EngineGoneError("away")

    engine = Away(tmp_path, Model())
    with (
        EngineAsker([engine], patience_seconds=0.1) as asker,
        pytest.raises(SettingsError, match="engine: could not be reached"),
    ):
        texts(asker, requests(1))
    engine.close()


def test_a_mistake_of_the_mail_does_not_leave_a_task_waiting(tmp_path: Path) -> None:
    class Broken(Engine):
        async def take(self, client: str) -> tuple[str, list[Reply]]:
            raise ZeroDivisionError

    engine = Broken(tmp_path, Model())
    with EngineAsker([engine]) as asker:
        for request in requests(2):
            with pytest.raises(ZeroDivisionError):
                asker.submit(request, b"").result(timeout=60)
    engine.close()


def test_journals_become_files_when_a_room_is_closed(tmp_path: Path) -> None:
    engine = Engine(tmp_path, Model())
    with EngineAsker([engine]) as asker:
        texts(asker, requests(10))
    engine.room.close()
    names = [path.name for path in (tmp_path / ".gmai/answers").iterdir()]
    assert [name.split("-")[0] for name in names] == ["engine"]
    assert names[0].endswith(".parquet")
    engine.close()


def test_the_same_request_goes_to_the_same_engine_and_all_have_some() -> None:
    places = [engine_of(request, 4) for request in requests(400)]
    assert places == [engine_of(request, 4) for request in requests(400)]
    assert all(60 < places.count(place) < 140 for place in range(4))


def test_the_box_of_a_task_that_died_is_dropped(tmp_path: Path) -> None:
    engine = Engine(tmp_path, Model())

    async def ask() -> int:
        loop = asyncio.get_running_loop()
        await engine.room.put("dead", [(1, requests(1)[0], b"")])
        engine.room._boxes["dead"].taken_at = loop.time() - 3600
        await engine.room.put("living", [(1, requests(1)[0], b"")])
        return len(engine.room._boxes)

    assert asyncio.run(ask()) == 1
    engine.close()
