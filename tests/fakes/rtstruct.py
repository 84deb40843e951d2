"""Twins of structure sets: contours along the borders of the phantom's voxels."""

import numpy as np

from converters.specs.dicom_objects import Rtstruct
from tests.fakes import Twin
from tests.fakes.dicom_regions import contour, rtstruct_bytes
from tests.fakes.regions import file_path, levels, named_blocks, other_names, place
from tests.fakes.volumes import Block


def write(spec: Rtstruct, twin: Twin) -> None:
    """Write a structure set for each series, with regions that nothing is said of."""
    for image in twin.images:
        regions = {}
        for name, block in named_blocks(spec, twin, image):
            regions[name] = [_outline(block, level) for level in levels(block)]
            for other in other_names(spec):
                regions.setdefault(other, regions[name])
        data = rtstruct_bytes(
            regions,
            series_uid=image.fields["series_uid"],
            frame_uid=image.fields["frame_of_reference_uid"],
            PatientID=image.fields["patient_id"],
        )
        twin.write(file_path(spec, image), data)


def _outline(block: Block, level: int) -> dict[str, object]:
    (left, right), (back, front) = (
        (where.start - 0.5, where.stop - 0.5) for where in block.bounds[:2]
    )
    corners = [(left, back), (right, back), (right, front), (left, front)]
    return contour(place(np.array([(*corner, level) for corner in corners])))
