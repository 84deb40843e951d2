"""Annotation blocks: what is said about the images, and how it is written down."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from converters.pattern import field_names
from converters.specs.base import AnnotationSpec, PathPattern, Strict, TableFile, TermName, Text
from converters.specs.dicom_objects import DicomSeg, Rtstruct
from converters.specs.instance_arrays import InstanceArrays
from converters.specs.operations import ActionFiles
from converters.specs.outlines import Polygons
from converters.specs.own_texts import OwnTexts, QuestionTable
from converters.specs.panels import Panels
from converters.specs.readers import BoxReaders, ReaderMaps, Readers
from converters.specs.region_table import RegionTable
from converters.specs.shapes import LidcXml, Points, Recist, Rle, WorldBoxes, YoloBoxes
from converters.specs.slice_masks import SliceMasks
from converters.specs.volume_files import OnImageGrid

HexColor = Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$")]


class FolderLabel(AnnotationSpec):
    """A part of the path is the label of the whole image.

    `field` is a placeholder of the image pattern. With `exclusive`, an image has just one
    of the labels and the others are absent.
    """

    kind: Literal["folder_label"]
    field: Text
    labels: dict[str, TermName]
    exclusive: bool


class SingleColumn(Strict):
    """One column holds one code, or several joined by `separator`."""

    style: Literal["column"]
    column: Text
    separator: str | None = None
    labels: dict[str, TermName]
    ignore: list[str] = []
    exclusive: bool


class OneHotColumns(Strict):
    """One column a label; the cell says whether it is there.

    Cells in `unknown` (for example an empty cell, or -1) say nothing of the label.
    """

    style: Literal["one_hot"]
    labels: dict[str, TermName]
    present: list[str] = ["1", "1.0"]
    absent: list[str] = ["0", "0.0"]
    unknown: list[str] = []
    exclusive: bool


class Measurement(Strict):
    """A column with a number that the source measured, said as an attribute of a label.

    `unit` is the unit in the file; it is written beside the number as it is.
    """

    style: Literal["measurement"]
    column: Text
    label: TermName
    quantity: Text
    unit: Literal["mm", "cm", "mm2", "ml", "HU", "years", "score"]


class ViewColumn(Strict):
    """A column with the view position; `names` says what its codes mean (PA, AP, ...)."""

    column: Text
    names: dict[str, Text]


LabelColumns = Annotated[SingleColumn | OneHotColumns | Measurement, Field(discriminator="style")]


class LabelRows(Strict):
    """The table has one row a label and an image; its labels become columns.

    `column` holds both, as `pattern` says with the placeholder `label` and others, which become
    columns too; `value` is the column with what is said of the label.
    """

    column: Text
    pattern: PathPattern
    value: Text

    @model_validator(mode="after")
    def _names_the_label(self) -> "LabelRows":
        if "label" not in field_names(self.pattern):
            raise ValueError("the pattern needs a placeholder {label}")
        return self


class LabelTable(AnnotationSpec):
    """A table with one row an image; its columns say labels of the whole image.

    `key` is a template over the row's columns, `match` one over the image's fields: the row
    and the image belong together where both give the same string. `spacing` names the
    columns of row and column spacing in millimetres, one name or two. A label of role
    `normal` excludes the other labels of its columns. With `readers`, an image has a row of
    each of several readers; with `rows`, a row of each label. `says` are fields of every image
    that the table names: `{part: test}` where each official part has a table of its own.
    """

    kind: Literal["label_table"]
    table: TableFile
    key: Text
    match: Text
    columns: Annotated[list[LabelColumns], Field(min_length=1)]
    spacing: Annotated[list[Text], Field(min_length=1, max_length=2)] | None = None
    view: ViewColumn | None = None
    readers: Readers | None = None
    rows: LabelRows | None = None
    says: dict[Text, Text] = {}

    @model_validator(mode="after")
    def _disputes_have_a_code(self) -> "LabelTable":
        if self.readers and not all(
            isinstance(columns, OneHotColumns) and columns.unknown for columns in self.columns
        ):
            raise ValueError("readers need one-hot columns with a code for what is unknown")
        if self.readers and (self.spacing or self.view):
            raise ValueError("readers and columns of spacing or view do not go together")
        return self


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


class Sidecar(AnnotationSpec):
    """A JSON file beside the images that gives their pixel size, as in BIDS microscopy.

    `files` are patterns with placeholders of the image pattern; the first that has a file
    for an image serves it. `size` is the key of [width, height] of a pixel, `unit` the key
    of "nm", "um" or "mm".
    """

    kind: Literal["sidecar"]
    files: Annotated[list[PathPattern], Field(min_length=1)]
    size: Text
    unit: Text


class Voc(AnnotationSpec):
    """Pascal VOC: one XML file an image.

    Boxes are counted from `first_pixel`; their upper bound is included where `inclusive`.
    """

    kind: Literal["voc"]
    files: PathPattern
    labels: dict[str, TermName]
    ignore: list[str] = []
    first_pixel: Literal[0, 1]
    inclusive: bool


class Coco(AnnotationSpec):
    """COCO: one JSON file for many images; boxes as x, y, width, height.

    `category` is the key of an annotation's category, and `categories` that of the list of
    categories, where a source has several of both.
    """

    kind: Literal["coco"]
    files: list[PathPattern]
    match: Text
    category: Text = "category_id"
    categories: Text = "categories"
    labels: dict[str, TermName]
    ignore: list[str] = []


class BoxTable(AnnotationSpec):
    """A table with one row a box.

    `box` names four columns; `notation` says what they hold. `frame` is the image size
    (width, height) that the boxes belong to; another size is rejected, or the boxes are
    scaled where `rescale` says so. A row whose box cells are all empty says: none. With
    `label_list`, the cell of the label is a list as Python writes it, "['Mass', 'Cyst']", and
    the box belongs to each of its labels. With `readers`, each of several readers has drawn
    the boxes of an image, and has a row even where there are none.
    """

    kind: Literal["box_table"]
    table: TableFile
    key: Text
    match: Text
    box: Annotated[list[Text], Field(min_length=4, max_length=4)]
    notation: Literal["xyxy", "xywh", "cxcywh", "relative_cxcywh", "relative_xyxy"]
    label_column: Text | None
    labels: dict[str, TermName]
    ignore: list[str] = []
    frame: Annotated[list[int], Field(min_length=2, max_length=2)] | None = None
    rescale: bool = False
    label_list: bool = False
    readers: BoxReaders | None = None

    @model_validator(mode="after")
    def _disputed_is_not_absent(self) -> "BoxTable":
        if self.readers and self.completeness != "partial":
            raise ValueError("boxes of readers who may differ are never complete: say partial")
        if self.label_list and not self.label_column:
            raise ValueError("label_list needs a label_column")
        return self


class Questions(AnnotationSpec):
    """Questions and answers in JSON files: lists of objects.

    Attributes:
        files: Pattern; a placeholder in it (for example the split) becomes a field.
        image: Template over the object's values, equal to `match` over the image's fields.
        question, answer: Names of the object's values.
        topic: Name of the value that says what is asked for, or None.
        modality: Name of the value that says the modality, and what its codes mean.
        anatomy: The same for the body part.
        language: Of questions and answers; they are never translated.
        only: By name of a value: an object counts where it is one of these.
    """

    kind: Literal["questions"]
    files: PathPattern
    image: Text
    match: Text
    question: Text
    answer: Text
    topic: Text | None
    modality_key: Text | None = None
    modalities: dict[str, str] = {}
    anatomy_key: Text | None = None
    anatomies: dict[str, str] = {}
    language: Literal["en", "zh"] = "en"
    only: dict[Text, list[str]] = {}

    @model_validator(mode="after")
    def _codes_named(self) -> "Questions":
        if bool(self.modality_key) != bool(self.modalities):
            raise ValueError("modality_key and modalities belong together")
        if bool(self.anatomy_key) != bool(self.anatomies):
            raise ValueError("anatomy_key and anatomies belong together")
        return self


class LabelMap(AnnotationSpec, OnImageGrid):
    """An integer-coded volume on the grid of the image volume.

    `names_file` is a text file of "code name ..." lines that must agree with `labels`, where
    the source ships one. A voxel has one code: where a tumor has one, its organ has a hole, and
    `within` says that the voxels of the code belong to the organ as well. Labels of
    `absence_unknown` may be there without a voxel.
    """

    kind: Literal["label_map"]
    files: PathPattern
    labels: dict[int, TermName]
    ignore: list[int]
    within: dict[int, TermName] = {}
    absence_unknown: list[TermName] = []
    names: dict[int, str] | None = None
    names_file: PathPattern | None = None

    @model_validator(mode="after")
    def _within_what_is_labeled(self) -> "LabelMap":
        if not self.within.keys() <= self.labels.keys():
            raise ValueError("within: a code is not among the labels")
        if not set(self.within.values()) <= set(self.labels.values()):
            raise ValueError("within: a term is not among the labels")
        return self


class StructureFiles(AnnotationSpec, OnImageGrid):
    """One binary volume a structure; placeholder `field` of the pattern says which.

    An empty mask says that the structure is not in the volume. Values are 0 and 1; with
    `threshold` they may be any, and a voxel above it belongs (a map of probabilities).
    Structures of `absence_unknown` may be there without a voxel.
    """

    kind: Literal["structure_files"]
    files: PathPattern
    field: Text
    labels: dict[str, TermName]
    ignore: list[str] = []
    absence_unknown: list[TermName] = []
    threshold: Annotated[float, Field(ge=0)] | None = None


PictureAnnotation = Annotated[
    FolderLabel
    | LabelTable
    | Masks
    | Sidecar
    | Voc
    | Coco
    | YoloBoxes
    | BoxTable
    | Questions
    | Rle
    | Polygons
    | Points
    | Recist
    | OwnTexts
    | QuestionTable
    | ActionFiles
    | RegionTable
    | InstanceArrays,
    Field(discriminator="kind"),
]
VolumeAnnotation = Annotated[
    LabelMap
    | ReaderMaps
    | StructureFiles
    | WorldBoxes
    | LidcXml
    | DicomSeg
    | Rtstruct
    | SliceMasks,
    Field(discriminator="kind"),
]
