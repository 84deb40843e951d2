"""What twins of segmentations and structure sets share: names that patterns fit, and places."""

from collections.abc import Iterator

import numpy as np

from converters.annotations.region_names import Region, term_of
from converters.specs.dicom_objects import NamedRegions
from tests.fakes import Twin, TwinImage
from tests.fakes.paths import example, path_for
from tests.fakes.volume_files import AFFINE
from tests.fakes.volumes import SHAPE, Block, all_terms, phantom

TO_LPS = np.array([-1.0, -1.0, 1.0])


def named_blocks(spec: NamedRegions, twin: Twin, image: TwinImage) -> Iterator[tuple[str, Block]]:
    """The blocks of an image, each with a name that the manifest maps to its term."""
    for block in phantom(all_terms(twin.manifest.layout), image.number):
        patterns = [pattern for pattern, term in spec.labels.items() if term == block.term]
        if getattr(spec, "only", None) == block.term:
            yield "Segment_1", block
        elif patterns:
            name = example(patterns[image.number % len(patterns)], image.number)
            assert term_of(spec, Region(number=1, name=name)) == block.term, (name, block.term)
            yield name, block


def other_names(spec: NamedRegions) -> list[str]:
    """Names of regions that nothing is said of."""
    names = [example(pattern, 0) for pattern in spec.ignore]
    return [*names, "not in the manifest"] if spec.if_unmapped == "pass" else names


def file_path(spec: NamedRegions, image: TwinImage) -> str:
    """A path of its own for the file of an image: each star is the number of its series."""
    star = f"{image.fields['series_number']}00"
    pattern = spec.files.replace("**/", "").replace("*", star)
    return path_for(pattern, image.fields, image.number)[0]


def place(indices: np.ndarray) -> np.ndarray:
    """Millimetres in LPS of canonical indices, shape (n, 3)."""
    return (indices @ AFFINE[:3, :3].T + AFFINE[:3, 3]) * TO_LPS


def levels(block: Block) -> range:
    """Axial slices of a block."""
    return range(block.bounds[2].start, block.bounds[2].stop)


def mask_of(block: Block) -> np.ndarray:
    """A block as a mask of (slices, rows, columns): rows run to the back, columns to the left."""
    mask = np.zeros(SHAPE, dtype=bool)
    mask[block.bounds] = True
    return mask[::-1, ::-1].transpose(2, 1, 0)
