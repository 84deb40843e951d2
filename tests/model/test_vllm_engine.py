"""SmolLM2 in an engine of vLLM: real prompts in, JSON out, and nothing lost when it is killed."""

import json
import os
import signal
from concurrent.futures import FIRST_COMPLETED, wait
from pathlib import Path

import pytest

from pipeline.answers import AnswerStore
from pipeline.asking import Asking
from pipeline.model_request import Request, Sampling, request_of
from pipeline.prompts import ModelPrompt
from pipeline.vllm_captioner import VllmCaptioner
from tests.models.twin_prompts import twin_prompts

SOURCES = ("bccd", "msd_task04_hippocampus")
SAMPLING = Sampling(max_tokens=48)


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> list[ModelPrompt]:
    return [prompt for prompt, _ in twin_prompts(SOURCES, tmp_path_factory.mktemp("twins"))]


def asked(
    engine: VllmCaptioner, prompts: list[ModelPrompt], sampling: Sampling = SAMPLING
) -> list[Request]:
    return [
        request_of(
            prompt, model=engine.model, revision=engine.revision, image_digest="", sampling=sampling
        )
        for prompt in prompts
    ]


def test_every_prompt_of_a_build_is_answered_as_its_schema_says(engine, prompts) -> None:
    answers = engine.caption(asked(engine, prompts))
    assert len(answers) == len(prompts) >= 20
    assert {answer.error for answer in answers} == {""}
    # Cut at the limit, an answer is the beginning of one.
    assert all(answer.text.startswith('{"caption":"') for answer in answers)
    whole = [json.loads(answer.text) for answer in answers if answer.finish_reason == "stop"]
    assert all(list(one) == ["caption"] for one in whole)
    assert all(a.tokens_out == 48 for a in answers if a.finish_reason == "length")


def test_what_prompts_share_is_kept(engine, prompts) -> None:
    before = engine.cached_tokens, engine.usage.tokens_in
    engine.caption(asked(engine, prompts))
    kept, read = engine.cached_tokens - before[0], engine.usage.tokens_in - before[1]
    assert kept > 0.3 * read


def test_without_a_schema_the_text_is_free(engine) -> None:
    asks = Request(
        model=engine.model, revision=engine.revision, system="", sampling=Sampling(max_tokens=24),
        user="What is the capital of France?",
    )  # fmt: skip
    (answer,) = engine.caption([asks])
    assert "Paris" in answer.text


def test_a_prompt_that_is_too_long_is_answered_by_a_reason(engine) -> None:
    asks = Request(model=engine.model, revision=engine.revision, system="", user="kidney " * 3000)
    (answer,) = engine.caption([asks])
    assert answer.text == ""
    assert answer.error.startswith("too_long: ")


def test_a_prompt_that_leaves_no_room_for_its_answer_is_too_long(engine) -> None:
    asks = Request(model=engine.model, revision=engine.revision, system="", user="kidney " * 1700)
    (answer,) = engine.caption([asks])
    assert answer.error.startswith("too_long: ")


def test_a_field_that_vllm_does_not_know_is_named(engine, prompts) -> None:
    sampling = Sampling(max_tokens=4, extra='{"topk":3}')
    (answer,) = engine.caption(asked(engine, prompts[:1], sampling))
    assert answer.error == "refused: vLLM knows no topk"


def children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in listed.split()]


def is_running(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] not in "ZX"


def test_an_engine_that_is_killed_loses_nothing(engine, prompts, tmp_path: Path) -> None:
    """The core that holds the model is killed; what was answered is not asked again."""
    sent = engine.usage.sent
    # Far more than are served at once, so that some are on their way whenever the kill comes.
    requests = [
        request
        for seed in range(3)
        for request in asked(engine, prompts, Sampling(max_tokens=32, seed=5 + seed))
    ]
    with AnswerStore(tmp_path) as store, store.open("p") as partition:
        futures = Asking(captioner=engine, store=store).begin(partition, requests)
        wait(futures, return_when=FIRST_COMPLETED)
        starts, (old,) = engine.starts, engine.engine_pids
        cores = [core for core in children(old) if is_running(core)]
        for core in cores:
            os.kill(core, signal.SIGKILL)
        answers = [future.result() for future in futures]
        kept = store.find(request.key for request in requests)
    assert {answer.error for answer in answers} == {""}
    assert len(kept) == len({request.key for request in requests})
    assert engine.starts == starts + 1
    assert engine.usage.sent == sent + len(kept)  # none was answered twice
    assert cores
    assert not any(is_running(pid) for pid in (old, *cores))
