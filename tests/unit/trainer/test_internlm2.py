"""InternLM2 as Llama: the same numbers out of the same weights, the same tokens of a text."""

import json
import math
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra 'train', as in the stage 'train' of CI")
pytest.importorskip("transformers", reason="needs the extra 'train'")
pytest.importorskip("sentencepiece", reason="needs the extra 'train'")
import sentencepiece
import torch
from safetensors.torch import save_file
from torch.nn.functional import silu
from transformers import LlamaForCausalLM

from trainer.errors import TrainerError
from trainer.init_parts import load_language
from trainer.internlm2 import llama_config, llama_weights
from trainer.internlm2_tokenizer import CHECKED, convert, require_same

CONFIG = {
    "model_type": "internlm2", "vocab_size": 512, "hidden_size": 64, "intermediate_size": 96,
    "num_hidden_layers": 2, "num_attention_heads": 8, "num_key_value_heads": 2,
    "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "rope_theta": 1e6, "hidden_act": "silu",
    "bias": False, "rope_scaling": {"type": "dynamic", "factor": 2.0},
    "tie_word_embeddings": False, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
HEADS, GROUPS, DIM = 8, 2, 8
UNUSED = ["[UNUSED_TOKEN_1]", "[UNUSED_TOKEN_2]", "[UNUSED_TOKEN_3]"]


def internlm2_weights(bias: bool) -> dict[str, "torch.Tensor"]:
    """A random state dict with InternLM2's names and shapes."""
    made = torch.Generator().manual_seed(0)

    def random(*shape: int) -> "torch.Tensor":
        return torch.randn(*shape, generator=made, dtype=torch.float64) / math.sqrt(shape[-1])

    out = {"model.tok_embeddings.weight": random(512, 64) * 8, "output.weight": random(512, 64),
           "model.norm.weight": 1 + random(64)}  # fmt: skip
    for n in range(2):
        layer = f"model.layers.{n}."
        out |= {
            layer + "attention.wqkv.weight": random((HEADS + 2 * GROUPS) * DIM, 64),
            layer + "attention.wo.weight": random(64, 64),
            layer + "feed_forward.w1.weight": random(96, 64),
            layer + "feed_forward.w2.weight": random(64, 96),
            layer + "feed_forward.w3.weight": random(96, 64),
            layer + "attention_norm.weight": 1 + random(64),
            layer + "ffn_norm.weight": 1 + random(64),
        }
        if bias:
            out[layer + "attention.wqkv.bias"] = random((HEADS + 2 * GROUPS) * DIM)
            out[layer + "attention.wo.bias"] = random(64)
    return out


def norm(x: "torch.Tensor", weight: "torch.Tensor") -> "torch.Tensor":
    return weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5)


def turned(x: "torch.Tensor") -> "torch.Tensor":
    """Positions, as InternLM2 turns them: halves of a head are the two coordinates."""
    frequency = 1e6 ** (-torch.arange(0, DIM, 2, dtype=torch.float64) / DIM)
    angle = torch.arange(x.shape[1], dtype=torch.float64)[:, None] * frequency
    cos, sin = (torch.cat([f(angle)] * 2, dim=-1) for f in (torch.cos, torch.sin))
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin


