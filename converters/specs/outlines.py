"""Annotation blocks of outlines: the programs that write them, and how they become regions."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from converters.specs.base import AnnotationSpec, PathPattern, Strict, TermName, Text


class LabelmeFile(Strict):
    """LabelMe: one JSON file an image; every shape has a label.

    `shapes` are the types that are read, `passed_over` those that repeat them or mean
    something else; any other type rejects the image. With `grouped`, shapes of one label and
    one `group_id` are one object.
    """

    format: Literal["labelme"]
    shapes: Annotated[list[Literal["polygon", "rectangle"]], Field(min_length=1)] = ["polygon"]
    passed_over: list[Text] = []
    grouped: bool = False


class ViaFile(Strict):
    """VGG Image Annotator: one JSON file for many images; polygons alone are read.

    `attribute` is the region attribute that holds the label; None where there is one label.
    """

    format: Literal["via"]
    match: Text
    attribute: Text | None = None


class ListsFile(Strict):
    """A JSON list with one object an image that holds names and outlines in parallel lists.

    `image`, `names` and `outlines` are keys of the object; an outline is a list of [x, y].
    """

    format: Literal["lists"]
    match: Text
    image: Text
    names: Text
    outlines: Text


class CocoFile(Strict):
    """COCO: one JSON file for many images; the outlines of `segmentation` are read.

    An object of several outlines is one. Run-length codes, which stand for crowds, reject the
    image.
    """

    format: Literal["coco"]
    match: Text


class RecordsFile(Strict):
    """A JSON list with one object an outline, and another JSON list that names the labels.

    Attributes:
        match: Template over the image's fields, equal to the value of `image`.
        image: Key of the image's name.
        codes: Key of a list of label ids; the outline is of each of them.
        points: Key of a list of points, objects with x and y.
        names_file: The file of names: a list of objects with `id` and `name`. Placeholders that
            it shares with `files` must agree.
    """

    format: Literal["records"]
    match: Text
    image: Text
    codes: Text
    points: Text
    names_file: PathPattern


class ContourFiles(Strict):
    """One outline a file: lines of "x y", a JSON list of [x, y], or an array of both (`.npy`).

    `field` is the placeholder of `files` that holds the label; None where there is one label.
    A label without a file is unknown, or absent where `if_missing` is absent.
    """

    format: Literal["contours"]
    field: Text | None = None


class YoloFile(Strict):
    """A text file an image, one object a line: class x y x y ..., from 0 to 1 of the size."""

    format: Literal["yolo"]


class OsirixFile(Strict):
    """A property list of OsiriX, one an image; regions of one or two points are passed over."""

    format: Literal["osirix"]


class GeojsonFile(Strict):
    """GeoJSON as QuPath writes it, one file an image; a feature is named by its classification."""

    format: Literal["geojson"]


class AperioFile(Strict):
    """XML of Aperio ImageScope, one file an image.

    With `named`, the first attribute of an annotation names its regions; else there is one
    label. Regions of one or two points are passed over.
    """

    format: Literal["aperio"]
    named: bool


SharedFile = ViaFile | ListsFile | CocoFile | RecordsFile
OutlineFormat = Annotated[
    LabelmeFile
    | ViaFile
    | ListsFile
    | CocoFile
    | RecordsFile
    | ContourFiles
    | YoloFile
    | OsirixFile
    | GeojsonFile
    | AperioFile,
    Field(discriminator="format"),
]


class Consensus(Strict):
    """Several readers drew the same things: a pixel counts where enough of them agree.

    `field` is the placeholder of `files` that tells the readers apart. A label that fewer than
    `at_least` of them have drawn rejects the image.
    """

    field: Text
    at_least: Annotated[int, Field(ge=1)]


class Polygons(AnnotationSpec):
    """Outlines as lists of points; a pixel belongs where its centre lies inside.

    Attributes:
        files: Pattern of the files, with placeholders of the image pattern where each image
            has its own.
        written: How the outlines are written.
        origin: What the point (0, 0) is: the upper left `corner` of the first pixel, or its
            `center`.
        outside: Outlines that reach out of the picture by more than a pixel are cut at its rim,
            or reject the image.
        objects: Each outline is one object that can be counted, or all of a label are one
            region.
        tiny: Outlines that cover the centre of no pixel reject the image, or are left out.
        consensus: How the outlines of several readers become one region.
        fields: Placeholders of `files` that equal a template over the image's fields.
    """

    kind: Literal["polygons"]
    files: PathPattern
    written: OutlineFormat
    labels: Annotated[dict[str, TermName], Field(min_length=1)]
    ignore: list[str] = []
    origin: Literal["corner", "center"]
    outside: Literal["clip", "reject"]
    objects: Literal["outlines", "region"]
    tiny: Literal["reject", "leave_out"] = "reject"
    consensus: Consensus | None = None
    fields: dict[Text, Text] | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> "Polygons":
        named = getattr(self.written, "field", "") or getattr(self.written, "attribute", "")
        may_be_one = isinstance(self.written, ContourFiles | ViaFile)
        is_one = isinstance(self.written, AperioFile) and not self.written.named
        if (is_one or (may_be_one and not named)) and len(self.labels) != 1:
            raise ValueError("outlines without names need one label")
        if self.tiny == "leave_out" and self.completeness == "complete":
            raise ValueError("tiny: leave_out leaves objects out: labels are not complete")
        if self.consensus and self.objects != "region":
            raise ValueError("a consensus is a region: which outlines belong together is not known")
        return self
