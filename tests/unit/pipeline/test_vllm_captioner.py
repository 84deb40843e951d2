"""The captioner with an engine: whatever the engine does, answers are whole and none is lost."""

import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import pytest

from converters.errors import GmaiError, SettingsError
from pipeline.captioner import Answer
from pipeline.digests import digest_bytes
from pipeline.engine_settings import EngineRun, EngineSettings
from pipeline.model_request import Request
from pipeline.vllm_captioner import VllmCaptioner
from tests.fakes.engine import start_fake

PNG = b"\x89PNG\r\n\x1a\n pixels"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "toy-model"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "config.json").write_text("{}")
    return folder


@pytest.fixture(autouse=True)
def _no_log_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


@pytest.fixture
def captioner(model: Path) -> Callable[..., VllmCaptioner]:
    def made(mood: str = "", **run: Any) -> VllmCaptioner:
        settings = EngineSettings(model=str(model), version="0.32.0", max_num_seqs=4)
        how = EngineRun(**run)
        return VllmCaptioner(settings, how, lambda _place: start_fake(settings, how, mood))

    return made


def requests(to: VllmCaptioner, count: int, words: str = "prompt", **change: Any) -> list[Request]:
    return [
        Request(model=to.model, revision=to.revision, system="s", user=f"{words} {n}", **change)
        for n in range(count)
    ]


def texts(answers: list[Answer]) -> list[str]:
    return [answer.text for answer in answers]


def test_answers_are_in_the_order_of_the_prompts(captioner) -> None:
    with captioner() as engine:
        said = texts(engine.caption(requests(engine, 60)))
    assert said == [f"said: prompt {n}" for n in range(60)]


def test_what_was_used_is_counted(captioner) -> None:
    with captioner() as engine:
        engine.caption(requests(engine, 3))
        usage = engine.usage
    assert (usage.answered, usage.sent, usage.failed) == (3, 3, 0)
    assert (usage.tokens_in, usage.tokens_out, engine.cached_tokens) == (30, 15, 12)


def test_no_prompt_no_engine(captioner) -> None:
    with captioner() as engine:
        assert engine.caption([]) == []
    assert engine.starts == 0


def test_an_image_goes_with_its_prompt(captioner) -> None:
    with captioner() as engine:
        (asked,) = requests(engine, 1, image_digest=digest_bytes(PNG))
        (answer,) = engine.caption([asked], {asked.image_digest: PNG})
    assert answer.text == f"said: prompt 0 with {len(PNG)} bytes"


def test_another_image_is_refused(captioner) -> None:
    with captioner() as engine:
        (asked,) = requests(engine, 1, image_digest=digest_bytes(b"\x89PNG another"))
        with pytest.raises(ValueError, match="not the one that the request names"):
            engine.submit(asked, PNG)


def test_a_request_for_another_model_is_refused(captioner) -> None:
    with captioner() as engine, pytest.raises(ValueError, match="another model"):
        engine.submit(Request(model="other", revision=engine.revision, system="", user=""))


def test_an_error_is_that_prompts_alone(captioner) -> None:
    with captioner() as engine:
        asked = [*requests(engine, 3), *requests(engine, 1, "refuse")]
        answers = engine.caption(asked)
    assert [bool(answer.error) for answer in answers] == [False, False, False, True]


def test_a_model_that_refuses_everything_ends_the_build(captioner) -> None:
    with captioner() as engine, pytest.raises(SettingsError, match="refused the first 20 prompts"):
        engine.caption(requests(engine, 60, "refuse"))


def test_answers_are_kept_before_they_are_given(captioner) -> None:
    kept: list[Answer] = []
    with captioner() as engine:
        (asked,) = requests(engine, 1)
        future = engine.submit(asked, on_answer=kept.append)
        assert [future.result()] == kept


def test_an_answer_that_cannot_be_kept_is_an_error(captioner) -> None:
    def full(_answer: Answer) -> None:
        raise OSError("disk full")

    with captioner() as engine:
        first, second = requests(engine, 2)
        with pytest.raises(OSError, match="disk full"):
            engine.submit(first, on_answer=full).result()
        assert engine.submit(second).result().text == "said: prompt 1"


@pytest.mark.parametrize("seed", range(2))
def test_an_engine_that_is_killed_loses_nothing(captioner, seed: int) -> None:
    draw = random.Random(seed)
    with captioner() as engine:
        futures = [engine.submit(one) for one in requests(engine, 300, "slow")]
        for share in sorted(draw.random() * 0.8 for _ in range(3)):
            futures[int(share * 300)].result()
            for pid in engine.engine_pids:
                os.kill(pid, signal.SIGKILL)
        said = texts([future.result() for future in futures])
    assert said == [f"said: slow {n}" for n in range(300)]
    assert 2 <= engine.starts <= 4


