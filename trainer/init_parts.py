"""The parts that a starting model is put together from, read from local folders.

Nothing is fetched, and no code that lies beside weights is run.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer.chat_formats import FORMATS, ChatFormat, format_of_tokens
from trainer.errors import TrainerError
from trainer.init_tokenizer import with_image_token

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

SMALL = "random-small"
_SMALL_VISION: dict[str, int] = {
    "hidden_size": 192, "intermediate_size": 768, "num_hidden_layers": 7,
    "num_attention_heads": 3, "image_size": 112, "patch_size": 14, "projection_dim": 192,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Language:
    """A language model with what turns text into its tokens.

    Attributes:
        model: A causal language model of transformers.
        tokenizer: With a token for images.
        format: How a conversation is written down for it.
    """

    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerFast"
    format: ChatFormat


def load_vision(path: Path, seed: int) -> "nn.Module":
    """A CLIP vision encoder.

    Args:
        path: Folder of a CLIP model or of its vision half, or the word :data:`SMALL` for a small
            encoder that has learnt nothing.
        seed: Of the small one's weights.

    Raises:
        TrainerError: The folder holds no CLIP model.
    """
    import torch
    from transformers import CLIPVisionConfig, CLIPVisionModel

    if str(path) == SMALL:
        torch.manual_seed(seed)
        return CLIPVisionModel(CLIPVisionConfig(**_SMALL_VISION))
    kind = _config(path).get("model_type")
    if kind not in ("clip", "clip_vision_model"):
        raise TrainerError(
            str(path), f"holds a model of type {kind}", "name a CLIP model, or " + SMALL
        )
    return CLIPVisionModel.from_pretrained(path, local_files_only=True, dtype="auto")


def load_language(path: Path, chat_format: str | None = None) -> Language:
    """A language model, from a folder of transformers or a GGUF file.

    Args:
        path: Folder or file. A folder of InternLM2 is laid out anew as Llama.
        chat_format: Name of the format, where the tokenizer does not tell it.

    Raises:
        TrainerError: There is no such model, or its format is not known.
    """
    from transformers import AutoModelForCausalLM

    if path.suffix == ".gguf":
        from trainer.init_gguf import load_gguf

        model, tokenizer = load_gguf(path)
    elif _config(path).get("model_type") == "internlm2":
        from trainer.internlm2 import load_internlm2

        model, tokenizer = load_internlm2(path)
    else:
        model = AutoModelForCausalLM.from_pretrained(
            path, local_files_only=True, trust_remote_code=False, dtype="auto"
        )
        tokenizer = _tokenizer(path)
    form = _format(tokenizer, chat_format, path)
    with_image_token(tokenizer.backend_tokenizer)
    return Language(model=model, tokenizer=tokenizer, format=form)


def _tokenizer(path: Path) -> "PreTrainedTokenizerFast":
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True, trust_remote_code=False)
    if not tokenizer.is_fast:
        raise TrainerError(str(path), "has no fast tokenizer", "add its tokenizer.json")
    return tokenizer


def _format(tokenizer: "PreTrainedTokenizerFast", name: str | None, path: Path) -> ChatFormat:
    known = ", ".join(FORMATS)
    if name is not None and name not in FORMATS:
        raise TrainerError(f"chat format {name}", "is not known", f"there are: {known}")
    form = FORMATS[name] if name else format_of_tokens(tokenizer.get_vocab())
    if form is None:
        raise TrainerError(str(path), "its tokenizer fits no chat format", f"name one of: {known}")
    return form


def _config(path: Path) -> dict[str, Any]:
    try:
        return json.loads((path / "config.json").read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise TrainerError(
            str(path), "no config.json is there", "name a folder that transformers can load"
        ) from error
