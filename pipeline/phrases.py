"""Thousands of phrases found in a text in one pass: a trie over words.

Words, not letters, are what the trie branches on, so that every hit stands between word
boundaries, and hyphen, space and capitals make no difference: "Ground-glass opacity" is found by
"ground glass opacity". Of hits that overlap, the one that begins first is kept, and of those the
longest. Chinese has no spaces: each of its characters is a word of its own.

This is what an Aho-Corasick automaton over letters would find after its hits were cut to whole
words and the longest of them kept. The longest phrase has a dozen words, so that failure links
would save nothing, and the trie needs no compiled package.
"""

import re
from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar

_TOKEN = re.compile(
    r"[a-zµμà-ÿĀ-ɏα-ω][a-zµμà-ÿĀ-ɏα-ω0-9²³]*(?:['\u2019](?:s|t|m|re|ve|ll|d)\b)?"
    r"|\d+(?:,\d{3}(?!\d))*(?:\.\d+)?|[\u3400-\u9fff]|\n|[^\s\-\u2010\u2011/_]"
)
_BRITISH_AND_AMERICAN = """
    tumour/tumor tumours/tumors oedema/edema haemorrhage/hemorrhage haemorrhages/hemorrhages
    haemorrhagic/hemorrhagic oesophagus/esophagus grey/gray centre/center fibre/fiber fibres/fibers
    leucocyte/leukocyte leucocytes/leukocytes ischaemic/ischemic ischaemia/ischemia caecum/cecum
    coeliac/celiac haematoma/hematoma haematomas/hematomas disk/disc disks/discs foetal/fetal
    foetus/fetus colour/color anaemia/anemia leukaemia/leukemia haemangioma/hemangioma
    millimetre/millimeter millimetres/millimeters centimetre/centimeter centimetres/centimeters
    litre/liter litres/liters millilitre/milliliter millilitres/milliliters micrometre/micrometer
    micrometres/micrometers labelled/labeled visualised/visualized haematoxylin/hematoxylin
"""
_SPELLING = dict(pair.split("/") for pair in _BRITISH_AND_AMERICAN.split())

T = TypeVar("T")
_Node = dict[str, "_Node"]


class Hit(NamedTuple, Generic[T]):
    """A phrase that was found, by the numbers of its first word and of the word after its last."""

    start: int
    end: int
    values: tuple[T, ...]


def cut_words(text: str) -> list[str]:
    """Cut a text into words, in small letters and American spelling.

    Punctuation and line ends are words too; hyphens and slashes are not, they stand between words
    as spaces do.
    """
    return [_SPELLING.get(word, word) for word in _TOKEN.findall(_lower(text))]


def spans(text: str) -> list[tuple[int, int]]:
    """Where each word of a text begins and ends, exclusive, in characters."""
    return [found.span() for found in _TOKEN.finditer(_lower(text))]


def _lower(text: str) -> str:
    low = text.lower()
    if len(low) == len(text):
        return low  # else a capital has two small letters
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def words_of(phrase: str) -> tuple[str, ...]:
    """The words of a phrase, as the trie knows them."""
    return tuple(cut_words(phrase))


class Phrases(Generic[T]):
    """Phrases with their values; a phrase may have several."""

    def __init__(self) -> None:
        self._root: _Node = {}
        self._values: dict[int, tuple[T, ...]] = {}

    def add(self, words: Sequence[str], value: T) -> None:
        """Add a phrase of at least one word."""
        assert words
        node = self._root
        for word in words:
            node = node.setdefault(word, {})
        self._values[id(node)] = (*self._values.get(id(node), ()), value)

    def get(self, words: Sequence[str]) -> tuple[T, ...]:
        """The values of a phrase; none where it was never added."""
        node: _Node | None = self._root
        for word in words:
            node = node.get(word) if node is not None else None
        return self._values.get(id(node), ())

    def find(self, words: Sequence[str]) -> list[Hit[T]]:
        """Every phrase in a text, in order: of those that overlap the first, then the longest."""
        hits: list[Hit[T]] = []
        values, root, count = self._values, self._root, len(words)
        start = 0
        while start < count:
            node = root.get(words[start])
            end, found = start + 1, None
            place = end
            while node is not None:
                here = values.get(id(node))
                if here is not None:
                    found, end = here, place
                if place == count:
                    break
                node = node.get(words[place])
                place += 1
            if found is not None:
                hits.append(Hit(start, end, found))
            start = end
        return hits
