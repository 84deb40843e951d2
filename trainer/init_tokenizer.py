"""The tokenizer of a starting model: the language model's own, with a token for images.

For models of tests and of the recipe ``smoke`` there is one of bytes, which needs no file.
"""

from typing import TYPE_CHECKING

from trainer.chat_formats import IMAGE, ChatFormat

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PAD = "<|pad|>"


def byte_tokenizer(chat_format: ChatFormat) -> "Tokenizer":
    """A tokenizer with a token for each byte and for each mark of a format.

    It writes any language, at a token a byte.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={c: n for n, c in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    marks = [*chat_format.tokens, PAD, IMAGE]
    tokenizer.add_special_tokens([AddedToken(mark, normalized=False) for mark in marks])
    return tokenizer


def with_image_token(tokenizer: "Tokenizer") -> "Tokenizer":
    """Add the token that stands for an image, where it is not there yet."""
    from tokenizers import AddedToken

    tokenizer.add_special_tokens([AddedToken(IMAGE, normalized=False)])
    return tokenizer
