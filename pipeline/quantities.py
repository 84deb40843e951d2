"""Numbers of a text with their units, in the unit that facts are kept in."""

from collections.abc import Sequence
from typing import NamedTuple

_UNITS: dict[str, tuple[str, float]] = {}
for _dimension, _factor, _words in (
    ("length", 1.0, "mm millimeter millimeters 毫米"),
    ("length", 10.0, "cm centimeter centimeters 厘米 公分"),
    ("length", 1000.0, "m meter meters"),
    ("length", 0.001, "µm μm um micron microns micrometer micrometers 微米"),
    ("length", 1e-6, "nm nanometer nanometers 纳米"),
    ("area", 1.0, "mm² mm2 平方毫米"),
    ("area", 100.0, "cm² cm2 平方厘米"),
    ("area", 1e-6, "µm² μm² um2 µm2 μm2 平方微米"),
    ("volume", 1.0, "ml milliliter milliliters cc cm³ cm3 毫升 立方厘米"),
    ("volume", 0.001, "mm³ mm3 立方毫米"),
    ("volume", 1000.0, "l liter liters 升"),
    ("pixels", 1.0, "px pixel pixels 像素"),
    ("%", 1.0, "% percent"),
    ("hu", 1.0, "hu"),
    ("years", 1.0, "year years 岁"),
    ("months", 1.0, "month months 个月"),
    ("degrees", 1.0, "° degree degrees"),
):
    _UNITS.update(dict.fromkeys(_words.split(), (_dimension, _factor)))
_SQUARE = {"square": "area", "cubic": "volume", "平": "area", "立": "volume"}
_JOINING = {"x", "\u00d7", "to", "by", "and", "\u2013", "\u2014", "~", "至", "*", "or"}
_LONGEST_UNIT = 4  # characters of a Chinese unit


class Quantity(NamedTuple):
    """A number of a text.

    Attributes:
        value: In millimetres, square millimetres or millilitres; as it stands without a unit.
        dimension: "length", "area", "volume", another unit's name, or "" where it has none.
        step: What one in the last place that is given stands for, in the same unit.
        first: Number of its word.
        last: Number of the word after it and its unit.
    """

    value: float
    dimension: str
    step: float
    first: int
    last: int


def quantities(words: Sequence[str]) -> list[Quantity]:
    """Every number that is written in figures; "12 x 15 mm" gives two lengths."""
    found: list[Quantity] = []
    waiting: list[tuple[int, str]] = []
    for place, word in enumerate(words):
        if not "0" <= word < ":":
            continue
        dimension, factor, last = unit_at(words, place + 1)
        joined = place + 2 < len(words) and words[place + 1] in _JOINING
        if not dimension and joined and "0" <= words[place + 2] < ":":
            waiting.append((place, word))
            continue
        for first, figures in [*waiting, (place, word)]:
            found.append(_quantity(figures, dimension, factor, first, last))
        waiting = []
    return found


def _quantity(figures: str, dimension: str, factor: float, first: int, last: int) -> Quantity:
    plain = figures.replace(",", "")
    decimals = len(plain.partition(".")[2])
    return Quantity(float(plain) * factor, dimension, 10.0**-decimals * factor, first, last)


def unit_at(words: Sequence[str], place: int) -> tuple[str, float, int]:
    """The dimension, the factor and the word after a unit that begins at a word, or "", 1."""
    if place >= len(words):
        return "", 1.0, place
    word = words[place]
    known = _UNITS.get(word)
    if known and word not in ("平", "立"):
        return _powered(known, words, place)
    if word in ("square", "cubic") and place + 1 < len(words):
        linear = _UNITS.get(words[place + 1])
        if linear:
            power = 2 if word == "square" else 3
            scale = linear[1] ** power * (0.001 if power == 3 else 1.0)
            return _SQUARE[word], scale, place + 2
    if word >= "\u3400":
        return _chinese_unit(words, place)
    return "", 1.0, place


def _powered(known: tuple[str, float], words: Sequence[str], place: int) -> tuple[str, float, int]:
    """A unit, or its square where "2" or "²" stands apart from it: "mm ^ 2"."""
    after = list(words[place + 1 : place + 3])
    if known[0] == "length" and after == ["^", "2"]:
        return "area", known[1] ** 2, place + 3
    return (*known, place + 1)


def _chinese_unit(words: Sequence[str], place: int) -> tuple[str, float, int]:
    for length in range(_LONGEST_UNIT, 0, -1):
        known = _UNITS.get("".join(words[place : place + length]))
        if known:
            return (*known, min(place + length, len(words)))
    return "", 1.0, place


def agrees(said: Quantity, fact: float) -> bool:
    """Whether a number that is said is the fact, rounded to the places that are given.

    It may also be off by two in a hundred: "0.5 cm" for 4.6 mm is a rounding, "6 mm" is not.
    """
    off = abs(said.value - fact)
    return off <= max(said.step / 2, 0.02 * abs(fact)) * (1 + 1e-9)
