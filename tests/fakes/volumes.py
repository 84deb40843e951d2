"""Twins of 3-D volumes: a smooth head with bright blocks, one a term, stored in many ways."""

import json
from dataclasses import dataclass
from itertools import product
from posixpath import dirname

import numpy as np

from converters.annotations.structures import Structure, merge_structures
from converters.imaging.body import body_of
from converters.imaging.grey import grey_ranges
from converters.imaging.planes import AXIS, to_canonical
from converters.imaging.volumes import Volume
from converters.layouts.choosing import Drawer, choose
from converters.layouts.slicing import Said3D
from converters.pattern import field_names
from converters.vocabulary import term as vocabulary_term
from tests.fakes import Twin, TwinImage
from tests.fakes.images import owned_values
from tests.fakes.paths import path_for
from tests.fakes.sequences import write_frames, write_images
from tests.fakes.volume_files import SPACING

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

    def meets(self, axis: int, index: int) -> bool:
        """Whether a slice across an axis cuts the block."""
        return self.bounds[axis].start <= index < self.bounds[axis].stop


def is_held_against_image(layout) -> bool:
    """Whether a converter looks at the image to tell how labels lie: organs must look like it."""
    return any(spec.kind == "slice_masks" for spec in layout.annotations)


def phantom(terms: list[str], number: int, *, gap: int = 1) -> list[Block]:
    """Blocks of a volume; each volume leaves out a fifth of the terms, where there are many.

    Blocks begin one voxel after their cell and end `gap` before its end: with more than one, no
    block lies where another one's mirror image does.
    """
    cell = LARGE_CELL if len(terms) <= 8 else SMALL_CELL
    kept = [
        term for place, term in enumerate(terms) if len(terms) <= 2 or (place + number) % 5 != 0
    ]
    blocks = []
    for term, place in _places(kept, cell).items():
        corner = [n * c + 1 for n, c in zip(place, cell, strict=True)]
        i, j, k = (slice(at, at + c - 1 - gap) for at, c in zip(corner, cell, strict=True))
        blocks.append(Block(term=term, bounds=(i, j, k)))
    return blocks


