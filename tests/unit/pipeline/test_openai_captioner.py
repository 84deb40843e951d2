"""The captioner with a server: whatever the server does, answers are whole, in order and secret."""

import base64
import json
import logging
import socket
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from converters.errors import GmaiError, SettingsError
from pipeline.captioner import Answer
from pipeline.digests import digest_bytes
from pipeline.model_request import Request, Sampling
from pipeline.openai_captioner import OpenAICaptioner
from pipeline.server_settings import ApiKey, ServerSettings
from pipeline.token_budget import BudgetSpentError
from tests.fakes.model_server import ModelServer, Say, Script, completion

KEY = "sk-SECRETsecret0123456789"
PNG = b"\x89PNG\r\n\x1a\n pixels"
SCHEMA = '{"properties":{"caption":{"type":"string"}},"type":"object"}'


def requests(count: int, **change: Any) -> list[Request]:
    return [
        Request(model="m", revision="r", system="role", user=f"PAYLOAD {number}", **change)
        for number in range(count)
    ]


def texts(answers: list[Answer]) -> list[str]:
    return [answer.text for answer in answers]


def expected(count: int) -> list[str]:
    return [f"said: PAYLOAD {number}" for number in range(count)]


def ask(server: ModelServer, wanted: list[Request], **change: Any) -> list[Answer]:
    with OpenAICaptioner(ServerSettings(base_urls=(server.url,), **change)) as captioner:
        return captioner.caption(wanted)


def first(count: int, say: Say) -> Script:
    """The first requests are answered so, the others as they should be."""
    return lambda number, _body: say if number <= count else Say()


def error_body(code: str, message: str = f"you said PAYLOAD with {KEY}") -> bytes:
    return json.dumps({"error": {"message": message, "code": code, "type": "x"}}).encode()


def test_answers_are_in_the_order_of_the_prompts() -> None:
    with ModelServer(lambda _n, body: Say(wait_seconds=hash(str(body)) % 7 / 100)) as server:
        assert texts(ask(server, requests(60))) == expected(60)


def test_tokens_and_reasons_are_counted() -> None:
    with (
        ModelServer() as server,
        OpenAICaptioner(ServerSettings(base_urls=(server.url,))) as captioner,
    ):
        (answer,) = captioner.caption(requests(1))
        usage = captioner.usage
    assert (answer.tokens_in, answer.tokens_out, answer.finish_reason) == (10, 5, "stop")
    assert (usage.answered, usage.sent, usage.tokens_in, usage.tokens_out) == (1, 1, 10, 5)


def test_concurrency_is_bounded_and_used() -> None:
    with ModelServer(lambda _n, _b: Say(wait_seconds=0.03)) as server:
        ask(server, requests(200), concurrency=12)
        assert server.peak == 12


def test_what_is_asked_is_what_the_request_says() -> None:
    sampling = Sampling(max_tokens=7, temperature=0.5, seed=3, extra='{"top_k":5}')
    with ModelServer() as server:
        ask(server, requests(1, sampling=sampling, schema=SCHEMA, attempt=2))
    assert server.bodies == [
        {
            "model": "m",
            "messages": [
                {"role": "system", "content": "role"},
                {"role": "user", "content": "PAYLOAD 0"},
            ],
            "max_tokens": 7,
            "temperature": 0.5,
            "seed": 4,
            "top_k": 5,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "strict": True, "schema": json.loads(SCHEMA)},
            },
        }
    ]


@pytest.mark.parametrize(
    ("structured", "format_asked"), [("json_object", {"type": "json_object"}), ("none", None)]
)
def test_a_server_without_schemas_is_asked_otherwise(structured: Any, format_asked: object) -> None:
    with ModelServer() as server:
        ask(server, requests(1, sampling=Sampling(structured=structured), schema=SCHEMA))
    assert server.bodies[0].get("response_format") == format_asked


