"""Which step of an operation a picture comes from, and what is in use."""

from collections.abc import Iterator

from pipeline.view import Draft, View, image_words


def drafts(view: View) -> list[Draft]:
    """One question about the step, where it is one."""
    return list(_phase(view))


def _phase(view: View) -> Iterator[Draft]:
    groups = view.groups()
    phases = [group for group in groups if group.role == "phase"]
    if len(phases) != 1:
        return
    tools = [group for group in groups if group.role == "instrument"]
    yield Draft(
        template="surgical_phase/image.en.j2",
        variables={
            **image_words(view.sample),
            "phase": phases[0].name,
            "tools": [group.name for group in tools],
        },
        labels=(phases[0].name.term, *(group.name.term for group in tools)),
        is_open=True,
    )
