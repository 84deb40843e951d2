"""The tokenizer of InternLM2, a SentencePiece model, as one of the library `tokenizers`.

What it makes of a list of awkward strings is held against SentencePiece before it is used: one
difference, and nothing is converted.
"""

# ruff: noqa: RUF001, S106 - strings are awkward on purpose, and tokens are no passwords
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer.errors import TrainerError

if TYPE_CHECKING:
    from sentencepiece import SentencePieceProcessor
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

SPACE = "▁"
_CONTROL = ("<unk>", "<s>", "</s>")
CHECKED: tuple[str, ...] = (
    "The image shows a 12.5 mm polyp in the sigmoid colon.", "user\n", "assistant\n",
    "What is shown?\nA. tumor\nB. no tumor\n\nAnswer:", "Yes", " Yes", "  two  spaces ", "\n",
    "\n\n", "\t- item", "图中可见一枚息肉，长径约 23 毫米。", "肝（左叶）：未见异常。", "是",
    "ＣＴ ①②③",
    "<ref>left kidney</ref><box>[[0.18, 0.16, 0.50, 0.43]]</box>", "µm ± 0.5 × 10⁻³ °C ≥ 3/4",
    "naïve façade Größe œdème", "T1/T2-FLAIR, k=3; p<0.05 (95% CI)", "𝛼-synuclein 🫁 \u200b\ufeff",
    "e\u0301 vs é", "0123456789 2026-01-31 1e-5", "HTTP://EXAMPLE.ORG/a_b?c=d&e", "'\"`´“”‘’",
    "Ünïcödé ЖЗИ עברית عربى हिन्दी ไทย", "x" * 40, "a b  c   d    e",
)  # fmt: skip


def load_tokenizer(path: Path) -> "PreTrainedTokenizerFast":
    """The tokenizer of a folder of InternLM2, checked against its SentencePiece model.

    Args:
        path: Folder with ``tokenizer.model`` and ``tokenizer_config.json``.

    Raises:
        TrainerError: A file is missing, or a string comes out otherwise.
    """
    from sentencepiece import SentencePieceProcessor
    from transformers import PreTrainedTokenizerFast

    file = path / "tokenizer.model"
    if not file.is_file():
        raise TrainerError(str(file), "is missing", "copy the whole folder of the model")
    pieces = SentencePieceProcessor(model_file=str(file))
    tokenizer = convert(pieces, _added_tokens(path))
    require_same(tokenizer, pieces, CHECKED)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>",
        pad_token="</s>",
    )  # fmt: skip


def _added_tokens(path: Path) -> dict[int, str]:
    content: dict[str, Any] = json.loads((path / "tokenizer_config.json").read_text("utf-8"))
    added: Mapping[str, Mapping[str, str]] = content.get("added_tokens_decoder", {})
    return {int(number): token["content"] for number, token in added.items()}


def convert(pieces: "SentencePieceProcessor", added: Mapping[int, str]) -> "Tokenizer":
    """A byte-pair tokenizer with the pieces, ids and merges of a SentencePiece model.

    Args:
        pieces: The model; of the kind BPE with bytes as fallback.
        added: Control tokens by id; they stand where the model has unused pieces.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers

    names = [pieces.id_to_piece(n) for n in range(pieces.get_piece_size())]
    names = [added.get(n, name) for n, name in enumerate(names)]
    vocabulary = {name: n for n, name in enumerate(names)}
    control = [*_CONTROL, *(name for n, name in sorted(added.items()) if name not in _CONTROL)]
    mergeable = {
        name: pieces.get_score(n)
        for n, name in enumerate(names)
        if name not in control and not pieces.is_byte(n)
    }
    tokenizer = Tokenizer(models.BPE(
        vocab=vocabulary, merges=list(_merges(mergeable, vocabulary)), unk_token="<unk>",
        fuse_unk=True, byte_fallback=True,
    ))  # fmt: skip
    has_dummy = pieces.encode("a", out_type=str)[0].startswith(SPACE)
    steps = [normalizers.Prepend(SPACE)] if has_dummy else []
    tokenizer.normalizer = normalizers.Sequence([*steps, normalizers.Replace(" ", SPACE)])
    strip = [decoders.Strip(" ", 1, 0)] if has_dummy else []
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse(), *strip]
    )
    tokenizer.add_special_tokens([AddedToken(name, normalized=False) for name in control])
    return tokenizer


def _merges(
    scores: Mapping[str, float], vocabulary: Mapping[str, int]
) -> Iterator[tuple[str, str]]:
    """Pairs of pieces that make a piece, the best score first."""
    found = []
    for piece, score in scores.items():
        for at in range(1, len(piece)):
            left, right = piece[:at], piece[at:]
            if left in vocabulary and right in vocabulary:
                found.append((-score, vocabulary[left], vocabulary[right], left, right))
    for *_, left, right in sorted(found):
        yield left, right


def require_same(
    tokenizer: "Tokenizer", pieces: "SentencePieceProcessor", texts: Sequence[str]
) -> None:
    """Hold a converted tokenizer against its original, string by string.

    Raises:
        TrainerError: A string has other tokens, or does not come back as it was.
    """
    for text in texts:
        ours = tokenizer.encode(text, add_special_tokens=False).ids
        theirs = pieces.encode(text)
        if ours != theirs:
            raise TrainerError(
                "tokenizer.model", f"{text!r} becomes {ours}, and {theirs} with SentencePiece",
                "this tokenizer cannot be converted",
            )  # fmt: skip
        back, known = tokenizer.decode(ours), pieces.decode(theirs)
        if back != known:
            raise TrainerError(
                "tokenizer.model", f"{text!r} comes back as {back!r}, not {known!r}",
                "this tokenizer cannot be converted",
            )  # fmt: skip
