"""A description of one marked region."""

from converters.vocabulary import term
from pipeline.view import (
    Draft,
    View,
    diameter,
    image_words,
    is_in_parts,
    named,
)

MAX_REGIONS = 2


def drafts(view: View) -> list[Draft]:
    """Up to two regions, of different terms where there are any."""
    return [
        Draft(
            template="region_caption/region.en.j2",
            variables={
                **image_words(view.sample),
                "name": named(term(finding.label)),
                "box": view.numbers(finding.box),
                "position": finding.position,
                "diameter": diameter(finding, view.size),
                "in_parts": is_in_parts(finding),
                "attributes": finding.attributes,
            },
            labels=(finding.label,),
            boxes=((finding.label, finding.box),),
        )
        for finding in view.ordered("region_caption", view.local)[:MAX_REGIONS]
        if finding.box and finding.position
    ]
