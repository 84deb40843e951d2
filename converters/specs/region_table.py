"""Tables whose rows name a picture, and where the mask of a region on it is."""

from typing import Annotated, Literal

from pydantic import Field

from converters.specs.base import AnnotationSpec, PathPattern, TableFile, TermName, Text


class RegionTable(AnnotationSpec):
    """Tables with one row a region: cells with the paths of its picture and of its mask.

    Where crops of the region lie beside its mask, and the columns of both are mixed up, the pixels
    decide: the mask is the one file of two values at most and of the size of the picture. A region
    with no such file, or with several, rejects its picture with the figures of each file.

    Attributes:
        tables: All of the same columns that are named here; further ones may differ.
        image_column: Column with the path of the picture.
        region_columns: Columns with paths of the mask and of what lies beside it.
        cell: Pattern of such a path, its placeholders as in `match` and `files`; what is not
            captured (UIDs, names of files) may differ from the files.
        image: Template over the placeholders of the picture's cell.
        match: Template over the image's fields that equals it.
        files: Pattern of the files of regions, joined by the placeholders shared with `cell`.
        label: Template over the columns for the code of a region.
        labels: By code.
        view_column: Column with the view position, as it is said of the picture.
        side_column: Column with the side of the patient.
        sides: What its cells mean.
    """

    kind: Literal["region_table"]
    tables: Annotated[list[TableFile], Field(min_length=1)]
    image_column: Text
    region_columns: Annotated[list[Text], Field(min_length=1)]
    cell: PathPattern
    image: Text
    match: Text
    files: PathPattern
    label: Text
    labels: Annotated[dict[str, TermName], Field(min_length=1)]
    view_column: Text | None = None
    side_column: Text | None = None
    sides: dict[Text, Literal["left", "right"]] = {}
