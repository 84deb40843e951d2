"""A description of the whole image."""

from converters.vocabulary import term
from pipeline.view import Draft, Group, View, image_words, named

MAX_REGIONS = 6
_MEASURED_ROLES = ("organ", "structure", "lesion")


def drafts(view: View) -> list[Draft]:
    """One caption, where there is something to say of the image."""
    groups = view.groups()
    quality = sorted({f.label for f in view.sample.findings if f.role == "quality"})
    if not (groups or quality):
        return []
    regions = [group for group in groups if group.is_region]
    # What the picture is of needs no second mention: only its place is news.
    itself = [group for group in regions if group.name.term in view.sample.anatomy]
    regions = [group for group in regions if group not in itself]
    whole = [group for group in groups if not group.is_region]
    normal = [group for group in whole if group.role == "normal"]
    shown = regions[:MAX_REGIONS]
    told = [*itself, *shown]
    variables = {
        **image_words(view.sample),
        "whole": [group for group in whole if group.role != "normal"],
        "normal": normal,
        "quality": [named(term(name)) for name in quality],
        "itself": itself[0] if itself and itself[0].positions else None,
        "regions": shown,
        "is_selection": len(regions) > len(shown),
        "measured": _measured(told),
        "attributes": [pair for group in [*whole, *told] for pair in group.attributes],
    }
    labels = (*(group.name.term for group in [*whole, *told]), *quality)
    return [Draft(template="caption/image.en.j2", variables=variables, labels=labels)]


def _measured(groups: list[Group]) -> Group | None:
    """The first group whose size is known, and worth a sentence."""
    return next((g for g in groups if g.diameter and g.role in _MEASURED_ROLES), None)
