"""Layouts: where the images of a source are, and how they are told apart."""

from typing import Annotated, Literal

from pydantic import Field

from converters.specs.annotations import PictureAnnotation, VolumeAnnotation
from converters.specs.base import PathPattern, Spacing, SplitRule, Strict, Text


class LayoutSpec(Strict):
    """What every layout states.

    Attributes:
        images: Pattern of the image files, with placeholders.
        subject: Template over the placeholders of `images` (and the columns of a label
            table), for example "{patient}". Where no person is named, what is surely one
            person at most: the path, as "{path}".
        split: The official split, or how one is made.
    """

    images: PathPattern
    subject: Text
    split: SplitRule


class Images(LayoutSpec):
    """2-D pictures: PNG, JPEG, BMP or TIFF files."""

    kind: Literal["images"]
    annotations: Annotated[list[PictureAnnotation], Field(min_length=1)]
    spacing: Spacing | None = None


class Window(Strict):
    """Hounsfield units to grey through one window (DICOM 0028,1050 and 0028,1051)."""

    map: Literal["window"]
    center_hu: float
    width_hu: Annotated[float, Field(gt=0)]


class Percentiles(Strict):
    """Grey from `low` to `high` percentile of the volume's values above its minimum."""

    map: Literal["percentiles"]
    low: Annotated[float, Field(ge=0, lt=50)] = 0.5
    high: Annotated[float, Field(gt=50, le=100)] = 99.5


class Slices(Strict):
    """Which slices become pictures.

    `per_finding` slices for every label (the largest area first, the others spread over its
    extent), at most `per_volume` in all.
    """

    planes: Annotated[list[Literal["axial", "coronal", "sagittal"]], Field(min_length=1)]
    per_finding: Annotated[int, Field(ge=1)] = 1
    per_volume: Annotated[int, Field(ge=1)] = 8


class VolumeLayout(LayoutSpec):
    """What every layout of 3-D volumes states: what is marked, and how slices are made."""

    annotations: Annotated[list[VolumeAnnotation], Field(min_length=1)]
    grey: Annotated[Window | Percentiles, Field(discriminator="map")]
    slices: Slices
    sequence: str = ""
    min_area_px: Annotated[int, Field(ge=1)] = 8


class Volumes(VolumeLayout):
    """3-D volumes: NIfTI, NRRD, MHA or MHD files.

    `dataset_json` is the Decathlon's index; its labels and lists must agree with the files.
    """

    kind: Literal["volumes"]
    dataset_json: PathPattern | None = None


Layout = Annotated[Images | Volumes, Field(discriminator="kind")]
