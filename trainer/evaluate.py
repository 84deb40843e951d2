"""How well a model does on held-out rows, and how well without seeing their images.

Each row is looked at twice: with its own image and with that of another row. A model that
ignores images does as well the second time. Beside it stands what the commonest answer would get.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trainer.chat import Chat, TokenizedRow, tokenize
from trainer.chat_formats import IMAGE
from trainer.errors import UnusableRow
from trainer.evaluate_keys import answer_key
from trainer.evaluate_rows import HeldOut
from trainer.images import ImageSettings, decode, normalise

if TYPE_CHECKING:
    import torch
    from transformers import LlavaForConditionalGeneration

LONGEST_ANSWER = 48
_GROUPS = ("format", "source", "department", "language")


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """A model with what it takes to ask it.

    Attributes:
        net: In evaluation mode, on its device.
        chat: Tokenizer and format.
        images: Settings of its pictures.
    """

    net: "LlavaForConditionalGeneration"
    chat: Chat
    images: ImageSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A row as it is given to a model.

    Attributes:
        row: The row.
        tokens: All of it.
        key: What the right answer comes down to; None where that is nothing, or not asked for.
    """

    row: HeldOut
    tokens: TokenizedRow
    key: str | None

    @property
    def question(self) -> str:
        """Text of the last question."""
        return self.row.messages[-2]["content"]

    @property
    def prompt(self) -> tuple[int, ...]:
        """The tokens before the last answer."""
        learn = self.tokens.supervised
        last = max(n for n, is_taught in enumerate(learn) if is_taught)
        first = next(n for n in range(last, -1, -1) if not learn[n])
        return self.tokens.ids[: first + 1]


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of one row.

    Attributes:
        asked: The row.
        loss: Sum over supervised tokens, in nats, with the row's own image.
        loss_shuffled: The same with another image.
        said: What the model's answer comes down to.
        said_shuffled: The same with another image.
    """

    asked: Asked
    loss: float
    loss_shuffled: float
    said: str | None
    said_shuffled: str | None


def evaluate(
    model: Model, rows: Sequence[HeldOut], *, generates: bool = True, batch_rows: int = 8
) -> dict[str, Any]:
    """Evaluate a model on rows.

    Args:
        model: To be asked.
        rows: See :func:`trainer.evaluate_rows.held_out`.
        generates: Whether answers are generated where they come down to something. Without it
            losses alone are told, which is much quicker.
        batch_rows: Rows that are answered at a time.

    Returns:
        ``rows``, ``left_out`` by reason, and ``groups``: for all rows, and for each format,
        source, department and language. A group has ``rows``, ``tokens``, mean ``loss`` and
        ``loss_shuffled`` a token; and of its ``answers`` that come down to something how many
        are ``exact``, ``exact_shuffled``, and what the commonest one gets, ``guess``.
    """
    import torch

    left_out: Counter[str] = Counter()
    asked: list[Asked] = []
    losses: list[tuple[float, float]] = []
    with torch.inference_mode():
        for row in rows:
            try:
                one = _ask(model, row, generates=generates)
                pair = (
                    _loss(model, one.tokens, row.image),
                    _loss(model, one.tokens, row.other_image),
                )
            except UnusableRow as error:
                left_out[error.reason] += 1
                continue
            asked.append(one)
            losses.append(pair)
        said = _answers(model, asked, batch_rows)
    outcomes = [
        Outcome(asked=one, loss=pair[0], loss_shuffled=pair[1], said=own, said_shuffled=other)
        for one, pair, (own, other) in zip(asked, losses, said, strict=True)
    ]
    return {
        "rows": len(outcomes),
        "left_out": dict(sorted(left_out.items())),
        "groups": list(_groups(outcomes)),
    }


def _ask(model: Model, row: HeldOut, *, generates: bool) -> Asked:
    count = sum(turn["content"].count(IMAGE) for turn in row.messages if turn["role"] == "user")
    tokens = tokenize(row.messages, model.chat, images=count)
    if tokens.image_places and (row.image is None or row.other_image is None):
        raise UnusableRow("image_unreadable", f"{row.pair_id} has no bytes of an image")
    question, answer = row.messages[-2]["content"], row.messages[-1]["content"]
    key = answer_key(row.format, question, answer) if generates else None
    return Asked(row=row, tokens=tokens, key=key)


def _pixels(model: Model, images: Sequence[bytes | None]) -> "torch.Tensor | None":
    import numpy as np
    import torch

    decoded = [decode(data, model.images) for data in images if data is not None]
    if not decoded:
        return None
    pixels = torch.from_numpy(np.stack(decoded)).to(model.net.device)
    return normalise(pixels, model.images).to(model.net.dtype)


def _loss(model: Model, row: TokenizedRow, image: bytes | None) -> float:
    """Sum of the losses of the supervised tokens, in nats."""
    import torch
    from torch.nn.functional import cross_entropy

    ids = torch.tensor([row.ids], device=model.net.device)
    learn = torch.tensor(row.supervised, device=ids.device)
    pixels = _pixels(model, [image]) if row.image_places else None
    states = model.net.model(input_ids=ids, pixel_values=pixels, use_cache=False)[0][0]
    # The state at a place predicts the token at the next one.
    logits = model.net.lm_head(states[:-1][learn[1:]]).float()
    return cross_entropy(logits, ids[0, 1:][learn[1:]], reduction="sum").item()


def _answers(
    model: Model, asked: Sequence[Asked], batch_rows: int
) -> list[tuple[str | None, str | None]]:
    """What answers come down to, with the row's own image and with another."""
    out: list[tuple[str | None, str | None]] = [(None, None)] * len(asked)
    # Prompts of like length together, so that little is padded.
    order = sorted((n for n, one in enumerate(asked) if one.key is not None),
                   key=lambda n: len(asked[n].prompt))  # fmt: skip
    for start in range(0, len(order), batch_rows):
        numbers = order[start : start + batch_rows]
        batch = [asked[n] for n in numbers]
        prompts = [one.prompt for one in batch]
        own = generate(model, prompts, [one.row.image for one in batch])
        other = generate(model, prompts, [one.row.other_image for one in batch])
        for n, one, *texts in zip(numbers, batch, own, other, strict=True):
            first, second = (answer_key(one.row.format, one.question, text) for text in texts)
            out[n] = (first, second)
    return out


