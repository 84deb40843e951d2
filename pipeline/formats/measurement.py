"""How large something is: with its unit, and how far off that may be."""

import re
from collections.abc import Iterator

from converters.records import Finding
from converters.vocabulary import term
from pipeline.measures import area, longest_diameter
from pipeline.phrasing import draw_number
from pipeline.view import Draft, View, image_words, named

_LENGTH = re.compile(r"\d+(?:\.\d+)? (?:µm|mm|cm)")


def drafts(view: View) -> list[Draft]:
    """At most one size that the outline gives, and one that the source states."""
    return [*_outlined(view), *_stated(view)]


def _outlined(view: View) -> Iterator[Draft]:
    for finding in view.ordered("measurement", view.local):
        measures = [
            (name, one)
            for name, one in (
                ("diameter", longest_diameter(finding, view.sample)),
                ("area", area(finding, view.sample)),
            )
            if one
        ]
        if not (measures and finding.box):
            continue
        seed = f"{view.sample.sample_id}/measurement/{finding.label}"
        name, measure = measures[draw_number(seed.encode(), 0) % len(measures)]
        is_only = is_the_only_one(finding, view)
        yield Draft(
            template=f"measurement/{'image' if is_only else 'region'}.en.j2",
            variables={
                **image_words(view.sample),
                "name": named(term(finding.label)),
                "quantity": name,
                "measure": measure,
                **({} if is_only else {"box": view.numbers(finding.box)}),
            },
            labels=(finding.label,),
            boxes=() if is_only else ((finding.label, finding.box),),
        )
        return


def is_the_only_one(finding: Finding, view: View) -> bool:
    """Whether "the ..." can mean nothing else in the picture."""
    label = finding.label
    is_single = sum(other.label == label for other in view.sample.findings) == 1
    return is_single and (term(label).article == "the" or view.is_complete(label))


def _stated(view: View) -> Iterator[Draft]:
    """What the source measured of the one thing of its name that is marked."""
    for group in view.groups():
        stated = [pair for pair in group.attributes if _LENGTH.fullmatch(pair[1])]
        found = [f for f in view.sample.findings if f.label == group.name.term and f.attributes]
        if not stated or len(found) != 1:
            continue
        # There may be others of its name that nobody marked: the box says which one is meant.
        box = None if is_the_only_one(found[0], view) else found[0].box
        yield Draft(
            template="measurement/stated.en.j2",
            variables={
                **image_words(view.sample),
                "quantity": stated[0][0],
                "value": stated[0][1],
                "box": view.numbers(box) if box else None,
            },
            labels=(group.name.term,),
            boxes=((group.name.term, box),) if box else (),
        )
        return
