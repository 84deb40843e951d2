"""A short report: technique, findings, impression, of nothing but what is known."""

from converters.terminology import contradicted_by
from converters.vocabulary import term
from pipeline.formats import distractors
from pipeline.phrasing import digest_order
from pipeline.view import Draft, Group, View, image_words, named

MAX_REGIONS, MAX_DENIED = 6, 3
# What a reader concludes from what is seen.
IMPRESSION_ROLES = ("diagnosis", "grade", "lesion", "sign", "normal")
_FOUND_ROLES = ("lesion", "sign")
_DENIED_ROLES = ("diagnosis", "lesion", "sign")


def drafts(view: View) -> list[Draft]:
    """One report, where there is something to conclude."""
    groups = view.groups()
    impression = [group for group in groups if group.role in IMPRESSION_ROLES]
    denied = _denied(view)
    if not groups or not (impression or denied):
        return []
    if not (denied or any(group.is_region for group in groups)):
        return []
    # What is seen is a finding, with its place where it has one; what is judged of the whole
    # image is the conclusion. No lesion is concluded that was not found.
    found = [group for group in groups if group.is_region or group.role in _FOUND_ROLES]
    shown = sorted(found, key=lambda g: (g not in impression, not g.is_region))[:MAX_REGIONS]
    concluded = [g for g in impression if not g.is_region and g.role not in _FOUND_ROLES]
    told = [*shown, *concluded]
    return [
        Draft(
            template="report/image.en.j2",
            variables={
                **image_words(view.sample),
                "findings": shown,
                "denied": [named(term(name)) for name in denied],
                "is_selection": len(found) > len(shown),
                "impression": _told_in(impression, told),
                "attributes": [pair for group in told for pair in group.attributes],
            },
            labels=tuple(group.name.term for group in told),
            denied=tuple(denied),
        )
    ]


def _told_in(impression: list[Group], told: list[Group]) -> list[Group]:
    """The conclusions among what the report tells."""
    return [group for group in impression if group in told]


def _denied(view: View) -> list[str]:
    """Some of what is surely not there and would be worth a word.

    A kind or a side of what is there is left out: that it is not there is a subtlety. So is
    another step of a scale, of which what is there says it already.
    """
    there = {finding.label for finding in view.sample.findings}
    bases = {term(label).base for label in there}
    ruled_out = frozenset[str]().union(
        *(contradicted_by(label) for label in there if term(label).role != "normal")
    )
    names = [
        name
        for name in distractors.absent(view)
        if term(name).role in _DENIED_ROLES
        and term(name).base not in bases
        and name not in ruled_out
    ]
    return digest_order(f"{view.sample.sample_id}/report", names)[:MAX_DENIED]
