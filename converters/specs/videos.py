"""Annotation of the frames of videos, and which frames become pictures."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from converters.specs.base import AnnotationSpec, Strict, TableFile, TermName, Text
from converters.specs.labels import LabelColumns


class Frames(Strict):
    """Which frames become pictures: of those that every block speaks of, at most `per_video`.

    Two of them lie at least `apart` frames apart; they are spread evenly over the video.
    """

    per_video: Annotated[int, Field(ge=1)] = 40
    apart: Annotated[int, Field(ge=1)] = 1


class _FrameAnnotation(AnnotationSpec):
    """What is said of frames, by their number.

    `frame` is the column with the number, which counts from `first` in the order of display.
    """

    frame: Text
    first: Literal[0, 1] = 0

    @model_validator(mode="after")
    def _a_frame_without_it_is_unknown(self) -> Self:
        if self.if_missing == "absent":
            raise ValueError("of a frame that a table does not name, nothing is known")
        return self


class FrameTable(_FrameAnnotation):
    """A table a video, one row a frame; its columns say labels of the whole frame.

    The path of `tables` shares placeholders with the video's.
    """

    kind: Literal["frame_table"]
    tables: TableFile
    columns: Annotated[list[LabelColumns], Field(min_length=1)]


class FrameChords(_FrameAnnotation):
    """One table for all videos; the rows of a frame are chords across one region.

    The first row is the long axis and is passed over; the region lies between the first ends of
    the others, in order, and their second ends, in reverse. Coordinates are of pixels:
    (0, 0) is the centre of the first one.

    Attributes:
        ends: Columns with x and y of the first end, then of the second.
        key: Template over the row's columns; equals `match` over the video's fields.
    """

    kind: Literal["frame_chords"]
    table: TableFile
    key: Text
    match: Text
    ends: Annotated[list[Text], Field(min_length=4, max_length=4)]
    label: TermName


VideoAnnotation = Annotated[FrameTable | FrameChords, Field(discriminator="kind")]
