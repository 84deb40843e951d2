"""An integer-coded volume on the grid of the image."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from converters.annotations.contract import Block, Index
from converters.annotations.grids import read_on_grid, require_reached, said_on_grid
from converters.annotations.structures import (
    Corner,
    Marked,
    Structure,
    VolumeQuestion,
    cut_structure,
    empty_structure,
    index_single_files,
    merge_structures,
)
from converters.errors import CaseError, SourceError
from converters.pattern import match_paths
from converters.records import Json
from converters.specs.annotations import LabelMap

_ROUNDING = 1e-3
_MAX_CODE = 1 << 20
_NAMES_BYTES = 1 << 20


def index(spec: LabelMap, block: Block) -> Index:
    """One label map an image; the names that the source ships must be the manifest's.

    Raises:
        SourceError: They are not, or the file of names is missing or unreadable.
    """
    if spec.names_file:
        _require_names(spec, block)
    return index_single_files(spec.files, block)


def _require_names(spec: LabelMap, block: Block) -> None:
    found = match_paths(spec.names_file or "", block.listing.paths)
    if len(found) != 1:
        raise SourceError(
            block.source,
            f"{len(found)} files match {spec.names_file!r}",
            "the names of the codes stand in it; get it with the label maps",
        )
    path = found[0][0]
    names = _read_names(path, block)
    wanted = dict(spec.names or {})
    wrong = sorted(
        code for code in names.keys() | wanted.keys() if names.get(code) != wanted.get(code)
    )
    if wrong:
        code = wrong[0]
        raise SourceError(
            block.source,
            f"{path}: code {code} is {names.get(code)!r}, in the manifest {wanted.get(code)!r} "
            f"({len(wrong)} codes differ)",
            "this is another edition of the atlas; its codes need a manifest of their own",
        )


def _read_names(path: str, block: Block) -> dict[int, str]:
    """Lines of "code name ...": further words of a line are passed over."""
    names: dict[int, str] = {}
    try:
        text = block.root.read(path, _NAMES_BYTES).decode("utf-8-sig")
        for line in text.splitlines():
            words = line.split()
            if words:
                names[int(words[0])] = words[1]
    except (CaseError, ValueError, IndexError) as error:
        raise SourceError(block.source, f"{path}: {error}", "get the file again") from error
    return names


def read_structures(spec: LabelMap, question: VolumeQuestion) -> Marked:
    """Every term of the block, with the voxels of its codes.

    Raises:
        CaseError: The file cannot be used, does not fit the image, or holds an unknown code.
    """
    path = question.entry.files[0]
    placed = read_on_grid(spec, path, question)
    if 0 in spec.labels:
        require_reached(placed, path)
    codes, corner, rounding = _codes(spec, placed.before, path)
    if placed.values is not placed.before:  # what lies outside the image was looked at as well
        codes, corner, rounding = _codes(spec, placed.values, path)
    found = _bounds_of_each(codes)
    said = [*spec.labels.items(), *spec.within.items()]
    cut = {int(code) for code in np.unique(_integers(placed.cut_off(), path)[0])}
    structures = (
        replace(_structure(term, codes, code, found, corner), is_drawn=code not in cut)
        for code, term in said
    )
    marked = Marked(
        structures=merge_structures(structures), transforms=(*placed.transforms, *rounding)
    )
    return said_on_grid(marked, is_faithful=placed.is_faithful)


def _codes(
    spec: LabelMap, values: npt.NDArray[Any], path: str
) -> tuple[npt.NDArray[np.integer], Corner, tuple[dict[str, Json], ...]]:
    """Codes that the label map knows, cut to what is not background, and where they begin."""
    codes, rounding = _integers(values, path)
    lowest, highest = int(codes.min()), int(codes.max())
    if lowest < 0 or highest > _MAX_CODE:
        outside = lowest if lowest < 0 else highest
        raise CaseError("label_unknown", f"{path}: code {outside} is out of range")
    corner = (0, 0, 0)
    if 0 in spec.ignore and highest:
        codes, corner = _cut_background(codes)
    _require_known(spec, codes, highest, path)
    return codes, corner, rounding


def _bounds_of_each(codes: npt.NDArray[np.integer]) -> list[tuple[slice, ...]]:
    """Bounds of each code from 1 on, looked for as the voxels lie in memory: twice as fast."""
    order = np.argsort([-abs(stride) for stride in codes.strides], kind="stable")
    back = np.argsort(order)
    found = ndimage.find_objects(codes.transpose(order))
    return [bounds and tuple(bounds[axis] for axis in back) for bounds in found]


def _integers(
    values: npt.NDArray[Any], path: str
) -> tuple[npt.NDArray[np.integer], tuple[dict[str, Json], ...]]:
    if values.dtype.kind in "iu":
        return values, ()
    if not np.isfinite(values).all() or np.abs(values).max(initial=0) > _MAX_CODE:
        raise CaseError("label_unknown", f"{path} holds values that are no codes")
    rounded = np.rint(values)
    off = float(np.abs(values - rounded).max(initial=0))
    if off > _ROUNDING:
        count = int(np.count_nonzero(np.abs(values - rounded) > _ROUNDING))
        raise CaseError("label_unknown", f"{path}: {count:,} voxels hold values between codes")
    step: dict[str, Json] = {"step": "round_codes", "largest_change": float(f"{off:.3g}")}
    return rounded.astype(np.int32), ((step,) if off else ())


def _cut_background(codes: npt.NDArray[np.integer]) -> tuple[npt.NDArray[np.integer], Corner]:
    """The bounds of what is not 0, and where they begin: most of a volume is background."""
    where: list[slice] = []
    for axis in range(3):
        # Axes that are cut already leave less to look at.
        others = tuple(other for other in range(3) if other != axis)
        view = codes[tuple([*where, slice(None), slice(None), slice(None)][:3])]
        marked = np.flatnonzero(view.any(axis=others))
        where.append(slice(int(marked[0]), int(marked[-1]) + 1))
    return codes[tuple(where)], (where[0].start, where[1].start, where[2].start)


def _require_known(spec: LabelMap, codes: npt.NDArray[np.integer], highest: int, path: str) -> None:
    counts = np.zeros(highest + 1, dtype=np.int64)
    for slab in np.moveaxis(codes, int(np.argmax(np.abs(codes.strides))), 0):
        counts += np.bincount(np.ravel(slab, order="K").astype(np.int64), None, highest + 1)
    known = spec.labels.keys() | set(spec.ignore)
    unknown = [int(code) for code in np.flatnonzero(counts) if int(code) not in known]
    if unknown:
        seen = ", ".join(f"{code} ({counts[code]:,} voxels)" for code in unknown[:5])
        raise CaseError("label_unknown", f"{path}: codes not in the label map: {seen}")


def _structure(
    term: str,
    codes: npt.NDArray[np.integer],
    code: int,
    found: list[tuple[slice, ...]],
    corner: Corner,
) -> Structure:
    # A code that does not occur is None, whatever the stubs say.
    bounds: tuple[slice, ...] | None = found[code - 1] if 0 < code <= len(found) else None
    if code == 0:  # 0 is a label: nothing was cut away
        return cut_structure(codes == 0, term, str(code))
    if bounds is None:
        return empty_structure(term, str(code))
    i, j, k = (start + where.start for start, where in zip(corner, bounds, strict=True))
    return cut_structure(codes[bounds] == code, term, str(code), (i, j, k))


def terms_of(spec: LabelMap) -> tuple[str, ...]:
    """Every term that the block can say."""
    return tuple(dict.fromkeys(spec.labels.values()))
