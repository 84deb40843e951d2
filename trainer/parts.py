"""Which parameters of a model learn, and at which rate."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainer.init_model import PARTS, without_gradient

if TYPE_CHECKING:
    import torch
    from transformers import LlavaForConditionalGeneration


@dataclass(frozen=True, kw_only=True, slots=True)
class Learning:
    """What learns.

    Attributes:
        parameters: By part, names of what learns.
        frozen: Names of what does not.
        without_gradient: Names of frozen ones that lie in a part that learns: the vision layers
            behind the one whose output is used.
    """

    parameters: Mapping[str, tuple[str, ...]]
    frozen: tuple[str, ...]
    without_gradient: tuple[str, ...]


def part_of(name: str) -> str:
    """The part that a parameter counts to; the head is the language model's."""
    part = next(part for part, prefix in PARTS.items() if name.startswith(prefix))
    return "language" if part == "head" else part


def freeze(model: "LlavaForConditionalGeneration", learning_rates: Mapping[str, float]) -> Learning:
    """Let the parts with a rate learn, and freeze the rest.

    Args:
        model: Is changed.
        learning_rates: Rate of each part that learns.
    """
    unused = set(without_gradient(model))
    learning: dict[str, list[str]] = {part: [] for part in learning_rates}
    frozen: list[str] = []
    for name, parameter in model.named_parameters():
        part = part_of(name)
        is_learning = part in learning_rates and name not in unused
        parameter.requires_grad_(is_learning)
        (learning[part] if is_learning else frozen).append(name)
    return Learning(
        parameters={part: tuple(names) for part, names in learning.items()},
        frozen=tuple(frozen),
        without_gradient=tuple(sorted(name for name in unused if part_of(name) in learning_rates)),
    )


def parameter_groups(
    named: Mapping[str, "torch.nn.Parameter"],
    learning: Learning,
    learning_rates: Mapping[str, float],
    weight_decay: float,
) -> list[dict[str, object]]:
    """Groups of an optimiser: a part's matrices decay, its biases and norms do not.

    Args:
        named: Parameters by their names in the model.
        learning: What learns.
        learning_rates: Highest rates, kept in the groups as ``peak``.
        weight_decay: Of matrices.
    """
    groups: list[dict[str, object]] = []
    for part, names in learning.parameters.items():
        for is_matrix in (True, False):
            chosen = [named[name] for name in names if (named[name].ndim > 1) == is_matrix]
            if chosen:
                groups.append({
                    "params": chosen, "lr": learning_rates[part], "peak": learning_rates[part],
                    "weight_decay": weight_decay if is_matrix else 0.0, "part": part,
                })  # fmt: skip
    return groups
