"""A trained model as a folder that transformers and vLLM load as it is."""

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer.chat import CHAT_FORMAT_KEY, load_chat
from trainer.errors import TrainerError
from trainer.export_card import CardFacts, model_card
from trainer.export_lora import Adapters
from trainer.export_receipts import read_receipts
from trainer.export_weights import require_all_names, saved_tensors, write_weights
from trainer.images import load_image_settings

if TYPE_CHECKING:
    import torch

COPIED = (
    "tokenizer.json", "tokenizer_config.json", "preprocessor_config.json", "processor_config.json",
    "generation_config.json", "chat_template.jinja",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportSettings:
    """What an export is made of.

    Attributes:
        model: Folder with the trained weights.
        out: Folder to write.
        name: Of the model, for its card.
        lora: Folder of adapters to merge.
        dtype: Name of a torch dtype to cast to.
        builds: Out folders of the builds that were trained on.
        evaluation: File that gmai-eval wrote.
        training: What is known of the run, as lines of words.
    """

    model: Path
    out: Path
    name: str
    lora: Path | None = None
    dtype: str | None = None
    builds: Sequence[Path] = ()
    evaluation: Path | None = None
    training: Sequence[str] = ()


def export_hf(settings: ExportSettings) -> None:
    """Write a model with its processor, chat template, generation settings and card.

    It is made beside its place and renamed: it is there whole or not at all.

    Raises:
        TrainerError: The model is not whole, or the folder is taken.
    """
    if settings.out.exists() and any(settings.out.iterdir()):
        raise TrainerError(str(settings.out), "is not empty", "name another folder")
    unfinished = settings.out.with_name(f".{settings.out.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        _fill(settings, unfinished)
        if settings.out.exists():
            settings.out.rmdir()
        unfinished.rename(settings.out)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _fill(settings: ExportSettings, folder: Path) -> None:
    _copy_settings(settings, folder)
    count = 0

    def counted() -> Iterator[tuple[str, "torch.Tensor"]]:
        nonlocal count
        for name, tensor in _tensors(settings):
            count += tensor.numel()
            yield name, tensor

    file_of = write_weights(counted(), folder, dtype=_dtype(settings.dtype))
    require_all_names(file_of, folder)
    _write_card(settings, folder, count, sorted(set(file_of.values())))


def _tensors(settings: ExportSettings) -> Iterator[tuple[str, "torch.Tensor"]]:
    if settings.lora is None:
        yield from saved_tensors(settings.model)
        return
    adapters = Adapters(settings.lora)
    for name, tensor in saved_tensors(settings.model):
        yield name, adapters.merged(name, tensor)
    adapters.require_all_used()


def _dtype(name: str | None) -> "torch.dtype | None":
    import torch

    return None if name is None else getattr(torch, name)


def _copy_settings(settings: ExportSettings, folder: Path) -> None:
    config = _json(settings.model / "config.json")
    config["architectures"] = ["LlavaForConditionalGeneration"]
    if settings.dtype is not None:
        config["dtype"] = settings.dtype
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    for name in COPIED:
        path = settings.model / name
        if not path.is_file():
            raise TrainerError(str(path), "is missing", "it is written by gmai-train init")
        shutil.copyfile(path, folder / name)


def _write_card(settings: ExportSettings, folder: Path, count: int, files: list[Path]) -> None:
    chat = load_chat(folder)
    facts = CardFacts(
        name=settings.name,
        chat_format=_json(folder / "config.json")[CHAT_FORMAT_KEY],
        tokens_per_image=chat.tokens_per_image,
        parameters=count,
        fit=load_image_settings(folder).fit,
        weights={path.name: _digest(path) for path in files},
        training=settings.training,
        builds=read_receipts(settings.builds),
        evaluation=_json(settings.evaluation) if settings.evaluation else {},
    )
    (folder / "README.md").write_text(model_card(facts), encoding="utf-8")


def _json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise TrainerError(str(path), f"cannot be read: {error}", "name a trained model") from error


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
