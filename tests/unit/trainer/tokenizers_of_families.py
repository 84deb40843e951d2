"""Small tokenizers built like those of the language models: same splitting, few words."""

import pytest

pytest.importorskip("tokenizers", reason="needs the extra 'train'; the stage 'train' of CI has it")
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)

from trainer.chat_formats import FORMATS, IMAGE

TEXTS = [
    "system\n", "user\n", "assistant\n", "What does this image show?", "The image shows a polyp.",
    "Is there a tumor in this slice? Yes. No.", "This region shows the left kidney, 23 mm long.",
    "图中可见一枚息肉。", "<think>\n\n</think>\n\n",
]  # fmt: skip
_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_EXTRA = {"qwen3": ("<think>", "</think>"), "internlm2": ("<|plugin|>",)}


def tokenizer_of(family: str) -> Tokenizer:
    """A tokenizer that splits text as the family's own does."""
    tokenizer = _metaspace() if family == "internlm2" else _byte_level(family)
    tokens = [*FORMATS[family].tokens, *_EXTRA.get(family, ()), IMAGE]
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in tokens])
    return tokenizer


def _byte_level(family: str) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    if family == "smollm2":
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ])  # fmt: skip
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(_WORDS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ])  # fmt: skip
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        TEXTS,
        trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False),
    )
    return tokenizer


def _metaspace() -> Tokenizer:
    """As SentencePiece models are converted: spaces are a letter, other bytes fall back."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence([
        decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()
    ])  # fmt: skip
    bytes_ = [f"<0x{n:02X}>" for n in range(256)]
    texts = [text.replace("\n", " ") for text in TEXTS]
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=600, special_tokens=["<unk>", *bytes_], max_token_length=12,
            show_progress=False,
        ),
    )  # fmt: skip
    return tokenizer
