"""Twins of LIDC's XML: four readers have outlined the blocks of the phantom alike."""

from posixpath import dirname

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset

from converters.specs.shapes import LidcXml
from tests.fakes import Twin, TwinImage
from tests.fakes.paths import path_for
from tests.fakes.volume_files import AFFINE
from tests.fakes.volumes import Block, all_terms, phantom

TO_RAS = np.array([-1.0, -1.0, 1.0])


def write(spec: LidcXml, twin: Twin) -> None:
    """Write one file a series, joined with it by its UID alone."""
    for image in twin.images:
        slices = _slices(twin, image)
        blocks = phantom(all_terms(twin.manifest.layout), image.number)
        nodules = [_nodule(block, slices, at) for at, block in enumerate(blocks)]
        session = f"<readingSession>{''.join(nodules)}</readingSession>"
        path, _ = path_for(spec.files, image.fields, image.number)
        twin.write(
            path,
            '<?xml version="1.0"?><LidcReadMessage xmlns="http://www.nih.gov"><ResponseHeader>'
            f"<SeriesInstanceUid>{image.fields['series_uid']}</SeriesInstanceUid>"
            f"</ResponseHeader>{session * 4}</LidcReadMessage>",
        )


def _slices(twin: Twin, image: TwinImage) -> list[Dataset]:
    folder = twin.folder / dirname(image.path)
    found = [dcmread(path, stop_before_pixels=True) for path in sorted(folder.glob("*.dcm"))]
    return [one for one in found if one.SeriesInstanceUID == image.fields["series_uid"]]


def _nodule(block: Block, slices: list[Dataset], number: int) -> str:
    rois = "".join(_roi(block, one) for one in slices)
    return f"<unblindedReadNodule><noduleID>{number}</noduleID>{rois}</unblindedReadNodule>"


def _roi(block: Block, one: Dataset) -> str:
    """The chain of pixels around the block on a slice; "" where the block is not on it."""
    x, y = np.meshgrid(np.arange(one.Columns), np.arange(one.Rows))
    across, down = np.reshape(one.ImageOrientationPatient, (2, 3)).astype(float)
    lps = (
        np.array(one.ImagePositionPatient, dtype=float)
        + x[..., None] * one.PixelSpacing[1] * across
        + y[..., None] * one.PixelSpacing[0] * down
    )
    voxels = np.rint(
        np.linalg.solve(AFFINE[:3, :3], (lps * TO_RAS - AFFINE[:3, 3]).reshape(-1, 3).T)
    )
    inside = np.all(
        [
            (at >= where.start) & (at < where.stop)
            for at, where in zip(voxels, block.bounds, strict=True)
        ],
        axis=0,
    ).reshape(x.shape)
    if not inside.any():
        return ""
    rows, columns = np.nonzero(inside)
    left, right, top, bottom = columns.min() - 1, columns.max() + 1, rows.min() - 1, rows.max() + 1
    chain = [
        *((at, top) for at in range(left, right)),
        *((right, at) for at in range(top, bottom)),
        *((at, bottom) for at in range(right, left, -1)),
        *((left, at) for at in range(bottom, top - 1, -1)),
    ]
    edges = "".join(
        f"<edgeMap><xCoord>{a}</xCoord><yCoord>{b}</yCoord></edgeMap>" for a, b in chain
    )
    return (
        f"<roi><imageZposition>{one.ImagePositionPatient[2]}</imageZposition>"
        f"<imageSOP_UID>{one.SOPInstanceUID}</imageSOP_UID><inclusion>TRUE</inclusion>{edges}</roi>"
    )
