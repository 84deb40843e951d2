"""InternLM2 and InternLM2.5 laid out anew as Llama, which every library can load.

The architecture is Llama's with two differences of form: other names, and queries, keys and
values in one matrix, group by group: the queries that share a key, then the key, then the value.
Values stay what they are, to the last bit. The code that InternLM ships beside its weights is
neither run nor needed.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer.errors import TrainerError

if TYPE_CHECKING:
    import torch
    from transformers import LlamaConfig, PreTrainedModel, PreTrainedTokenizerFast

_NAMES = (
    ("model.tok_embeddings.", "model.embed_tokens."),
    (".attention.wo.", ".self_attn.o_proj."),
    (".feed_forward.w1.", ".mlp.gate_proj."),
    (".feed_forward.w3.", ".mlp.up_proj."),
    (".feed_forward.w2.", ".mlp.down_proj."),
    (".attention_norm.", ".input_layernorm."),
    (".ffn_norm.", ".post_attention_layernorm."),
)
_PASSED_ON = (
    "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
    "num_key_value_heads", "max_position_embeddings", "rms_norm_eps", "initializer_range",
    "bos_token_id", "eos_token_id", "pad_token_id", "tie_word_embeddings",
)  # fmt: skip


def load_internlm2(path: Path) -> tuple["PreTrainedModel", "PreTrainedTokenizerFast"]:
    """The model and tokenizer of a folder of InternLM2, as Llama.

    Raises:
        TrainerError: A file is missing, or the weights are not InternLM2's.
    """
    import torch
    from transformers import LlamaForCausalLM

    from trainer.internlm2_tokenizer import load_tokenizer

    config = llama_config(json.loads((path / "config.json").read_text("utf-8")))
    weights = llama_weights(_read_weights(path), config)
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    missing, unexpected = model.load_state_dict(weights, strict=False, assign=True)
    if missing or unexpected:
        odd = [*missing, *unexpected]
        raise TrainerError(
            str(path), f"{len(odd)} weights do not fit, {odd[0]} among them",
            "check that it is an InternLM2 or InternLM2.5 model",
        )  # fmt: skip
    # Positions are not stored with weights.
    model.model.rotary_emb = type(model.model.rotary_emb)(config=config)
    return model, load_tokenizer(path)


def llama_config(internlm2: Mapping[str, Any]) -> "LlamaConfig":
    """The settings of the same model as Llama.

    Positions are turned as InternLM2 turns them up to the length it was trained with; its
    stretching for longer texts ("dynamic") changes nothing before that.

    Raises:
        TrainerError: A setting has no counterpart.
    """
    from transformers import LlamaConfig

    scaling = internlm2.get("rope_scaling") or {}
    if scaling.get("type", "dynamic") != "dynamic":
        raise TrainerError("config.json", f"rope_scaling is {scaling}", "only dynamic is known")
    rope: dict[str, Any] = {"rope_type": "default", "rope_theta": internlm2["rope_theta"]}
    if scaling:
        rope |= {"rope_type": "dynamic", "factor": scaling["factor"]}
    bias = bool(internlm2.get("bias", False))
    return LlamaConfig(
        **{name: internlm2[name] for name in _PASSED_ON if name in internlm2},
        hidden_act=internlm2["hidden_act"],
        rope_parameters=rope,
        attention_bias=bias,
        mlp_bias=False,
    )


def llama_weights(
    internlm2: Mapping[str, "torch.Tensor"], config: "LlamaConfig"
) -> dict[str, "torch.Tensor"]:
    """The same weights under Llama's names.

    Args:
        internlm2: By name.
        config: Of the Llama model.
    """
    out: dict[str, torch.Tensor] = {}
    for name, value in internlm2.items():
        if ".attention.wqkv." in name:
            for letter, part in zip("qkv", split_wqkv(value, config), strict=True):
                out[name.replace(".attention.wqkv.", f".self_attn.{letter}_proj.")] = part
        else:
            out[_renamed(name)] = value
    return out


def split_wqkv(
    wqkv: "torch.Tensor", config: "LlamaConfig"
) -> tuple["torch.Tensor", "torch.Tensor", "torch.Tensor"]:
    """Queries, keys and values out of one matrix (or bias), by groups.

    Args:
        wqkv: Rows are, for each key-value head: its queries' rows, the key's, the value's.
        config: Of the Llama model.
    """
    groups = config.num_key_value_heads
    queries = config.num_attention_heads // groups
    head = config.hidden_size // config.num_attention_heads
    by_group = wqkv.view(groups, queries + 2, head, *wqkv.shape[1:])
    parts = (by_group[:, :queries], by_group[:, queries], by_group[:, queries + 1])
    query, key, value = (p.reshape(-1, *wqkv.shape[1:]).contiguous() for p in parts)
    return query, key, value


def _renamed(name: str) -> str:
    for old, new in _NAMES:
        name = name.replace(old, new)
    return re.sub(r"^output\.", "lm_head.", name)


def _read_weights(path: Path) -> dict[str, "torch.Tensor"]:
    return dict(_tensors(path))


def _tensors(path: Path) -> Iterator[tuple[str, "torch.Tensor"]]:
    import torch
    from safetensors.torch import load_file

    files = sorted(path.glob("*.safetensors"))
    for file in files:
        yield from load_file(file).items()
    if files:
        return
    pickled = sorted(path.glob("pytorch_model*.bin"))
    if not pickled:
        raise TrainerError(str(path), "no weights are there", "expected *.safetensors")
    for file in pickled:
        # Tensors alone: a pickle may otherwise run code.
        yield from torch.load(file, map_location="cpu", weights_only=True, mmap=True).items()
