"""Annotation of whole-slide images, and which regions of them become pictures."""

from typing import Annotated, Literal

from pydantic import Field

from converters.specs.base import AnnotationSpec, PathPattern, Strict, TermName, Text

Microns = Annotated[float, Field(gt=0, le=100)]


class Regions(Strict):
    """Square regions of a fixed grid, so many pixels wide at so many micrometres a pixel.

    `per_slide` of them at most: where something is marked, those with most of it first; where a
    slide is known to be free of every label, those with most tissue. A region is taken only
    where at least `tissue` of it is not blank glass.
    """

    microns_per_pixel: Microns
    side_px: Annotated[int, Field(ge=64, le=2048)] = 1024
    per_slide: Annotated[int, Field(ge=1)] = 8
    tissue: Annotated[float, Field(ge=0, le=1)] = 0.25


class Free(Strict):
    """Slides that are known to hold none of the labels: those whose `field` has such a value."""

    field: Text
    values: Annotated[list[Text], Field(min_length=1)]


class AsapXml(AnnotationSpec):
    """Outlines of the ASAP viewer: one XML file a slide, in pixels of its full resolution.

    Attributes:
        files: Pattern that shares placeholders with the slides.
        labels: What the outlines of each group (PartOfGroup) are.
        holes: Groups whose outlines are cut out of the others.
        ignore: Groups that are passed over.
        free: Slides that have no file because there is nothing to mark.
        min_area_px: Of a marked region in the picture; below it, the region is not taken.
    """

    kind: Literal["asap_xml"]
    files: PathPattern
    labels: dict[Text, TermName]
    holes: list[Text] = []
    ignore: list[Text] = []
    free: Free | None = None
    min_area_px: Annotated[int, Field(ge=1)] = 256


SlideAnnotation = Annotated[AsapXml, Field()]
