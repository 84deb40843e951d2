"""A part of the path is the label of the whole image."""

from converters.annotations.contract import Block, Index, Question, Said, absent_terms
from converters.errors import SourceError
from converters.records import Entry, Finding
from converters.specs.labels import FolderLabel
from converters.vocabulary import term


def index(spec: FolderLabel, block: Block) -> Index:
    """Every image has the label that its path names.

    Raises:
        SourceError: A name is not in the label map: a guess would put wrong words beside an
            image.
    """
    for image in block.images:
        code = image.fields.get(spec.field)
        if code not in spec.labels:
            known = ", ".join(sorted(spec.labels))
            raise SourceError(
                block.source,
                f"{image.path}: {spec.field} {code!r} is not in the label map",
                f"add it to the manifest, or mend the folder; known: {known}",
            )
    return Index(
        entries={image.path: Entry(labels=(image.fields[spec.field],)) for image in block.images}
    )


def read(spec: FolderLabel, question: Question) -> Said:
    """One finding for the whole image."""
    code = question.fields[spec.field]
    found = term(spec.labels[code])
    is_known = spec.exclusive or spec.completeness != "partial"
    return Said(
        findings=(Finding(label=found.term, code=code, role=found.role),),
        absent=absent_terms(spec.labels.values(), [found.term], is_known=is_known),
    )


def terms_of(spec: FolderLabel) -> tuple[str, ...]:
    """Every term that the block can say."""
    return tuple(spec.labels.values())
