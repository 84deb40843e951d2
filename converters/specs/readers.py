"""Several readers looked at the same image: a table has a row of each, or each has files."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from converters.pattern import field_names
from converters.specs.base import AnnotationSpec, PathPattern, Strict, TermName, Text
from converters.specs.volume_files import OnImageGrid


class Readers(Strict):
    """What all readers of an image agree on is taken; where they differ, nothing is known.

    `column` holds the reader's name. An image that fewer than `count` have read is rejected.
    """

    column: Text
    count: Annotated[int, Field(ge=2)]


class BoxReaders(Readers):
    """Boxes of a label are one where every reader drew one, and any two overlap enough.

    `overlap` is the least share of the area of two boxes together that both cover. Of a label
    that some readers did not box, or boxed several times or elsewhere, no box is taken.
    """

    overlap: Annotated[float, Field(gt=0, lt=1)]


class ReaderMaps(AnnotationSpec, OnImageGrid):
    """Integer-coded volumes of several readers: a voxel has a label where enough of them agree.

    `reader` is the placeholder of `files` that tells the readers apart. An image that has not
    `readers` of them is rejected. Where readers differ nothing is known, so that a label is never
    said to be absent. `at_least` is more than half of them: a voxel then has one label.
    """

    kind: Literal["reader_maps"]
    files: PathPattern
    labels: dict[int, TermName]
    ignore: list[int]
    reader: Text
    readers: Annotated[int, Field(ge=2, le=100)]
    at_least: Annotated[int, Field(ge=2)]

    @model_validator(mode="after")
    def _readers_agree(self) -> "ReaderMaps":
        if self.reader not in field_names(self.files):
            raise ValueError(f"reader {self.reader!r} is no placeholder of {self.files!r}")
        if not self.readers < 2 * self.at_least <= 2 * self.readers:
            raise ValueError(
                "at_least must be more than half of the readers, and not more than all"
            )
        if self.completeness != "partial":
            raise ValueError("what readers who may differ drew is never complete: say partial")
        return self