def test_an_image_goes_before_the_text_where_it_is_allowed() -> None:
    with (
        ModelServer() as server,
        OpenAICaptioner(
            ServerSettings(base_urls=(server.url,), allow_image_egress=True)
        ) as captioner,
    ):
        digest = digest_bytes(PNG)
        captioner.caption(requests(1, image_digest=digest), {digest: PNG})
    url = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    assert server.bodies[0]["messages"][1]["content"] == [
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "text", "text": "PAYLOAD 0"},
    ]


def test_an_image_does_not_leave_where_it_is_not_allowed() -> None:
    digest = digest_bytes(PNG)
    with ModelServer() as server:
        with pytest.raises(SettingsError, match="--allow-image-egress"):
            ask(server, requests(1, image_digest=digest))
        assert server.bodies == []


@pytest.mark.parametrize("image", [b"", b"\x89PNG another", b"GIF89a"])
def test_another_image_is_not_sent_for_the_one_that_is_named(image: bytes) -> None:
    settings = ServerSettings(base_urls=("http://127.0.0.1:9/v1",), allow_image_egress=True)
    (request,) = requests(1, image_digest=digest_bytes(PNG))
    with OpenAICaptioner(settings) as captioner, pytest.raises(ValueError, match="image is n"):
        captioner.submit(request, image)


def test_a_pause_that_the_server_asks_for_is_kept() -> None:
    say = Say(status=429, headers={"retry-after": "1"}, body=error_body("rate_limit_exceeded"))
    with ModelServer(first(1, say)) as server:
        assert texts(ask(server, requests(3), concurrency=1)) == expected(3)
        assert server.times[1] - server.times[0] >= 0.99


def test_a_pause_of_one_server_does_not_stop_the_other() -> None:
    busy = Say(status=429, headers={"retry-after": "600"})
    with ModelServer(lambda _n, _b: busy) as one, ModelServer() as other:
        settings = ServerSettings(base_urls=(one.url, other.url))
        begin = time.monotonic()
        with OpenAICaptioner(settings) as captioner:
            assert texts(captioner.caption(requests(40))) == expected(40)
        assert time.monotonic() - begin < 20
        assert len(one.bodies) <= 8


def test_a_server_that_has_too_much_is_given_less() -> None:
    busy, good = Say(status=429), Say(wait_seconds=0.02)
    with ModelServer() as server:
        server.script = lambda _number, _body: busy if server.there > 4 else good
        answers = ask(server, requests(150))
        refused = len(server.bodies) - 150
    assert texts(answers) == expected(150)
    assert 0 < refused < 100


@pytest.mark.parametrize(
    "say",
    [
        Say(status=500, body=b"oops"),
        Say(status=503, headers={"retry-after": "0"}),
        Say(status=529),
        Say(body=b"{"),
        Say(body=b"[]"),
        Say(body=b"[" * 200_000),
        Say(body=b"<html>"),
        Say(body=b'{"choices":[]}'),
        Say(body=b'{"choices":[{"message":{"content":"x"}}]}'),
        Say(body=completion("x").replace(b'"stop"', b"null")),
        Say(body=completion("x").replace(b'"x"', b"[1]")),
        Say(cut_at=0),
        Say(cut_at=30),
        Say(body=b"\x1f\x8b", headers={"content-encoding": "gzip"}),
    ],
    ids=lambda say: f"{say.status}-{(say.body or b'')[:12]!r}-{say.cut_at}",
)
def test_what_is_no_whole_answer_is_asked_for_again(say: Say) -> None:
    with ModelServer(first(2, say)) as server:
        answers = ask(server, requests(4))
    assert texts(answers) == expected(4)
    assert [answer.error for answer in answers] == [""] * 4


def test_a_reply_larger_than_any_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.limited_reply._LARGEST", 1000)
    with ModelServer(lambda _n, _b: Say(body=completion("x" * 2000))) as server:
        (answer,) = ask(server, requests(1), tries=1)
    assert answer.error.startswith("cut")


