"""What kind of image it is: modality, plane or view, body part, department."""

from collections.abc import Iterator

from converters.records import Sample
from pipeline.phrasing import digest_order
from pipeline.view import APART, Draft, View, image_words

MAX_QUESTIONS = 2
# Words that say nothing of what a reader sees.
_VAGUE_MODALITIES = ("OT", "MIXED")
_VAGUE_ANATOMY = ("whole body", "specimen")
_NO_DEPARTMENT = "not assigned"


def drafts(view: View) -> list[Draft]:
    """Up to two questions, of different kinds, about an image of which something is known."""
    if not (view.groups() or any(f.role in APART for f in view.sample.findings)):
        return []
    kinds = dict(_kinds(view))
    chosen = digest_order(f"{view.sample.sample_id}/recognition", sorted(kinds))[:MAX_QUESTIONS]
    return [
        Draft(
            template=f"recognition/{kind}.en.j2",
            variables={**image_words(view.sample), **kinds[kind]},
        )
        for kind in chosen
    ]


def sure_modality(sample: Sample) -> bool:
    """Whether the modality has a name of its own."""
    return sample.modality not in _VAGUE_MODALITIES


def sure_anatomy(sample: Sample) -> bool:
    """Whether the image shows one body part: of several that a source has, it may show one."""
    return len(sample.anatomy) == 1 and sample.anatomy[0] not in _VAGUE_ANATOMY


def _kinds(view: View) -> Iterator[tuple[str, dict[str, object]]]:
    """What can be asked, by the name of its template."""
    sample = view.sample
    if sure_modality(sample):
        yield "modality", {}
    if sample.view and not sample.view.startswith("oblique "):  # which has no answer of one word
        yield "plane", {}
    if sure_anatomy(sample):
        yield "anatomy", {}
    if view.manifest.department != _NO_DEPARTMENT:
        yield "department", {"department": view.manifest.department}
