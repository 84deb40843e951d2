"""Texts of a source, cleaned: what they say stays, in their words and their language.

Taken out is what no reader sees or what a page left: markup, entities, control characters, blanks
in a row, marks that would read as an image or a box. Nothing is translated, and no word is mended.
"""

import html
import re
import unicodedata
from collections.abc import Sequence

_TAG = re.compile(r"</?[A-Za-z][^<>]{0,200}>")
_BREAK = re.compile(r"<(?:br|/?p|/?div|/?li)\b[^<>]{0,200}>", re.IGNORECASE)
_UNSEEN = re.compile(r"[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e"
                     r"\u2060-\u206f\ue000-\uf8ff\ufeff\ufff0-\uffff]")  # fmt: skip
_BLANKS = re.compile(r"[ \t\u00a0\u2000-\u200a\u202f\u3000]+")
_BEFORE_MARK = re.compile(r" +([,;:?!.](?:\s|$))")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])|\n+")


def cleaned(text: str) -> str:
    """A text of the source without what no reader sees; lines stay, empty ones do not."""
    said = _BREAK.sub("\n", text.replace("\r\n", "\n").replace("\r", "\n"))
    said = _BREAK.sub("\n", html.unescape(_TAG.sub("", said)))
    said = unicodedata.normalize("NFC", _UNSEEN.sub("", _TAG.sub("", said)))
    lines = (_BEFORE_MARK.sub(r"\1", _BLANKS.sub(" ", line)).strip() for line in said.split("\n"))
    return "\n".join(line for line in lines if line)


def without_gaps(text: str, marks: Sequence[str]) -> tuple[str, int]:
    """A text without the sentences in which words were taken out, and how many these were.

    Args:
        text: A cleaned text.
        marks: What stands where words were taken out, as "XXXX".
    """
    if not any(mark in text for mark in marks):
        return text, 0
    sentences = [one for one in _SENTENCE.split(text) if one and one.strip()]
    whole = [one.strip() for one in sentences if not any(mark in one for mark in marks)]
    return " ".join(whole), len(sentences) - len(whole)
