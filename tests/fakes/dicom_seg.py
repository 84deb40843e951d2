"""Twins of segmentation objects: the phantom's blocks as segments, sparse frames of packed bits."""

import numpy as np

from converters.specs.dicom_objects import DicomSeg
from tests.fakes import Twin
from tests.fakes.dicom_regions import seg_bytes
from tests.fakes.dicom_slices import uid
from tests.fakes.regions import file_path, mask_of, named_blocks, other_names, place
from tests.fakes.volumes import SHAPE, SPACING


def write(spec: DicomSeg, twin: Twin) -> None:
    """Write a segmentation for each series, with segments that nothing is said of."""
    corners = [(SHAPE[0] - 1, SHAPE[1] - 1, level) for level in range(SHAPE[2])]
    for image in twin.images:
        segments: dict[str, np.ndarray] = {}
        for name, block in named_blocks(spec, twin, image):
            segments[name] = mask_of(block)
            for other in other_names(spec):
                segments.setdefault(other, segments[name])
        data = seg_bytes(
            segments,
            list(place(np.array(corners))),
            directions=(1, 0, 0, 0, 1, 0),
            spacing_mm=(SPACING[1], SPACING[0]),
            series_uid=image.fields["series_uid"],
            frame_uid=image.fields["frame_of_reference_uid"],
            PatientID=image.fields["patient_id"],
            SeriesInstanceUID=uid("segmentation", image.fields["series_uid"]),
            StudyInstanceUID=image.fields["study_uid"],
        )
        twin.write(file_path(spec, image), data)
