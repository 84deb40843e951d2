"""Mask pictures beside the images, and what their pixels mean."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from converters.specs.base import AnnotationSpec, PathPattern, Strict, TermName, Text
from converters.specs.panels import Panels

HexColor = Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$")]


class Binary(Strict):
    """Any value above `threshold` is the one label. JPEG masks need a threshold near 127.

    With `outline`, the mask is the border of the region and is filled; a mask that is filled
    already is taken as it is, and a line that does not close is rejected.
    """

    encoding: Literal["binary"]
    label: TermName
    threshold: Annotated[int, Field(ge=0, le=65534)] = 0
    outline: bool = False


class IndexCodes(Strict):
    """A pixel's grey value is a code. `snap` moves stray values to the nearest code within it."""

    encoding: Literal["index"]
    labels: dict[int, TermName]
    ignore: list[int]
    snap: Annotated[int, Field(ge=0)] = 0


class ColorCodes(Strict):
    """A pixel's colour, as "#rrggbb", is a code. `snap` is the largest distance per channel."""

    encoding: Literal["color"]
    labels: dict[HexColor, TermName]
    ignore: list[HexColor]
    snap: Annotated[int, Field(ge=0)] = 0


class FilePerClass(Strict):
    """Each class has a binary mask file (or several); `field` of the mask pattern says which.

    A class without a file is unknown, or absent where `if_missing` is absent.
    """

    encoding: Literal["file_per_class"]
    field: Text
    labels: dict[str, TermName]
    ignore: list[str] = []
    threshold: Annotated[int, Field(ge=0, le=65534)] = 0


class FilePerInstance(Strict):
    """Each object has a binary mask file of its own."""

    encoding: Literal["file_per_instance"]
    label: TermName
    threshold: Annotated[int, Field(ge=0, le=65534)] = 0


class InstanceCodes(Strict):
    """A pixel's value is the number of its object; 0 is background."""

    encoding: Literal["instances"]
    label: TermName


MaskCodes = Annotated[
    Binary | IndexCodes | ColorCodes | FilePerClass | FilePerInstance | InstanceCodes,
    Field(discriminator="encoding"),
]


class Masks(AnnotationSpec):
    """Mask pictures beside the images.

    `files` is a pattern with placeholders of the image pattern. `objects` says what a
    region is: `region` (one finding a label, whatever its parts: where it may hold many
    objects, the term is their plural, "axons") or `components` (each connected component of at
    least `min_area_px` pixels is one object that can be counted). With `takes_label`, what is
    marked is what a block before it names more exactly for the whole image, and takes that
    label: a lesion on an image of a benign lesion is the benign lesion. With `panel`, the mask is
    that part of the image file itself, and `files` is the pattern of the images.
    """

    kind: Literal["masks"]
    files: PathPattern
    codes: MaskCodes
    objects: Literal["region", "components"] = "region"
    min_area_px: Annotated[int, Field(ge=1)] = 1
    fields: dict[Text, Text] | None = None  # joins: placeholder of `files` -> template over image
    takes_label: bool = False
    panel: Panels | None = None

    @model_validator(mode="after")
    def _jpeg_has_noise(self) -> "Masks":
        exact = not (getattr(self.codes, "threshold", 0) or getattr(self.codes, "snap", 0))
        if exact and self.files.lower().endswith((".jpg", ".jpeg")):
            raise ValueError("JPEG masks are never exact: state a threshold or a snap")
        return self
