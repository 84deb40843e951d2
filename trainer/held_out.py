"""Held-out conversations while training: their loss, and their loss with pictures of others.

A model for which both are the same does not look at pictures.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from trainer.batches import Pack
from trainer.corpus import Corpus
from trainer.distributed import Ranks
from trainer.images import ImageSettings, placeholder
from trainer.loop import autocast
from trainer.loss import Trainee, sums_by_document, to_batch
from trainer.metrics import sums_by

Sums = list[tuple[int, float, int]]


def held_out_loss(
    trainee: Trainee, packs: Sequence[Pack], images: ImageSettings, ranks: Ranks, precision: str
) -> Sums:
    """Loss sum and supervised tokens of held-out conversations; every rank does all of them.

    Args:
        trainee: Is not changed.
        packs: Of the held-out split.
        images: How pixels are normalised.
        ranks: Where this one computes.
        precision: Of the recipe.
    """
    out: Sums = []
    with torch.no_grad(), autocast(ranks.device, precision):
        for pack in packs:
            losses, owner = trainee(to_batch(pack, images, ranks.device))
            sums, counts = sums_by_document(losses, owner, len(pack.documents))
            out += zip(pack.documents, sums, counts, strict=True)
    return out


def mean_loss(sums: Sums) -> float:
    """Mean over supervised tokens."""
    return sum(loss for _, loss, _ in sums) / max(sum(tokens for *_, tokens in sums), 1)


def evaluation_line(corpus: Corpus, step: int, own: Sums, shuffled: Sums | None) -> dict[str, Any]:
    """A look at held-out conversations as it is kept.

    Args:
        corpus: What their numbers mean.
        step: Steps that are done.
        own: What came out with their own pictures.
        shuffled: What came out with those of others; None where there are no others.
    """
    line: dict[str, Any] = {
        "step": step, "conversations": len(own), "loss": mean_loss(own),
        "loss_shuffled_images": None if shuffled is None else mean_loss(shuffled),
    }  # fmt: skip
    for name in ("source", "format", "department"):
        sums = sums_by(lambda n, name=name: getattr(corpus.document(n), name), own)  # type: ignore[misc]
        line[f"loss_by_{name}"] = {k: s / n for k, (s, n) in sorted(sums.items()) if n}
    return line


def with_pictures_of_others(packs: Sequence[Pack], images: ImageSettings) -> list[Pack] | None:
    """The same texts, each with the picture of another conversation, and never an equal one.

    What stands in for a picture, in a pack without one or for one that cannot be read, stays where
    it is and is nobody's control.

    Returns:
        None where all pictures are equal, so that there is no control.
    """
    pixels = [picture for pack in packs for picture in pack.pixels]
    stand_in = placeholder(images).tobytes()
    looks = [picture.tobytes() for picture in pixels]
    real = [place for place, look in enumerate(looks) if look != stand_in]
    partners = _unequal_partners([looks[place] for place in real])
    if partners is None:
        return None
    shown = list(pixels)
    for place, partner in zip(real, partners, strict=True):
        shown[place] = pixels[real[partner]]
    out, start = [], 0
    for pack in packs:
        count = len(pack.pixels)
        out.append(replace(pack, pixels=np.stack(shown[start : start + count])))
        start += count
    return out


def _unequal_partners(looks: Sequence[bytes]) -> list[int] | None:
    """For each place another one with another look: each once, unless one look is in the majority.

    Places are ordered by look; from each, the one that lies as far ahead as the commonest look is
    frequent has another look. A majority leaves too few others, which then serve several times.
    """
    groups: dict[bytes, list[int]] = {}
    for place, look in enumerate(looks):
        groups.setdefault(look, []).append(place)
    if len(groups) < 2:
        return None
    order = [place for group in groups.values() for place in group]
    most = max(len(group) for group in groups.values())
    partners = [0] * len(order)
    for turn, place in enumerate(order):
        partner = order[(turn + most) % len(order)]
        if looks[partner] == looks[place]:
            others = [other for other in order if looks[other] != looks[place]]
            partner = others[turn % len(others)]
        partners[place] = partner
    return partners
