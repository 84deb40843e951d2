"""Language models out of GGUF files, which hold weights, settings and tokenizer in one."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


def load_gguf(path: Path) -> tuple["PreTrainedModel", "PreTrainedTokenizerFast"]:
    """The model of a GGUF file, its weights brought back to float32.

    What quantisation lost stays lost.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    held = AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, local_files_only=True
    )
    config = held.config
    # A model made with this note refuses to be cast or saved as what it now is.
    del config.quantization_config
    model = type(held)(config)
    model.load_state_dict(held.state_dict())
    tokenizer = AutoTokenizer.from_pretrained(
        path.parent, gguf_file=path.name, local_files_only=True
    )
    _restore_splitting(path, tokenizer)
    return model.float(), tokenizer


def _restore_splitting(path: Path, tokenizer: "PreTrainedTokenizerFast") -> None:
    """SmolLM splits numbers into digits; transformers forgets this when it reads the file."""
    from gguf import GGUFReader
    from tokenizers import pre_tokenizers

    field = GGUFReader(path).fields.get("tokenizer.ggml.pre")
    if field is not None and field.contents() == "smollm":
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ])  # fmt: skip
