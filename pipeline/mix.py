"""Which pairs of an image stay, so that the kinds of text have the shares that were asked for.

Each pair is kept or not by its own digest and by what else can be made of its image: never by
what other images have, the order of work, or a partition. Of an image that gives all kinds, the
expected shares are those asked for, and of the kind that is scarcest there everything is kept. An
image that lacks a kind keeps the proportion of the others.
"""

import argparse
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from converters.records import Json
from converters.vocabulary import vocabulary

KINDS = ("caption", "perception", "instruction")
_BITS = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Mix:
    """Shares of the kinds of text, 0 to 1; together 1.

    Attributes:
        caption: Descriptions.
        perception: Questions with a short answer: choices, boxes, counts, measures.
        instruction: Open questions, reports, conversations.
    """

    caption: float
    perception: float
    instruction: float

    def share(self, kind: str) -> float:
        """The share of a kind."""
        return {
            "caption": self.caption,
            "perception": self.perception,
            "instruction": self.instruction,
        }[kind]

    @property
    def as_json(self) -> dict[str, Json]:
        """For receipts and digests."""
        return {kind: self.share(kind) for kind in KINDS}


def parse_mix(text: str) -> Mix:
    """An argument such as "caption=0.4,perception=0.35,instruction=0.25": weights, not all zero.

    Raises:
        argparse.ArgumentTypeError: It is not of that form.
    """
    weights: dict[str, float] = {}
    for part in text.split(","):
        name, _, value = (piece.strip() for piece in part.partition("="))
        if name not in KINDS or name in weights:
            raise argparse.ArgumentTypeError(f"{part.strip()!r}: name each of {', '.join(KINDS)}")
        weights[name] = _weight(value)
    total = sum(weights.values())
    if set(weights) != set(KINDS) or total <= 0:
        raise argparse.ArgumentTypeError(f"give {', '.join(KINDS)} a weight each, not all zero")
    return Mix(**{kind: weights[kind] / total for kind in KINDS})


def _weight(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is not a weight of 0 or more")
    return value


@cache
def kind_of(format_name: str) -> str:
    """The kind of a format, as ``[format_kind]`` of the vocabulary says.

    Raises:
        KeyError: No kind has it.
    """
    for kind, names in vocabulary()["format_kind"].items():
        if isinstance(names, list) and format_name in names:
            return kind
    raise KeyError(format_name)


def kept(mix: Mix, pairs: Sequence[tuple[str, str]]) -> list[bool]:
    """Which pairs of one image in one language stay.

    Args:
        mix: The shares.
        pairs: Identity and format of each pair.
    """
    rates = _rates(mix, Counter(kind_of(name) for _, name in pairs))
    return [_draw(pair_id) < rates[kind_of(name)] for pair_id, name in pairs]


def _rates(mix: Mix, counts: Mapping[str, int]) -> dict[str, float]:
    """How likely a pair of each kind stays: 1 for the kind that is scarcest for its share."""
    wanted = {kind: mix.share(kind) / count for kind, count in counts.items()}
    most = max(wanted.values(), default=0.0)
    return {kind: value / most if most else 0.0 for kind, value in wanted.items()}


def _draw(pair_id: str) -> float:
    """A number from 0 to 1, 1 left out, that depends on the pair alone."""
    digest = hashlib.blake2b(pair_id.encode(), digest_size=_BITS // 8, person=b"gmai mix").digest()
    return int.from_bytes(digest, "big") / 2**_BITS
