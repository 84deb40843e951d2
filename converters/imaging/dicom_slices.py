"""What DICOM headers say of slices: where each lies, and what tells volumes of a series apart.

A file is one slice, or (enhanced multi-frame) one a frame, with its own functional groups.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from pydicom.dataset import Dataset

from converters.errors import CaseError
from converters.files import Root
from converters.imaging.dicom import read_header
from converters.imaging.dicom_file import quiet
from converters.imaging.dicom_marks import group_item, group_text, marks_of
from converters.imaging.dicom_tags import integer_of, items_of, numbers_of, text_of
from converters.records import Fault

Vector: TypeAlias = tuple[float, float, float]

THREADS = 8
_MAX_FRAMES = 100_000
_NOT_IMAGES = ("SEG", "RTDOSE")  # they have pixels, and speak of an image
_MAX_OFF = 1e-3  # of unit length and right angles of the direction cosines (0020,0037)


@dataclass(frozen=True, kw_only=True, slots=True)
class SeriesFacts:
    """What names a series.

    Attributes:
        patient_id: Patient ID (0010,0020).
        study_uid: Study Instance UID (0020,000D).
        series_uid: Series Instance UID (0020,000E).
        number: Series Number (0020,0011), or "".
        description: Series Description (0008,103E).
        modality: Modality (0008,0060).
    """

    patient_id: str
    study_uid: str
    series_uid: str
    number: str
    description: str
    modality: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Slice:
    """One slice, as its header has it. Millimetres are in LPS, as in DICOM.

    Attributes:
        path: Of its file, relative to the root.
        frame: Index in a multi-frame file, from 0; None where the file is the slice.
        sop_uid: SOP Instance UID (0008,0018), or "".
        rows, columns: Size in pixels.
        position: Centre of the first pixel (0020,0032).
        directions: Direction cosines of a row, then of a column (0020,0037).
        spacing_mm: Between rows, and between columns (0028,0030).
        trouble: What is missing or broken of these three; then they are None.
        depth_mm: Spacing Between Slices, else Slice Thickness: of use for a single slice.
        frame_of_reference_uid: (0020,0052), or "".
        stack: Stack ID (0020,9056), or "".
        marks: What may tell volumes of a series apart.
    """

    path: str
    frame: int | None
    sop_uid: str
    rows: int
    columns: int
    position: Vector | None
    directions: tuple[Vector, Vector] | None
    spacing_mm: tuple[float, float] | None
    trouble: str
    depth_mm: float | None
    frame_of_reference_uid: str
    stack: str
    marks: Mapping[str, str]

    @property
    def normal(self) -> Vector | None:
        """Unit vector at right angles to the slice: rows times columns."""
        if self.directions is None:
            return None
        x, y, z = np.cross(*self.directions)
        return (float(x), float(y), float(z))


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageFile:
    """A DICOM file that holds slices."""

    path: str
    facts: SeriesFacts
    slices: tuple[Slice, ...]


def read_slices(root: Root, paths: Iterable[str]) -> tuple[list[ImageFile], dict[str, Fault]]:
    """Read the headers of many files, in threads.

    Returns:
        Files with images, in the order of `paths`, and why others cannot be read, by path.
        DICOM files without an image (structure sets, segmentations, reports) are in neither.

    Raises:
        SourceError: The disk did not give a file; running again may help.
    """

    def one(path: str) -> ImageFile | Fault | None:
        try:
            return _image_file(read_header(root, path), path)
        except CaseError as error:
            return Fault(reason=error.reason, message=error.message)

    ordered = list(paths)
    files: list[ImageFile] = []
    faults: dict[str, Fault] = {}
    # Filters of warnings belong to the process: the threads set and reset them within this one.
    with quiet(), ThreadPoolExecutor(THREADS) as pool:
        for path, found in zip(ordered, pool.map(one, ordered), strict=True):
            if isinstance(found, ImageFile):
                files.append(found)
            elif found is not None:
                faults[path] = found
    return files, faults


def _image_file(header: Dataset, path: str) -> ImageFile | None:
    has_pixels = "Rows" in header and "Columns" in header
    if not has_pixels or text_of(header, "Modality") in _NOT_IMAGES:
        return None
    facts = SeriesFacts(
        patient_id=text_of(header, "PatientID"),
        study_uid=text_of(header, "StudyInstanceUID"),
        series_uid=text_of(header, "SeriesInstanceUID"),
        number=text_of(header, "SeriesNumber"),
        description=text_of(header, "SeriesDescription"),
        modality=text_of(header, "Modality"),
    )
    if not facts.series_uid:
        raise CaseError("value_invalid", f"{path} has no SeriesInstanceUID")
    frames = integer_of(header, "NumberOfFrames", 1)
    own = items_of(header, "PerFrameFunctionalGroupsSequence")
    if not own:
        # Of frames that nothing is said of, one is enough to say so.
        one = _slice(header, (), path, None if frames == 1 else 0)
        return ImageFile(path=path, facts=facts, slices=(one,))
    if len(own) != frames or frames > _MAX_FRAMES:
        raise CaseError(
            "file_unreadable", f"{path} has {frames:,} frames and {len(own):,} descriptions of them"
        )
    shared = items_of(header, "SharedFunctionalGroupsSequence")
    slices = tuple(_slice(header, (group, *shared), path, n) for n, group in enumerate(own))
    return ImageFile(path=path, facts=facts, slices=slices)


def _slice(header: Dataset, groups: Sequence[Dataset], path: str, frame: int | None) -> Slice:
    trouble = ""
    position = directions = spacing = None
    try:
        if frame is not None and not groups:
            raise CaseError("file_unsupported", "several frames without functional groups")
        position = _position(header, groups)
        directions = _directions(header, groups)
        spacing = _spacing(header, groups)
    except CaseError as error:
        trouble = f"{path}: {error.message.removeprefix(f'{path}: ')}"
        position = directions = spacing = None
    return Slice(
        path=path,
        frame=frame,
        sop_uid=text_of(header, "SOPInstanceUID"),
        rows=integer_of(header, "Rows"),
        columns=integer_of(header, "Columns"),
        position=position,
        directions=directions,
        spacing_mm=spacing,
        trouble=trouble,
        depth_mm=_depth(header, groups),
        frame_of_reference_uid=text_of(header, "FrameOfReferenceUID"),
        stack=group_text(header, groups, "FrameContentSequence", "StackID"),
        marks=marks_of(header, groups),
    )


def _numbers(
    header: Dataset, groups: Sequence[Dataset], sequence: str, keyword: str, count: int
) -> tuple[float, ...]:
    item = group_item(header, groups, sequence)
    found = numbers_of(item, keyword) if item is not None else ()
    if len(found) != count:
        what = f"has {len(found)} values, not {count}" if found else "is missing"
        raise CaseError("geometry_invalid", f"{keyword} {what}")
    return found


def _position(header: Dataset, groups: Sequence[Dataset]) -> Vector:
    x, y, z = _numbers(header, groups, "PlanePositionSequence", "ImagePositionPatient", 3)
    return (x, y, z)


def _directions(header: Dataset, groups: Sequence[Dataset]) -> tuple[Vector, Vector]:
    found = _numbers(header, groups, "PlaneOrientationSequence", "ImageOrientationPatient", 6)
    axes = np.array(found).reshape(2, 3)
    off = float(np.abs(axes @ axes.T - np.eye(2)).max())
    if off > _MAX_OFF:
        raise CaseError(
            "geometry_invalid",
            f"ImageOrientationPatient is no pair of unit vectors at right angles ({off:.3g} off)",
        )
    return (found[0], found[1], found[2]), (found[3], found[4], found[5])


def _spacing(header: Dataset, groups: Sequence[Dataset]) -> tuple[float, float]:
    rows, columns = _numbers(header, groups, "PixelMeasuresSequence", "PixelSpacing", 2)
    if min(rows, columns) <= 0:
        raise CaseError("geometry_invalid", f"PixelSpacing is {rows:g} x {columns:g} mm")
    return rows, columns


def _depth(header: Dataset, groups: Sequence[Dataset]) -> float | None:
    for keyword in ("SpacingBetweenSlices", "SliceThickness"):
        try:
            item = group_item(header, groups, "PixelMeasuresSequence")
            found = numbers_of(item, keyword) if item is not None else ()
        except CaseError:
            continue  # of several slices it is not asked for
        if len(found) == 1 and abs(found[0]) > 0:
            return abs(found[0])
    return None
