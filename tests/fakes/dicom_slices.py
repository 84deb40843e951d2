"""DICOM slices as bytes: any geometry, any rescaling, one file a slice or all in one."""

import io
from collections.abc import Sequence

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

CLASSES = {
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "PT": "1.2.840.10008.5.1.4.1.1.128",
}
ENHANCED = {
    "CT": "1.2.840.10008.5.1.4.1.1.2.1",
    "MR": "1.2.840.10008.5.1.4.1.1.4.1",
    "PT": "1.2.840.10008.5.1.4.1.1.130",
}
AXIAL = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))


def uid(*words: object) -> str:
    """The same UID for the same words."""
    return str(generate_uid(entropy_srcs=[str(word) for word in words]))


def dataset(values: np.ndarray, modality: str, classes: dict[str, str], key: str) -> FileDataset:
    """An image without geometry: what both kinds share."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = classes[modality]
    meta.MediaStorageSOPInstanceUID = uid("instance", key)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    found = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    found.SOPClassUID = classes[modality]
    found.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    found.Modality = modality
    found.PatientID = "P1"
    found.StudyInstanceUID = uid("study")
    found.SeriesInstanceUID = uid("series")
    found.FrameOfReferenceUID = uid("frame of reference")
    found.ImageType = ["ORIGINAL", "PRIMARY"]
    found.Rows, found.Columns = values.shape[-2:]
    found.SamplesPerPixel = 1
    found.PhotometricInterpretation = "MONOCHROME2"
    found.BitsAllocated = found.BitsStored = 16
    found.HighBit = 15
    found.PixelRepresentation = int(values.dtype.kind == "i")
    found.PixelData = values.astype(values.dtype.newbyteorder("<")).tobytes()
    return found


def slice_dataset(
    values: np.ndarray,
    position: Sequence[float],
    *,
    modality: str = "CT",
    directions: Sequence[Sequence[float]] = AXIAL,
    spacing_mm: tuple[float, float] = (2.0, 2.0),
    key: object = None,
    **tags: object,
) -> FileDataset:
    """One slice of stored values, shape (rows, columns); a tag of None is left out."""
    found = dataset(values, modality, CLASSES, f"{key} {position} {tags}")
    found.ImagePositionPatient = [f"{value:.9g}"[:16] for value in position]
    found.ImageOrientationPatient = [f"{value:.12f}"[:16] for axis in directions for value in axis]
    found.PixelSpacing = list(spacing_mm)
    for name, value in tags.items():
        if value is None:
            del found[name]
        else:
            setattr(found, name, value)
    return found


def enhanced_dataset(
    values: np.ndarray,
    positions: Sequence[Sequence[float]],
    *,
    modality: str = "CT",
    directions: Sequence[Sequence[float]] = AXIAL,
    spacing_mm: tuple[float, float] = (2.0, 2.0),
    scales: Sequence[tuple[float, float]] = (),
    b_values: Sequence[float] = (),
    **tags: object,
) -> FileDataset:
    """A multi-frame image of stored values, shape (frames, rows, columns)."""
    found = dataset(values, modality, ENHANCED, f"enhanced {tags}")
    found.NumberOfFrames = len(values)
    shared = Dataset()
    shared.PlaneOrientationSequence = _items(
        ImageOrientationPatient=[f"{v:.12f}"[:16] for axis in directions for v in axis]
    )
    shared.PixelMeasuresSequence = _items(PixelSpacing=list(spacing_mm), SliceThickness=99)
    found.SharedFunctionalGroupsSequence = Items([shared])
    groups = []
    for number, position in enumerate(positions):
        group = Dataset()
        group.PlanePositionSequence = _items(
            ImagePositionPatient=[f"{value:.9g}"[:16] for value in position]
        )
        if scales:
            slope, intercept = scales[number]
            group.PixelValueTransformationSequence = _items(
                RescaleSlope=slope, RescaleIntercept=intercept, RescaleType="HU"
            )
        if b_values:
            group.MRDiffusionSequence = _items(DiffusionBValue=b_values[number])
        groups.append(group)
    found.PerFrameFunctionalGroupsSequence = Items(groups)
    for name, value in tags.items():
        setattr(found, name, value)
    return found


def _items(**tags: object) -> Items:
    item = Dataset()
    for name, value in tags.items():
        setattr(item, name, value)
    return Items([item])


def encoded(found: FileDataset) -> bytes:
    """The file of a data set; the same each time."""
    out = io.BytesIO()
    found.save_as(out, enforce_file_format=True)
    return out.getvalue()