def test_a_request_that_hangs_is_sent_again() -> None:
    with ModelServer(first(3, Say(wait_seconds=60))) as server:
        answers = ask(server, requests(5), request_seconds=0.5)
    assert texts(answers) == expected(5)


def test_a_slow_drip_counts_as_hanging() -> None:
    with ModelServer(first(1, Say(drip_seconds=0.2))) as server:
        begin = time.monotonic()
        assert texts(ask(server, requests(1), request_seconds=0.6)) == expected(1)
    assert time.monotonic() - begin < 10


def test_a_prompt_takes_no_longer_than_it_may() -> None:
    with ModelServer(lambda _n, _b: Say(wait_seconds=60)) as server:
        begin = time.monotonic()
        answers = ask(server, requests(2), prompt_seconds=1.0)
    assert time.monotonic() - begin < 10
    assert [answer.finish_reason for answer in answers] == ["error", "error"]
    assert answers[0].error.startswith("timeout: no answer within 1 s")


def test_the_time_of_a_prompt_does_not_run_while_it_waits_for_others() -> None:
    with ModelServer(lambda _n, _b: Say(wait_seconds=0.1)) as server:
        answers = ask(server, requests(12), prompt_seconds=0.8, concurrency=1)
    assert texts(answers) == expected(12)


def test_a_prompt_that_is_sent_again_does_not_queue_behind_all_others() -> None:
    say = Say(status=500)
    slow = Say(wait_seconds=0.02)
    with ModelServer(lambda number, _b: say if number == 1 else slow) as server:
        answers = ask(server, requests(200), concurrency=2, prompt_seconds=1.5)
        assert server.asked.index("PAYLOAD 0", 1) < 150
    assert texts(answers) == expected(200)


def test_a_prompt_whose_time_is_over_when_its_turn_comes_is_not_sent() -> None:
    say = Say(status=429, headers={"retry-after": "2"})
    with ModelServer(lambda _n, _b: say) as server:
        (answer,) = ask(server, requests(1), prompt_seconds=1.0)
        assert len(server.bodies) == 1
    assert answer.error == "busy: the server says 429"


def test_an_error_of_one_prompt_is_its_own() -> None:
    def script(_number: int, body: dict[str, Any]) -> Say:
        is_bad = body["messages"][-1]["content"] == "PAYLOAD 3"
        return Say(status=400, body=error_body("content_policy")) if is_bad else Say()

    with ModelServer(script) as server:
        answers = ask(server, requests(6))
        assert len(server.bodies) == 6
    assert [answer.error for answer in answers] == [
        *[""] * 3, "refused: the server says 400 (content_policy, x)", *[""] * 2
    ]  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        error_body("context_length_exceeded"),
        error_body("x", "This model's maximum context length is 4096 tokens."),
        json.dumps({"message": "the prompt is too long", "type": "BadRequestError"}).encode(),
    ],
)
def test_a_prompt_that_is_too_long_says_so(body: bytes) -> None:
    with ModelServer(lambda _n, _b: Say(status=400, body=body)) as server:
        (answer,) = ask(server, requests(1))
    assert answer.error.startswith("too_long: the server says 400")


def test_a_server_that_fails_for_ever_is_not_asked_for_ever() -> None:
    with ModelServer(lambda _n, _b: Say(status=500)) as server:
        (answer,) = ask(server, requests(1), tries=3)
        assert len(server.bodies) == 3
    assert answer.error == "server_error: the server says 500, tried 3 times"


def test_a_refusal_is_an_answer() -> None:
    body = completion("", refusal="I cannot")
    with ModelServer(lambda _n, _b: Say(body=body)) as server:
        (answer,) = ask(server, requests(1))
    assert (answer.text, answer.finish_reason, answer.error) == ("", "refusal", "")


