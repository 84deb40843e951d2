"""Objects of a picture in an array of numbers, with their kinds beside it."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from converters.specs.base import AnnotationSpec, PathPattern, TermName, Text


class InstanceArrays(AnnotationSpec):
    """A file an image with an array of the picture's size: each pixel has its object's number.

    Files are `.mat`, `.npy`, `.npz`, `.h5` or `.hdf5`; `objects` names the array (none in `.npy`).
    The kind of an object is a code in another array of that size (`pixel_codes`), all its pixels
    having one; or in a list (`object_codes`), whose places are those of the numbers in another
    list (`object_ids`). With neither there is one label.

    Attributes:
        labels: By code; of one label, whatever its code.
        ignore: Codes that are passed over.
    """

    kind: Literal["instance_arrays"]
    files: PathPattern
    objects: Text | None
    pixel_codes: Text | None = None
    object_codes: Text | None = None
    object_ids: Text | None = None
    labels: Annotated[dict[int, TermName], Field(min_length=1)]
    ignore: list[int] = []
    min_area_px: Annotated[int, Field(ge=1)] = 1

    @model_validator(mode="after")
    def _codes_are_said_once(self) -> Self:
        if bool(self.object_codes) != bool(self.object_ids) or (
            self.object_codes and self.pixel_codes
        ):
            raise ValueError("codes stand by pixel, or in a list with the numbers in another")
        if not (self.object_codes or self.pixel_codes) and len(self.labels) != 1:
            raise ValueError("objects without codes have one label")
        return self
