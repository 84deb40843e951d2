"""Annotation in the source's own words: reports, notes, captions of pictures."""

from typing import Annotated, Literal

from pydantic import Field

from converters.specs.base import AnnotationSpec, Strict, TableFile, Text


class TextPart(Strict):
    """A column with a part of the text; `heading` is what that part is called, "" for none."""

    column: Text
    heading: str = ""


class OwnTexts(AnnotationSpec):
    """A table with a text of the source for each image, in one column or several parts.

    `key` is a template over the row's columns, `match` one over the image's fields. `topic` says
    what the text is. Sentences that hold one of `gaps` (what stands for words that were taken out)
    are left out. `language` is that of the text: it is never translated.
    """

    kind: Literal["own_texts"]
    table: TableFile
    key: Text
    match: Text
    topic: Literal["report", "description"]
    parts: Annotated[list[TextPart], Field(min_length=1)]
    gaps: list[Text] = []
    language: Literal["en", "zh"]