def test_half_a_character_does_not_get_into_a_text() -> None:
    with ModelServer(lambda _n, _b: Say(body=completion("a\ud800b"))) as server:
        assert texts(ask(server, requests(1))) == ["a?b"]


@pytest.mark.parametrize(
    ("say", "found"),
    [
        (Say(status=401, body=error_body("invalid_api_key")), "does not take the key: it says 401"),
        (Say(status=404), "no such model"),
        (Say(status=307, headers={"location": "http://127.0.0.1:9/"}), "another address"),
        (Say(status=429, body=error_body("insufficient_quota")), "wants to be paid"),
        (Say(status=429, headers={"retry-after": "99999"}), "a pause of 99999 s"),
    ],
    ids=lambda value: str(getattr(value, "status", "")),
)
def test_what_no_prompt_survives_stops_the_build(say: Say, found: str) -> None:
    with ModelServer(first(99, say)) as server:
        with pytest.raises(SettingsError, match=found):
            ask(server, requests(40))
        assert len(server.bodies) <= 8


def test_a_server_that_refuses_everything_stops_the_build() -> None:
    with (
        ModelServer(lambda _n, _b: Say(status=400)) as server,
        pytest.raises(SettingsError, match="refused the first 20 prompts"),
    ):
        ask(server, requests(100))


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def test_a_server_that_starts_late_is_waited_for() -> None:
    server = ModelServer(port=free_port())
    starter = threading.Timer(1.5, server.__enter__)
    starter.start()
    settings = ServerSettings(base_urls=(server.url,), tries=1, prompt_seconds=1.0)
    with OpenAICaptioner(settings) as captioner:
        assert texts(captioner.caption(requests(10))) == expected(10)
    starter.join()
    server.__exit__(None, None, None)


def test_servers_that_are_gone_too_long_stop_the_build() -> None:
    settings = ServerSettings(
        base_urls=(f"http://127.0.0.1:{free_port()}/v1",), patience_seconds=0.5
    )
    with (
        OpenAICaptioner(settings) as captioner,
        pytest.raises(SettingsError, match="could not be reached"),
    ):
        captioner.caption(requests(30))


def test_several_servers_share_the_work() -> None:
    slow: Script = lambda _n, _b: Say(wait_seconds=0.02)  # noqa: E731
    with ModelServer(slow) as one, ModelServer(slow) as other:
        settings = ServerSettings(base_urls=(one.url, other.url), concurrency=4)
        with OpenAICaptioner(settings) as captioner:
            assert texts(captioner.caption(requests(80))) == expected(80)
        assert min(len(one.bodies), len(other.bodies)) >= 25


def test_a_budget_is_not_overspent_and_ends_cleanly() -> None:
    kept: list[Answer] = []
    with ModelServer(lambda _n, _b: Say(wait_seconds=0.01)) as server:
        settings = ServerSettings(base_urls=(server.url,), budget_tokens=300)
        with OpenAICaptioner(settings) as captioner:
            wanted = requests(60, sampling=Sampling(max_tokens=5))
            futures = [captioner.submit(request, b"", kept.append) for request in wanted]
            with pytest.raises(BudgetSpentError, match="of 300 tokens"):
                [future.result() for future in futures]
            assert captioner._budget.spent <= 300
            assert captioner.usage.failed == 0
    assert len(kept) == captioner.usage.answered == len(server.bodies)
    assert 15 <= len(kept) <= 20


def test_a_whole_answer_is_handed_over_before_the_future_has_it() -> None:
    order: list[str] = []
    with (
        ModelServer() as server,
        OpenAICaptioner(ServerSettings(base_urls=(server.url,))) as captioner,
    ):
        (request,) = requests(1)
        future = captioner.submit(request, b"", lambda _answer: order.append("kept"))
        future.add_done_callback(lambda _future: order.append("done"))
        future.result()
    assert order == ["kept", "done"]


def full(_answer: Answer) -> None:
    raise OSError("No space left")


