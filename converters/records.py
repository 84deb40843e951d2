"""The records that flow from converters to the pipeline: frozen, keyword-only, plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, Union

Json: TypeAlias = Union[bool, int, float, str, list["Json"], dict[str, "Json"], None]
Split: TypeAlias = Literal["train", "validation", "test"]
Side: TypeAlias = Literal["left", "right", "both"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Box:
    """A box in pixels of the rendered image: origin top left, upper bounds exclusive.

    A box over the single pixel in the corner is ``(0, 0, 1, 1)``.
    """

    x_min: float
    y_min: float
    x_max: float
    y_max: float

    @property
    def width(self) -> float:
        """Extent along x, in pixels."""
        return self.x_max - self.x_min

    @property
    def height(self) -> float:
        """Extent along y, in pixels."""
        return self.y_max - self.y_min


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that the annotators marked: an object, a region or a label of the whole image.

    Measures are None where the annotation cannot give them. Millimetres are
    given only where the spacing is known; pixels always belong to the rendered image.

    Attributes:
        label: Canonical term, a row of ``manifests/terms.csv``.
        code: How the source writes it: folder, code or column.
        role: The term's role (organ, lesion, cell, diagnosis, grade, ...).
        box: Bounds in pixels of the rendered image; None for a label of the whole image.
        is_instance: True where the finding is one object that can be counted; False
            for a region that may hold several, and for a label of the whole image.
        parts: Connected parts of a region (eight neighbours); None for one object, a box or a
            whole image.
        area_px: Area in pixels of the rendered image.
        area_mm2: Area in the image plane, in square millimetres.
        longest_diameter_px: Largest distance between two points of the region, pixel
            corners included; of a region in several parts, their whole spread.
        longest_diameter_mm: The same in millimetres.
        volume_ml: Volume of the whole structure in its 3-D annotation, in millilitres.
        side: Side of the patient, never of the picture; None where it cannot be known.
        position: Where in the picture: one of the nine of :func:`converters.facts.position`.
        attributes: Further facts the source states, as (name, value) pairs, in order.
    """

    label: str
    code: str
    role: str
    box: Box | None = None
    is_instance: bool = False
    parts: int | None = None
    area_px: float | None = None
    area_mm2: float | None = None
    longest_diameter_px: float | None = None
    longest_diameter_mm: float | None = None
    volume_ml: float | None = None
    side: Side | None = None
    position: str | None = None
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Exchange:
    """A question about the image and its answer, both in the source's own words.

    Attributes:
        question: The question, or "" where the source has a text that answers none: a report.
        answer: The answer, or that text.
        topic: What it is about, as the source says; of a text, what it is.
        language: Of both, a key of the languages of texts: "en" or "zh".
    """

    question: str
    answer: str
    topic: str = ""
    language: str = "en"


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """What one annotation block of the manifest says of one image, before pixels are read.

    Attributes:
        files: Annotation files of this image alone, relative to the root.
        table: A table or list shared by many images that `values` came from, or "".
        values: The rows or objects of that table that belong to this image.
        labels: The codes it says, where they are known without opening files; by them, two
            cases with the same image are compared.
    """

    files: tuple[str, ...] = ()
    table: str = ""
    values: Json = None
    labels: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """A case that is known to be unusable before its pixels are read."""

    reason: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """What a layout lists cheaply, by names and tables only: an image file, a volume, a series.

    Attributes:
        source: Name of the manifest.
        key: Unique in the source; the path of the image relative to the root, where there is one.
        subject_id: The person, animal or specimen; as the source names it.
        split: The official split, or None where the source has none.
        image: Path of the image relative to the root; "" where `fault` says that it is missing.
        part: Which part of the image file, where several cases share it.
        companions: Files that hold a part of the image, such as the voxels of an MHD header.
        fields: What the placeholders of the image pattern (and table columns) gave.
        entries: One for each annotation block of the manifest, in its order; None where the
            block has nothing for this image.
        fault: Set where the case cannot be used; it becomes a rejection unread.
    """

    source: str
    key: str
    subject_id: str
    split: Split | None
    image: str
    part: str = ""
    companions: tuple[str, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    entries: tuple[Entry | None, ...] = ()
    fault: Fault | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """Every file that belongs to this case alone, image first, each once."""
        own = [self.image, *self.companions] if self.image else []
        for entry in self.entries:
            own.extend(entry.files if entry else ())
        return tuple(dict.fromkeys(own))


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One rendered 2-D image with what is known about it, and where both came from.

    Attributes:
        sample_id: ``source/key`` and, for a slice, ``#plane-index``; unique in the source.
        case_key: Key of the case it came from.
        image: Encoded PNG or JPEG; the source's own bytes where nothing had to be rendered.
        image_format: "png" or "jpeg".
        phash: 64-bit perceptual hash of the image, 16 hexadecimal digits.
        width: Columns of the image.
        height: Rows of the image.
        findings: What is there, in a fixed order.
        absent: Canonical terms that are known not to be there. What stands in neither list
            is unknown, and no text may speak of it.
        countable: Canonical terms whose every object is marked, each as a finding of its own.
        exchanges: Questions and answers of the source itself.
        modality: DICOM modality code of this image.
        anatomy: Body parts shown.
        view: Plane of a slice (axial, coronal, sagittal; "oblique axial" where it lies more than 20
            degrees off) or view position (PA, AP, ...), or "".
        sequence: MR sequence or contrast, or "".
        spacing_mm: Row and column spacing of the rendered image, in millimetres.
        source_path: Image file relative to the root.
        source_index: Index of the slice or frame in the file's own storage order, or None.
        annotation_path: Annotation file, folder or table relative to the root, or "".
        annotation_files: The annotation files that were read, relative to the root.
        transforms: What was done to the pixels, in order; each step says all its parameters.
    """

    sample_id: str
    case_key: str
    image: bytes
    image_format: Literal["png", "jpeg"]
    phash: str
    width: int
    height: int
    findings: tuple[Finding, ...]
    absent: tuple[str, ...] = ()
    countable: tuple[str, ...] = ()
    exchanges: tuple[Exchange, ...] = ()
    modality: str
    anatomy: tuple[str, ...]
    view: str = ""
    sequence: str = ""
    spacing_mm: tuple[float, float] | None = None
    source_path: str
    source_index: int | None = None
    annotation_path: str = ""
    annotation_files: tuple[str, ...] = ()
    transforms: tuple[Mapping[str, Json], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejection:
    """A case or sample that was left out, and why.

    Attributes:
        source: Name of the manifest.
        case_key: Key of the case.
        reason: A code of ``[rejection]`` in ``manifests/vocabulary.toml``.
        message: What was found.
        sample_id: The sample, where only a part of the case was left out; else "".
    """

    source: str
    case_key: str
    reason: str
    message: str
    sample_id: str = ""


Outcome: TypeAlias = Sample | Rejection