def generate(
    model: Model, prompts: Sequence[Sequence[int]], images: Sequence[bytes | None]
) -> list[str]:
    """Answers to several questions, by the likeliest token.

    Args:
        model: To be asked.
        prompts: Tokens up to each answer.
        images: Of each question; None where it has none.
    """
    import torch

    longest = max(len(prompt) for prompt in prompts)
    pads = [longest - len(prompt) for prompt in prompts]
    filler = model.net.generation_config.pad_token_id
    device = model.net.device
    out = model.net.generate(
        input_ids=torch.tensor([[filler] * pad + list(prompt)
                                for pad, prompt in zip(pads, prompts, strict=True)], device=device),
        attention_mask=torch.tensor([[0] * pad + [1] * (longest - pad) for pad in pads],
                                    device=device),
        pixel_values=_pixels(model, images),
        max_new_tokens=LONGEST_ANSWER,
        do_sample=False,
    )  # fmt: skip
    decode_text = model.chat.tokenizer.decode
    return [decode_text(ids, skip_special_tokens=True) for ids in out[:, longest:].tolist()]


def _groups(outcomes: Sequence[Outcome]) -> Iterator[dict[str, Any]]:
    guessed = _guesses(outcomes)
    if outcomes:
        yield _group("all", "", outcomes, guessed)
    for by in _GROUPS:
        named: dict[str, list[Outcome]] = {}
        for outcome in outcomes:
            named.setdefault(getattr(outcome.asked.row, by), []).append(outcome)
        for name in sorted(named):
            yield _group(by, name, named[name], guessed)


def _guesses(outcomes: Sequence[Outcome]) -> dict[tuple[str, str], str]:
    """The commonest right answer of each source and format."""
    keys: dict[tuple[str, str], Counter[str]] = {}
    for outcome in outcomes:
        key = outcome.asked.key
        if key is not None:
            keys.setdefault(_place(outcome), Counter())[key] += 1
    return {place: min(count, key=lambda k: (-count[k], k)) for place, count in keys.items()}


def _place(outcome: Outcome) -> tuple[str, str]:
    return outcome.asked.row.source, outcome.asked.row.format


def _group(
    by: str, name: str, outcomes: Sequence[Outcome], guessed: Mapping[tuple[str, str], str]
) -> dict[str, Any]:
    tokens = sum(sum(outcome.asked.tokens.supervised) for outcome in outcomes)
    keyed = [outcome for outcome in outcomes if outcome.asked.key is not None]
    return {
        "by": by,
        "name": name,
        "rows": len(outcomes),
        "tokens": tokens,
        "loss": sum(outcome.loss for outcome in outcomes) / tokens,
        "loss_shuffled": sum(outcome.loss_shuffled for outcome in outcomes) / tokens,
        "answers": len(keyed),
        "exact": sum(o.said == o.asked.key for o in keyed),
        "exact_shuffled": sum(o.said_shuffled == o.asked.key for o in keyed),
        "guess": sum(guessed[_place(o)] == o.asked.key for o in keyed),
    }
