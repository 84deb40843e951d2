"""DICOM objects that mark regions of a series: segmentations and structure sets."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from converters.specs.base import AnnotationSpec, PathPattern, TermName


def _check_expression(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"{value!r} is no regular expression: {error}") from error
    return value


NamePattern = Annotated[str, Field(min_length=1), AfterValidator(_check_expression)]
Concept = Annotated[str, Field(pattern=r"^[^:+\s]+:[^:+\s]+(\+[^:+\s]+:[^:+\s]+)*$")]
Fraction = Annotated[float, Field(ge=0, lt=1)]


class NamedRegions(AnnotationSpec):
    """Files of regions that carry names, joined with the images by UID.

    Attributes:
        files: Pattern of the files; files of another kind that it matches are passed over.
        match: By what a file belongs to an image: it refers to the image's series; it shares
            its frame of reference; or they share placeholders of their patterns (for images
            that are not DICOM, whose header names no series).
        labels: By pattern of the name: a regular expression that a whole name must match, with
            upper and lower case alike and without spaces around it.
        ignore: Patterns of names that nothing is said of.
        if_unmapped: What a name means that no pattern matches: the build stops and lists them;
            the image is rejected; or the region is passed over.
        several: What becomes of an image for which two files mark the same term: it is
            rejected, or their regions are put together.
    """

    files: PathPattern
    match: Literal["series", "frame_of_reference", "name"] = "series"
    labels: dict[NamePattern, TermName] = {}
    ignore: list[NamePattern] = []
    if_unmapped: Literal["stop", "reject", "pass"] = "stop"
    several: Literal["reject", "merge"] = "reject"

    @model_validator(mode="after")
    def _no_name_is_lost(self) -> "NamedRegions":
        if self.if_unmapped == "pass" and self.completeness != "partial":
            raise ValueError(
                "if_unmapped: pass needs completeness: partial; "
                "a region that is passed over may be what would be called absent"
            )
        return self


class DicomSeg(NamedRegions):
    """DICOM segmentation objects: binary, fractional or label map.

    A segment is told by its label (`labels`: a regular expression that the whole label must match,
    upper or lower case alike), its coded property type, or both, which must then agree. A term
    whose segment is not in the file is absent only where the labels are complete.

    Of the files that `files` matches, those of another kind are passed over. They belong to the
    image whose series they name (`match: series`), whose frame of reference they share, or whose
    placeholders they share (`name`). A name that matches no expression stops the build,
    rejects the image, or is passed over, as `if_unmapped` says. Two files of an image that mark
    the same term reject it, or are put together, as `several` says.

    Attributes:
        concepts: By code of the segment's property type, as "SCT:10200004", or with codes of
            its modifiers, as "SCT:64033007+SCT:7771000" (kidney, left). Codes of SRT are
            taken for those of SCT that mean the same.
        ignore_concepts: Property types that nothing is said of.
        only: The term of the one segment that each file holds, where the source says so; its name
            then says nothing, and a file with several is refused.
        threshold: A voxel of a fractional segment belongs above this part of the largest
            value. Without it, fractions between none and all are rejected.
        if_grid_differs: What becomes of frames that do not lie on the image's voxels.
    """

    kind: Literal["dicom_seg"]
    concepts: dict[Concept, TermName] = {}
    ignore_concepts: list[Concept] = []
    only: TermName | None = None
    threshold: Fraction | None = None
    if_grid_differs: Literal["reject", "resample"] = "reject"

    @model_validator(mode="after")
    def _something_is_mapped(self) -> "DicomSeg":
        named = bool(self.labels or self.concepts or self.ignore or self.ignore_concepts)
        if named == (self.only is not None):
            raise ValueError("either labels or concepts name the segments, or only does")
        return self


class Rtstruct(NamedRegions):
    """DICOM structure sets (RTSTRUCT): closed contours on the slices of the image.

    A region is told by its name (`labels`: a regular expression that the whole name must match,
    upper or lower case alike). Voxels belong where their centres lie inside; a contour in
    another one is a hole.

    Of the files that `files` matches, those of another kind are passed over. They belong to the
    image whose series they name (`match: series`), whose frame of reference they share, or whose
    placeholders they share (`name`). A name that matches no expression stops the build,
    rejects the image, or is passed over, as `if_unmapped` says. Two files of an image that mark
    the same term reject it, or are put together, as `several` says.

    Names that say nothing ("ROI-1", "1", none at all) are never mapped; they reject the image,
    or are passed over where `if_unmapped` is `pass`. A term whose region is not in the file
    is absent only where the labels are complete.
    """

    kind: Literal["rtstruct"]

    @model_validator(mode="after")
    def _something_is_mapped(self) -> "Rtstruct":
        if not self.labels:
            raise ValueError("labels must name a region")
        return self
