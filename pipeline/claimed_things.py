"""What a text says is there, is not there, and how: each function gives the words at fault."""

from pipeline.claim import Claim
from pipeline.known_facts import Facts
from pipeline.mentions import Cue, Mention

_BOTH = {"left", "right"}


def _unsupported(one: Claim, *, is_place: bool) -> list[str]:
    supported = one.facts.supported
    return [
        one.written(mention)
        for mention in one.reading.mentions
        if mention.polarity != "negated"
        and mention.is_place == is_place
        and (supported.isdisjoint(mention.names) or _is_gone(mention, one.facts))
        and not one.is_given(mention.names)
    ]


def _is_gone(mention: Mention, facts: Facts) -> bool:
    """Whether a term is known not to be there, though a finding has a part of its name."""
    what = {(name, mention.side) for name in mention.names}
    return not mention.is_where and not (what.isdisjoint(facts.denied) or what & facts.there)


def unsupported_findings(one: Claim) -> list[str]:
    """Findings that are said to be there, or may be, and that nothing supports."""
    return _unsupported(one, is_place=False)


def unsupported_places(one: Claim) -> list[str]:
    """Organs and body parts that are not known to be in the image."""
    return _unsupported(one, is_place=True)


def denied(one: Claim) -> list[str]:
    """What is denied and not known to be absent."""
    known = one.facts.denied
    return [
        one.written(mention)
        for mention in one.reading.mentions
        if mention.polarity == "negated"
        and not any((name, mention.side) in known or (name, "") in known for name in mention.names)
        and not one.is_given(mention.names)
    ]


def doubted(one: Claim) -> list[str]:
    """What is said to be possible only: an annotation has no doubts."""
    return [
        one.written(mention)
        for mention in one.reading.mentions
        if mention.polarity == "uncertain" and not one.is_given(mention.names)
    ]


def history(one: Claim) -> list[str]:
    """What is said of another time, which no image of one time tells."""
    return [
        one.written(cue) for kind in ("history", "comparison") for cue in one.unknown_cues(kind)
    ]


def missing(one: Claim) -> list[str]:
    """Terms that the text has to name and does not."""
    return [label for label in one.asked.targets if not _is_named(label, one)]


def _is_named(label: str, one: Claim) -> bool:
    naming = one.facts.naming.get(label, frozenset((label,)))
    own = {side for side in _BOTH if label.startswith(side) or f" {side} " in label}
    return any(
        mention.polarity == "affirmed"
        and not naming.isdisjoint(mention.names)
        and (not own or mention.side in own or mention.side in ("", "both"))
        for mention in one.reading.mentions
    )


def named_though_hidden(one: Claim) -> list[str]:
    """Terms that a text gives away."""
    naming = [one.facts.naming.get(label, frozenset((label,))) for label in one.asked.hidden]
    return [
        one.written(mention)
        for mention in (one.reading.mentions if naming else ())
        if any(not names.isdisjoint(mention.names) for names in naming)
    ]


def sides(one: Claim) -> list[str]:
    """Sides of the patient that are wrong, or not known."""
    facts = one.facts
    found = [
        f"{mention.side} for {one.written(mention)}"
        for mention in one.reading.mentions
        if mention.side
        and mention.polarity != "negated"
        and not facts.supported.isdisjoint(mention.names)
        and not _is_side(mention.side, _known_sides(mention, facts))
    ]
    loose = one.reading.loose_sides
    known = frozenset().union(*facts.sides.values()) if loose else frozenset()
    return found + [one.written(cue) for cue in loose if not _is_side(cue.value, known)]


def _known_sides(mention: Mention, facts: Facts) -> frozenset[str]:
    return frozenset().union(*(facts.sides.get(name, frozenset()) for name in mention.names))


def _is_side(side: str, known: frozenset[str]) -> bool:
    return side in known or "both" in known or (side == "both" and known >= _BOTH)


def planes(one: Claim) -> list[str]:
    """Planes and views that are not that of the image."""
    view, words = one.facts.view.removeprefix("oblique "), one.reading.words
    return [
        one.written(cue)
        for cue in one.unknown_cues("plane")
        if cue.value != view
        and not one.facts.words.issuperset(words[cue.first : cue.last])  # "short-axis diameter"
    ]


def modality(one: Claim) -> list[str]:
    """Modalities that are not that of the image."""
    code = one.facts.modality
    return [
        one.written(cue) for cue in one.unknown_cues("modality") if code not in cue.value.split()
    ]


def sequence(one: Claim) -> list[str]:
    """MR sequences and contrasts that are not that of the image."""
    known = one.facts.sequence.lower()
    return [
        one.written(cue)
        for cue in one.unknown_cues("sequence")
        if cue.value.lower() not in known or (cue.value == "contrast" and "non-" in known)
    ]


def normal(one: Claim) -> list[str]:
    """What is called normal where no finding says so."""
    return [] if one.facts.is_normal else [one.written(cue) for cue in one.unknown_cues("normal")]


def qualifiers(one: Claim) -> list[str]:
    """Words such as "acute" that no name and no attribute holds."""
    facts = one.facts
    return [
        one.written(cue)
        for cue in one.unknown_cues("qualifier")
        if not _is_known(set(one.reading.words[cue.first : cue.last]), one)
        and not (cue.value == "abnormal" and facts.is_abnormal)
        and not _narrows_denial(cue, one)
    ]


def _is_known(words: set[str], one: Claim) -> bool:
    """Whether names or attributes hold the words: one of them, or all characters of Chinese."""
    known = one.facts.words
    return words <= known if one.asked.language == "zh" else not known.isdisjoint(words)


def _narrows_denial(cue: Cue, one: Claim) -> bool:
    """Where no fracture is known, there is no acute one."""
    return any(
        mention.polarity == "negated" and 0 <= mention.first - cue.last <= 1
        for mention in one.reading.mentions
    )


def contradictions(one: Claim) -> list[str]:
    """What is affirmed and denied, or called normal beside something abnormal."""
    mentions = one.reading.mentions
    denied = [m for m in mentions if m.polarity == "negated"]
    there = [m for m in mentions if m.polarity == "affirmed"]
    found = [
        one.written(no)
        for no in denied
        if any(no.side == yes.side and no.names[0] == yes.names[0] for yes in there)
    ]
    kinds = {cue.value for cue in one.cues("qualifier")}
    if {"benign", "malignant"} <= kinds:
        found.append("benign and malignant")
    if one.cues("normal") and (one.facts.is_abnormal or any(not m.is_place for m in there)):
        found.append("normal and abnormal")
    return found
