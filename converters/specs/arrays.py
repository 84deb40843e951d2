"""Arrays whose rows are pictures, and what is said of them row by row."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from converters.specs.base import AnnotationSpec, PathPattern, TableFile, TermName, Text

# By part of a source: the name of its array in the file; None where the file holds one.
Variables = Annotated[dict[Text, Text | None], Field(min_length=1)]


class _ArrayAnnotation(AnnotationSpec):
    """What an array says, in the same rows as the pictures.

    `variables` names it for each part, in the file of the pictures or in that of `files`, a
    pattern that shares its placeholders with the pictures'.
    """

    files: PathPattern | None = None
    variables: Variables

    @model_validator(mode="after")
    def _a_row_without_it_is_unknown(self) -> Self:
        if self.if_missing != "reject":
            raise ValueError("an array has all rows: if_missing can only be reject")
        return self


class ArrayLabels(_ArrayAnnotation):
    """Labels of whole pictures: a number a row, or a row of numbers.

    `codes`: the one number of a row is a code. `one_hot`: a row has a number a label, 1 where it
    is there and 0 where it is not; `labels` counts them from 0. With `exclusive`, a picture has
    just one of the labels and the others are absent.
    """

    kind: Literal["array_labels"]
    style: Literal["codes", "one_hot"]
    labels: Annotated[dict[int, TermName], Field(min_length=1)]
    ignore: list[int] = []
    exclusive: bool


class ArrayMasks(_ArrayAnnotation):
    """Masks of the size of the pictures: a pixel's number is a code.

    `channel` is the place of the codes along the last axis, where there are several, and
    `objects` that of the numbers of the objects: each of them is then one that can be counted,
    and all its pixels have one code. Without `objects`, the pixels of a code are one region.
    Objects without codes have the one label `every_object`. With `by_channel`, each channel holds
    the numbers of the objects of one label.
    """

    kind: Literal["array_masks"]
    labels: dict[int, TermName] = {}
    ignore: list[int] = []
    every_object: TermName | None = None
    by_channel: dict[int, TermName] = {}
    channel: Annotated[int, Field(ge=0)] | None = None
    objects: Annotated[int, Field(ge=0)] | None = None
    min_area_px: Annotated[int, Field(ge=1)] = 1

    @model_validator(mode="after")
    def _labels_are_said_once(self) -> Self:
        if [bool(self.labels), bool(self.every_object), bool(self.by_channel)].count(True) != 1:
            raise ValueError("array_masks has labels by code, by channel, or for every object")
        if self.by_channel and not (self.objects is None and self.channel is None):
            raise ValueError("by_channel names all channels that are read")
        if self.every_object and (self.objects is None or self.channel is not None):
            raise ValueError("every_object needs objects and no channel of codes")
        return self


class RowBoxes(AnnotationSpec):
    """One table for all files, one row a box on a picture.

    Attributes:
        key: Template over the row's columns; equals `match` over the file's fields.
        row: Column with the number of the picture in its file, counted from `first`.
        box: Four columns, as `notation` says, in pixels of the picture as it is shown.
        leave_out: By column: cells of rows that are not used.
    """

    kind: Literal["row_boxes"]
    table: TableFile
    key: Text
    match: Text
    row: Text
    first: Literal[0, 1] = 0
    box: Annotated[list[Text], Field(min_length=4, max_length=4)]
    notation: Literal["xyxy", "xywh"]
    label_column: Text
    labels: Annotated[dict[str, TermName], Field(min_length=1)]
    ignore: list[str] = []
    leave_out: dict[Text, list[str]] = {}


ArrayAnnotation = Annotated[ArrayLabels | ArrayMasks | RowBoxes, Field(discriminator="kind")]