def test_nothing_is_answered_twice(captioner) -> None:
    kept: list[str] = []
    with captioner() as engine:
        futures = [
            engine.submit(one, on_answer=lambda answer: kept.append(answer.text))
            for one in requests(engine, 200, "slow")
        ]
        futures[50].result()
        os.kill(engine.engine_pids[0], signal.SIGKILL)
        [future.result() for future in futures]
    assert len(kept) == len(set(kept)) == engine.usage.answered == 200


def test_a_prompt_that_no_engine_survives_is_left_out_alone(captioner) -> None:
    with captioner() as engine:
        asked = [*requests(engine, 5), *requests(engine, 1, "die"), *requests(engine, 5, "later")]
        answers = engine.caption(asked)
    assert [n for n, answer in enumerate(answers) if answer.error] == [5]
    assert answers[5].error == "engine_died: the engine ended 3 times over this prompt"


def test_the_last_refusal_before_the_end_keeps_nobody_waiting(captioner) -> None:
    with captioner() as engine:
        futures = [engine.submit(one) for one in requests(engine, 19, "refuse")]
        assert all(future.result(timeout=60).error for future in futures)
        (deadly,) = requests(engine, 1, "die")
        error = engine.submit(deadly).result(timeout=60).error
    assert error.startswith("engine_died")


def test_an_engine_that_ends_with_each_prompt_is_given_up(captioner) -> None:
    with (
        captioner("frail", restarts=2) as engine,
        pytest.raises(GmaiError, match="ended 3 times without an answer in between"),
    ):
        engine.caption(requests(engine, 50))
    assert engine.starts == 3


def test_an_engine_that_does_not_start_says_why(captioner) -> None:
    with captioner("broken") as engine:
        (asked,) = requests(engine, 1)
        with pytest.raises(SettingsError, match="did not start: ValueError: no such model"):
            engine.caption([asked])
        with pytest.raises(SettingsError, match="did not start"):
            engine.caption([asked])  # whoever comes later learns it as well


def test_an_engine_that_takes_too_long_to_start_is_given_up(captioner) -> None:
    with captioner("stuck", start_seconds=1.0) as engine, pytest.raises(SettingsError):
        engine.caption(requests(engine, 1))


def test_an_engine_that_is_silent_is_started_again(captioner) -> None:
    with captioner(silence_seconds=0.5) as engine:
        asked = [*requests(engine, 1, "hang"), *requests(engine, 4)]
        answers = engine.caption(asked)
    assert [bool(answer.error) for answer in answers] == [True, False, False, False, False]
    assert engine.starts >= 3


def test_a_stopped_engine_keeps_nobody_waiting(captioner) -> None:
    with captioner(silence_seconds=0.5) as engine:
        engine.caption(requests(engine, 1))
        os.kill(engine.engine_pids[0], signal.SIGSTOP)
        large = requests(engine, 8, "x" * 100_000)  # more than the pipe holds
        assert len(engine.caption(large)) == 8


def test_several_engines_share_the_prompts(captioner) -> None:
    with captioner(engines=2) as engine:
        said = texts(engine.caption(requests(engine, 300, "slow")))
        assert len(engine.engine_pids) == 2
    assert said == [f"said: slow {n}" for n in range(300)]


def test_one_of_several_engines_may_die(captioner) -> None:
    with captioner(engines=2) as engine:
        futures = [engine.submit(one) for one in requests(engine, 300, "slow")]
        futures[40].result()
        os.kill(engine.engine_pids[0], signal.SIGKILL)
        said = texts([future.result() for future in futures])
    assert said == [f"said: slow {n}" for n in range(300)]


def test_closing_gives_up_what_is_in_flight(captioner) -> None:
    with captioner() as engine:
        future = engine.submit(requests(engine, 1, "hang")[0])
        time.sleep(0.5)
    with pytest.raises(CancelledError):
        future.result(timeout=5)


def test_what_comes_after_the_end_is_given_up(captioner) -> None:
    engine = captioner()
    engine.close()
    (asked,) = requests(engine, 1)
    assert engine.submit(asked).cancelled()
    assert engine.starts == 0


def test_closing_leaves_no_process_and_no_log(captioner, tmp_path: Path) -> None:
    with captioner() as engine:
        engine.caption(requests(engine, 1))
        pids = engine.engine_pids
    assert len(pids) == 1
    assert not Path(f"/proc/{pids[0]}").exists() or sys.platform != "linux"
    assert list(tmp_path.glob("*.log")) == []
    assert [one for one in threading.enumerate() if one.name.startswith("gmai-engine")] == []
