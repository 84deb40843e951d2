"""Annotation blocks: what is said about the images, and how it is written down."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from converters.specs.base import AnnotationSpec, PathPattern, TableFile, TermName, Text
from converters.specs.dicom_objects import DicomSeg, Rtstruct
from converters.specs.instance_arrays import InstanceArrays
from converters.specs.labels import FolderLabel, LabelTable
from converters.specs.masks import Masks
from converters.specs.operations import ActionFiles
from converters.specs.outlines import Polygons
from converters.specs.own_texts import OwnTexts, Questions, QuestionTable
from converters.specs.readers import BoxReaders, ReaderMaps
from converters.specs.region_table import RegionTable
from converters.specs.shapes import LidcXml, Points, Recist, Rle, WorldBoxes, YoloBoxes
from converters.specs.slice_masks import SliceMasks
from converters.specs.volume_files import OnImageGrid


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
    """A table with one row a box: one table for all images, or a table an image.

    With `key`, a template over the row's columns, and `match`, one over the image's fields, one
    table holds the boxes of all images; without them, the path of the table shares placeholders
    with the image's. `box` names four columns; `notation` says what they hold. `frame` is the
    image size (width, height) that the boxes belong to; another size is rejected, or the boxes
    are scaled where `rescale` says so. A row whose box cells are all empty says: none. With
    `label_list`, the cell of the label is a list as Python writes it, "['Mass', 'Cyst']", and
    the box belongs to each of its labels. With `readers`, each of several readers has drawn
    the boxes of an image, and has a row even where there are none.
    """

    kind: Literal["box_table"]
    table: TableFile
    key: Text | None = None
    match: Text | None = None
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
        if bool(self.key) != bool(self.match):
            raise ValueError("key and match belong together")
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
