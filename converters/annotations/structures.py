"""What passes between the volume layout and the module of a 3-D annotation block.

Such a module has ``index`` as any other, and ``read_structures(spec, question)`` instead
of ``read``: masks in the canonical frame of the image, each cut to its bounds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from converters.annotations.contract import Block, Index
from converters.annotations.joins import Joined, join_files
from converters.files import Root
from converters.imaging.body import Body
from converters.imaging.planes import AXIS, Grid, Plane
from converters.records import Entry, Fault, Json

Mask3D = npt.NDArray[np.bool_]
Corner = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What a volume shows.

    Attributes:
        body: A sample of its values in the canonical frame, and where the patient is.
        slice_files: Paths of its slices along the last axis as it is stored, where each is a
            file of its own.
    """

    body: Body
    slice_files: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class VolumeQuestion:
    """What ``read_structures`` is given: one image volume, and what the block has for it.

    Attributes:
        root: Of the source.
        path: Of the image.
        fields: Of the image.
        entry: What the block has for it.
        grid: Its voxels, on which every structure is wanted.
        seen: What the image shows, for a block that has to be held against it.
    """

    root: Root
    path: str
    fields: Mapping[str, str]
    entry: Entry
    grid: Grid
    seen: Seen | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Structure:
    """One term's voxels, cut to their bounds; none where the structure is not in the volume.

    Attributes:
        term: Canonical term.
        code: How the source writes it.
        mask: Shape of the bounds along the canonical axes; (0, 0, 0) where it is empty.
        corner: Canonical index of the mask's first voxel.
        is_all_seen: False where a part of it may lie between the voxels of the image, or
            outside what its annotation reaches.
        is_drawn: False where the mask is a ball or a box put around a stated place, or is cut
            off where its annotation ends within the image: it says where something is, and
            there is nothing to measure on it.
        is_point: True where the mask is the one voxel that a stated place lies in: there is no
            box around it either.
        is_instance: Whether it is one object; several structures may then share a term.
        attributes: What the source states of it, as (name, value).
    """

    term: str
    code: str
    mask: Mask3D
    corner: Corner
    is_all_seen: bool = True
    is_drawn: bool = True
    is_point: bool = False
    is_instance: bool = False
    attributes: tuple[tuple[str, str], ...] = ()

    @property
    def voxels(self) -> int:
        """How many voxels it has."""
        return int(np.count_nonzero(self.mask))

    def is_whole(self, shape: Corner) -> bool:
        """Whether no voxel lies on the rim of the volume, where the structure may be cut off."""
        return self.is_all_seen and all(
            start > 0 and start + extent < whole
            for start, extent, whole in zip(self.corner, self.mask.shape, shape, strict=True)
        )

    def counts(self, plane: Plane) -> npt.NDArray[np.int64]:
        """Voxels in each slice of its bounds, from ``corner`` on."""
        axis = AXIS[plane]
        others = tuple(other for other in range(3) if other != axis)
        return np.count_nonzero(self.mask, axis=others).astype(np.int64)

    def paste(self, plane: Plane, index: int, shape: Corner) -> npt.NDArray[np.bool_] | None:
        """Its part of one slice as a canonical slab, one voxel thick; None outside its bounds."""
        axis = AXIS[plane]
        inside = index - self.corner[axis]
        if not 0 <= inside < self.mask.shape[axis]:
            return None
        slab = np.zeros(tuple(1 if a == axis else n for a, n in enumerate(shape)), dtype=bool)
        where = tuple(
            slice(0, 1) if a == axis else slice(self.corner[a], self.corner[a] + n)
            for a, n in enumerate(self.mask.shape)
        )
        slab[where] = self.mask.take([inside], axis=axis)
        return slab


@dataclass(frozen=True, kw_only=True, slots=True)
class Marked:
    """What a block says of a volume.

    Attributes:
        structures: One a term that the block speaks of for this volume, empty ones as well;
            or one an object.
        transforms: What was done to the annotation (a threshold, a rounding).
        uncertain: Terms that may be there without a voxel; they are never said to be absent.
    """

    structures: tuple[Structure, ...]
    transforms: tuple[Mapping[str, Json], ...] = ()
    uncertain: tuple[str, ...] = ()


def empty_structure(term: str, code: str) -> Structure:
    """A structure that is not in the volume."""
    return Structure(term=term, code=code, mask=np.zeros((0, 0, 0), bool), corner=(0, 0, 0))


def cut_structure(mask: Mask3D, term: str, code: str, offset: Corner = (0, 0, 0)) -> Structure:
    """A structure from a mask whose first voxel lies at `offset`; the mask may be let go."""
    bounds: list[slice] = []
    for axis in range(3):
        hit = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        if hit.size == 0:
            return empty_structure(term, code)
        bounds.append(slice(int(hit[0]), int(hit[-1]) + 1))
    i, j, k = (start + where.start for start, where in zip(offset, bounds, strict=True))
    return Structure(term=term, code=code, mask=mask[tuple(bounds)].copy(), corner=(i, j, k))


def merge_structures(structures: Iterable[Structure]) -> tuple[Structure, ...]:
    """One structure a term: codes that share a term are parts of the same thing."""
    by_term: dict[str, list[Structure]] = {}
    for structure in structures:
        by_term.setdefault(structure.term, []).append(structure)
    return tuple(_merged(parts) for parts in by_term.values())


def _merged(parts: list[Structure]) -> Structure:
    if len(parts) == 1:
        return parts[0]
    code = ", ".join(part.code for part in parts)
    filled = [part for part in parts if part.mask.size]
    if not filled:
        return empty_structure(parts[0].term, code)
    low = np.min([part.corner for part in filled], axis=0)
    high = np.max([np.add(part.corner, part.mask.shape) for part in filled], axis=0)
    mask = np.zeros(high - low, dtype=bool)
    for part in filled:
        start = np.subtract(part.corner, low)
        mask[tuple(map(slice, start, start + part.mask.shape))] |= part.mask
    i, j, k = (int(value) for value in low)
    return Structure(
        term=parts[0].term,
        code=code,
        mask=mask,
        corner=(i, j, k),
        is_all_seen=all(part.is_all_seen for part in parts),
        is_drawn=all(part.is_drawn for part in parts),
    )


def index_single_files(pattern: str, block: Block) -> Index:
    """The index of a block with one file an image; a second one is a fault."""
    joined = join_files(pattern, {}, block)
    return Index(
        entries={path: Entry(files=found) for path, found in joined.files.items()},
        faults={
            path: Fault(reason="name_duplicate", message=f"{found[0]} and {found[1]} both fit")
            for path, found in joined.files.items()
            if len(found) > 1
        },
        orphans=orphans_of(joined),
    )


def orphans_of(joined: Joined) -> tuple[tuple[str, str], ...]:
    """One orphan for the files that belong together and to no image."""
    said = []
    for files in joined.orphans:
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        said.append((files[0], f"no image belongs to {files[0]}{more}"))
    return tuple(said)
