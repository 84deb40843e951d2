"""The model of a stage: what learns of it, how it lies over the ranks, and its optimiser."""

from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from trainer.attention import default_backend, use_attention
from trainer.distributed import Layout, Ranks, lay_out
from trainer.load_model import load_trained_model
from trainer.loss import Trainee
from trainer.parts import Learning, freeze, parameter_groups
from trainer.stage_run import StageRun


class StageModel:
    """The model of a stage; loaded and laid out when it is first asked for.

    Args:
        run: What was asked for.
        folder: Where its weights lie.
        ranks: Who takes part.
    """

    def __init__(self, run: StageRun, folder: Path, ranks: Ranks) -> None:
        self._run, self._ranks = run, ranks
        self.folder = folder

    @property
    def layout(self) -> Layout:
        """How the model lies over the ranks; a frozen language model is not worth gathering."""
        return self._run.layout or (
            "sharded" if "language" in self._run.stage.learning_rates else "replicated"
        )

    @cached_property
    def net(self) -> Any:  # noqa: ANN401 - transformers' class, which is loaded late
        """The model that is trained."""
        net = load_trained_model(self.folder)
        kind = self._ranks.device.split(":")[0]
        use_attention(net, self._run.attention or default_backend(kind))
        return net

    @cached_property
    def learning(self) -> Learning:
        """What learns; the model is frozen accordingly."""
        return freeze(self.net, self._run.stage.learning_rates)

    @cached_property
    def trainee(self) -> Trainee:
        """The model with its loss, on its devices."""
        recipe, net = self._run.recipe, self.net
        frozen = self.learning.frozen  # parameters are frozen before they are laid out
        if recipe.precision == "bfloat16" and self.layout == "replicated":
            named = dict(net.named_parameters())
            for name in frozen:
                named[name].data = named[name].data.to(torch.bfloat16)
        if recipe.recomputes:
            net.gradient_checkpointing_enable({"use_reentrant": False})
        if self._run.compiles:
            for layer in net.model.language_model.layers:
                layer.compile(dynamic=True)
        trainee = Trainee(net.train(), recomputes=recipe.recomputes)
        return lay_out(trainee, self.layout, self._ranks, recipe.precision)

    def optimizer(self) -> torch.optim.Optimizer:
        """A new optimiser of what learns."""
        recipe, rates = self._run.recipe, self._run.stage.learning_rates
        named = {n.removeprefix("model."): p for n, p in self.trainee.named_parameters()}
        groups = parameter_groups(named, self.learning, rates, recipe.weight_decay)
        return torch.optim.AdamW(groups, betas=recipe.betas, foreach=True)
