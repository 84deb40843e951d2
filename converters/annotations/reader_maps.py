"""Label maps of several readers of the same image: a voxel counts where enough of them agree."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from converters.annotations import label_map
from converters.annotations.contract import Block, Index
from converters.annotations.joins import join_files
from converters.annotations.structures import (
    Marked,
    Structure,
    VolumeQuestion,
    cut_structure,
    empty_structure,
    orphans_of,
)
from converters.pattern import compile_pattern
from converters.records import Entry, Fault, Json
from converters.specs.annotations import LabelMap
from converters.specs.readers import ReaderMaps


def index(spec: ReaderMaps, block: Block) -> Index:
    """The label maps of each image, one a reader; an image that fewer have read is a fault."""
    joined = join_files(spec.files, {}, block)
    faults: dict[str, Fault] = {}
    for image, files in joined.files.items():
        names = [_reader(spec, path) for path in files]
        if len(set(names)) < len(names):
            faults[image] = Fault(reason="name_duplicate", message="a reader has two files")
        elif len(names) != spec.readers:
            said = f"{len(names)} of {spec.readers} readers: {', '.join(names)}"
            faults[image] = Fault(reason="annotation_missing", message=said)
    return Index(
        entries={image: Entry(files=files) for image, files in joined.files.items()},
        faults=faults,
        orphans=orphans_of(joined),
    )


def _reader(spec: ReaderMaps, path: str) -> str:
    found = compile_pattern(spec.files).fullmatch(path)
    return found[spec.reader] if found else ""


def read_structures(spec: ReaderMaps, question: VolumeQuestion) -> Marked:
    """Every term of the block, with the voxels that enough readers gave to it.

    Raises:
        CaseError: A file cannot be used, does not fit the image, or holds an unknown code.
    """
    one = _label_map(spec)
    readings = [
        label_map.read_structures(one, replace(question, entry=Entry(files=(path,))))
        for path in question.entry.files
    ]
    drawn = zip(*(reading.structures for reading in readings), strict=True)
    step: dict[str, Json] = {
        "step": "consensus",
        "readers": len(readings),
        "at_least": spec.at_least,
    }
    steps = tuple(step for reading in readings for step in reading.transforms)
    return Marked(
        structures=tuple(agreed(same, spec.at_least) for same in drawn),
        transforms=(*steps, step),
    )


def _label_map(spec: ReaderMaps) -> LabelMap:
    """What one reader's file is."""
    shared = {name: getattr(spec, name) for name in LabelMap.model_fields if hasattr(spec, name)}
    return LabelMap.model_validate({**shared, "kind": "label_map"})


def agreed(drawn: Sequence[Structure], at_least: int) -> Structure:
    """The voxels of a term that at least so many of its drawings hold.

    What one drawing knows not to have been seen whole is not known of the agreement either.
    """
    filled = [one for one in drawn if one.mask.size]
    first = drawn[0]
    if len(filled) < at_least:
        return empty_structure(first.term, first.code)
    low = np.min([one.corner for one in filled], axis=0)
    high = np.max([np.add(one.corner, one.mask.shape) for one in filled], axis=0)
    votes = np.zeros(high - low, dtype=np.uint8)
    for one in filled:
        start = np.subtract(one.corner, low)
        votes[tuple(map(slice, start, start + one.mask.shape))] += one.mask
    i, j, k = (int(value) for value in low)
    cut = cut_structure(votes >= at_least, first.term, first.code, (i, j, k))
    return replace(
        cut,
        is_all_seen=all(one.is_all_seen for one in drawn),
        is_drawn=all(one.is_drawn for one in drawn),
    )


def terms_of(spec: ReaderMaps) -> tuple[str, ...]:
    """Every term that the block can say."""
    return tuple(dict.fromkeys(spec.labels.values()))
