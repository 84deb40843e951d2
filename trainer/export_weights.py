"""Weights under the names that transformers and vLLM both load.

What transformers saves, vLLM does not load: the vision encoder's names lack a part there. The
names written here are those of the first LLaVA checkpoints, which both know. Tensors are read and
written one file at a time, so that no whole model has to fit into memory.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.errors import TrainerError

if TYPE_CHECKING:
    import torch

Change = Callable[[str, "torch.Tensor"], "torch.Tensor"]
FILE_BYTES = 4 << 30
_NAMES = (
    (r"^model\.language_model\.", "language_model.model."),
    (r"^lm_head\.", "language_model.lm_head."),
    (r"^model\.multi_modal_projector\.", "multi_modal_projector."),
    (r"^(?:model\.)?vision_tower\.(?:vision_model\.)?", "vision_tower.vision_model."),
)


def exported_name(name: str) -> str:
    """The name of a parameter in an exported file.

    Args:
        name: As in a model in memory, or as transformers saves it.
    """
    for pattern, replacement in _NAMES:
        name = re.sub(pattern, replacement, name)
    return name


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a model folder.

    Raises:
        TrainerError: There are none.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise TrainerError(str(folder), "no *.safetensors are there", "name a trained model")
    return files


def saved_tensors(folder: Path) -> Iterator[tuple[str, "torch.Tensor"]]:
    """Names and tensors of a model folder, under the names to export."""
    from safetensors import safe_open

    with ExitStack() as files:
        for path in weight_files(folder):
            opened = files.enter_context(safe_open(path, "pt"))
            for name in sorted(opened.keys()):
                yield exported_name(name), opened.get_tensor(name)


def write_weights(
    tensors: Iterable[tuple[str, "torch.Tensor"]],
    out: Path,
    *,
    dtype: "torch.dtype | None" = None,
    file_bytes: int = FILE_BYTES,
) -> dict[str, Path]:
    """Write tensors into files of a limited size, with an index where there are several.

    Args:
        tensors: By name.
        out: Folder.
        dtype: To cast to; None keeps what they are.
        file_bytes: Size that a file stays below, if no tensor is larger.

    Returns:
        The file of each tensor.
    """
    from safetensors.torch import save_file

    groups: list[Path] = []
    file_of: dict[str, Path] = {}
    for batch in _batches(tensors, dtype, file_bytes):
        path = out / f".part-{len(groups) + 1}.safetensors"
        save_file(batch, path, metadata={"format": "pt"})
        groups.append(path)
        file_of |= dict.fromkeys(batch, path)
    named = {path: _place(path, n, len(groups)) for n, path in enumerate(groups, 1)}
    file_of = {name: named[path] for name, path in file_of.items()}
    if len(groups) > 1:
        _write_index(file_of, out)
    return file_of


def _batches(
    tensors: Iterable[tuple[str, "torch.Tensor"]], dtype: "torch.dtype | None", limit: int
) -> Iterator[dict[str, "torch.Tensor"]]:
    batch: dict[str, torch.Tensor] = {}
    size = 0
    for name, tensor in tensors:
        kept = tensor.to(dtype) if dtype is not None and tensor.is_floating_point() else tensor
        if batch and size + kept.nbytes > limit:
            yield batch
            batch, size = {}, 0
        batch[name] = kept.contiguous()
        size += kept.nbytes
    if batch:
        yield batch


def _place(path: Path, number: int, count: int) -> Path:
    name = "model" if count == 1 else f"model-{number:05d}-of-{count:05d}"
    return path.rename(path.with_name(f"{name}.safetensors"))


def _write_index(file_of: Mapping[str, Path], out: Path) -> None:
    size = sum(path.stat().st_size for path in set(file_of.values()))
    index = {
        "metadata": {"total_size": size},
        "weight_map": {name: path.name for name, path in sorted(file_of.items())},
    }
    (out / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")


def require_all_names(names: Iterable[str], folder: Path) -> None:
    """Hold the names that were written against those of the model that a config describes.

    Raises:
        TrainerError: One is missing, or one too many is there.
    """
    import torch
    from transformers import LlavaConfig, LlavaForConditionalGeneration

    config = LlavaConfig.from_pretrained(folder)
    with torch.device("meta"):
        model = LlavaForConditionalGeneration(config)
    # Of tied weights one name is enough.
    expected = {exported_name(name) for name, _ in model.named_parameters()}
    found = set(names) - {"language_model.lm_head.weight"} if config.tie_word_embeddings else names
    missing, odd = sorted(expected - set(found)), sorted(set(found) - expected)
    if missing or odd:
        raise TrainerError(
            str(folder),
            f"{len(missing)} weights are missing and {len(odd)} unknown: {(missing + odd)[0]}",
            "the run was made for another model",
        )
