"""DICOM objects that mark regions, as bytes: segmentations and structure sets, by hand."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pydicom.uid import RTStructureSetStorage, SegmentationStorage

from tests.fakes.dicom_files import dicom_bytes

Item = dict[str, Any]


def written(number: float) -> str:
    """A decimal string: 16 characters at most."""
    return f"{number:.6f}"[:16]


def contour(points: np.ndarray, kind: str = "CLOSED_PLANAR") -> Item:
    """A contour of points in millimetres, LPS."""
    return {
        "ContourGeometricType": kind,
        "NumberOfContourPoints": len(points),
        "ContourData": [written(value) for value in np.ravel(points)],
    }


def rtstruct_bytes(
    regions: Mapping[str, Sequence[Item]],
    *,
    series_uid: str,
    frame_uid: str,
    **attributes: Any,
) -> bytes:
    """A structure set of contours by name."""
    names = list(regions)
    referred = [{"RTReferencedSeriesSequence": [{"SeriesInstanceUID": series_uid}]}]
    given: Item = {
        "SOPClassUID": RTStructureSetStorage,
        "Modality": "RTSTRUCT",
        "ReferencedFrameOfReferenceSequence": [
            {"FrameOfReferenceUID": frame_uid, "RTReferencedStudySequence": referred}
        ],
        "StructureSetROISequence": [
            {"ROINumber": n, "ROIName": name, "ReferencedFrameOfReferenceUID": frame_uid}
            for n, name in enumerate(names, start=1)
        ],
        "ROIContourSequence": [
            {"ReferencedROINumber": n, "ContourSequence": list(regions[name])}
            for n, name in enumerate(names, start=1)
        ],
        **attributes,
    }
    return dicom_bytes(None, **given)


def code(scheme: str, value: str, meaning: str) -> Item:
    """A coded concept."""
    return {"CodingSchemeDesignator": scheme, "CodeValue": value, "CodeMeaning": meaning}


def seg_bytes(
    segments: Mapping[str, np.ndarray],
    positions: Sequence[Sequence[float]],
    *,
    directions: Sequence[float],
    spacing_mm: Sequence[float],
    series_uid: str,
    frame_uid: str,
    concepts: Mapping[str, Item] | None = None,
    **attributes: Any,
) -> bytes:
    """A binary segmentation: masks of (slices, rows, columns) by label; empty frames left out.

    Args:
        segments: Masks by label of their segment.
        positions: Of the slices, LPS.
        directions: Of rows and columns, six numbers.
        spacing_mm: Of rows and columns.
        series_uid: The series that it refers to.
        frame_uid: Its frame of reference.
        concepts: Property type by label.
        attributes: Go before all others.
    """
    frames: list[np.ndarray] = []
    groups: list[Item] = []
    for number, mask in enumerate(segments.values(), start=1):
        for level in np.flatnonzero(mask.any(axis=(1, 2))):
            frames.append(mask[level])
            place = [written(value) for value in positions[level]]
            groups.append(
                {
                    "PlanePositionSequence": [{"ImagePositionPatient": place}],
                    "SegmentIdentificationSequence": [{"ReferencedSegmentNumber": number}],
                }
            )
    data = np.packbits(np.ravel(frames), bitorder="little").tobytes()
    tissue = code("SCT", "85756007", "Tissue")
    shared = {
        "PlaneOrientationSequence": [
            {"ImageOrientationPatient": [written(value) for value in directions]}
        ],
        "PixelMeasuresSequence": [{"PixelSpacing": [written(value) for value in spacing_mm]}],
    }
    given: Item = {
        "SOPClassUID": SegmentationStorage,
        "Modality": "SEG",
        "SegmentationType": "BINARY",
        "FrameOfReferenceUID": frame_uid,
        "ReferencedSeriesSequence": [{"SeriesInstanceUID": series_uid}],
        "SegmentSequence": [
            {
                "SegmentNumber": number,
                "SegmentLabel": label,
                "SegmentedPropertyTypeCodeSequence": [(concepts or {}).get(label, tissue)],
            }
            for number, label in enumerate(segments, start=1)
        ],
        "SharedFunctionalGroupsSequence": [shared],
        "PerFrameFunctionalGroupsSequence": groups,
        "NumberOfFrames": len(frames),
        "Rows": frames[0].shape[0],
        "Columns": frames[0].shape[1],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "PixelRepresentation": 0,
        "BitsAllocated": 1,
        "BitsStored": 1,
        "HighBit": 0,
        "PixelData": data + bytes(len(data) % 2),
        **attributes,
    }
    return dicom_bytes(None, **given)
