"""A description of several marked regions, by their numbers."""

from dataclasses import dataclass

from converters.records import Finding
from converters.vocabulary import term
from pipeline.phrasing import draw_number
from pipeline.view import (
    SAME_PLACE,
    Draft,
    Named,
    View,
    diameter,
    image_words,
    is_in_parts,
    named,
    overlap,
)

MIN_REGIONS, MAX_REGIONS = 2, 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Region:
    """A marked region in the words of a sentence.

    Attributes:
        number: From 1, in the order in which the question gives them.
        name: What it is.
        box: Its box, from 0 to 1.
        position: Where in the picture it lies, as the viewer sees it.
        diameter: Longest diameter with its unit, or "".
        in_parts: It is one thing seen in several parts.
    """

    number: int
    name: Named
    box: tuple[str, str, str, str]
    position: str
    diameter: str
    in_parts: bool


def drafts(view: View) -> list[Draft]:
    """One caption of two to five regions that lie apart, of different terms where there are any."""
    placed = [f for f in view.ordered("multi_region", view.local) if f.position]
    chosen = apart(placed)
    most = min(MAX_REGIONS, len(chosen))
    if most < MIN_REGIONS:
        return []
    seed = f"{view.sample.sample_id}/multi_region"
    count = MIN_REGIONS + draw_number(seed.encode(), 0) % (most - MIN_REGIONS + 1)
    shown = chosen[:count]
    return [
        Draft(
            template="multi_region/regions.en.j2",
            variables={
                **image_words(view.sample),
                "regions": [_region(f, number, view) for number, f in enumerate(shown, start=1)],
            },
            labels=tuple(finding.label for finding in shown),
            boxes=tuple((f.label, f.box) for f in shown if f.box),
            is_open=True,
        )
    ]


def apart(findings: list[Finding]) -> list[Finding]:
    """The findings, in order, without those whose box could be taken for that of one before."""
    chosen: list[Finding] = []
    for finding in findings:
        if _is_apart(finding, chosen):
            chosen.append(finding)
    return chosen


def _is_apart(finding: Finding, others: list[Finding]) -> bool:
    """Whether nobody could take the finding's box for that of another one."""
    box = finding.box
    return box is not None and not any(f.box and overlap(box, f.box) > SAME_PLACE for f in others)


def _region(finding: Finding, number: int, view: View) -> Region:
    assert finding.box is not None
    return Region(
        number=number,
        name=named(term(finding.label)),
        box=view.numbers(finding.box),
        position=finding.position or "",
        diameter=diameter(finding, view.size),
        in_parts=is_in_parts(finding),
    )
