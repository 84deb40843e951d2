"""What of a conversation is taught, token by token."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("tokenizers", reason="needs the extra 'train'; the stage 'train' of CI has it")
pytest.importorskip("transformers", reason="needs the extra 'train'")
from transformers import PreTrainedTokenizerFast

from tests.unit.trainer.tokenizers_of_families import tokenizer_of
from trainer.chat import Chat, TokenizedRow, chat_for, one_conversation, tokenize
from trainer.chat_formats import FORMATS, IMAGE, format_of_tokens
from trainer.errors import TrainerError, UnusableRow

CHATS = {name: chat_for(tokenizer_of(name), form, 4) for name, form in FORMATS.items()}
QUESTION = {"role": "user", "content": f"{IMAGE}\nIs there a tumor in this slice?"}
ANSWER = {"role": "assistant", "content": "Yes. This region shows it."}
SECOND = [
    {"role": "user", "content": "图中可见什么？"},
    {"role": "assistant", "content": "图中可见一枚息肉。"},
]


@pytest.fixture(params=sorted(FORMATS))
def chat(request: pytest.FixtureRequest) -> Chat:
    return CHATS[request.param]


def pieces(row: TokenizedRow, chat: Chat) -> list[list[object]]:
    """Stretches of tokens that are all taught or all given, with their text."""
    out: list[tuple[bool, list[int]]] = []
    for token, learn in zip(row.ids, row.supervised, strict=True):
        if not out or out[-1][0] != learn:
            out.append((learn, []))
        out[-1][1].append(token)
    decode = chat.tokenizer.decode
    return [
        ["taught" if learn else "given", decode(ids, skip_special_tokens=False)]
        for learn, ids in out
    ]


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_exactly_these_strings_are_taught(name: str, golden: Callable[[str, str], None]) -> None:
    chat = CHATS[name]
    system = {"role": "system", "content": "You read medical images."}
    rows = {
        "one turn": tokenize([QUESTION, ANSWER], chat),
        "two turns": tokenize([QUESTION, ANSWER, *SECOND], chat),
        "system and text alone": tokenize([system, *SECOND], chat, images=0),
        "cut": tokenize([QUESTION, ANSWER, *SECOND], chat, max_tokens=40),
    }
    text = json.dumps({k: pieces(r, chat) for k, r in rows.items()}, indent=1, ensure_ascii=False)
    golden(f"chat/{name}.json", text + "\n")


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_a_served_model_is_asked_as_it_was_taught(name: str) -> None:
    chat = CHATS[name]
    served = PreTrainedTokenizerFast(tokenizer_object=chat.tokenizer)
    messages = [QUESTION, ANSWER, *SECOND]
    ids = served.apply_chat_template(
        messages, chat_template=FORMATS[name].jinja(), return_dict=False
    )
    row = tokenize(messages, chat)
    pictured = set(row.image_places)
    taught = [t for n, t in enumerate(row.ids) if t != chat.image_id or n in pictured]
    assert ids == taught


def test_content_in_parts_renders_like_a_string(chat: Chat) -> None:
    served = PreTrainedTokenizerFast(tokenizer_object=chat.tokenizer)
    parts = [{"type": "image"}, {"type": "text", "text": "Is there a tumor in this slice?"}]
    template = chat.format.jinja()
    as_parts = served.apply_chat_template(
        [{"role": "user", "content": parts}], chat_template=template, tokenize=False
    )
    assert as_parts == served.apply_chat_template(
        [QUESTION], chat_template=template, tokenize=False
    )


@given(
    name=st.sampled_from(sorted(FORMATS)),
    question=st.text(st.characters(codec="utf-8", exclude_characters="<"), max_size=30),
    answer=st.text(st.characters(codec="utf-8", exclude_characters="<"), min_size=1, max_size=30),
)
def test_what_is_given_before_an_answer_is_what_a_server_gives(
    name: str, question: str, answer: str
) -> None:
    chat = CHATS[name]
    messages = [{"role": "user", "content": "Q" + question},
                {"role": "assistant", "content": "A" + answer}]  # fmt: skip
    served = PreTrainedTokenizerFast(tokenizer_object=chat.tokenizer)
    prompt = served.apply_chat_template(
        messages[:1], chat_template=FORMATS[name].jinja(), return_dict=False,
        add_generation_prompt=True,
    )  # fmt: skip
    row = tokenize(messages, chat, images=0)
    assert list(row.ids[: row.supervised.index(True)]) == prompt


@given(
    name=st.sampled_from(sorted(FORMATS)),
    turns=st.lists(st.tuples(st.text(max_size=12), st.text(max_size=12)), min_size=1, max_size=4),
)
def test_the_answers_and_their_end_marks_are_taught_and_no_more(
    name: str, turns: list[tuple[str, str]]
) -> None:
    chat = CHATS[name]
    messages = [
        {"role": role, "content": f"w{text}w"}
        for pair in turns
        for role, text in zip(("user", "assistant"), pair, strict=True)
    ]
    row = tokenize(messages, chat, images=0)
    taught = [text for kind, text in pieces(row, chat) if kind == "taught"]
    assert len(taught) == len(turns)
    assert sum(row.ids[n] == chat.tokenizer.token_to_id(FORMATS[name].end)
               for n, learn in enumerate(row.supervised) if learn) == len(turns)  # fmt: skip


def test_an_image_is_as_many_tokens_as_the_encoder_makes(chat: Chat) -> None:
    row = tokenize([QUESTION, ANSWER], chat)
    place = row.image_places[0]
    assert row.ids.count(chat.image_id) == 4
    assert row.ids[place : place + 4] == (chat.image_id,) * 4


@given(limit=st.integers(min_value=1, max_value=120), name=st.sampled_from(sorted(FORMATS)))
def test_a_limit_never_cuts_an_image_and_leaves_something_to_learn(limit: int, name: str) -> None:
    chat = CHATS[name]
    row = None
    if limit >= 45:
        row = tokenize([QUESTION, ANSWER, *SECOND], chat, max_tokens=limit)
    assert row is None or (
        len(row.ids) <= limit and any(row.supervised) and row.ids.count(chat.image_id) == 4
    )


def test_whole_exchanges_are_left_out_first(chat: Chat) -> None:
    whole = tokenize([QUESTION, ANSWER], chat)
    cut = tokenize([QUESTION, ANSWER, *SECOND], chat, max_tokens=len(whole.ids) + 3)
    assert cut.ids == whole.ids
    assert cut.is_cut


def test_a_cut_answer_does_not_teach_to_stop(chat: Chat) -> None:
    whole = tokenize([QUESTION, ANSWER], chat)
    last = max(n for n, learn in enumerate(whole.supervised) if learn)
    cut = tokenize([QUESTION, ANSWER], chat, max_tokens=last)
    assert cut.ids == whole.ids[:last]


@pytest.mark.parametrize(
    ("reason", "messages", "images"),
    [
        ("no_conversation", [], 1),
        ("no_conversation", [{"role": "user", "content": " "}], 0),
        ("roles", [ANSWER, QUESTION], 1),
        ("roles", [QUESTION], 1),
        ("roles", [QUESTION, ANSWER, SECOND[0]], 1),
        ("image_count", SECOND, 1),
        ("image_count", [QUESTION, ANSWER], 0),
        ("nothing_to_learn", [QUESTION, {"role": "assistant", "content": " "}], 1),
        ("control_token", [QUESTION, {"role": "assistant", "content": f"{IMAGE} Yes."}], 1),
    ],
)
def test_a_row_that_cannot_be_used_says_why(
    chat: Chat, reason: str, messages: list[dict[str, str]], images: int
) -> None:
    with pytest.raises(UnusableRow) as caught:
        tokenize(messages, chat, images=images)
    assert caught.value.reason == reason


def test_a_text_cannot_speak_for_the_other_side(chat: Chat) -> None:
    forged = {"role": "user", "content": f"{IMAGE}\nHello{chat.format.end}"}
    with pytest.raises(UnusableRow, match="control_token"):
        tokenize([forged, ANSWER], chat)


def test_a_limit_without_room_for_an_answer_is_told(chat: Chat) -> None:
    with pytest.raises(UnusableRow, match="too_long"):
        tokenize([QUESTION, ANSWER], chat, max_tokens=6)


def test_conversations_about_one_image_become_one_with_the_image_once() -> None:
    joined = one_conversation([[QUESTION, ANSWER], [QUESTION, ANSWER]])
    assert [turn["content"].count(IMAGE) for turn in joined] == [1, 0, 0, 0]


def test_joined_conversations_stand_in_no_order_of_theirs() -> None:
    asked = [
        [{"role": "user", "content": f"{IMAGE}\nOf image {n}, part {part}?"}, ANSWER]
        for n in range(20)
        for part in "ab"
    ]
    firsts = {one_conversation(asked[n : n + 2])[0]["content"][-2] for n in range(0, len(asked), 2)}
    assert firsts == {"a", "b"}
    assert one_conversation(asked[:2]) == one_conversation(asked[1::-1])


def test_one_conversation_alone_stays_as_it_is() -> None:
    late = [{"role": "user", "content": f"What is in {IMAGE} here?"}, ANSWER]
    assert one_conversation([late]) == late


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_a_tokenizer_tells_its_format(name: str) -> None:
    assert format_of_tokens(CHATS[name].tokenizer.get_vocab()) == FORMATS[name]


def test_a_format_that_is_not_the_tokenizers_is_refused() -> None:
    with pytest.raises(TrainerError, match="has no token"):
        chat_for(tokenizer_of("qwen3"), FORMATS["llama3"], 4)
