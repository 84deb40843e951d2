"""A description of the whole image."""

from pipeline.view import Draft, Group, View, image_words

MAX_REGIONS = 6
_MEASURED_ROLES = ("organ", "structure", "lesion")


def drafts(view: View) -> list[Draft]:
    """One caption, where there is something to say of the image."""
    groups = view.groups()
    if not groups:
        return []
    regions = [group for group in groups if group.is_region]
    whole = [group for group in groups if not group.is_region]
    normal = [group for group in whole if group.role == "normal"]
    shown = regions[:MAX_REGIONS]
    variables = {
        **image_words(view.sample),
        "whole": [group for group in whole if group.role != "normal"],
        "normal": normal,
        "regions": shown,
        "is_selection": len(regions) > len(shown),
        "measured": _measured(shown),
        "attributes": [pair for group in [*whole, *shown] for pair in group.attributes],
    }
    labels = tuple(group.name.term for group in [*whole, *shown])
    return [Draft(template="caption/image.en.j2", variables=variables, labels=labels)]


def _measured(groups: list[Group]) -> Group | None:
    """The first group whose size is worth a sentence: one thing, with a size in millimetres."""
    for group in groups:
        if group.diameter and group.role in _MEASURED_ROLES and group.name.the != group.name.term:
            return group
    return None
