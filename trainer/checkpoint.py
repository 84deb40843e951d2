"""Checkpoints of a stage: written beside their place and renamed, so one that is there is whole.

What learns and its optimiser are saved, by all processes together; what is frozen is in the
starting model, whose digest is on record. The state of the data is the number of a step.
"""

import json
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed.checkpoint as dcp
from torch import nn
from torch.distributed.checkpoint.state_dict import (
    get_optimizer_state_dict,
    set_optimizer_state_dict,
)

from pipeline.shards import sync_folder, write_whole
from trainer.distributed import Ranks, wait_for_all
from trainer.errors import TrainerError

STATE_FILE = "state.json"
_PREFIX = "step-"
_UNFINISHED = ".unfinished-"


@dataclass(frozen=True, kw_only=True, slots=True)
class StageState:
    """Where a stage stands.

    Attributes:
        step: Steps that are done.
        plan: Digest of the plan.
        setup: Digest of all that decides the weights beside plan and step.
        seen: Conversations trained on.
        bad: Conversations that were masked since they could not be read, by reason.
    """

    step: int
    plan: str
    setup: str
    seen: int
    bad: dict[str, int]


class Checkpoints:
    """The checkpoints of one stage.

    Args:
        folder: Where they lie.
        ranks: Who saves and loads together.
        kept: How many are kept; older ones are removed.
    """

    def __init__(self, folder: Path, ranks: Ranks, kept: int) -> None:
        self._folder, self._ranks, self._kept = folder, ranks, kept

    def save(self, trainee: nn.Module, optimizer: torch.optim.Optimizer, state: StageState) -> Path:
        """Save beside the place, then rename; every process calls this."""
        unfinished = self._folder / f"{_UNFINISHED}{state.step}"
        if self._ranks.is_first:
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(parents=True)
        wait_for_all(self._ranks)
        with _quietly():
            dcp.save(_content(trainee, optimizer), checkpoint_id=unfinished, no_dist=self._is_alone)
        wait_for_all(self._ranks)
        place = self._folder / f"{_PREFIX}{state.step:08d}"
        if self._ranks.is_first:
            write_whole(unfinished / STATE_FILE, json.dumps(asdict(state)).encode())
            shutil.rmtree(place, ignore_errors=True)
            unfinished.rename(place)
            sync_folder(self._folder)
            self._remove_old()
        wait_for_all(self._ranks)
        return place

    @property
    def _is_alone(self) -> bool:
        return self._ranks.world == 1

    def latest(self) -> Path | None:
        """The newest whole checkpoint."""
        found = sorted(self._folder.glob(f"{_PREFIX}*"))
        return found[-1] if found else None

    def state(self, place: Path) -> StageState:
        """Where a checkpoint stands.

        Raises:
            TrainerError: It is damaged.
        """
        try:
            return StageState(**json.loads((place / STATE_FILE).read_text("utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise TrainerError(
                str(place), f"the checkpoint is damaged: {error}",
                "remove it; the one before it is taken"
            ) from error  # fmt: skip

    def load(self, place: Path, trainee: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Take up a checkpoint, also one that another number of processes has saved."""
        content = _content(trainee, optimizer)
        with _quietly():
            dcp.load(content, checkpoint_id=place, no_dist=self._is_alone)
        set_optimizer_state_dict(trainee, optimizer, optim_state_dict=content["optimizer"])

    def _remove_old(self) -> None:
        for old in sorted(self._folder.glob(f"{_PREFIX}*"))[: -self._kept]:
            shutil.rmtree(old)
        for torn in self._folder.glob(f"{_UNFINISHED}*"):
            shutil.rmtree(torn)


@contextmanager
def _quietly() -> Iterator[None]:
    with warnings.catch_warnings():
        # One process is what was meant.
        warnings.filterwarnings("ignore", message="torch.distributed is (disabled|unavailable)")
        yield


def _content(trainee: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    # Loading fills these tensors in place.
    learning = {n: p.detach() for n, p in trainee.named_parameters() if p.requires_grad}
    return {"learning": learning, "optimizer": get_optimizer_state_dict(trainee, optimizer)}
