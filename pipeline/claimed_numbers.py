"""Numbers, counts and places that a text gives: each function gives the words at fault."""

from pipeline.claim import Claim
from pipeline.known_facts import Facts
from pipeline.mentions import Cue, Mention, Reading
from pipeline.quantities import Quantity, agrees, unit_at

_COUNT_REACH = 3  # words between a number and what it counts
_REGIONS = {"region", "regions", "box", "域"}
_APART = {"of", "in", "the", "a", "an", "with", "and", "that", "is", "can", "may"}


def numbers(one: Claim) -> list[str]:
    """Numbers that no fact gives, in whatever unit."""
    reading = one.reading
    said = list(reading.numbers)
    said += [
        Quantity(float(cue.value) * factor, dimension, factor, cue.first, last)
        for cue in one.cues("count")
        if cue.value.isdigit()
        for dimension, factor, last in (unit_at(reading.words, cue.last),)
        if dimension
    ]
    return [_as_written(number, one) for number in said if not _is_known(number, one)]


def _as_written(number: Quantity, one: Claim) -> str:
    return one.reading.written(number.first, number.last)


def _is_known(number: Quantity, one: Claim) -> bool:
    facts, reading = one.facts, one.reading
    spans = [(one.first, one.last) for one in reading.mentions]
    spans += [(c.first, c.last) for kind in reading.cues if kind != "count" for c in one.cues(kind)]
    if any(first <= number.first < last for first, last in spans):
        return True  # "T12 vertebra", "BI-RADS 4"
    if one.given and any(n[:2] == number[:2] for n in one.given.numbers):
        return True
    if not number.dimension:
        if _is_region(number, one):
            return True
        return number.value in facts.numbers or number.value in facts.counts.values()
    values = _nearest(number, one, facts.measures, number.dimension)
    return any(agrees(number, value) for value in values)


def _is_region(number: Quantity, one: Claim) -> bool:
    """Whether a number is the name of a marked region: "region 2"."""
    before = one.reading.words[number.first - 1] if number.first else ""
    return before in _REGIONS and 1 <= number.value <= one.facts.regions


def _nearest(
    number: Quantity, one: Claim, measures: dict[str, list[tuple[str, float]]], dimension: str
) -> list[float]:
    """The values of the term that a number belongs to, or of all where none has such a value."""
    for mention in _by_distance(number.first, number, one.reading):
        values = _values(mention, measures, dimension)
        if values:
            return values
    return [value for facts in measures.values() for of, value in facts if of == dimension]


def _values(
    mention: Mention, measures: dict[str, list[tuple[str, float]]], dimension: str
) -> list[float]:
    for names in _keys(mention):
        found = [v for name in names for of, v in measures.get(name, ()) if of == dimension]
        if found:
            return found
    return []


def _keys(mention: Mention) -> list[list[str]]:
    """How facts are kept of a term: with the side that the text gives it, then without."""
    bare = list(mention.names)
    return [[f"{mention.side} {name}" for name in bare], bare] if mention.side else [bare]


def _by_distance(place: int, part: Cue | Quantity, reading: Reading) -> list[Mention]:
    """The mentions of a sentence: before a word from the last to the first, then behind it.

    What only says where something is comes last: "a tumor of the left kidney, 23 mm".
    """
    sentence = reading.sentences[place]
    same = [m for m in reading.mentions if m.sentence == sentence]
    before = [m for m in same if m.last <= part.first]
    ordered = [*reversed(before), *(m for m in same if m.first >= part.last)]
    return sorted(ordered, key=_is_where)


def _is_where(mention: Mention) -> bool:
    return mention.is_where


def counts(one: Claim) -> list[str]:
    """Counts that are wrong, or not known."""
    said = [(cue.value, cue.first, cue.last) for cue in one.cues("count")]
    said += [
        (str(int(number.value)), number.first, number.last)
        for number in one.reading.numbers
        if not number.dimension and number.value == int(number.value)
        if not _is_region(number, one)
    ]
    found = []
    for value, first, last in said:
        mention = _counted(first, last, one.reading)
        if mention and not _is_count(value, mention, one.facts):
            found.append(one.reading.written(first, mention.last))
    return found


def _counted(first: int, last: int, reading: Reading) -> Mention | None:
    """What a number counts: the term that follows it at once."""
    for mention in reading.mentions:
        if mention.first <= first < mention.last:
            return None
        if mention.first >= last:
            gap = reading.words[last : mention.first]
            near = len(gap) <= _COUNT_REACH and all(word.isalpha() for word in gap)
            return mention if near and _is_joined(reading.words[first], gap) else None
    return None


def _is_joined(number: str, gap: list[str]) -> bool:
    """Whether what stands between a number and a term joins them: "one sees a mass" counts none."""
    is_person = number == "one" and any(word.endswith("s") for word in gap)
    return _APART.isdisjoint(gap) and not is_person


def _is_count(value: str, mention: Mention, facts: Facts) -> bool:
    if value == "many":
        return any(facts.at_least.get(name, 0) > 1 for name in mention.names)
    return any(facts.counts.get(name) == int(value) for name in mention.names)


def positions(one: Claim) -> list[str]:
    """Places in the picture where the finding that they belong to is not."""
    found = []
    for cue in one.cues("position"):
        known = next(
            (
                places
                for mention in _by_distance(cue.first, cue, one.reading)
                if (places := _places_of(mention, one.facts))
            ),
            None,
        )
        if known is None:
            known = frozenset().union(*one.facts.positions.values())
        if not any(_is_there(cue.value, place) for place in known):
            found.append(one.written(cue))
    return found


def _places_of(mention: Mention, facts: Facts) -> frozenset[str]:
    for names in _keys(mention):
        found = frozenset[str]().union(*(facts.positions.get(n, frozenset()) for n in names))
        if found:
            return found
    return frozenset()


def _is_there(said: str, known: str) -> bool:
    """Whether "upper *" or "upper left" is what is known, "upper left"."""
    if "*" not in said:
        return said == known
    return said.replace("*", "").strip() in known.split()
