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
class Outcome:
    """What became of one row.

    Attributes:
        row: The row.
        tokens: Supervised tokens.
        loss: Sum over them, in nats, with the row's own image.
        loss_shuffled: The same with another image.
        key: What the right answer comes down to; None where that is nothing.
        said: What the model's answer comes down to.
        said_shuffled: The same with another image.
    """

    row: HeldOut
    tokens: int
    loss: float
    loss_shuffled: float
    key: str | None
    said: str | None
    said_shuffled: str | None


def evaluate(model: Model, rows: Sequence[HeldOut], *, generates: bool = True) -> dict[str, Any]:
    """Evaluate a model on rows.

    Args:
        model: To be asked.
        rows: See :func:`trainer.evaluate_rows.held_out`.
        generates: Whether answers are generated where they come down to something. Without it
            losses alone are told, which is much quicker.

    Returns:
        ``rows``, ``left_out`` by reason, and ``groups``: for all rows, and for each format,
        source, department and language. A group has ``rows``, ``tokens``, mean ``loss`` and
        ``loss_shuffled`` a token; and of its ``answers`` that come down to something how many
        are ``exact``, ``exact_shuffled``, and what the commonest one gets, ``guess``.
    """
    import torch

    outcomes: list[Outcome] = []
    left_out: Counter[str] = Counter()
    with torch.inference_mode():
        for row in rows:
            try:
                outcomes.append(_outcome(model, row, generates=generates))
            except UnusableRow as error:
                left_out[error.reason] += 1
    return {
        "rows": len(outcomes),
        "left_out": dict(sorted(left_out.items())),
        "groups": list(_groups(outcomes)),
    }


def _outcome(model: Model, row: HeldOut, *, generates: bool) -> Outcome:
    tokens = tokenize(row.messages, model.chat, images=_count_images(row))
    if tokens.image_places and (row.image is None or row.other_image is None):
        raise UnusableRow("image_unreadable", f"{row.pair_id} has no bytes of an image")
    pixels, others = (_pixels(model, data) for data in (row.image, row.other_image))
    question, answer = row.messages[-2]["content"], row.messages[-1]["content"]
    key = answer_key(row.format, question, answer)
    asks = generates and key is not None
    said = [
        answer_key(row.format, question, generate(model, tokens, seen)) if asks else None
        for seen in (pixels, others)
    ]
    return Outcome(
        row=row,
        tokens=sum(tokens.supervised),
        loss=_loss(model, tokens, pixels),
        loss_shuffled=_loss(model, tokens, others),
        key=key if asks else None,
        said=said[0],
        said_shuffled=said[1],
    )


def _count_images(row: HeldOut) -> int:
    return sum(turn["content"].count(IMAGE) for turn in row.messages if turn["role"] == "user")


def _pixels(model: Model, data: bytes | None) -> "torch.Tensor | None":
    import torch

    if data is None:
        return None
    pixels = torch.from_numpy(decode(data, model.images))[None].to(model.net.device)
    return normalise(pixels, model.images).to(model.net.dtype)


def _loss(model: Model, row: TokenizedRow, pixels: "torch.Tensor | None") -> float:
    """Sum of the losses of the supervised tokens, in nats."""
    import torch
    from torch.nn.functional import cross_entropy

    ids = torch.tensor([row.ids], device=model.net.device)
    learn = torch.tensor(row.supervised, device=ids.device)
    images = pixels if row.image_places else None
    states = model.net.model(input_ids=ids, pixel_values=images, use_cache=False)[0][0]
    # The state at a place predicts the token at the next one.
    logits = model.net.lm_head(states[:-1][learn[1:]]).float()
    return cross_entropy(logits, ids[0, 1:][learn[1:]], reduction="sum").item()


def generate(model: Model, row: TokenizedRow, pixels: "torch.Tensor | None") -> str:
    """What a model answers in place of the last answer of a row, by the likeliest token."""
    import torch

    last = max(n for n, learn in enumerate(row.supervised) if learn)
    first = next(n for n in range(last, -1, -1) if not row.supervised[n]) + 1
    ids = torch.tensor([row.ids[:first]], device=model.net.device)
    out = model.net.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        pixel_values=pixels if row.image_places else None,
        max_new_tokens=LONGEST_ANSWER,
        do_sample=False,
    )
    return model.chat.tokenizer.decode(out[0, first:].tolist(), skip_special_tokens=True)


def _groups(outcomes: Sequence[Outcome]) -> Iterator[dict[str, Any]]:
    guessed = _guesses(outcomes)
    if outcomes:
        yield _group("all", "", outcomes, guessed)
    for by in _GROUPS:
        named: dict[str, list[Outcome]] = {}
        for outcome in outcomes:
            named.setdefault(getattr(outcome.row, by), []).append(outcome)
        for name in sorted(named):
            yield _group(by, name, named[name], guessed)


def _guesses(outcomes: Sequence[Outcome]) -> dict[tuple[str, str], str]:
    """The commonest right answer of each source and format."""
    keys: dict[tuple[str, str], Counter[str]] = {}
    for outcome in outcomes:
        if outcome.key is not None:
            place = (outcome.row.source, outcome.row.format)
            keys.setdefault(place, Counter())[outcome.key] += 1
    return {place: min(count, key=lambda k: (-count[k], k)) for place, count in keys.items()}


def _group(
    by: str, name: str, outcomes: Sequence[Outcome], guessed: Mapping[tuple[str, str], str]
) -> dict[str, Any]:
    tokens = sum(outcome.tokens for outcome in outcomes)
    keyed = [outcome for outcome in outcomes if outcome.key is not None]
    return {
        "by": by,
        "name": name,
        "rows": len(outcomes),
        "tokens": tokens,
        "loss": sum(outcome.loss for outcome in outcomes) / tokens,
        "loss_shuffled": sum(outcome.loss_shuffled for outcome in outcomes) / tokens,
        "answers": len(keyed),
        "exact": sum(o.said == o.key for o in keyed),
        "exact_shuffled": sum(o.said_shuffled == o.key for o in keyed),
        "guess": sum(guessed[o.row.source, o.row.format] == o.key for o in keyed),
    }
