"""Pictures of labels, one a slice of a series of DICOM files."""

from typing import Annotated, Literal

from pydantic import Field

from converters.specs.base import AnnotationSpec, PathPattern, TermName


class SliceMasks(AnnotationSpec):
    """Pictures of codes, one a slice of a series: where they lie goes by the order of names.

    The pictures, in the order of their names, belong to the files of the series in the order of
    theirs (numbers in names are compared as numbers), pixel for pixel as the files store them.
    A picture does not say which way up it is, so the image is asked: what is marked must be
    as alike in grey as an organ is, and clearly more so than where any mirrored placement would
    put it; else the series is rejected with the figures.

    Attributes:
        files: Pattern of the pictures.
        labels: By grey value.
        ignore: Grey values that nothing is said of; 0 is the background.
        snap: Grey values this near to a code are taken for it.
        margin: How many times as unlike in grey every mirrored placement must be.
    """

    kind: Literal["slice_masks"]
    files: PathPattern
    labels: Annotated[dict[int, TermName], Field(min_length=1)]
    ignore: list[int] = [0]
    snap: Annotated[int, Field(ge=0)] = 0
    margin: Annotated[float, Field(gt=1)] = 1.5
