"""What a free text speaks of: every term with its place, its side, and whether it is affirmed.

Negations, doubts and histories reach from a cue to the end of its clause, as in NegEx (Chapman et
al., J Biomed Inform 2001, doi:10.1006/jbin.2001.1029) and ConText (Harkema et al., J Biomed Inform
2009, doi:10.1016/j.jbi.2009.05.002): a cue such as "no evidence of" reaches forwards, one such as
"is not seen" backwards, "but" ends both, and "no change" is no negation at all. What is beyond
them here: a place is not denied with what is denied there ("no nodule in the left lung" leaves the
lung), and a side belongs to the term that it stands before, or else follows.
"""

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple, TypeAlias

from pipeline.phrases import Hit, Phrases, cut_words, spans
from pipeline.quantities import Quantity, quantities
from pipeline.word_forms import Form, phrases, places

Polarity: TypeAlias = Literal["affirmed", "negated", "uncertain", "history"]

_NAMES = {"term", "anatomy", "finding"}
_SCOPES: dict[str, Polarity] = {
    "negation": "negated",
    "uncertain": "uncertain",
    "history": "history",
}
_STRENGTH: tuple[Polarity, ...] = ("negated", "uncertain", "history")
_SENTENCE_ENDS = frozenset(".;!?\n。；！？")
_PLACING = {
    "in", "of", "within", "inside", "on", "at", "near", "around", "from", "along", "throughout",
    "involving", "to", "over", "above", "below", "behind", "beneath",
}  # fmt: skip
_NOT_PLACED = {
    "sign", "signs", "evidence", "indication", "indications", "trace", "traces", "suggestion",
    "presence", "absence", "lack", "appearance", "features", "image", "view",
}  # fmt: skip
_SKIPPED = {"the", "a", "an", "left", "right", "both", "either", "this", "these", "its"}
_JOINING = {"and", "or", ",", "nor", "the", "、", "及", "和", "或", "与"}
_BOTH_REACH = 8  # words between "both" and "and"
_LONGEST = 16  # words of a term
_SIDE_REACH = 3  # words between a side and the term behind it


class Mention(NamedTuple):
    """A term in a text.

    Attributes:
        names: What it may mean: canonical terms without their side, body parts, and the words
            themselves. Several where a form has several meanings.
        is_place: It is an organ, a structure, a tissue or a body part.
        is_term: It is a row of ``manifests/terms.csv``; False for a body part or a word for a
            finding that is no term.
        side: "left", "right" or "both" of the patient, or "" where the text does not say.
        polarity: Whether the text says that it is there.
        is_where: It says where something else is: "in the liver".
        first: Number of its first word.
        last: Number of the word after its last.
        sentence: Number of its sentence.
    """

    names: tuple[str, ...]
    is_place: bool
    is_term: bool
    side: str
    polarity: Polarity
    is_where: bool
    first: int
    last: int
    sentence: int


class Cue(NamedTuple):
    """A word that says something of the picture, of terms beside it, or of the writer."""

    kind: str
    value: str
    first: int
    last: int
    sentence: int


class Reading(NamedTuple):
    """A text as it was read.

    Attributes:
        text: The text.
        words: Its words.
        sentences: The number of the sentence of each word.
        mentions: In the order of the text.
        cues: By kind, in the order of the text.
        loose_sides: Sides that belong to no term.
        numbers: Every number that is written in figures.
    """

    text: str
    words: list[str]
    sentences: list[int]
    mentions: list[Mention]
    cues: dict[str, list[Cue]]
    loose_sides: list[Cue]
    numbers: list[Quantity]

    def written(self, first: int, last: int) -> str:
        """The text from a word up to another one, exclusive."""
        places = spans(self.text)
        return self.text[places[first][0] : places[last - 1][1]]


def read_text(text: str, language: str = "en") -> Reading:
    """Read a text in a language of ``manifests/cues.csv``."""
    words = cut_words(text)
    sentences = _sentences(words)
    mentions: list[Mention] = []
    cues: dict[str, list[Cue]] = {}
    for first, last, meanings in _hits(words, language):
        sentence = sentences[first]
        named = []
        for one in meanings:
            if one.exact and not _is_written(one.exact, text, first):
                continue
            if one.kind in _NAMES:
                named.append(one)
            else:
                cue = Cue(one.kind, one.value, first, last, sentence)
                cues.setdefault(one.kind, []).append(cue)
        if named:
            mentions.append(_mention(named, words, first, last, sentence))
    mentions, loose = _with_sides(mentions, cues.get("side", []), words)
    mentions = _with_polarity(mentions, cues, words, sentences)
    return Reading(text, words, sentences, mentions, cues, loose, quantities(words))


def _hits(words: list[str], language: str) -> Iterable[Hit[Form]]:
    """Every phrase; "no change" is none where a term begins with "change"."""
    known = phrases(language)
    hits = known.find(words)
    has_pseudo = any(hit.values[0].kind == "pseudo" for hit in hits)
    return _without_pseudo(hits, words, known) if has_pseudo else hits


