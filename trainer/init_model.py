"""A starting model: vision encoder, projector and language model in one folder.

The folder is what transformers loads as ``LlavaForConditionalGeneration``, with tokenizer,
processor, chat template and generation settings. One key is added: ``gmai_chat_format`` in
config.json.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.chat import CHAT_FORMAT_KEY
from trainer.chat_formats import IMAGE
from trainer.images import Fit, ImageSettings, preprocessor_config
from trainer.init_parts import Language, load_language, load_vision

if TYPE_CHECKING:
    from torch import nn
    from transformers import LlavaForConditionalGeneration

FEATURE_LAYER = -2
_VOCABULARY_STEP = 64  # what matrix units of GPUs take best
PARTS = {
    "vision": "model.vision_tower.",
    "projector": "model.multi_modal_projector.",
    "language": "model.language_model.",
    "head": "lm_head.",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class InitReport:
    """What a starting model is made of.

    Attributes:
        chat_format: Name of its chat format.
        tokens_per_image: Tokens that an image costs.
        parameters: How many numbers each part has.
        without_gradient: Parameters of the vision encoder behind the layer that is used; they
            never learn.
    """

    chat_format: str
    tokens_per_image: int
    parameters: dict[str, int]
    without_gradient: tuple[str, ...]

    def text(self) -> str:
        """The report, for a person."""
        lines = [f"chat format {self.chat_format}, {self.tokens_per_image} tokens an image"]
        lines += [f"  {part:<10}{count:>15,} parameters" for part, count in self.parameters.items()]
        lines.append(
            f"{len(self.without_gradient)} tensors of the vision encoder lie behind the layer that "
            "is used: they get no gradient and stay as they are"
        )
        return "\n".join(lines + [f"  {name}" for name in self.without_gradient])


def init_model(
    vision: Path,
    language: Path,
    out: Path,
    *,
    chat_format: str | None = None,
    fit: Fit = "pad",
    seed: int = 0,
) -> InitReport:
    """Put a starting model together and save it.

    Args:
        vision: See :func:`trainer.init_parts.load_vision`.
        language: See :func:`trainer.init_parts.load_language`.
        out: Folder to write.
        chat_format: Where the tokenizer does not tell it.
        fit: How pictures are brought to the encoder's square.
        seed: Of the projector, which starts from random weights.

    Raises:
        TrainerError: A part is missing, or does not fit.
    """
    tower = load_vision(vision, seed)
    parts = load_language(language, chat_format)
    model = assemble(tower, parts, seed)
    save_model(model, parts, out, fit)
    return report(model)


def assemble(tower: "nn.Module", parts: Language, seed: int) -> "LlavaForConditionalGeneration":
    """One model out of its parts; the projector starts from random weights."""
    import torch
    from transformers import LlavaConfig, LlavaForConditionalGeneration
    from transformers.models.llava.modeling_llava import LlavaMultiModalProjector

    text = parts.model
    image_id = parts.tokenizer.convert_tokens_to_ids(IMAGE)
    _make_room(text, image_id)
    vision_config = tower.config
    config = LlavaConfig(
        vision_config=vision_config,
        text_config=text.config,
        image_token_index=image_id,
        image_seq_length=(vision_config.image_size // vision_config.patch_size) ** 2,
        vision_feature_layer=FEATURE_LAYER,
        vision_feature_select_strategy="default",
        tie_word_embeddings=text.config.tie_word_embeddings,
    )
    setattr(config, CHAT_FORMAT_KEY, parts.format.name)
    with torch.device("meta"):
        model = LlavaForConditionalGeneration(config)
    dtype = text.get_input_embeddings().weight.dtype
    model.model.vision_tower = tower.to(dtype)
    model.model.language_model = text.model
    model.lm_head = text.lm_head
    torch.manual_seed(seed)
    model.model.multi_modal_projector = LlavaMultiModalProjector(config).to(dtype)
    model.generation_config = text.generation_config
    end = parts.tokenizer.convert_tokens_to_ids(parts.format.end)
    model.generation_config.eos_token_id = end
    pad = parts.tokenizer.pad_token_id
    model.generation_config.pad_token_id = end if pad is None else pad
    return model.eval()


def _make_room(text: "nn.Module", image_id: int) -> None:
    """Give the image token a row of its own; it is never read, but indexed."""
    import torch

    size = text.config.vocab_size
    if image_id < size:
        return
    text.resize_token_embeddings(
        image_id + 1, pad_to_multiple_of=_VOCABULARY_STEP, mean_resizing=False
    )
    # Of tied weights there is one.
    weights = {id(m.weight): m.weight for m in (text.get_input_embeddings(), text.lm_head)}
    with torch.no_grad():
        for weight in weights.values():
            weight[size:] = weight[:size].float().mean(dim=0).to(weight.dtype)


def save_model(
    model: "LlavaForConditionalGeneration", parts: Language, out: Path, fit: Fit
) -> None:
    """Write a model with all that goes with it."""
    out.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(out)
    # A template of the model's own would ask it otherwise than it is taught.
    parts.tokenizer.chat_template = parts.format.jinja()
    parts.tokenizer.save_pretrained(out)
    vision = model.config.vision_config
    settings = ImageSettings(size_px=vision.image_size, fit=fit)
    _write(out / "preprocessor_config.json", preprocessor_config(settings))
    _write(out / "processor_config.json", {
        "processor_class": "LlavaProcessor",
        "patch_size": vision.patch_size,
        "vision_feature_select_strategy": "default",
        "num_additional_image_tokens": 1,
        "image_token": IMAGE,
    })  # fmt: skip


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def report(model: "LlavaForConditionalGeneration") -> InitReport:
    """What a model is made of."""
    counts = dict.fromkeys(PARTS, 0)
    for name, parameter in model.named_parameters():
        part = next(part for part, prefix in PARTS.items() if name.startswith(prefix))
        counts[part] += parameter.numel()
    return InitReport(
        chat_format=getattr(model.config, CHAT_FORMAT_KEY),
        tokens_per_image=model.config.image_seq_length,
        parameters={part: count for part, count in counts.items() if count},
        without_gradient=without_gradient(model),
    )


def without_gradient(model: "LlavaForConditionalGeneration") -> tuple[str, ...]:
    """Names of the parameters that no loss depends on: vision layers behind the one used."""
    config = model.config
    depth = config.vision_config.num_hidden_layers
    # Hidden states count from the embeddings: the last but one is what the last layer is given.
    used = config.vision_feature_layer
    first_unused = used if used >= 0 else depth + 1 + used
    tower = PARTS["vision"]
    unused = (*(f"{tower}encoder.layers.{n}." for n in range(first_unused, depth)),
              f"{tower}post_layernorm.")  # fmt: skip
    return tuple(name for name, _ in model.named_parameters() if name.startswith(unused))
