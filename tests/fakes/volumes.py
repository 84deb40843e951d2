"""Twins of 3-D volumes: a smooth head with bright blocks, one a term, stored in many ways."""

import json
from dataclasses import dataclass
from itertools import product
from posixpath import dirname

import numpy as np

from converters.imaging.planes import AXIS
from converters.imaging.slices import Extent, choose_slices
from converters.pattern import field_names
from tests.fakes import Twin, TwinImage
from tests.fakes.images import owned_values
from tests.fakes.paths import path_for
from tests.fakes.volume_files import SPACING, write_volume

SHAPE = (40, 40, 30)  # to the right, to the front, to the head
# A block fills its cell but for one voxel on each side.
LARGE_CELL, SMALL_CELL = (20, 20, 15), (8, 8, 6)


@dataclass(frozen=True, kw_only=True)
class Block:
    """Where one term lies: bounds in the canonical frame."""

    term: str
    bounds: tuple[slice, slice, slice]

    @property
    def lengths(self) -> tuple[int, int, int]:
        """Voxels along the axes."""
        i, j, k = (where.stop - where.start for where in self.bounds)
        return (i, j, k)


def phantom(terms: list[str], number: int) -> list[Block]:
    """Blocks of a volume; each volume leaves out a fifth of the terms, where there are many."""
    cell = LARGE_CELL if len(terms) <= 8 else SMALL_CELL
    cells = list(product(*(range(n // c) for n, c in zip(SHAPE, cell, strict=True))))
    stride = max(1, len(cells) // max(1, len(terms)))
    blocks = []
    for place, term in enumerate(terms):
        if len(terms) > 2 and (place + number) % 5 == 0:
            continue
        corner = [n * c + 1 for n, c in zip(cells[place * stride], cell, strict=True)]
        i, j, k = (slice(at, at + c - 2) for at, c in zip(corner, cell, strict=True))
        blocks.append(Block(term=term, bounds=(i, j, k)))
    return blocks


def intensities(blocks: list[Block], number: int) -> np.ndarray:
    """Values of an image: a ramp within an ellipsoid, brighter blocks, and dark around."""
    i, j, k = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1], 0 : SHAPE[2]]
    values = (60 + i + 2 * j + 3 * k + number).astype(np.int16)
    centre = [(n - 1) / 2 for n in SHAPE]
    reach = sum(
        ((at - c) / (0.48 * n)) ** 2 for at, c, n in zip((i, j, k), centre, SHAPE, strict=True)
    )
    values[reach > 1] = 0
    for place, block in enumerate(blocks):
        values[block.bounds] = 260 + 5 * (place % 20)
    return values


def write(twin: Twin, count: int) -> None:
    """Write the volumes, and the index where the source ships one."""
    layout = twin.manifest.layout
    if not field_names(layout.images):
        count = 1
    terms = all_terms(layout)
    count = min(count, 3) if len(terms) > 20 else count
    taken = owned_values(layout)
    for number in range(count):
        fields = {name: values[number % len(values)] for name, values in taken.items()}
        path, fields = path_for(layout.images, fields, number)
        blocks = phantom(terms, number)
        write_volume(twin, path, intensities(blocks, number), number)
        twin.images.append(
            TwinImage(
                path=path,
                fields={"path": path, **fields},
                number=number,
                width=SHAPE[0],
                height=SHAPE[1],
            )
        )
        _expect(twin, blocks)
    assert len({image.path for image in twin.images}) == count, "paths of a twin must differ"
    if layout.dataset_json:
        _write_index(twin)


def all_terms(layout) -> list[str]:
    """Every term of every block of annotations, each once."""
    return list(dict.fromkeys(t for spec in layout.annotations for t in spec.labels.values()))


def _expect(twin: Twin, blocks: list[Block]) -> None:
    """A block shows whole in each slice that meets it; no rim of it is too small to be seen."""
    layout = twin.manifest.layout
    extents = []
    for plane in layout.slices.planes:
        for block in blocks:
            axis = AXIS[plane]
            sides = [n * s for n, s in zip(block.lengths, SPACING, strict=True)]
            area = np.prod([side for at, side in enumerate(sides) if at != axis]) / 4.0
            areas = np.full(block.lengths[axis], area)
            extents.append(
                Extent(label=block.term, plane=plane, start=block.bounds[axis].start, areas=areas)
            )
    chosen = choose_slices(
        extents,
        per_finding=layout.slices.per_finding,
        per_volume=layout.slices.per_volume,
        min_area_px=layout.min_area_px,
    )
    for plane, index in chosen:
        for block in blocks:
            where = block.bounds[AXIS[plane]]
            if where.start <= index < where.stop:
                twin.expect(block.term)


def _write_index(twin: Twin) -> None:
    """The Decathlon's index beside the folders of images and labels."""
    layout = twin.manifest.layout
    spec = layout.annotations[0]
    path, _ = path_for(layout.dataset_json, {}, 0)
    folder = dirname(path) + "/" if dirname(path) else ""
    names = spec.names or spec.labels
    content = {
        "labels": {"0": "background", **{str(code): name for code, name in names.items()}},
        "training": [
            {
                "image": "./" + image.path.removeprefix(folder),
                "label": "./"
                + path_for(spec.files, image.fields, image.number)[0].removeprefix(folder),
            }
            for image in twin.images
        ],
    }
    twin.write(path, json.dumps(content))
