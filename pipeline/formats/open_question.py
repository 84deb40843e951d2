"""A question without options, answered by what is there."""

from pipeline.phrasing import digest_order
from pipeline.view import Draft, Group, View, image_words

MAX_NAMES = 5
# Steps of scales and of operations have formats of their own.
_ROLES = (
    "organ", "structure", "tissue", "lesion", "diagnosis", "cell", "instrument", "device", "sign",
    "normal",
)  # fmt: skip


def drafts(view: View) -> list[Draft]:
    """One question about the things of one role."""
    groups = [group for group in view.groups() if group.role in _ROLES]
    roles = digest_order(f"{view.sample.sample_id}/open", sorted({g.role for g in groups}))
    return [_draft(view, role, [g for g in groups if g.role == role]) for role in roles[:1]]


def _draft(view: View, role: str, groups: list[Group]) -> Draft:
    shown = groups[:MAX_NAMES]
    return Draft(
        template="open_question/image.en.j2",
        variables={
            **image_words(view.sample),
            "role": role,
            "groups": shown,
            "is_selection": len(groups) > len(shown),
        },
        labels=tuple(group.name.term for group in shown),
        is_open=True,
    )