def _places(terms: list[str], cell: tuple[int, int, int]) -> dict[str, tuple[int, int, int]]:
    """A cell for each term: a left structure and its right one face each other."""
    across, deep, high = (n // c for n, c in zip(SHAPE, cell, strict=True))
    facing = [(i, j, k) for j, k, i in product(range(deep), range(high), range(across // 2))]
    found: dict[str, tuple[int, int, int]] = {}
    pairs = pairs_of(terms)
    for (left, right), (i, j, k) in zip(pairs, _spread(facing, len(pairs)), strict=False):
        found |= {left: (i, j, k), right: (across - 1 - i, j, k)}
    taken = set(found.values())
    free = [at for at in product(range(across), range(deep), range(high)) if at not in taken]
    rest = [term for term in terms if term not in found]
    found |= dict(zip(rest, _spread(free, len(rest)), strict=True))
    return {term: found[term] for term in terms}


def _spread(cells: list[tuple[int, int, int]], count: int) -> list[tuple[int, int, int]]:
    return cells[:: max(1, len(cells) // max(1, count))][:count]


def pairs_of(terms: list[str]) -> list[tuple[str, str]]:
    """Terms of the left with those of the right, where both are there."""
    lefts, rights = (
        {vocabulary_term(t).base: t for t in terms if vocabulary_term(t).side == side}
        for side in ("left", "right")
    )
    return [(left, rights[base]) for base, left in lefts.items() if base in rights]


def blocks_of(layout, number: int) -> list[Block]:
    """The phantom of a case; where slices without a finding are wanted, one case has no finding."""
    if layout.kind == "volumes" and layout.slices.normal_slices and number == 2:
        return []
    return phantom(all_terms(layout), number, gap=7 if is_held_against_image(layout) else 1)


def intensities(blocks: list[Block], number: int, *, alike: bool = False) -> np.ndarray:
    """Values of an image: a ramp within an ellipsoid, brighter blocks, and dark around.

    Blocks are of one grey each where they are to be `alike`, as organs are.
    """
    i, j, k = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1], 0 : SHAPE[2]]
    values = (60 + i + 2 * j + 3 * k + number).astype(np.int16)
    centre = [(n - 1) / 2 for n in SHAPE]
    reach = sum(
        ((at - c) / (0.48 * n)) ** 2 for at, c, n in zip((i, j, k), centre, SHAPE, strict=True)
    )
    values[reach > 1] = 0
    for place, block in enumerate(blocks):
        values[block.bounds] = 260 + 5 * (place % 20)
    patches = texture(values.shape, number)
    for block in blocks if alike else ():
        patches[block.bounds] //= 10
    return values + patches


def texture(shape: tuple[int, ...], number: int) -> np.ndarray:
    """Coarse patches that differ in every slice of every plane: no two slices look the same."""
    random = np.random.default_rng(number)
    total = np.zeros(shape, np.int16)
    for axis in range(3):
        patches = random.integers(0, 60, [n if a == axis else 6 for a, n in enumerate(shape)])
        places = [np.arange(n) if a == axis else np.arange(n) * 6 // n for a, n in enumerate(shape)]
        total += patches[np.ix_(*places)].astype(np.int16)
    return total


def write(twin: Twin, count: int) -> None:
    """Write the volumes, and the index where the source ships one."""
    layout = twin.manifest.layout
    if not field_names(layout.images):
        count = 1
    terms = all_terms(layout)
    count = min(count, 3 if len(terms) > 20 else 5)  # five leave out every term once
    taken = owned_values(layout)
    for number in range(count):
        fields = {name: values[number % len(values)] for name, values in taken.items()}
        path, fields = path_for(layout.images, fields, number)
        blocks = blocks_of(layout, number)
        values = in_units(layout, intensities(blocks, number))
        volumes = write_images(twin, path, fields, values, number)
        twin.images.append(
            TwinImage(
                path=path,
                fields={"path": path, **fields},
                number=number,
                width=SHAPE[0],
                height=SHAPE[1],
            )
        )
        _expect(twin, blocks, values, volumes)
    assert len({image.path for image in twin.images}) == count, "paths of a twin must differ"
    if layout.dataset_json:
        _write_index(twin)
    if layout.frames:
        write_frames(twin)


def in_units(layout, values: np.ndarray) -> np.ndarray:
    """Values as the layout says that they are: Hounsfield units, or in the range of a scale."""
    if layout.hu == "check":  # air outside, soft tissue inside
        return np.where(values < 250, values // 8 - 1000, values - 300).astype(np.int16)
    if getattr(layout.grey, "map", "") == "scale":
        low, high = layout.grey.low, layout.grey.high
        return (low + (high - low) * values / values.max()).astype(np.float32)
    return values


def all_terms(layout) -> list[str]:
    """Every term of every block of annotations, each once."""
    return list(dict.fromkeys(t for spec in layout.annotations for t in _terms(spec)))


def _terms(spec) -> list[str]:
    only = getattr(spec, "only", None)  # the term of files that mark one thing
    return [only] if only else list(spec.labels.values())


def _expect(twin: Twin, blocks: list[Block], values: np.ndarray, volumes: int) -> None:
    """A block shows whole in each slice that meets it; no rim of it is too small to be seen."""
    layout = twin.manifest.layout
    canonical = to_canonical(Volume(values=values, affine=np.diag([*spacing(layout), 1.0])), "twin")
    shown = regions(layout, blocks)
    said = [
        Said3D(structure=_structure(term, parts), is_known=True) for term, parts in shown.items()
    ]
    body = body_of(values)
    greys = grey_ranges(layout.grey, body.values, body.inside, "twin")
    drawer = Drawer(values=canonical.values, grid=canonical.grid)
    for choice in choose(layout, said, body, drawer, greys[0]):
        for term, parts in shown.items():
            if any(part.meets(AXIS[choice.plane], choice.index) for part in parts):
                twin.expect(term, len(greys) * volumes)


def spacing(layout) -> tuple[float, ...]:
    """Voxel size in the canonical frame: the twin's own, or what the manifest gives of arrays."""
    stored = getattr(layout, "stored", None)
    if stored is None:
        return SPACING
    pairs = dict(zip(stored.axes, stored.spacing_mm, strict=True))
    return tuple(next(pairs[one] for one in pair if one in pairs) for pair in ("RL", "AP", "SI"))


def regions(layout, blocks: list[Block]) -> dict[str, list[Block]]:
    """Blocks by term, in the order of the labels; a tumor's block is its organ's as well."""
    found: dict[str, list[Block]] = {term: [] for term in all_terms(layout)}
    for block in blocks:
        found[block.term].append(block)
    for spec in layout.annotations:
        for code, whole in getattr(spec, "within", {}).items():
            found[whole] += [block for block in blocks if block.term == spec.labels[code]]
    return {term: parts for term, parts in found.items() if parts}


def _structure(term: str, parts: list[Block]) -> Structure:
    cut = [
        Structure(
            term=term,
            code="",
            mask=np.ones(part.lengths, bool),
            corner=tuple(where.start for where in part.bounds),
        )
        for part in parts
    ]
    return merge_structures(cut)[0]


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
