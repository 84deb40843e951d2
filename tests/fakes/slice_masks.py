"""Twins of pictures of labels, one a slice, named in the order of the files of their series."""

import io

import numpy as np
from PIL import Image
from pydicom import dcmread

from converters.pattern import compile_pattern
from converters.specs.slice_masks import SliceMasks
from tests.fakes import Twin, TwinImage
from tests.fakes.paths import path_for
from tests.fakes.volume_files import AFFINE
from tests.fakes.volumes import SHAPE, blocks_of

TO_RAS = np.diag([-1.0, -1.0, 1.0])


def write(spec: SliceMasks, twin: Twin) -> None:
    """Write one picture for every file of every series."""
    for image in twin.images:
        whole = np.zeros(SHAPE, dtype=np.uint8)
        codes = {term: code for code, term in spec.labels.items()}
        for block in blocks_of(twin.manifest.layout, image.number):
            whole[block.bounds] = codes[block.term]
        for rank, path in enumerate(files_of(twin, image)):
            pattern = "{rank:[0-9]+}".join(spec.files.rsplit("*", 1))
            name, _ = path_for(pattern, {**image.fields, "rank": f"{rank:03d}"}, image.number)
            twin.write(name, picture(cut(whole, dcmread(twin.folder / path)), image.number))


def files_of(twin: Twin, image: TwinImage) -> list[str]:
    """Files of the series of an image, by name."""
    pattern = compile_pattern(twin.manifest.layout.images)
    own = pattern.fullmatch(image.path).groupdict()
    paths = sorted(p.relative_to(twin.folder).as_posix() for p in twin.folder.rglob("*.dcm"))
    return [p for p in paths if (found := pattern.fullmatch(p)) and found.groupdict() == own]


def cut(whole: np.ndarray, one) -> np.ndarray:
    """What a canonical volume shows at each pixel of a DICOM slice."""
    along, down = np.array(one.ImageOrientationPatient, dtype=float).reshape(2, 3)
    rows, columns = np.mgrid[0 : one.Rows, 0 : one.Columns]
    places = (
        np.array(one.ImagePositionPatient, dtype=float)
        + columns[..., None] * along * one.PixelSpacing[1]
        + rows[..., None] * down * one.PixelSpacing[0]
    ) @ TO_RAS
    inverse = np.linalg.inv(AFFINE)
    index = np.rint(places @ inverse[:3, :3].T + inverse[:3, 3]).astype(int)
    return whole[tuple(np.moveaxis(index, -1, 0))]


def picture(codes: np.ndarray, number: int) -> bytes:
    """A PNG; a mask of one value is written as 255, as 1 and with one bit, in turn."""
    image = Image.fromarray(codes)
    if set(np.unique(codes)) <= {0, 255}:
        images = (image, Image.fromarray(codes // 255), image.convert("1"))
        image = images[number % 3]
    out = io.BytesIO()
    image.save(out, format="PNG")
    return out.getvalue()
