"""One binary volume a structure, all on the grid of the image."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from converters.annotations.contract import Block, Index
from converters.annotations.grids import read_on_grid, said_on_grid
from converters.annotations.joins import join_files
from converters.annotations.structures import (
    Marked,
    Mask3D,
    Structure,
    VolumeQuestion,
    cut_structure,
    merge_structures,
    orphans_of,
)
from converters.errors import CaseError, SourceError
from converters.pattern import compile_pattern
from converters.records import Entry, Fault, Json
from converters.specs.annotations import StructureFiles


def index(spec: StructureFiles, block: Block) -> Index:
    """The structure files of each image.

    Raises:
        SourceError: A file names a structure that is not in the label map.
    """
    joined = join_files(spec.files, {}, block)
    entries: dict[str, Entry] = {}
    faults: dict[str, Fault] = {}
    for image, paths in joined.files.items():
        codes = [_code(spec, path) for path in paths]
        for code, path in zip(codes, paths, strict=True):
            _require_known(spec, code, path, block)
        if len(set(codes)) < len(codes):
            faults[image] = Fault(reason="name_duplicate", message="a structure has two files")
        entries[image] = Entry(
            files=tuple(p for c, p in zip(codes, paths, strict=True) if c in spec.labels)
        )
    return Index(
        entries=entries,
        faults=faults,
        orphans=orphans_of(joined),
    )


def _code(spec: StructureFiles, path: str) -> str:
    found = compile_pattern(spec.files).fullmatch(path)
    return found[spec.field] if found else ""


def _require_known(spec: StructureFiles, code: str, path: str, block: Block) -> None:
    if code not in spec.labels and code not in spec.ignore:
        raise SourceError(
            block.source,
            f"{path}: {spec.field} {code!r} is not in the label map",
            "add it to the manifest, to `labels` or to `ignore`",
        )


def read_structures(spec: StructureFiles, question: VolumeQuestion) -> Marked:
    """Every structure that has a file; one volume at a time is held whole.

    Raises:
        CaseError: A file cannot be used, does not fit the image, or is not binary.
    """
    structures: list[Structure] = []
    steps: list[Mapping[str, Json]] = []
    is_faithful = True
    for path in question.entry.files:
        placed = read_on_grid(spec, path, question)
        code = _code(spec, path)
        one = cut_structure(_mask(spec, placed.values, path), spec.labels[code], code)
        is_cut = bool(_mask(spec, placed.cut_off(), path).any())
        structures.append(replace(one, is_drawn=not is_cut))
        steps += [step for step in placed.transforms if step not in steps]
        is_faithful &= placed.is_faithful
    if spec.threshold is not None:
        steps.append({"step": "threshold_mask", "above": spec.threshold})
    marked = Marked(structures=merge_structures(structures), transforms=tuple(steps))
    return said_on_grid(marked, is_faithful=is_faithful)


def _mask(spec: StructureFiles, values: npt.NDArray[Any], path: str) -> Mask3D:
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise CaseError("label_unknown", f"{path} holds values that are not finite")
    if spec.threshold is not None:
        return np.asarray(values > spec.threshold)
    is_one = values == 1
    others = values.size - np.count_nonzero(is_one) - np.count_nonzero(values == 0)
    if others:
        raise CaseError(
            "label_unknown", f"{path} is not binary: {others:,} voxels are neither 0 nor 1"
        )
    return np.asarray(is_one)


def terms_of(spec: StructureFiles) -> tuple[str, ...]:
    """Every term that the block can say."""
    return tuple(dict.fromkeys(spec.labels.values()))