def _without_pseudo(
    hits: list[Hit[Form]], words: list[str], known: Phrases[Form]
) -> Iterator[Hit[Form]]:
    done = 0
    for hit in hits:
        if hit.start < done:
            continue
        if hit.values[0].kind == "pseudo":
            longer = next(iter(known.find(words[hit.start + 1 : hit.start + _LONGEST])), None)
            ends = hit.start + 1 + longer.end if longer and not longer.start else 0
            if longer and ends > hit.end and longer.values[0].kind in _NAMES:
                yield Hit(hit.start, hit.start + 1, known.get(words[hit.start : hit.start + 1]))
                yield Hit(hit.start + 1, ends, longer.values)
                done = ends
                continue
        yield hit


def _is_written(form: str, text: str, first: int) -> bool:
    """Whether a word stands in a text in the capitals of an abbreviation."""
    if form not in text:
        return False
    start = spans(text)[first][0]
    return text.startswith(form, start)


def _sentences(words: list[str]) -> list[int]:
    numbers, number = [], 0
    for word in words:
        numbers.append(number)
        if word in _SENTENCE_ENDS:
            number += 1
    return numbers


def _mention(named: list[Form], words: list[str], first: int, last: int, sentence: int) -> Mention:
    known = places()
    side = next((one.side for one in named if one.side), "")
    surface = " ".join(w for w in words[first:last] if not side or w != side)
    names = dict.fromkeys(one.value or surface for one in named)
    names[surface] = None
    is_place = any(one.kind == "anatomy" or one.value in known for one in named)
    is_term = any(one.kind == "term" for one in named)
    return Mention(
        names=tuple(names),
        is_place=is_place,
        is_term=is_term,
        side=side,
        polarity="affirmed",
        is_where=False,
        first=first,
        last=last,
        sentence=sentence,
    )


def _with_sides(
    mentions: list[Mention], sides: list[Cue], words: list[str]
) -> tuple[list[Mention], list[Cue]]:
    """Give each side to the term that it stands before, or else to the one before it."""
    if not sides:
        return mentions, []
    found, loose = list(mentions), []
    for side in sides:
        if words[side.first] == "both" and _joins_two(side, words):
            continue
        number = _owner(side, found, words)
        if number is None:
            loose.append(side)
        else:
            known = found[number].side
            both = known and known != side.value
            found[number] = found[number]._replace(side="both" if both else side.value)
    return found, loose


def _joins_two(side: Cue, words: list[str]) -> bool:
    """Whether "both" means two things, as in "both a cyst and a tumor" and "both are seen"."""
    after = words[side.last : side.last + _BOTH_REACH]
    return "and" in after or not after or after[0] in ("are", "of", "were", "have", "can")


def _owner(side: Cue, mentions: list[Mention], words: list[str]) -> int | None:
    before = None
    for number, one in enumerate(mentions):
        if one.sentence != side.sentence:
            continue
        if one.first >= side.last:
            gap = words[side.last : one.first]
            if len(gap) <= _SIDE_REACH and not any(w in _JOINING or w in "()" for w in gap):
                return number
            break
        before = number
    return before


def _with_polarity(
    mentions: list[Mention],
    cues: dict[str, list[Cue]],
    words: list[str],
    sentences: list[int],
) -> list[Mention]:
    scopes = [cue for kind in _SCOPES for cue in cues.get(kind, ())]
    for number in _placed(mentions, words, {cue.last - 1 for cue in scopes}):
        mentions[number] = mentions[number]._replace(is_where=True)
    stops = cues.get("stop", [])
    found: dict[int, set[Polarity]] = {}
    for cue in scopes:
        low, high = _reach(cue, stops, sentences)
        for number, one in enumerate(mentions):
            if low <= one.first < high and not one.is_where:
                found.setdefault(number, set()).add(_SCOPES[cue.kind])
    for number, polarities in found.items():
        mentions[number] = mentions[number]._replace(polarity=_strongest(polarities))
    return mentions


def _reach(cue: Cue, stops: list[Cue], sentences: list[int]) -> tuple[int, int]:
    """The words that a cue reaches, the first and the one after the last."""
    same = [stop for stop in stops if stop.sentence == cue.sentence]
    if cue.value == "before":
        ends = [stop.first for stop in same if stop.first >= cue.last]
        return cue.last, min(ends) if ends else _end(cue, sentences)
    starts = [stop.last for stop in same if stop.last <= cue.first]
    return max(starts) if starts else sentences.index(cue.sentence), cue.first


def _end(cue: Cue, sentences: list[int]) -> int:
    place = cue.last
    while place < len(sentences) and sentences[place] == cue.sentence:
        place += 1
    return place


def _strongest(found: set[Polarity]) -> Polarity:
    return next(one for one in _STRENGTH if one in found)


def _placed(mentions: list[Mention], words: list[str], cues: set[int]) -> set[int]:
    """Terms that say where something is: "in the liver", "in the liver or spleen".

    The "of" of "no evidence of" at the end of a cue says nothing of a place.
    """
    found: set[int] = set()
    for number, one in enumerate(mentions):
        if not one.is_place:
            continue
        place = one.first - 1
        while place >= 0 and words[place] in _SKIPPED:
            place -= 1
        if place < 0:
            continue
        is_placing = words[place] in _PLACING and place > 0 and place not in cues
        if is_placing and words[place - 1] not in _NOT_PLACED:
            found.add(number)
        elif number - 1 in found and words[place] in _JOINING:
            between = words[mentions[number - 1].last : one.first]
            if all(word in _JOINING or word in _SKIPPED for word in between):
                found.add(number)
    return found
