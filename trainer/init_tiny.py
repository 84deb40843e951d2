"""Models of a few thousand parameters with random weights, for tests and the recipe ``smoke``."""

from pathlib import Path
from typing import TYPE_CHECKING

from trainer.chat_formats import FORMATS
from trainer.images import Fit
from trainer.init_model import InitReport, assemble, report, save_model
from trainer.init_parts import Language
from trainer.init_tokenizer import PAD, byte_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_TEXT: dict[str, int] = {
    "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
    # 32 numbers a head are the fewest that vLLM serves on a CPU.
    "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 32,
    "max_position_embeddings": 2048,
}  # fmt: skip


def init_tiny(
    out: Path,
    *,
    chat_format: str = "smollm2",
    fit: Fit = "pad",
    seed: int = 0,
    image_px: int = 28,
) -> InitReport:
    """Save a tiny model: 14-pixel patches, three vision layers, two language layers.

    Args:
        out: Folder to write.
        chat_format: Its format; ``qwen3`` also brings Qwen3's layers instead of Llama's.
        fit: How pictures are brought to the encoder's square.
        seed: Of all weights.
        image_px: Side of the encoder's square, a multiple of 14; 28 makes an image four tokens.
    """
    import torch
    from transformers import CLIPVisionConfig, CLIPVisionModel

    torch.manual_seed(seed)
    vision = CLIPVisionModel(
        CLIPVisionConfig(
            hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=4,
            image_size=image_px, patch_size=14, projection_dim=32,
        )
    )  # fmt: skip
    parts = tiny_language(chat_format)
    model = assemble(vision, parts, seed)
    save_model(model, parts, out, fit)
    return report(model)


def tiny_language(chat_format: str) -> Language:
    """A tiny language model with a tokenizer of bytes; its weights follow torch's seed."""
    from transformers import PreTrainedTokenizerFast

    form = FORMATS[chat_format]
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=byte_tokenizer(form), eos_token=form.end, pad_token=PAD
    )
    size = (len(tokenizer) + 63) // 64 * 64
    ends = {"bos_token_id": None, "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id}  # fmt: skip
    return Language(model=_model(chat_format, size, ends), tokenizer=tokenizer, format=form)


def _model(chat_format: str, vocab_size: int, ends: dict[str, int | None]) -> "PreTrainedModel":
    from transformers import LlamaConfig, LlamaForCausalLM, Qwen3Config, Qwen3ForCausalLM

    if chat_format == "qwen3":
        return Qwen3ForCausalLM(Qwen3Config(
            **_TEXT, vocab_size=vocab_size, tie_word_embeddings=False, **ends
        ))  # fmt: skip
    return LlamaForCausalLM(LlamaConfig(
        **_TEXT, vocab_size=vocab_size, tie_word_embeddings=chat_format == "smollm2", **ends
    ))  # fmt: skip
