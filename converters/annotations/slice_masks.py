"""Pictures of labels, one a slice of a DICOM series, stacked as the files of the series lie."""

import re

import numpy as np
import numpy.typing as npt
from nibabel.orientations import apply_orientation, axcodes2ornt

from converters.annotations.contract import Block, Index
from converters.annotations.joins import join_files
from converters.annotations.placement import held_against
from converters.annotations.structures import (
    Marked,
    Structure,
    VolumeQuestion,
    cut_structure,
    merge_structures,
    orphans_of,
)
from converters.errors import CaseError
from converters.imaging.masks import grey_values, read_mask, snap_values
from converters.records import Entry, Json
from converters.specs.slice_masks import SliceMasks

_NUMBER = re.compile(r"(\d+)")


def index(spec: SliceMasks, block: Block) -> Index:
    """All pictures of each series."""
    joined = join_files(spec.files, {}, block)
    return Index(
        entries={image: Entry(files=files) for image, files in joined.files.items()},
        orphans=orphans_of(joined),
    )


def read_structures(spec: SliceMasks, question: VolumeQuestion) -> Marked:
    """Every term of the block, with the voxels of its codes.

    Raises:
        CaseError: ``shape_mismatch``, where there is not one picture a slice, of its size;
            ``label_unknown``; ``orientation_ambiguous``, where the image does not bear out how
            the pictures lie on it.
    """
    codes, moved = _stack(spec, question)
    structures = [
        _structure(codes, code, term) for code, term in spec.labels.items()
    ]  # a code that does not occur is an empty structure
    merged = merge_structures(structures)
    steps: list[dict[str, Json]] = [{"step": "stack_masks", "pictures": len(question.entry.files)}]
    if moved:
        steps.append({"step": "snap_values", "pixels": moved})
    assert question.seen is not None  # the layouts of volumes always say what they show
    steps.append(held_against(merged, question.seen.body, spec.margin, question.path))
    return Marked(structures=merged, transforms=tuple(steps))


def _structure(codes: npt.NDArray[np.integer], code: int, term: str) -> Structure:
    return cut_structure(np.asarray(codes == code), term, str(code))


def _stack(spec: SliceMasks, question: VolumeQuestion) -> tuple[npt.NDArray[np.integer], int]:
    """Codes in the canonical frame of the image, and how many pixels were moved to a code."""
    files = question.seen.slice_files if question.seen else ()
    pictures = sorted(question.entry.files, key=_by_number)
    if len(files) != len(pictures):
        raise CaseError(
            "shape_mismatch",
            f"{question.path}: {len(pictures)} pictures of labels for {len(files)} files of slices",
        )
    belongs = dict(zip(sorted(files, key=_by_number), pictures, strict=True))
    # Canonical axes of the stored ones: along the columns of a slice, its rows, the slices.
    turn = axcodes2ornt(tuple(question.grid.stored_as))
    columns, rows, _ = (question.grid.shape[int(axis)] for axis, _ in turn)
    known = [*spec.labels, *spec.ignore]
    slices, moved = [], 0
    for path in files:
        picture = read_mask(question.root, belongs[path], (columns, rows))
        values = grey_values(picture, belongs[path])
        codes, count = snap_values(values, known, snap=spec.snap, name=belongs[path])
        slices.append(codes.astype(np.uint16))
        moved += count
    return apply_orientation(np.stack(slices).T, turn), moved


def _by_number(path: str) -> tuple[tuple[int, str], ...]:
    """The order of names in which 10 follows 9."""
    parts = _NUMBER.split(path.rpartition("/")[2])
    return tuple((int(part), "") if part.isdigit() else (-1, part) for part in parts)


def terms_of(spec: SliceMasks) -> tuple[str, ...]:
    """Every term that the block can say."""
    return tuple(dict.fromkeys(spec.labels.values()))
