"""Where something is: in the picture, and on which side of the patient where that is known."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from converters.vocabulary import term, terms
from pipeline.formats.counting import NUMBER_WORDS
from pipeline.phrasing import digest_order
from pipeline.view import Draft, Group, Named, View, image_words, named

MAX_PLACES, MAX_NAMES = 4, 4
# A disease is not in a place, though a box may show its sign.
_THINGS = ("organ", "structure", "tissue", "lesion", "cell", "instrument", "device")


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A part of the picture and how many of the objects lie there.

    Attributes:
        where: One of the nine fields, as the viewer sees them.
        count: Objects whose centre lies there.
        word: The count as a word.
    """

    where: str
    count: int
    word: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Thing:
    """What lies in a place: "a platelet", "red blood cells"."""

    name: Named
    text: str
    is_plural: bool


def drafts(view: View) -> list[Draft]:
    """At most one place for a name, one name for a place, and one side of the patient."""
    return [*_where(view), *_what(view), *_side(view)]


def _where(view: View) -> Iterator[Draft]:
    groups = {group.name.term: group for group in view.groups() if group.role in _THINGS}
    placed = sorted(name for name, group in groups.items() if _places(group, view))
    for name in digest_order(f"{view.sample.sample_id}/where", placed)[:1]:
        yield Draft(
            template="position/where.en.j2",
            variables={
                **image_words(view.sample),
                "name": groups[name].name,
                "places": _places(groups[name], view),
                "count": groups[name].count,
            },
            labels=(name,),
        )


def _places(group: Group, view: View) -> list[Place]:
    """Where the one thing is, or each of its objects, all of which have to be known."""
    if not group.positions or is_spread(group, view):
        return []
    if group.count == 1:
        return [Place(where=group.positions[0], count=1, word="one")]
    found = [f.position for f in view.sample.findings if f.label == group.name.term]
    counts = Counter(place for place in found if place in group.positions)
    is_known = group.is_exact and counts.total() == group.count <= len(NUMBER_WORDS) - 1
    if not is_known or len(counts) > MAX_PLACES:
        return []
    return [Place(where=p, count=n, word=NUMBER_WORDS[n]) for p, n in counts.most_common()]


def is_spread(group: Group, view: View) -> bool:
    """Whether it has several parts, so that the middle of its box may lie beside all of them."""
    found = [f for f in view.sample.findings if f.label == group.name.term]
    return group.in_parts or any((f.parts or 1) > 1 for f in found)


def _what(view: View) -> Iterator[Draft]:
    """What lies in a part of the picture: all that is marked and has its centre there."""
    groups = [
        g for g in view.groups() if g.positions and g.role in _THINGS and not is_spread(g, view)
    ]
    places = sorted({place for group in groups for place in group.positions})
    for place in digest_order(f"{view.sample.sample_id}/what", places)[:1]:
        here = [group for group in groups if place in group.positions]
        shown = here[:MAX_NAMES]
        yield Draft(
            template="position/what.en.j2",
            variables={
                **image_words(view.sample),
                "place": place,
                "things": [_thing(group, place, view) for group in shown],
                "is_selection": len(here) > len(shown),
            },
            labels=tuple(group.name.term for group in shown),
            is_open=True,
        )


def _thing(group: Group, place: str, view: View) -> Thing:
    """One or several objects of a name, as they are in one place."""
    found = [f for f in view.sample.findings if f.label == group.name.term and f.position == place]
    is_plural = len(found) > 1 or group.name.is_plural
    text = group.name.plural if len(found) > 1 else group.name.the
    return Thing(name=group.name, text=text, is_plural=is_plural)


def _side(view: View) -> Iterator[Draft]:
    """The side is the annotation's, never read off the picture, which may be mirrored."""
    for finding in view.ordered("side", view.local):
        if finding.side not in ("left", "right") or not finding.box:
            continue
        label = term(finding.label)
        base = terms().get(label.base)
        yield Draft(
            template="position/side.en.j2",
            variables={
                **image_words(view.sample),
                "base": label.base,
                "name": named(label),
                "is_named": bool(label.side),
                "side": finding.side,
                "box": view.numbers(finding.box),
            },
            labels=(finding.label,),
            asked=(base.term,) if base else (),
            boxes=((finding.label, finding.box),),
        )
        return
