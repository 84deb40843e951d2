"""Annotation blocks that mark places: run-length codes, points, diameters, places in the body."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from converters.specs.base import AnnotationSpec, PathPattern, TableFile, TermName, Text


class Rle(AnnotationSpec):
    """A table with run-length codes: pairs of start and length, one mask a row.

    `starts` says what a start is: a pixel counted from 1 or from 0, or the distance from the
    end of the run before it. `order` says how pixels are counted: along rows, or down
    columns. A cell of `no_mask` says that the label is not there. `objects` says what a row
    is: a part of one region a label, or (`rows`) one object that can be counted, or
    (`components`) objects as connected parts. `frame` is the size (width, height) of the
    masks; a picture of another size is rejected.
    """

    kind: Literal["rle"]
    table: TableFile
    key: Text
    match: Text
    column: Text
    starts: Literal["from_0", "from_1", "relative"]
    order: Literal["rows", "columns"]
    no_mask: list[str]
    label_column: Text | None = None
    labels: Annotated[dict[str, TermName], Field(min_length=1)]
    ignore: list[str] = []
    objects: Literal["region", "components", "rows"] = "region"
    min_area_px: Annotated[int, Field(ge=1)] = 1
    frame: Annotated[list[int], Field(min_length=2, max_length=2)] | None = None

    @model_validator(mode="after")
    def _one_label_or_a_column(self) -> "Rle":
        if self.label_column is None and len(self.labels) != 1:
            raise ValueError("a table without a label column needs one label")
        return self


class Points(AnnotationSpec):
    """Places as points: landmarks, centres of cells. A point has no box.

    Either `table` with `key` and `match` holds the points of all images, or `files` is a
    pattern of one table an image (text with `delimiter`, and `header` where it has none of its
    own), which may be empty. A row whose coordinates are both in `not_there` says nothing.
    `first_pixel` is what the centre of the first pixel is counted as. Only where the source
    itself states the size of what a point marks, `diameter_px` makes it a box around the point.
    """

    kind: Literal["points"]
    table: TableFile | None = None
    key: Text | None = None
    match: Text | None = None
    files: PathPattern | None = None
    header: list[Text] | None = None
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    x: Text
    y: Text
    first_pixel: Literal[0, 1]
    not_there: list[str] = [""]
    label_column: Text | None = None
    labels: Annotated[dict[str, TermName], Field(min_length=1)]
    ignore: list[str] = []
    diameter_px: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _one_source(self) -> "Points":
        if (self.table is None) == (self.files is None):
            raise ValueError("points stand in one table, or in files, one an image")
        if self.table and not (self.key and self.match):
            raise ValueError("a table of points needs key and match")
        if self.label_column is None and len(self.labels) != 1:
            raise ValueError("points without a label column need one label")
        return self


class WorldBoxes(AnnotationSpec):
    """A table of things in a volume by their centre in millimetres, one row a thing.

    Attributes:
        center: Columns of x, y and z; or one column that holds the three, blanks between them.
        frame: LPS, where x grows to the patient's left and y to the back, as in DICOM and ITK;
            RAS, as in NIfTI.
        size: One column with the diameter of a ball, or three with the sides of a box along
            x, y and z, in millimetres. None where the source states a place alone: it is found
            on the slice that it lies on, and has no box.
        label_column: Column of the code; None where there is one label.
    """

    kind: Literal["world_boxes"]
    table: TableFile
    key: Text
    match: Text
    center: Annotated[list[Text], Field(min_length=1, max_length=3)]
    frame: Literal["LPS", "RAS"]
    size: Annotated[list[Text], Field(max_length=3)]
    label_column: Text | None = None
    labels: Annotated[dict[str, TermName], Field(min_length=1)]
    ignore: list[str] = []

    @model_validator(mode="after")
    def _one_label_or_a_column(self) -> "WorldBoxes":
        if self.label_column is None and len(self.labels) != 1:
            raise ValueError("a table without a label column needs one label")
        if len(self.size) == 2:
            raise ValueError("size is one diameter or three sides")
        if len(self.center) == 2:
            raise ValueError("center is one column or three")
        return self


class Recist(AnnotationSpec):
    """A table with one row a lesion: its longest diameter, and the one across, as drawn lines.

    Attributes:
        ends: Eight columns with x and y of both ends of the longest diameter, then of the
            one across; or one column that holds the eight numbers, commas between them.
        origin: What the point (0, 0) is: the upper left `corner` of the first pixel, or its
            `center`.
        margin_px: What the source itself adds on each side of the lines to make its boxes.
        spacing: Column with row and column spacing in millimetres, commas between them
            (further numbers are passed over); None where it is not known.
        leave_out: By column: cells of rows that are not used.
        fields: Columns that become fields of the image, for the subject, the split, the window.
    """

    kind: Literal["recist"]
    table: TableFile
    key: Text
    match: Text
    ends: Annotated[list[Text], Field(min_length=1, max_length=8)]
    origin: Literal["corner", "center"]
    margin_px: Annotated[float, Field(ge=0)] = 0.0
    spacing: Text | None = None
    label_column: Text | None = None
    labels: Annotated[dict[str, TermName], Field(min_length=1)]
    ignore: list[str] = []
    leave_out: dict[Text, list[str]] = {}
    fields: list[Text] = []

    @model_validator(mode="after")
    def _fits_together(self) -> "Recist":
        if len(self.ends) not in (1, 8):
            raise ValueError("ends are one column or eight")
        if self.label_column is None and len(self.labels) != 1:
            raise ValueError("a table without a label column needs one label")
        return self


class LidcXml(AnnotationSpec):
    """Nodules of LIDC-IDRI: an XML file a series with the outlines of up to four readers.

    Files are joined with series by the UID in them; files of other kinds (of radiographs) are
    passed over. Outlines of several readers that share a voxel are of one nodule.

    Attributes:
        files: Pattern of the XML files.
        labels: The term of a nodule that is outlined, by the code "nodule".
        readers: So many readers must have outlined a nodule; others are left out.
        agreement: The share of all readers of the scan who must have a voxel inside.
    """

    kind: Literal["lidc_xml"]
    files: PathPattern
    labels: Annotated[dict[Literal["nodule"], TermName], Field(min_length=1)]
    readers: Annotated[int, Field(ge=1, le=4)]
    agreement: Annotated[float, Field(gt=0, le=1)]

    @model_validator(mode="after")
    def _is_partial(self) -> "LidcXml":
        if self.completeness != "partial":
            raise ValueError("what fewer readers marked is left out: completeness must be partial")
        return self


class YoloBoxes(AnnotationSpec):
    """A text file an image, one box a line: class, center x and y, width, height.

    Numbers are from 0 to 1 of the size of the picture; classes are numbers, as the source
    counts them.
    """

    kind: Literal["yolo_boxes"]
    files: PathPattern
    labels: Annotated[dict[str, TermName], Field(min_length=1)]
    ignore: list[str] = []
