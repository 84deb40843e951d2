"""Layouts: where the images of a source are, and how they are told apart."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from converters.specs.annotations import PictureAnnotation, VolumeAnnotation
from converters.specs.arrays import ArrayAnnotation, Variables
from converters.specs.base import (
    ModalityCode,
    PathPattern,
    Regex,
    Spacing,
    SplitRule,
    Strict,
    TableFile,
    Text,
)
from converters.specs.grey import Grey, StoredHounsfield, WindowName
from converters.specs.panels import Panels
from converters.specs.slides import Microns, Regions, SlideAnnotation
from converters.specs.videos import Frames, VideoAnnotation
from converters.specs.volume_files import OnImageGrid, VolumeFiles

PartName = Literal[
    "b_value", "echo_time", "temporal_position", "image_type", "inversion_time", "trigger_time",
    "echo_number", "gradient", "acquisition", "acquisition_time", "size", "stack",
]  # fmt: skip


class LayoutSpec(Strict):
    """What every layout states.

    Attributes:
        images: Pattern of the image files, with placeholders.
        subject: Template over the placeholders of `images` (and the columns of a label
            table), for example "{patient}". Where no person is named, what is surely one
            person at most: the path, as "{path}".
        split: The official split, or how one is made.
        known_bad: Images that are known to be wrong, or to have a wrong annotation, each pattern
            with what is wrong; they are rejected.
    """

    images: PathPattern
    subject: Text
    split: SplitRule
    known_bad: dict[PathPattern, Text] = {}


class Images(LayoutSpec):
    """2-D pictures: PNG, JPEG, BMP, TIFF, MHA or DICOM files of one image.

    `window` is a CT window by its name in `[window]` of vocabulary.toml, for DICOM files; without
    it they are shown as they ask for themselves. `hounsfield` is for pictures of 16 bits that
    hold Hounsfield units. Pictures of both kinds whose long side has more than `max_side_px`
    are made smaller; the others keep their bytes. `tags` are fields of an image from the header
    of its DICOM file, by their keyword, as in `patient: PatientID`; every header is then read
    when the cases are listed. `panels` says which part of a file is the image, where a file holds
    several pictures side by side.
    """

    kind: Literal["images"]
    annotations: Annotated[list[PictureAnnotation], Field(min_length=1)]
    spacing: Spacing | None = None
    window: WindowName | None = None
    hounsfield: StoredHounsfield | None = None
    max_side_px: Annotated[int, Field(ge=64)] = 1024
    tags: dict[Text, Annotated[str, Field(pattern=r"^[A-Z][A-Za-z0-9]+$")]] = {}
    panels: Panels | None = None


class Slices(Strict):
    """Which slices become pictures.

    `per_finding` slices for every label (the largest area first, the others spread over its
    extent), at most `per_volume` in all. A slice that looks like one that is taken already, and
    shows nothing else, is not taken. `normal_slices` without any finding are added, in all
    planes together, where every block is complete: a slice may be called free of what is not
    marked on it only then.
    """

    planes: Annotated[list[Literal["axial", "coronal", "sagittal"]], Field(min_length=1)]
    per_finding: Annotated[int, Field(ge=1)] = 1
    per_volume: Annotated[int, Field(ge=1)] = 8
    normal_slices: Annotated[int, Field(ge=0)] = 0


class VoxelSizes(Strict):
    """The smallest and the largest spacing that the volumes of a source have along any axis."""

    low: Annotated[float, Field(gt=0)]
    high: Annotated[float, Field(gt=0)]


class VolumeLayout(LayoutSpec):
    """What every layout of 3-D volumes states: what is marked, and how slices are made.

    `hu: check` holds every CT against what Hounsfield units look like. A spacing outside
    `voxel_mm` is refused; without it, one that no clinical scanner of the modality makes.
    `views` says what a plane is called where its slices are none of the body: "short-axis". Such a
    name is never "oblique": there is no plane of the body that slices could lie off. It is for axes
    that the manifest itself gives (`axes_taken_as`, `stored`). Where headers say how slices lie in
    the body, they name the plane, and slices far off every plane are rejected.
    """

    annotations: Annotated[list[VolumeAnnotation], Field(min_length=1)]
    grey: Grey
    hu: Literal["check", "unchecked"] = "unchecked"
    voxel_mm: VoxelSizes | None = None
    slices: Slices
    sequence: str = ""
    views: dict[Literal["axial", "coronal", "sagittal"], Text] = {}
    min_area_px: Annotated[int, Field(ge=1)] = 8

    @model_validator(mode="after")
    def _own_views_are_of_own_axes(self) -> Self:
        has_own_axes = getattr(self, "axes_taken_as", None) or getattr(self, "stored", None)
        if self.views and not has_own_axes:
            raise ValueError(
                "views are for axes that the manifest gives (axes_taken_as or stored): the "
                "planes of files with directions have names already"
            )
        if unused := sorted(set(self.views) - set(self.slices.planes)):
            raise ValueError(f"views name {', '.join(unused)}, which slices.planes does not")
        return self

    @model_validator(mode="after")
    def _normal_is_certain(self) -> Self:
        open_blocks = [one.kind for one in self.annotations if one.completeness != "complete"]
        if self.slices.normal_slices and open_blocks:
            raise ValueError(
                f"normal_slices need complete labels, and {', '.join(open_blocks)} is not complete"
            )
        return self


class Frames4D(Strict):
    """Which volumes of files of four dimensions are annotated: a row an image, a column a frame.

    `key` is a template over the row's columns, `match` one over the image's fields. `columns`
    names the frames and the columns that hold their indices, from 0. An image block and
    the blocks that are drawn on the frames state `volume: frame`.
    """

    table: TableFile
    key: Text
    match: Text
    columns: Annotated[dict[Text, Text], Field(min_length=1)]


class Volumes(VolumeLayout, VolumeFiles):
    """3-D volumes: NIfTI, NRRD, MHA or MHD files, or arrays whose place the manifest gives.

    `dataset_json` is the Decathlon's index; its labels and lists must agree with the files.
    `sequences` are the volumes of a case that get pictures of their own: the name of each volume
    in files of four dimensions, in order; or, by name, the pattern of its files, joined by
    the placeholders they share, and one of them `images`. They lie on one grid and share
    their findings.
    """

    kind: Literal["volumes"]
    dataset_json: PathPattern | None = None
    sequences: list[Text] | dict[Text, PathPattern] | None = None
    frames: Frames4D | None = None

    @model_validator(mode="after")
    def _frames_are_known(self) -> Self:
        blocks = [one for one in self.annotations if isinstance(one, OnImageGrid)]
        is_asked = any(one.volume == "frame" for one in [self, *blocks])
        if is_asked != bool(self.frames) or (self.frames and self.volume != "frame"):
            raise ValueError("frames of a table and volume: frame belong together")
        if self.frames and self.sequences:
            raise ValueError("frames are of one sequence")
        return self

    @model_validator(mode="after")
    def _sequences_are_told_apart(self) -> Self:
        if self.sequences is None:
            return self
        if len(set(self.sequences)) < 2 or len(set(self.sequences)) < len(self.sequences):
            raise ValueError("sequences need two names or more, each once")
        if self.sequence or (self.volume is not None and isinstance(self.sequences, list)):
            raise ValueError("sequences say what `sequence` and `volume` would")
        if isinstance(self.sequences, dict) and self.images not in self.sequences.values():
            raise ValueError(f"`images` {self.images!r} must be the pattern of one sequence")
        return self

    @model_validator(mode="after")
    def _axes_are_taken_alike(self) -> Self:
        taken = {one.axes_taken_as for one in self.annotations if isinstance(one, OnImageGrid)}
        if taken - {self.axes_taken_as}:
            raise ValueError("axes_taken_as must be the same for images and annotations")
        return self


def _in_words(value: object) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name} {part}" for name, part in value.items())
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


class SeriesChoice(Strict):
    """Which DICOM series is meant; what is not stated is not asked for.

    Attributes:
        sequence: MR sequence or contrast, as it is said of the pictures; "" where there is none.
        modality: Modality (0008,0060); the manifest's where it is not stated.
        description: Regular expression that the whole Series Description (0008,103E) must
            match, upper or lower case alike.
        plane: The plane that the slices are nearest to.
        image_type: Values that Image Type (0008,0008) must hold.
        where: By placeholder of the path: what it must be.
        part: Which volume is meant where a series holds several: b_value, echo_time,
            temporal_position, image_type, inversion_time, trigger_time, echo_number,
            gradient, acquisition, acquisition_time, size, stack.
        min_slices: Fewer slices are a scout, or a part of a download.
        grey: How its values become grey levels; the layout's where it is not stated.
        if_missing: What a study without such a series means: it is rejected, or is left out
            without a word.
    """

    sequence: str = ""
    modality: ModalityCode | None = None
    description: Regex | None = None
    plane: Literal["axial", "coronal", "sagittal"] | None = None
    image_type: list[Text] = []
    where: dict[Text, Text] = {}
    part: dict[PartName, Text] = {}
    min_slices: Annotated[int, Field(ge=1)] = 1
    grey: Grey | None = None
    if_missing: Literal["reject", "skip"] = "reject"

    @property
    def in_words(self) -> str:
        """What it asks for, on one line."""
        stated = self.model_dump(exclude_defaults=True, exclude={"if_missing", "grey"})
        words = [f"{name} {_in_words(value)}" for name, value in stated.items()]
        return ", ".join(words) or "any"


class Series(VolumeLayout):
    """Series of DICOM files: slices in any number of files and folders, in any order.

    `images` is the pattern of the files. Its placeholders, where they are the same for all files
    of a series, and patient_id, study_uid, series_uid, frame_of_reference_uid,
    series_description, series_number, modality and sequence are the fields of a series.
    A template of them, `of_each`, tells what series are chosen among: each choice must fit one
    series of it, where `if_several` is `reject`; a second one that fits is an error that lists
    the candidates. With `all`, every one that fits is a case. PET is read as SUV where the tags
    allow, and a `scale` in SUV is refused where they do not; `hu` is about CT alone. `one_series`
    is a template over the placeholders: files that fill it alike are one series whatever their
    UIDs, for sources whose UIDs were made anew for each file.
    """

    kind: Literal["series"]
    of_each: Text = "{study_uid}"
    one_series: Text | None = None
    choices: Annotated[list[SeriesChoice], Field(min_length=1)]
    if_several: Literal["reject", "all"] = "reject"


class Videos(LayoutSpec):
    """Video files whose frames are annotated: avi, mp4, mov, mkv, webm, mpg, wmv.

    `images` is the pattern of the videos. A video whose rate differs from `rate` by more than one
    percent is rejected: the numbers of frames would mean others.
    """

    kind: Literal["videos"]
    annotations: Annotated[list[VideoAnnotation], Field(min_length=1)]
    frames: Frames = Frames()
    rate: Annotated[float, Field(gt=0)] | None = None
    spacing: Spacing | None = None


class Slides(LayoutSpec):
    """Whole-slide images: svs, tif, ndpi, scn, bif.

    `microns_per_pixel` is what the owner states of the scans, for files that do not say it; where
    both do, they must agree.
    """

    kind: Literal["slides"]
    annotations: Annotated[list[SlideAnnotation], Field(min_length=1)]
    regions: Regions
    microns_per_pixel: Microns | None = None


class Arrays(LayoutSpec):
    """Arrays whose rows are pictures: `.npy`, `.npz`, `.h5`, `.hdf5` or `.mat` files.

    `variables` names the array of each part of the source, which becomes the field `part`; in
    a `.npy` file it has no name. The first axis counts the pictures, or (`one_picture`) the array
    is one. Numbers of one byte are shown as they are, others from their 0.5th to their 99.5th
    percentile. `channels` are the places of red, green and blue along the last axis, where an
    array holds more; they are numbers from 0 to 255. `upside_down` turns the rows of a picture
    round, and with them masks, but not boxes, which are those of the picture as it is shown.
    """

    kind: Literal["arrays"]
    annotations: Annotated[list[ArrayAnnotation], Field(min_length=1)]
    variables: Variables
    one_picture: bool = False
    channels: Annotated[list[int], Field(min_length=3, max_length=3)] | None = None
    upside_down: bool = False
    spacing: Spacing | None = None


Layout = Annotated[
    Images | Volumes | Series | Videos | Slides | Arrays, Field(discriminator="kind")
]
