"""Requests: one key for what is the same, another for whatever changes the answer."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converters.errors import SettingsError
from pipeline.digests import digest_json
from pipeline.model_request import Request, Sampling, request_of
from pipeline.prompts import ModelPrompt

DIGEST = f"sha256:{'a' * 64}"
REQUEST = Request(
    model="m",
    revision="r",
    system="role",
    user="facts",
    schema='{"type":"object"}',
    image_digest=DIGEST,
)


def test_a_key_is_the_digest_of_the_record() -> None:
    assert REQUEST.key == digest_json(json.loads(json.dumps(REQUEST.record())))


@pytest.mark.parametrize(
    "change",
    [
        {"model": "n"},
        {"revision": "s"},
        {"system": "rol"},
        {"user": "fact"},
        {"schema": ""},
        {"image_digest": ""},
        {"image_digest": f"sha256:{'b' * 64}"},
        {"sampling": Sampling(max_tokens=511)},
        {"sampling": Sampling(temperature=None)},
        {"sampling": Sampling(structured="none")},
        {"sampling": Sampling(extra='{"top_k":5}')},
        {"attempt": 2},
    ],
    ids=str,
)
def test_whatever_changes_the_answer_changes_the_key(change: dict) -> None:
    assert replace(REQUEST, **change).key != REQUEST.key


@given(first=st.text(), second=st.text())
def test_text_does_not_move_from_one_message_to_the_other(first: str, second: str) -> None:
    one = replace(REQUEST, system=first, user=second)
    other = replace(REQUEST, system=first + second, user="")
    assert (one.key == other.key) == (one.messages(None) == other.messages(None))


def test_keys_stay_from_version_to_version() -> None:
    assert REQUEST.key == "sha256:d850e76699e0fd27d643200b1f883130cfbfc81acc6df2a0f29a16683ec1a3cb"


def test_blanks_and_order_of_extra_fields_do_not_count() -> None:
    assert Sampling(extra='{"b": 1, "a": 2}') == Sampling(extra='{"a":2,"b":1}')


def test_the_image_stands_before_the_text() -> None:
    (_, user) = REQUEST.messages({"type": "image"})
    assert user == {
        "role": "user",
        "content": [{"type": "image"}, {"type": "text", "text": "facts"}],
    }


@pytest.mark.parametrize("extra", ["[]", "{", '{"messages":[]}', '{"stream":true}'])
def test_fields_that_are_ours_cannot_be_set_beside_them(extra: str) -> None:
    with pytest.raises(SettingsError):
        Sampling(extra=extra)


def test_each_attempt_draws_with_a_seed_of_its_own() -> None:
    assert [replace(REQUEST, attempt=attempt).seed for attempt in (1, 2, 3)] == [0, 1, 2]


def test_a_prompt_without_image_has_none_in_its_request() -> None:
    prompt = ModelPrompt(system="s", user="u", schema="{}", needs_image=False)
    made = request_of(
        prompt, model="m", revision="r", image_digest=DIGEST, sampling=Sampling(), remark="why"
    )
    assert (made.image_digest, made.user) == ("", "u\n\nwhy")


def test_a_row_can_say_how_its_text_was_drawn() -> None:
    said = json.loads(REQUEST.settings)
    assert said.keys() == {"model", "sampling", "schema", "attempt", "draw"}
    assert Sampling(**said["sampling"]) == REQUEST.sampling


def test_two_draws_are_two_requests_with_seeds_of_their_own() -> None:
    other = replace(REQUEST, draw=REQUEST.draw + 7)
    assert other.key != REQUEST.key
    assert other.seed == REQUEST.seed + 7
