"""The loss of each supervised token; scores of the vocabulary are made for these alone."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from trainer.attention import BOUNDS, LENGTHS
from trainer.batches import NO_DOCUMENT, NOT_LEARNT, Pack
from trainer.images import ImageSettings, normalise

if TYPE_CHECKING:
    from transformers import LlavaForConditionalGeneration

# Scores of so many tokens at a time are kept for the way back; 150,000 words make 0.6 GB of them.
_TOKENS_AT_ONCE = 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """A pack on the device of a model.

    Attributes:
        ids: 1, tokens.
        positions: 1, tokens.
        targets: tokens.
        owner: tokens.
        pixels: images, channels, height, width; normalised.
        lengths: Tokens of each conversation.
        bounds: Where each starts, and the end; int32.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    targets: torch.Tensor
    owner: torch.Tensor
    pixels: torch.Tensor
    lengths: tuple[int, ...]
    bounds: torch.Tensor


def to_batch(pack: Pack, images: ImageSettings, device: torch.device | str = "cpu") -> Batch:
    """Bring a pack to a device; pixels go there as bytes and become numbers there."""
    starts = (pack.positions == 0).nonzero()[0]
    bounds = torch.tensor([*starts.tolist(), len(pack.ids)], dtype=torch.int32)

    def there(array: object) -> torch.Tensor:
        return torch.as_tensor(array).to(device, non_blocking=True)

    return Batch(
        ids=there(pack.ids)[None], positions=there(pack.positions)[None],
        targets=there(pack.targets), owner=there(pack.owner),
        pixels=normalise(there(pack.pixels), images),
        lengths=tuple(bounds.diff().tolist()), bounds=there(bounds),
    )  # fmt: skip


class Trainee(nn.Module):  # type: ignore[misc]  # torch is not there where types are checked
    """A model with its loss as one module, so that sharding sees all of it.

    Args:
        model: Trained as it is.
        recomputes: Whether scores of the vocabulary are made again on the way back.
    """

    def __init__(self, model: "LlavaForConditionalGeneration", *, recomputes: bool = False) -> None:
        super().__init__()
        self.model = model
        self._recomputes = recomputes

    def forward(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Loss of each supervised token, and the conversation that each belongs to."""
        hidden = self.model.model(
            input_ids=batch.ids,
            pixel_values=batch.pixels.to(self.model.model.vision_tower.dtype),
            position_ids=batch.positions,
            use_cache=False,
            **{LENGTHS: batch.lengths, BOUNDS: batch.bounds},
        ).last_hidden_state[0]
        is_learnt = batch.targets != NOT_LEARNT
        losses = self._losses(hidden[is_learnt], batch.targets[is_learnt])
        return losses, batch.owner[is_learnt]

    def _losses(self, hidden: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        if not self._recomputes:
            return self._of_tokens(hidden, targets)
        pieces = zip(hidden.split(_TOKENS_AT_ONCE), targets.split(_TOKENS_AT_ONCE), strict=True)
        return torch.cat([
            checkpoint(self._of_tokens, h, t, use_reentrant=False) for h, t in pieces
        ])  # fmt: skip

    def _of_tokens(self, hidden: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        scores = self.model.lm_head(hidden)
        scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
        return functional.cross_entropy(scores, targets, reduction="none")


def sums_by_document(
    losses: torch.Tensor, owner: torch.Tensor, documents: int
) -> tuple[list[float], list[int]]:
    """Sum of losses and number of supervised tokens of each conversation of a pack."""
    assert NO_DOCUMENT not in owner
    sums = torch.zeros(documents, dtype=torch.float64, device=losses.device)
    sums.index_add_(0, owner, losses.detach().double())
    counts = torch.bincount(owner, minlength=documents)
    return sums.tolist(), counts.tolist()