def reference(weights: dict[str, "torch.Tensor"], ids: "torch.Tensor") -> "torch.Tensor":
    """A forward pass of InternLM2 for one text, written from its description."""
    x = weights["model.tok_embeddings.weight"][ids]
    for n in range(2):
        w = {k.removeprefix(f"model.layers.{n}."): v for k, v in weights.items()}
        y = norm(x, w["attention_norm.weight"])
        qkv = y @ w["attention.wqkv.weight"].T + w.get("attention.wqkv.bias", 0)
        # Group by group: four queries, their key, their value.
        qkv = qkv.view(len(ids), GROUPS, HEADS // GROUPS + 2, DIM)
        query = qkv[:, :, :-2].reshape(len(ids), HEADS, DIM)
        key, value = (qkv[:, :, at].repeat_interleave(HEADS // GROUPS, dim=1) for at in (-2, -1))
        query, key, value = (t.transpose(0, 1) for t in (query, key, value))
        scores = turned(query) @ turned(key).transpose(1, 2) / math.sqrt(DIM)
        scores += torch.full_like(scores, -torch.inf).triu(1)
        mixed = (scores.softmax(-1) @ value).transpose(0, 1).reshape(len(ids), -1)
        x = x + mixed @ w["attention.wo.weight"].T + w.get("attention.wo.bias", 0)
        y = norm(x, w["ffn_norm.weight"])
        gate = silu(y @ w["feed_forward.w1.weight"].T) * (y @ w["feed_forward.w3.weight"].T)
        x = x + gate @ w["feed_forward.w2.weight"].T
    return norm(x, weights["model.norm.weight"]) @ weights["output.weight"].T


@pytest.mark.parametrize("bias", [False, True])
def test_logits_are_those_of_a_forward_pass_of_internlm2(bias: bool) -> None:
    config = llama_config(CONFIG | {"bias": bias})
    weights = internlm2_weights(bias)
    model = LlamaForCausalLM(config).double().eval()
    outcome = model.load_state_dict(llama_weights(weights, config))
    assert outcome.missing_keys == outcome.unexpected_keys == []
    ids = torch.randint(0, 512, (40,), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ours = model(ids[None], use_cache=False).logits[0]
    # transformers computes angles in single precision.
    assert (ours - reference(weights, ids)).abs().max() < 1e-5


def test_splitting_as_if_it_were_not_in_groups_would_be_seen() -> None:
    config = llama_config(CONFIG)
    weights = internlm2_weights(bias=False)
    laid_out = llama_weights(weights, config)
    fused = weights["model.layers.0.attention.wqkv.weight"]
    assert not torch.equal(laid_out["model.layers.0.self_attn.k_proj.weight"], fused[64:80])


@pytest.fixture(scope="module")
def pieces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small SentencePiece model with the settings of InternLM2's."""
    folder = tmp_path_factory.mktemp("pieces")
    texts = folder / "texts.txt"
    texts.write_text("\n".join([*CHECKED[:6], *CHECKED[10:20]] * 30), "utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(texts), model_prefix=str(folder / "tokenizer"), model_type="bpe",
        vocab_size=500, byte_fallback=True, add_dummy_prefix=False,
        remove_extra_whitespaces=False, normalization_rule_name="identity",
        allow_whitespace_only_pieces=True, user_defined_symbols=UNUSED,
        split_digits=True, character_coverage=0.99, minloglevel=2,
    )  # fmt: skip
    return folder / "tokenizer.model"


def test_every_checked_string_has_the_tokens_of_sentencepiece(pieces: Path) -> None:
    original = sentencepiece.SentencePieceProcessor(model_file=str(pieces))
    require_same(convert(original, {}), original, CHECKED)


def test_a_tokenizer_that_differs_is_refused(pieces: Path) -> None:
    original = sentencepiece.SentencePieceProcessor(model_file=str(pieces))
    other = convert(original, {})
    other.normalizer = None
    with pytest.raises(TrainerError, match="with SentencePiece"):
        require_same(other, original, CHECKED)


def test_a_folder_of_internlm2_is_a_language_model(tmp_path: Path, pieces: Path) -> None:
    weights = {name: value.float() for name, value in internlm2_weights(bias=False).items()}
    save_file(weights, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    (tmp_path / "tokenizer.model").write_bytes(pieces.read_bytes())
    # InternLM2's marks stand where its pieces are unused.
    marks = {3: "<|plugin|>", 4: "<|im_end|>", 5: "<|im_start|>"}
    added = {str(n): {"content": mark} for n, mark in marks.items()}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": added}))
    language = load_language(tmp_path)
    assert language.format.name == "internlm2"
    assert language.tokenizer.encode("<|im_start|>user\n")[0] == 5
    ids = torch.arange(20)
    with torch.no_grad():
        ours = language.model.eval()(ids[None], use_cache=False).logits[0]
    expected = reference({k: v.double() for k, v in weights.items()}, ids)
    assert (ours - expected).abs().max() < 1e-3
