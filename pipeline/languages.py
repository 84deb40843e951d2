"""What differs between languages where text is made and checked."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from converters.vocabulary import terms

_HAN = "\u3400-\u4dbf\u4e00-\u9fff"
_FULL = f"{_HAN}\u3000-\u303f\uff01-\uff5e\u201c\u201d"  # Chinese characters and punctuation
_CHINESE_BLANK = re.compile(rf"(?<=[{_FULL}])[ ]+|(?<![-. ])[ ]+(?=[{_FULL}])")
# Characters of traditional Chinese, Japanese, Korean and Cyrillic that no Chinese text here has.
_TRADITIONAL = (
    "圖這個為說顯見裡們與無對應區標邊內側變腫臟腎膽腸腦齒頜顴頭頸顱織細檢診斷醫學現從來時間點線體"
    "問題選擇項單複雙數長徑請縱氣脈靜動竇門臨組"
)
_LATIN_IN_CHINESE = (
    "CT|MR|MRI|PET|OCT|X|T1|T2|PD|FLAIR|ADC|DWI|LGE|bSSFP|BI-RADS|ICDR|FDG|ISUP|HE|"
    "mm|cm|ml|mL|HU|[µμ]m|[A-H]|[CTLS][0-9]+(?:/[CTLS][0-9]+)?"
)
_SIDE = re.compile("^[左右]侧?")
_NUMERAL = re.compile(r"([一两二三四五六七八九十]+)(?=[个枚处根条颗件])")
_DIGITS = {"一": 1, "两": 2, "二": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9}


@dataclass(frozen=True, kw_only=True, slots=True)
class Language:
    """The rules of one language.

    Attributes:
        code: As in ``--languages``.
        name: For messages.
        word: A canonical term in this language.
        forms: Every form in which a text may name a term, and the term of each.
        boundary: What stands at both ends of a form that is matched.
        close_up: Takes out the blanks that the line breaks of a template leave.
        numbers: Turns words for numbers into digits.
        denial: How an answer begins that says no.
        negation: What denies inside a sentence.
        letters: What every text has.
        foreign: What no text has: another script, another language, its punctuation.
        residue: What is left where a template went wrong.
        region_opening: How a description of a region begins, as prompts ask for it.
    """

    code: str
    name: str
    word: Callable[[str], str]
    forms: Callable[[frozenset[str]], Mapping[str, frozenset[str]]]
    boundary: str
    close_up: Callable[[str], str]
    numbers: Callable[[str], str]
    denial: re.Pattern[str]
    negation: re.Pattern[str]
    letters: re.Pattern[str]
    foreign: re.Pattern[str]
    residue: re.Pattern[str]
    region_opening: str


def _same(text: str) -> str:
    return text


def _english_forms(labels: frozenset[str]) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for name in sorted(labels):
        found[name.lower()] = frozenset([name])
        found.setdefault(terms()[name].plural.lower(), frozenset([name]))
    return found


def _chinese_forms(labels: frozenset[str]) -> dict[str, frozenset[str]]:
    """Chinese has no plural: two terms may share a word, which then names either.

    A term may be named without its side: a main bronchus must not be read as a trachea, which
    its word ends with.
    """
    found: dict[str, frozenset[str]] = {}
    for name in sorted(labels):
        said = chinese(name).lower()
        bare = _SIDE.sub("", said) if terms()[name].side else said
        for form in {said, bare} if len(bare) > 1 else {said}:
            found[form] = found.get(form, frozenset()) | {name}
    return found


@lru_cache(maxsize=8192)
def chinese(name: str) -> str:
    """The Chinese word of a term; what is no term stays, for the check `language` to see."""
    known = terms().get(name)
    return known.zh if known else name


def _close_up(text: str) -> str:
    return _CHINESE_BLANK.sub("", text)


def _chinese_numbers(text: str) -> str:
    return _NUMERAL.sub(lambda match: str(_number(match[1])), text)


def _number(numeral: str) -> int:
    """A numeral below a hundred."""
    tens, ten, ones = numeral.rpartition("十")
    return (_DIGITS.get(tens, 1) * 10 if ten else 0) + _DIGITS.get(ones, 0)


ENGLISH = Language(
    code="en",
    name="English",
    word=_same,
    forms=_english_forms,
    boundary=r"\b",
    close_up=_same,
    numbers=_same,
    denial=re.compile("No"),
    negation=re.compile(r"\b(?:no|not|never|neither|without|absent|cannot)\b", re.IGNORECASE),
    letters=re.compile(""),
    foreign=re.compile(r"[\u0400-\u04ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"),
    residue=re.compile(
        r"\{\{|\}\}|\{%|\bNone\b(?! of)|\bnan\b|\bundefined\b|  | [.,;?]|,[.,]|[a-z0-9]\.[A-Z]|"
        r"\.\.|<ref></ref>"
    ),
    region_opening="This region",
)

CHINESE = Language(
    code="zh",
    name="Chinese",
    word=chinese,
    forms=_chinese_forms,
    boundary="",
    close_up=_close_up,
    numbers=_chinese_numbers,
    denial=re.compile("否|不|没有|未见|无"),
    negation=re.compile("没|未|无|不|非|否|缺如|排除"),
    letters=re.compile(f"[{_HAN}]"),
    foreign=re.compile(
        rf"[\u0400-\u04ff\u3040-\u30ff\uac00-\ud7af{_TRADITIONAL}]|"
        rf"(?<![A-Za-zµμ<>/0-9-])(?!(?:{_LATIN_IN_CHINESE})(?![A-Za-z0-9]))[A-Za-z]+"
    ),
    residue=re.compile(
        rf"\{{\{{|\}}\}}|\{{%|None|nan|undefined|<ref></ref>|（）|  |[，。、；：？！]{{2}}|的的|"
        rf"[{_HAN}][,.;:?!]|[,;:?!][{_HAN}]|(?<=[{_FULL}]) (?=[{_FULL}])"
    ),
    region_opening="该区域",
)

LANGUAGES = {"en": ENGLISH, "zh": CHINESE}
