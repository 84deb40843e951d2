"""The loop, once, for all stages: a step is a function of weights, optimiser and its packs."""

import contextlib
import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from trainer.batches import Pack, join_packs
from trainer.distributed import Layout, Ranks, gathered, loss_factor, sum_gradients, total
from trainer.errors import TrainerError
from trainer.flops import ModelSize, pack_flops
from trainer.images import ImageSettings
from trainer.loss import Trainee, sums_by_document, to_batch
from trainer.schedule import rate_factor

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

# Before so many conversations were seen, a share of bad ones says little.
_FEW_CONVERSATIONS = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class StepRules:
    """What decides a step beside its packs.

    Attributes:
        steps: Of the stage.
        warmup_share: See :func:`trainer.schedule.rate_factor`.
        clip_norm: Longest gradient.
        precision: ``float32`` or ``bfloat16``.
        packs_per_forward: Packs that go through the model at once.
        bad_share: Share of unreadable conversations above which a run is stopped.
        layout: How the model lies over the ranks.
    """

    steps: int
    warmup_share: float
    clip_norm: float
    precision: str
    packs_per_forward: int
    bad_share: float
    layout: Layout


@dataclass(frozen=True, kw_only=True, slots=True)
class StepResult:
    """What a step gives back, over all ranks.

    Attributes:
        loss: Mean over supervised tokens.
        gradient_norm: Before it is clipped.
        documents: Number, loss sum and supervised tokens of each conversation.
        bad: Number and reason of each that was masked.
        tokens: All.
        image_tokens: Those that stand for pixels.
        supervised: Those that are learnt.
        flops: Operations that had to be done.
    """

    loss: float
    gradient_norm: float
    documents: list[tuple[int, float, int]]
    bad: list[tuple[int, str]]
    tokens: int
    image_tokens: int
    supervised: int
    flops: float


class Stepper:
    """Takes steps.

    Args:
        trainee: What learns; already laid out over the ranks.
        optimizer: Of its parameters, with the ``peak`` rate in each group.
        rules: See :class:`StepRules`.
        ranks: Who takes part.
        images: How pixels are normalised.
        size: What costs follow from.
        forward: The module as it is called, where it was compiled.
    """

    def __init__(
        self,
        trainee: Trainee,
        optimizer: torch.optim.Optimizer,
        rules: StepRules,
        ranks: Ranks,
        images: ImageSettings,
        size: ModelSize,
    ) -> None:
        self._trainee, self._optimizer, self._rules = trainee, optimizer, rules
        self._ranks, self._images, self._size = ranks, images, size
        self._parameters = [p for p in trainee.parameters() if p.requires_grad]
        self._parts = {str(group["part"]) for group in optimizer.param_groups}
        self.seen = 0
        self.bad: Counter[str] = Counter()

    def rates(self) -> dict[str, float]:
        """Rate of each part in the last step."""
        return {str(group["part"]): float(group["lr"]) for group in self._optimizer.param_groups}

    def step(self, number: int, packs: Sequence[Pack]) -> StepResult:
        """Train on the packs of a step that are this rank's.

        Every supervised token counts the same, on whichever rank and in whichever pack it is.

        Raises:
            TrainerError: Too many conversations cannot be read, or the loss is no number.
        """
        supervised = self._agreed([float(sum(pack.supervised for pack in packs))])[0]
        factor = rate_factor(number, self._rules.steps, self._rules.warmup_share)
        for group in self._optimizer.param_groups:
            group["lr"] = group["peak"] * factor
        documents: list[tuple[int, float, int]] = []
        scale = loss_factor(self._rules.layout, self._ranks) / max(supervised, 1.0)
        chunk = self._rules.packs_per_forward
        for start in range(0, len(packs), chunk):
            documents += self._backward(join_packs(packs[start : start + chunk]), scale)
        sum_gradients(self._parameters, self._rules.layout, self._ranks)
        norm = self._clipped()
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        return self._result(packs, documents, supervised, norm)

    def _agreed(self, values: list[float]) -> list[float]:
        return total(values, self._ranks)

    def _backward(self, pack: Pack, scale: float) -> list[tuple[int, float, int]]:
        batch = to_batch(pack, self._images, self._ranks.device)
        with autocast(self._ranks.device, self._rules.precision):
            losses, owner = self._trainee(batch)
        (losses.sum() * scale).backward()
        sums, counts = sums_by_document(losses, owner, len(pack.documents))
        return list(zip(pack.documents, sums, counts, strict=True))

    def _clipped(self) -> float:
        norm = torch.nn.utils.clip_grad_norm_(self._parameters, self._rules.clip_norm)
        whole = norm.full_tensor() if hasattr(norm, "full_tensor") else norm
        return float(whole)

    def _result(
        self,
        packs: Sequence[Pack],
        documents: list[tuple[int, float, int]],
        supervised: float,
        norm: float,
    ) -> StepResult:
        flops = sum(self._flops(pack) for pack in packs)
        counts = self._agreed([
            float(sum(len(p.ids) for p in packs)), float(sum(p.image_tokens for p in packs)), flops,
        ])  # fmt: skip
        bad = [one for pack in packs for one in pack.bad]
        everywhere = gathered((documents, bad), self._ranks)
        all_documents = [one for theirs, _ in everywhere for one in theirs]
        all_bad = [one for _, theirs in everywhere for one in theirs]
        # In one order, however many ranks there were.
        loss = sum(value for _, value, _ in sorted(all_documents)) / max(supervised, 1.0)
        self._watch(len(all_documents), all_bad, loss)
        return StepResult(
            loss=loss, gradient_norm=norm, documents=all_documents, bad=all_bad,
            tokens=int(counts[0]), image_tokens=int(counts[1]), supervised=int(supervised),
            flops=counts[2],
        )  # fmt: skip

    def _flops(self, pack: Pack) -> float:
        starts = [*(pack.positions == 0).nonzero()[0].tolist(), len(pack.ids)]
        lengths = [stop - start for start, stop in itertools.pairwise(starts)]
        return pack_flops(self._size, self._parts, lengths, len(pack.pixels), pack.supervised)

    def _watch(self, conversations: int, bad: list[tuple[int, str]], loss: float) -> None:
        self.seen += conversations
        self.bad.update(reason for _, reason in bad)
        count = sum(self.bad.values())
        if self.seen >= _FEW_CONVERSATIONS and count > self._rules.bad_share * self.seen:
            reasons = ", ".join(f"{reason} {number}" for reason, number in self.bad.most_common())
            raise TrainerError(
                "data", f"{count} of {self.seen} conversations cannot be read: {reasons}",
                "build the shards again, or allow more with --bad-share"
            )  # fmt: skip
        if loss != loss:  # noqa: PLR0124 - only what is no number differs from itself
            raise TrainerError(
                "training", "the loss is no longer a number", "lower the learning rate"
            )


def autocast(device: str, precision: str) -> "AbstractContextManager[object]":
    """Products in bfloat16, where a recipe says so."""
    if precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast(device.split(":", maxsplit=1)[0], torch.bfloat16)
