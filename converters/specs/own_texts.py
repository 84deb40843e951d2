"""Annotation in the source's own words: reports, captions of pictures, questions."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from converters.specs.base import AnnotationSpec, PathPattern, Strict, TableFile, Text


class TextPart(Strict):
    """A column with a part of the text; `heading` is what that part is called, "" for none."""

    column: Text
    heading: str = ""


class OwnTexts(AnnotationSpec):
    """A table with a text of the source for each image, in one column or several parts.

    `key` is a template over the row's columns, `match` one over the image's fields. `topic` says
    what the text is. Sentences that hold one of `gaps` (what stands for words that were taken out)
    are left out. `language` is that of the text: it is never translated. Rows count where each
    column of `only` holds one of its values; columns of `fields` become fields of the image, for
    the subject and the split, and so does what the table `says` of every image that it names:
    `{part: test}` where each official part has a table of its own.
    """

    kind: Literal["own_texts"]
    table: TableFile
    key: Text
    match: Text
    topic: Literal["report", "description"]
    parts: Annotated[list[TextPart], Field(min_length=1)]
    gaps: list[Text] = []
    language: Literal["en", "zh"]
    only: dict[Text, list[str]] = {}
    fields: list[Text] = []
    says: dict[Text, Text] = {}


class QuestionTable(AnnotationSpec):
    """Questions and answers in a table, one a row: in one table, or in a table an image.

    With `key`, a template over the row's columns, and `match`, one over the image's fields, one
    table holds the questions of all images; without them, the path of the table shares
    placeholders with the image's. `topic` is the column that says what is asked for. `only` and
    `fields` are as those of texts. Questions and answers are never translated.
    """

    kind: Literal["question_table"]
    table: TableFile
    key: Text | None = None
    match: Text | None = None
    question: Text
    answer: Text
    topic: Text | None = None
    only: dict[Text, list[str]] = {}
    fields: list[Text] = []
    language: Literal["en", "zh"]

    @model_validator(mode="after")
    def _joined_in_one_way(self) -> "QuestionTable":
        if bool(self.key) != bool(self.match):
            raise ValueError("key and match belong together")
        if self.fields and not self.key:
            raise ValueError("fields are of one table for all images")
        return self


class Questions(AnnotationSpec):
    """Questions and answers in JSON files: lists of objects.

    Attributes:
        files: Pattern; a placeholder in it (for example the split) becomes a field.
        image: Template over the object's values, equal to `match` over the image's fields.
        question, answer: Names of the object's values.
        topic: Name of the value that says what is asked for, or None.
        modality: Name of the value that says the modality, and what its codes mean.
        anatomy: The same for the body part.
        language: Of questions and answers; they are never translated.
        only: By name of a value: an object counts where it is one of these.
    """

    kind: Literal["questions"]
    files: PathPattern
    image: Text
    match: Text
    question: Text
    answer: Text
    topic: Text | None
    modality_key: Text | None = None
    modalities: dict[str, str] = {}
    anatomy_key: Text | None = None
    anatomies: dict[str, str] = {}
    language: Literal["en", "zh"] = "en"
    only: dict[Text, list[str]] = {}

    @model_validator(mode="after")
    def _codes_named(self) -> "Questions":
        if bool(self.modality_key) != bool(self.modalities):
            raise ValueError("modality_key and modalities belong together")
        if bool(self.anatomy_key) != bool(self.anatomies):
            raise ValueError("anatomy_key and anatomies belong together")
        return self
