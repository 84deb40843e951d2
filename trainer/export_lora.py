"""Low-rank adapters merged into the weights that they adapt.

Adapters are read as PEFT saves them; PEFT itself is not needed.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer.errors import TrainerError
from trainer.export_weights import exported_name

if TYPE_CHECKING:
    import torch

_PREFIX = "base_model.model."
_REFUSED = ("use_dora", "fan_in_fan_out", "lora_bias", "rank_pattern", "alpha_pattern")


class Adapters:
    """The adapters of a folder; :meth:`merged` gives a weight with its own put in.

    Args:
        folder: With ``adapter_config.json`` and ``adapter_model.safetensors``.

    Raises:
        TrainerError: A file is missing, or they are of a kind that is not known.
    """

    def __init__(self, folder: Path) -> None:
        from safetensors.torch import load_file

        try:
            config: dict[str, Any] = json.loads((folder / "adapter_config.json").read_text("utf-8"))
            tensors = load_file(folder / "adapter_model.safetensors")
        except FileNotFoundError as error:
            raise TrainerError(str(folder), f"no adapters are there: {error}") from error
        refused = [name for name in _REFUSED if config.get(name)]
        if refused or config.get("peft_type") != "LORA":
            found = ", ".join(refused) or f"peft_type {config.get('peft_type')}"
            raise TrainerError(str(folder), f"{found} is not known", "merge them with PEFT")
        rank = config["r"]
        self._scale = config["lora_alpha"] / (math.sqrt(rank) if config.get("use_rslora") else rank)
        self._tensors = {name.removeprefix(_PREFIX): value for name, value in tensors.items()}
        self._folder = folder
        self._used: set[str] = set()
        self._by_name = _pairs(self._tensors)

    def merged(self, name: str, weight: "torch.Tensor") -> "torch.Tensor":
        """A weight with its adapter put in, or as it was where it has none.

        Args:
            name: As exported.
            weight: Rows are outputs.
        """
        pair = self._by_name.get(name)
        if pair is None:
            return weight
        self._used.add(name)
        down, up = (self._tensors[key].float() for key in pair)
        return (weight.float() + self._scale * (up @ down)).to(weight.dtype)

    def require_all_used(self) -> None:
        """Refuse adapters of which some fit no weight.

        Raises:
            TrainerError: One was never asked for.
        """
        left = sorted(set(self._by_name) - self._used)
        if left:
            raise TrainerError(
                str(self._folder), f"{len(left)} adapters fit no weight, {left[0]} among them",
                "name the adapters of this model",
            )  # fmt: skip


def _pairs(tensors: Mapping[str, "torch.Tensor"]) -> dict[str, tuple[str, str]]:
    """Names of the two halves of each adapter, by the name of its weight as exported."""
    out = {}
    for name in tensors:
        if not name.endswith((".lora_A.weight", ".lora_B.weight")):
            raise TrainerError("adapter_model.safetensors", f"{name} is no half of an adapter",
                               "merge them with PEFT")  # fmt: skip
        base = name.removesuffix(".lora_A.weight").removesuffix(".lora_B.weight")
        halves = (f"{base}.lora_A.weight", f"{base}.lora_B.weight")
        out[exported_name(f"{base}.weight")] = halves
    return out
