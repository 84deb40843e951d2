"""Checks of how a text is written, whatever it says: whole, in its language, in plain prose."""

import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from operator import eq

from pipeline.phrases import cut_words

_FILE = re.compile(
    r"\b[\w-]+\.(?:png|jpe?g|dcm|dicom|nii(?:\.gz)?|nrrd|mha|mhd|tiff?|svs|csv|json|xml|bmp|npy)\b",
    re.IGNORECASE,
)
_STYLE = re.compile(
    r"\*\*|__|(?m:^\s*(?:#{1,6}\s|[-*•]\s|\d+[.)]\s|\|))|`|~~|\]\(|\{|\}|https?:|"
    r"<(?!/?(?:ref|box)>)/?[a-z]|\bNone\b|\bnan\b|\bundefined\b|  | [.,;?!](?:\s|$)|,,|\.\."
    r"|<ref></ref>|\\n|[\u2600-\u27bf\U0001f300-\U0001faff]|\bTODO\b|\bXX+\b"
)
_MARKS = frozenset("*_`~{}|<>#\\\n\u2022")
_HINTS = ("  ", " .", " ,", " ;", " ?", " !", ",,", "..", "](", "http", "None", "nan", "undefined",
          "TODO", "XX")  # fmt: skip
_OTHERS = "\u0400-\u052f\u0590-\u06ff\u0900-\u0dff\u0e00-\u0eff\u3040-\u30ff\uac00-\ud7af"
_OTHER_SCRIPT = re.compile(f"[{_OTHERS}]")
_CHINESE = re.compile("[\u3400-\u9fff]")
_FULL_WIDTH = "\uff0c\u3002\uff1b\uff1a\uff1f\uff01\uff08\uff09"
_NOT_ENGLISH = re.compile(f"[{_OTHERS}\u3400-\u9fff{_FULL_WIDTH}]")
_LATIN_WORD = re.compile(r"[A-Za-z]*[a-z]{3,}[A-Za-z]*")
_LATIN_KEPT = {"doppler", "kerley", "gleason", "calot", "heschl"}
_ENGLISH_WORDS = (
    "the a an is are of in and with this no not there on to at it its by as from was be"
)
_FOREIGN_WORDS = (
    "der die das und ist nicht ein eine mit im les une est dans avec pas sur el los las una "
    "con del en se que por il della nel che uma com não na dos é está och är ett"
)
_ENGLISH = frozenset(_ENGLISH_WORDS.split())
_FOREIGN = frozenset(_FOREIGN_WORDS.split())
_END = re.compile(r"[.!?。！？][\"'\u201d\u2019)\uff09\u300d\u300f]*\s*$")
_DANGLING_WORDS = "the a an of in with and or to is are by for at on from as"
_DANGLING = frozenset(_DANGLING_WORDS.split())
_PAIRS = (("(", ")"), ("[", "]"), ("（", "）"), ("<ref>", "</ref>"), ("<box>", "</box>"))
_ECHO_WORDS, _ECHO_CHARACTERS = 12, 16
_GRAM = 4
_MOST_GRAMS = 10  # times that the same four words may stand in a text
_SENTENCE_WORDS = 4  # a shorter sentence may stand twice


def told_files(text: str, names: tuple[str, ...]) -> list[str]:
    """Names of files in a text: any, and those of this image."""
    found = [match.group() for match in _FILE.finditer(text)]
    if names:
        low = text.lower()
        found += [name for name in names if name in low]
    return found


def unstyled(text: str) -> list[str]:
    """Markdown, markup, links, emoji and what a template or a program left."""
    is_plain = _MARKS.isdisjoint(text) and text[:1].isalpha() and max(text) < "\u2600"
    if is_plain and not any(hint in text for hint in _HINTS):
        return []  # the expression takes longer than all other checks
    return [match.group().strip() or "two spaces" for match in _STYLE.finditer(text)]


def truncations(text: str, words: list[str], *, is_cut: bool) -> list[str]:
    """What says that a text is not whole: no full stop, a bracket left open."""
    found = ["cut off"] if is_cut else []
    if not _END.search(text):
        found.append("no full stop at the end")
    if len(words) > 1 and words[-2] in _DANGLING and text.rstrip(" .").endswith(words[-2]):
        found.append(f"ends with {words[-2]!r}")
    found += [f"{a!r} left open" for a, b in _PAIRS if text.count(a) != text.count(b)]
    return found


def loops(words: list[str], sentences: list[int]) -> list[str]:
    """Sentences that come at once again or three times, and phrases again and again."""
    found = []
    seen: list[tuple[str, ...]] = []
    first = 0
    for place in range(1, len(words) + 1):
        if place == len(words) or sentences[place] != sentences[first]:
            one = tuple(words[first:place])
            if len(one) > _SENTENCE_WORDS and (one in seen[-1:] or seen.count(one) > 1):
                found.append(" ".join(one))
            seen.append(one)
            first = place
    is_varied = 2 * len(set(words)) > len(words)
    if is_varied and not any(map(eq, words, words[1:])):
        return found
    for gram, times in Counter(zip(words, words[1:], words[2:], words[3:], strict=False)).items():
        if len(set(gram)) == 1 or (times > _MOST_GRAMS and gram[0].isalnum() and "." not in gram):
            found.append(" ".join(gram))
    return found


def echoed_prompt(words: list[str], prompt: str) -> list[str]:
    """A dozen words of the prompt in a row, or somewhat more characters of Chinese."""
    asked = _asked_words(prompt)
    said = [word for word in words if word[0].isalnum()]
    count = _ECHO_CHARACTERS if _CHINESE.search(prompt) else _ECHO_WORDS
    for first in range(len(said) - count + 1):
        part = " ".join(said[first : first + count])
        if part in asked:
            return [part]
    return []


@lru_cache(maxsize=64)
def _asked_words(prompt: str) -> str:
    return " ".join(word for word in cut_words(prompt) if word[0].isalnum())


def wrong_script(text: str, words: list[str], language: str) -> list[str]:
    """Words of another language, and a mix of scripts."""
    if language == "zh":
        return [match.group() for match in _OTHER_SCRIPT.finditer(text)] + _not_chinese(text)
    found = [match.group() for match in _NOT_ENGLISH.finditer(text)] if not text.isascii() else []
    if not _FOREIGN.isdisjoint(words):
        found += [" ".join(part) for part in _sentences(words) if _is_foreign(part)]
    return found


def _sentences(words: list[str]) -> Iterator[list[str]]:
    first = 0
    for place, word in enumerate(words, start=1):
        if word in ".!?;" or place == len(words):
            yield words[first:place]
            first = place


def _is_foreign(words: list[str]) -> bool:
    return sum(w in _FOREIGN for w in words) > sum(w in _ENGLISH for w in words)


def _not_chinese(text: str) -> list[str]:
    found = [
        match.group()
        for match in _LATIN_WORD.finditer(text)
        if match.group().lower() not in _LATIN_KEPT
    ]
    return found if _CHINESE.search(text) else [*found, "no Chinese"]
