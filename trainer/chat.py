"""A conversation as tokens, and which of them a model learns to say.

A row is rendered as one text and encoded once, so that its tokens are those that a server makes
of the same conversation. A token is supervised where it lies within an answer or is the mark that
ends one. An image is one place in the text and as many tokens as the encoder makes of it.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.chat_formats import FORMATS, IMAGE, ChatFormat
from trainer.errors import TrainerError, UnusableRow

if TYPE_CHECKING:
    from tokenizers import Tokenizer

CHAT_FORMAT_KEY = "gmai_chat_format"
Messages = Sequence[Mapping[str, str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenizedRow:
    """A conversation as a model is trained on it.

    Attributes:
        ids: Tokens; an image's are all there, one after the other.
        supervised: Whether the token at the same place is to be predicted.
        image_places: Index of the first token of each image, in the order of the text.
        is_cut: Whether the end was left out for the sake of a limit.
    """

    ids: tuple[int, ...]
    supervised: tuple[bool, ...]
    image_places: tuple[int, ...]
    is_cut: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Chat:
    """All that turns conversations into tokens.

    Attributes:
        tokenizer: With :data:`IMAGE` among its added tokens.
        format: How a conversation is written down.
        image_id: Token that stands for a piece of an image.
        tokens_per_image: 576 for ViT-L/14 at 336 pixels.
        control: Matches a control token within a text.
    """

    tokenizer: "Tokenizer"
    format: ChatFormat
    image_id: int
    tokens_per_image: int
    control: re.Pattern[str]


def chat_for(tokenizer: "Tokenizer", chat_format: ChatFormat, tokens_per_image: int) -> Chat:
    """Put a tokenizer and a format together.

    Raises:
        TrainerError: A token that the format needs is not one token of the tokenizer.
    """
    for token in (*chat_format.tokens, IMAGE):
        if tokenizer.token_to_id(token) is None:
            raise TrainerError(
                f"chat format {chat_format.name}",
                f"the tokenizer has no token {token}",
                f"name the model's own format; there are: {', '.join(FORMATS)}",
            )
    added = tokenizer.get_added_tokens_decoder().values()
    control = {token.content for token in added if token.special} - {IMAGE}
    control.update(chat_format.tokens)
    return Chat(
        tokenizer=tokenizer,
        format=chat_format,
        image_id=tokenizer.token_to_id(IMAGE),
        tokens_per_image=tokens_per_image,
        control=re.compile("|".join(re.escape(t) for t in sorted(control, key=len, reverse=True))),
    )


def load_chat(model: Path) -> Chat:
    """The conversation side of a model folder, as ``gmai-train init`` writes it.

    Raises:
        TrainerError: The folder is not such a model.
    """
    from tokenizers import Tokenizer

    try:
        config = json.loads((model / "config.json").read_text("utf-8"))
        name, vision = config[CHAT_FORMAT_KEY], config["vision_config"]
        tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    except (FileNotFoundError, KeyError, NotADirectoryError) as error:
        raise TrainerError(
            str(model), f"no starting model is there: {error}", "make one: gmai-train init"
        ) from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return chat_for(tokenizer, FORMATS[name], (vision["image_size"] // vision["patch_size"]) ** 2)


def tokenize(
    messages: Messages, chat: Chat, *, images: int = 1, max_tokens: int | None = None
) -> TokenizedRow:
    """Make tokens of a conversation.

    Args:
        messages: Turns with ``role`` and ``content``: a system turn or none, then user and
            assistant in turn. :data:`IMAGE` in a user's turn is an image.
        chat: Tokenizer and format.
        images: How many images the row has.
        max_tokens: Longest row. Whole exchanges are left out from the end; where the first one
            alone is too long its answer is cut, and then the end of the answer is not taught.

    Raises:
        UnusableRow: Nothing can be learnt from it, with the reason.
    """
    turns = _checked_turns(messages, chat, images)
    text, answers, ends = _render(turns, chat.format)
    encoding = chat.tokenizer.encode(text, add_special_tokens=False)
    row = _expand(encoding.ids, encoding.offsets, answers, ends, chat)
    if max_tokens is not None and len(row[0]) > max_tokens:
        return _cut(row, max_tokens, images)
    ids, supervised, places, _ = row
    return _learnable(TokenizedRow(
        ids=tuple(ids), supervised=tuple(supervised), image_places=tuple(places), is_cut=False
    ))  # fmt: skip


def one_conversation(rows: Sequence[Messages]) -> list[dict[str, str]]:
    """Join conversations about one image into one, with the image in the first turn only.

    They follow one another in the order of a digest of their texts. In the order of a shard a
    kind of text would always stand at the same place, and a model would learn to answer by the
    place: asked one question of any kind, it would give an answer of the kind that came first.

    Args:
        rows: Conversations of one image, each opening with it, or with no image at all.
    """
    out: list[dict[str, str]] = []
    has_image = any(IMAGE in turn["content"] for turns in rows for turn in turns[:1])
    for messages in sorted(rows, key=_digest) if len(rows) > 1 else rows:
        for turn in messages:
            content = turn["content"]
            if len(rows) > 1 and turn["role"] == "user":
                content = content.replace(IMAGE, "").strip()
                content = f"{IMAGE}\n{content}" if has_image and not out else content
            out.append({"role": turn["role"], "content": content})
    return out


def _digest(messages: Messages) -> bytes:
    said = json.dumps([[turn["role"], turn["content"]] for turn in messages])
    return hashlib.sha256(said.encode()).digest()


def _checked_turns(messages: Messages, chat: Chat, images: int) -> list[tuple[str, str]]:
    turns = [(turn["role"], turn["content"].strip()) for turn in messages]
    if not any(text for _, text in turns):
        raise UnusableRow("no_conversation", f"{len(turns)} turns, none with text")
    spoken = turns[1:] if turns[0][0] == "system" else turns
    expected = [("user", "assistant")[n % 2] for n in range(len(spoken))]
    if [role for role, _ in spoken] != expected or len(spoken) % 2:
        raise UnusableRow("roles", "turns are: " + ", ".join(role for role, _ in turns))
    found = sum(text.count(IMAGE) for role, text in turns if role == "user")
    if found != images:
        raise UnusableRow("image_count", f"{found} places in the text for {images} images")
    for role, text in turns:
        control = chat.control.search(text)
        if control or (role != "user" and IMAGE in text):
            raise UnusableRow("control_token", f"{role}: {control[0] if control else IMAGE}")
    return turns


def _render(
    turns: Sequence[tuple[str, str]], form: ChatFormat
) -> tuple[str, list[tuple[int, int]], list[int]]:
    """The text, the span of each answer with its end mark, and where each exchange ends."""
    parts, length = [form.opening], len(form.opening)
    answers, ends = [], []
    for role, text in turns:
        head = form.answer_head() if role == "assistant" else form.head.format(role=role)
        start = length + len(head)
        # An empty answer teaches nothing, not even to stop.
        stop = start + len(text) + len(form.end) if text else start
        length = start + len(text) + len(form.end) + len(form.tail)
        parts.append(head + text + form.end + form.tail)
        if role == "assistant":
            answers.append((start, stop))
            ends.append(length)
    return "".join(parts), answers, ends


_Expanded = tuple[list[int], list[bool], list[int], list[int]]


def _expand(
    ids: Sequence[int],
    offsets: Sequence[tuple[int, int]],
    answers: Sequence[tuple[int, int]],
    ends: Sequence[int],
    chat: Chat,
) -> _Expanded:
    """Tokens with images at full length, and the number of tokens up to each exchange's end."""
    out: list[int] = []
    supervised: list[bool] = []
    places: list[int] = []
    exchange_ends: list[int] = []
    at = 0
    for token, (start, _) in zip(ids, offsets, strict=True):
        while at < len(ends) and start >= ends[at]:
            exchange_ends.append(len(out))
            at += 1
        if token == chat.image_id:
            places.append(len(out))
            out += [token] * chat.tokens_per_image
            supervised += [False] * chat.tokens_per_image
            continue
        out.append(token)
        supervised.append(at < len(answers) and answers[at][0] <= start < answers[at][1])
    exchange_ends += [len(out)] * (len(ends) - at)
    return out, supervised, places, exchange_ends


def _cut(row: _Expanded, max_tokens: int, images: int) -> TokenizedRow:
    ids, supervised, places, ends = row
    length = max((end for end in ends if end <= max_tokens), default=max_tokens)
    kept = tuple(place for place in places if place < length)
    is_image_cut = any(ids[p] == ids[length] for p in kept[-1:])
    first = next((n for n, learn in enumerate(supervised) if learn), len(ids))
    if len(kept) < images or is_image_cut or first >= length:
        raise UnusableRow("too_long", f"{len(ids)} tokens, of {max_tokens} allowed")
    return TokenizedRow(
        ids=tuple(ids[:length]),
        supervised=tuple(supervised[:length]),
        image_places=kept,
        is_cut=True,
    )


def _learnable(row: TokenizedRow) -> TokenizedRow:
    if not any(row.supervised):
        raise UnusableRow("nothing_to_learn", f"none of {len(row.ids)} tokens is supervised")
    return row
