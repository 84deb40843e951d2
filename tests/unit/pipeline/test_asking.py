"""Questions through the store: nothing is paid for twice, whoever is killed, whenever."""

import json
import random
import subprocess
import sys
import time
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from converters.errors import SettingsError
from pipeline.answers import AnswerStore
from pipeline.asking import Asking
from pipeline.digests import digest_bytes
from pipeline.model_request import Request, Sampling
from pipeline.openai_captioner import OpenAICaptioner
from pipeline.server_settings import ServerSettings
from pipeline.token_budget import BudgetSpentError
from tests.fakes.model_server import ModelServer, Say


def requests(count: int, **change: Any) -> list[Request]:
    return [Request(model="m", revision="r", system="s", user=f"q{n}", **change)
            for n in range(count)]  # fmt: skip


def expected(count: int) -> list[str]:
    return [f"said: q{number}" for number in range(count)]


def ask(server: ModelServer, out: Path, wanted: list[Request], **change: Any) -> list[str]:
    settings = ServerSettings(base_urls=(server.url,), **change)
    reuse = change.pop("reuse", [])
    with (
        OpenAICaptioner(settings) as captioner,
        AnswerStore(out, reuse=reuse) as store,
        store.open("p") as partition,
    ):
        answers = Asking(captioner=captioner, store=store).ask(partition, wanted)
    return [answer.text for answer in answers]


def test_the_second_run_sends_nothing(tmp_path: Path) -> None:
    with ModelServer() as server:
        assert ask(server, tmp_path, requests(30)) == expected(30)
        assert ask(server, tmp_path, requests(30)) == expected(30)
        assert len(server.bodies) == 30


def test_the_same_request_twice_is_sent_once(tmp_path: Path) -> None:
    with ModelServer(lambda _n, _b: Say(wait_seconds=0.05)) as server:
        assert ask(server, tmp_path, requests(5) * 3) == expected(5) * 3
        assert len(server.bodies) == 5


def test_two_partitions_at_once_share_what_both_ask(tmp_path: Path) -> None:
    with (
        ModelServer(lambda _n, _b: Say(wait_seconds=0.02)) as server,
        OpenAICaptioner(ServerSettings(base_urls=(server.url,))) as captioner,
        AnswerStore(tmp_path) as store,
        ThreadPoolExecutor(4) as pool,
    ):
        asking = Asking(captioner=captioner, store=store)

        def make(number: int) -> list[str]:
            with store.open(f"p{number}") as partition:
                return [answer.text for answer in asking.ask(partition, requests(40))]

        assert list(pool.map(make, range(8))) == [expected(40)] * 8
        assert len(server.bodies) == asking.sent == 40
        assert asking.from_store + asking.shared == 7 * 40


def test_answers_of_another_build_are_used_and_kept(tmp_path: Path) -> None:
    with ModelServer() as server:
        ask(server, tmp_path / "one", requests(10))
        settings = ServerSettings(base_urls=(server.url,))
        with (
            OpenAICaptioner(settings) as captioner,
            AnswerStore(tmp_path / "two", reuse=[tmp_path / "one"]) as store,
            store.open("p") as partition,
        ):
            Asking(captioner=captioner, store=store).ask(partition, requests(12))
        assert len(server.bodies) == 12
        assert ask(server, tmp_path / "two", requests(12)) == expected(12)
        assert len(server.bodies) == 12


def test_an_error_is_not_kept_and_asked_for_again(tmp_path: Path) -> None:
    with ModelServer(lambda number, _b: Say(status=400) if number == 1 else Say()) as server:
        assert ask(server, tmp_path, requests(3)).count("") == 1
        assert ask(server, tmp_path, requests(3)) == expected(3)
        assert len(server.bodies) == 4


def test_after_an_image_that_may_not_be_sent_nobody_waits(tmp_path: Path) -> None:
    image = b"\x89PNG x"
    bad = requests(1, image_digest=digest_bytes(image))
    with (
        ModelServer() as server,
        OpenAICaptioner(ServerSettings(base_urls=(server.url,))) as captioner,
        AnswerStore(tmp_path) as store,
    ):
        asking = Asking(captioner=captioner, store=store)
        partition = store.open("p")
        with pytest.raises(SettingsError, match="egress"):
            asking.ask(partition, [*bad, *requests(2)])
        assert [answer.text for answer in asking.ask(partition, requests(2))] == expected(2)


def test_a_captioner_that_is_closed_leaves_nobody_waiting(tmp_path: Path) -> None:
    with ModelServer(lambda _n, _b: Say(wait_seconds=60)) as server:
        captioner = OpenAICaptioner(ServerSettings(base_urls=(server.url,)))
        with AnswerStore(tmp_path) as store:
            asking = Asking(captioner=captioner, store=store)
            futures = asking.begin(store.open("p"), requests(3))
            captioner.close()
            with pytest.raises(CancelledError):
                futures[0].result()


def test_a_build_that_ran_out_of_its_budget_goes_on_with_another(tmp_path: Path) -> None:
    wanted = requests(50, sampling=Sampling(max_tokens=5))
    with ModelServer() as server:
        with pytest.raises(BudgetSpentError):
            ask(server, tmp_path, wanted, budget_tokens=400)
        first = len(server.bodies)
        assert 10 < first < 50
        assert ask(server, tmp_path, wanted) == expected(50)
        assert len(server.bodies) == 50


def test_an_answer_that_comes_after_the_end_of_its_partition_is_kept(tmp_path: Path) -> None:
    with (
        ModelServer(lambda _n, _b: Say(wait_seconds=0.3)) as server,
        OpenAICaptioner(ServerSettings(base_urls=(server.url,))) as captioner,
        AnswerStore(tmp_path) as store,
    ):
        partition = store.open("p")
        (future,) = Asking(captioner=captioner, store=store).begin(partition, requests(1))
        partition.leave()
        answer = future.result()
    with AnswerStore(tmp_path) as store:
        store.merge_left()
        assert list(store.find([requests(1)[0].key]).values()) == [answer]


BUILD = """
import json, sys
from pathlib import Path
from pipeline.answers import AnswerStore
from pipeline.asking import Asking
from pipeline.model_request import Request
from pipeline.openai_captioner import OpenAICaptioner
from pipeline.server_settings import ServerSettings
settings = ServerSettings(base_urls=(sys.argv[1],), concurrency=16)
wanted = [Request(model="m", revision="r", system="s", user=f"q{n}") for n in range(300)]
with OpenAICaptioner(settings) as captioner, AnswerStore(Path(sys.argv[2])) as store:
    asking = Asking(captioner=captioner, store=store)
    with store.open("p") as partition:
        print(json.dumps([answer.text for answer in asking.ask(partition, wanted)]))
"""


@pytest.mark.parametrize("seed", range(2))
def test_a_build_killed_at_any_moment_asks_again_for_what_was_in_flight_alone(
    seed: int, tmp_path: Path
) -> None:
    draw = random.Random(seed)
    with ModelServer(lambda _n, _b: Say(wait_seconds=0.02)) as server:
        command = [sys.executable, "-c", BUILD, server.url, str(tmp_path)]
        kills = 0
        for _ in range(2):
            target = len(server.bodies) + draw.randint(20, 100)
            with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
                while len(server.bodies) < target and process.poll() is None:
                    time.sleep(0.002)
                kills += process.poll() is None
                process.kill()
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        again = len(server.bodies) - len(set(server.asked))
    assert json.loads(run.stdout) == expected(300)
    assert kills == 2
    assert again <= 2 * 16
