"""One process or many: who this one is, sums over all, and how a model is laid over them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.distributed as dist
from torch import nn

from trainer.loss import Trainee

Layout = Literal["replicated", "sharded"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranks:
    """This process among its fellows.

    Attributes:
        rank: Number of this process.
        world: How many there are.
        device: Where this one computes.
    """

    rank: int = 0
    world: int = 1
    device: str = "cpu"

    @property
    def is_first(self) -> bool:
        """Whether this process writes what is written once."""
        return self.rank == 0


def join_ranks(*, is_cpu: bool = False) -> Ranks:
    """Find out who this process is; ``torchrun`` tells it by environment variables.

    Args:
        is_cpu: Stay away from accelerators.
    """
    has_gpu = torch.cuda.is_available() and not is_cpu
    world = int(os.environ.get("WORLD_SIZE", "1"))
    local = int(os.environ.get("LOCAL_RANK", "0"))
    device = f"cuda:{local}" if has_gpu else "cpu"
    if has_gpu:
        torch.cuda.set_device(local)
    if world == 1:
        return Ranks(device=device)
    if not dist.is_initialized():
        dist.init_process_group("cpu:gloo,cuda:nccl" if has_gpu else "gloo")
    return Ranks(rank=dist.get_rank(), world=world, device=device)


def leave_ranks(ranks: Ranks) -> None:
    """Say good-bye, so that no fellow waits."""
    if ranks.world > 1 and dist.is_initialized():
        dist.destroy_process_group()


def wait_for_all(ranks: Ranks) -> None:
    """Go on when every process has come here."""
    if ranks.world > 1:
        dist.barrier()


def total(values: Sequence[float], ranks: Ranks) -> list[float]:
    """Sum of each value over all processes."""
    if ranks.world == 1:
        return list(values)
    sums = torch.tensor(values, dtype=torch.float64)
    dist.all_reduce(sums)
    return sums.tolist()


def gathered(value: Any, ranks: Ranks) -> list[Any]:  # noqa: ANN401 - whatever can be pickled
    """The value of every process, on every process."""
    if ranks.world == 1:
        return [value]
    out: list[Any] = [None] * ranks.world
    dist.all_gather_object(out, value)
    return out


def lay_out(trainee: Trainee, layout: Layout, ranks: Ranks, precision: str) -> Trainee:
    """Put a model on its devices.

    Args:
        trainee: Is changed.
        layout: ``replicated``: every process has all of it. ``sharded``: each has its piece of
            every layer, by FSDP2.
        ranks: Who takes part.
        precision: ``bfloat16`` gathers weights in it; gradients are summed in float32.
    """
    trainee.to(ranks.device)
    if layout == "replicated" or ranks.world == 1:
        return trainee
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    mesh = init_device_mesh(ranks.device.split(":")[0], (ranks.world,))
    low = torch.bfloat16 if precision == "bfloat16" else None
    policy = MixedPrecisionPolicy(param_dtype=low, reduce_dtype=torch.float32 if low else None)
    inner = trainee.model.model
    layers = [*inner.language_model.layers, *inner.vision_tower.encoder.layers]
    for layer in layers:
        fully_shard(layer, mesh=mesh, mp_policy=policy)
    fully_shard(trainee, mesh=mesh, mp_policy=policy)
    return trainee


def loss_factor(layout: Layout, ranks: Ranks) -> float:
    """What a loss is multiplied by, so that gradients come out as sums: FSDP2 takes the mean."""
    return float(ranks.world) if layout == "sharded" and ranks.world > 1 else 1.0


def sum_gradients(parameters: Sequence[nn.Parameter], layout: Layout, ranks: Ranks) -> None:
    """Sum the gradients of replicated parameters over all processes; sharded ones are already."""
    if layout == "sharded" or ranks.world == 1:
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    dist.all_reduce(flat)
    pieces = flat.split([gradient.numel() for gradient in gradients])
    for gradient, piece in zip(gradients, pieces, strict=True):
        gradient.copy_(piece.view_as(gradient))