def test_an_answer_that_cannot_be_kept_is_an_error() -> None:
    with (
        ModelServer() as server,
        OpenAICaptioner(ServerSettings(base_urls=(server.url,))) as captioner,
    ):
        future = captioner.submit(requests(1)[0], b"", full)
        with pytest.raises(OSError, match="No space"):
            future.result()


def test_closing_gives_up_what_is_in_flight() -> None:
    with ModelServer(lambda _n, _b: Say(wait_seconds=60)) as server:
        captioner = OpenAICaptioner(ServerSettings(base_urls=(server.url,)))
        futures = [captioner.submit(request) for request in requests(20)]
        captioner.close()
    assert all(future.cancelled() for future in futures)
    with pytest.raises(CancelledError):
        futures[0].result()


LEAKS: list[Callable[[], Say]] = [
    lambda: Say(status=401, body=error_body("invalid_api_key")),
    lambda: Say(status=400, body=error_body(KEY)),
    lambda: Say(status=500, body=error_body("x")),
    lambda: Say(body=error_body("x")),
    lambda: Say(cut_at=3),
    lambda: Say(wait_seconds=60),
]


@pytest.mark.parametrize("say", LEAKS)
def test_neither_key_nor_payload_is_ever_told(
    say: Callable[[], Say],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("GMAI_TEST_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    told: list[str] = []
    with ModelServer(lambda _n, _b: say()) as server:
        settings = ServerSettings(
            base_urls=(server.url,),
            api_key=ApiKey(variable="GMAI_TEST_KEY"),
            tries=2,
            request_seconds=0.3,
        )
        with OpenAICaptioner(settings) as captioner:
            try:
                told += [repr(answer) for answer in captioner.caption(requests(1))]
            except GmaiError as error:
                shown = traceback.TracebackException.from_exception(error)
                told += shown.format()
                told.append(repr((error, error.__cause__, error.__context__)))
            told.append(repr((captioner, vars(captioner), settings)))
        assert server.headers[0]["authorization"] == f"bearer {KEY.lower()}"
    told += [caplog.text, *capfd.readouterr()]
    said = "".join(told)
    assert said
    assert KEY not in said
    assert "PAYLOAD" not in said.replace("def requests", "")


def test_a_key_that_is_not_there_is_named_by_its_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("GMAI_TEST_KEY", raising=False)
    settings = ServerSettings(
        base_urls=("http://127.0.0.1:9/v1",), api_key=ApiKey(variable="GMAI_TEST_KEY")
    )
    with pytest.raises(SettingsError, match="GMAI_TEST_KEY: is not set"):
        OpenAICaptioner(settings)


@pytest.mark.parametrize(
    "url",
    ["", "host/v1", "file:///x", f"http://u:{KEY}@h/v1", f"http://h/v1?key={KEY}", "http://[/"],
)
def test_a_url_is_an_address_and_nothing_else(url: str) -> None:
    with pytest.raises(SettingsError) as raised:
        ServerSettings(base_urls=(url,))
    assert KEY not in str(raised.value)


@pytest.mark.parametrize("limit", ["concurrency", "tries", "budget_tokens", "request_seconds"])
def test_limits_are_above_zero(limit: str) -> None:
    settings = ServerSettings(base_urls=("http://h/v1",))
    with pytest.raises(SettingsError, match=f"{limit}: is 0"):
        replace(settings, **{limit: 0})


def test_other_variables_of_the_client_are_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_ORG_ID", "org-SECRET")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-SECRET")
    with ModelServer() as server:
        ask(server, requests(1))
    sent = " ".join(server.headers[0].values())
    assert "secret" not in sent


def test_one_module_alone_imports_the_client() -> None:
    root = Path(__file__).parents[3]
    paths = [path for top in ("converters", "pipeline") for path in (root / top).rglob("*.py")]
    importing = [path.name for path in paths if "import openai" in path.read_text("utf-8")]
    assert importing == ["openai_captioner.py"]
