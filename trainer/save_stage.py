"""The model that a stage leaves, in the folder layout that it started from."""

import shutil
from pathlib import Path
from typing import Any

import torch
from torch import nn

from trainer.distributed import Ranks
from trainer.parts import Learning
from trainer.stage_record import weights_digest

_UNFINISHED = ".model-unfinished"
_WEIGHTS = (".safetensors", ".safetensors.index.json")


def save_stage_model(
    trainee: nn.Module, learning: Learning, start: Path, place: Path, ranks: Ranks
) -> str:
    """Save a model beside its place, then rename it; every process calls this.

    What was frozen is taken from the starting model again, bit by bit, since it may have been
    kept in a lower precision meanwhile.

    Args:
        trainee: The trained model with its loss.
        learning: What learnt.
        start: Folder of the starting model.
        place: Folder to write.
        ranks: Who takes part.

    Returns:
        Digest of the weights; empty on all but the first process.
    """
    names = {name for names in learning.parameters.values() for name in names}
    learnt = {}
    for name, parameter in trainee.named_parameters():
        plain = name.removeprefix("model.")
        if plain in names:
            learnt[plain] = _whole(parameter).cpu()
    if not ranks.is_first:
        return ""
    from trainer.load_model import load_trained_model

    model = load_trained_model(start)
    named = dict(model.named_parameters())
    with torch.no_grad():
        for name, value in learnt.items():
            named[name].copy_(value)
    unfinished = place.with_name(_UNFINISHED)
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    for path in start.iterdir():
        if path.is_file() and not path.name.endswith(_WEIGHTS):
            shutil.copyfile(path, unfinished / path.name)
    model.save_pretrained(unfinished)
    shutil.copyfile(start / "config.json", unfinished / "config.json")
    shutil.rmtree(place, ignore_errors=True)
    unfinished.rename(place)
    return weights_digest(place)


def _whole(parameter: Any) -> torch.Tensor:  # noqa: ANN401 - a tensor, or a piece of one
    tensor = parameter.detach()
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor
