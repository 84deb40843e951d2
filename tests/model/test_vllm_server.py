"""The captioner with a server, against `vllm serve` with the same model on this machine."""

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

import pytest

from pipeline.model_request import Request, Sampling, request_of
from pipeline.openai_captioner import OpenAICaptioner
from pipeline.server_settings import ServerSettings
from tests.models.twin_prompts import twin_prompts

START_SECONDS = 600


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def is_there(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=2) as reply:
            return reply.status == 200
    except (URLError, OSError):
        return False


@pytest.fixture(scope="module")
def server(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    log = tmp_path_factory.mktemp("server") / "log"
    command = [
        sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(smollm2),
        "--served-model-name", "smollm2", "--host", "127.0.0.1", "--port", str(port),
        "--max-model-len", "2048", "--max-num-batched-tokens", "2048", "--max-num-seqs", "16",
        "--enforce-eager",
    ]  # fmt: skip
    with log.open("wb") as output, pytest.MonkeyPatch.context() as change:
        change.setenv("VLLM_NO_USAGE_STATS", "1")
        change.setenv("DO_NOT_TRACK", "1")
        change.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}"
    try:
        ends_at = time.monotonic() + START_SECONDS
        while not is_there(url):
            assert process.poll() is None, log.read_text()[-2000:]
            assert time.monotonic() < ends_at, "the server does not start"
            time.sleep(1)
        yield f"{url}/v1"
    finally:
        process.terminate()
        process.wait(timeout=60)


def test_prompts_of_a_build_are_answered(server: str, tmp_path: Path) -> None:
    prompts = [prompt for prompt, _ in twin_prompts(["bccd"], tmp_path)]
    sampling = Sampling(max_tokens=48)
    with OpenAICaptioner(ServerSettings(base_urls=(server,))) as captioner:
        answers = captioner.caption(
            [
                request_of(prompt, model="smollm2", revision="", image_digest="", sampling=sampling)
                for prompt in prompts
            ]
        )
    assert len(answers) == len(prompts) >= 10
    assert {answer.error for answer in answers} == {""}
    assert all(answer.tokens_in > 100 and answer.tokens_out for answer in answers)
    assert all(answer.text.lstrip().startswith("{") for answer in answers)


def test_a_prompt_that_is_too_long_has_the_same_word_as_elsewhere(server: str) -> None:
    asks = Request(model="smollm2", revision="", system="", user="kidney " * 3000)
    with OpenAICaptioner(ServerSettings(base_urls=(server,))) as captioner:
        (answer,) = captioner.caption([asks])
    assert answer.error.startswith("too_long: ")
