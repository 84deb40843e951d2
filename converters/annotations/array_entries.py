"""What blocks about the rows of arrays have in common: where an array is, and its rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from converters.annotations.contract import Block, Index
from converters.annotations.joins import join_files
from converters.files import Root
from converters.imaging.array_rows import Array, array_rows
from converters.records import Case, Entry, Fault
from converters.specs.arrays import ArrayLabels, ArrayMasks


@dataclass(frozen=True, kw_only=True, slots=True)
class RowEntry(Entry):
    """What an array says of one picture: its row, turned as the picture is shown."""

    row: Array


class Stored(Protocol):
    """How the pictures of a source lie in their arrays: what of the layout blocks need."""

    @property
    def one_picture(self) -> bool:
        """Whether an array is one picture."""

    @property
    def upside_down(self) -> bool:
        """Whether the rows of a picture are turned round."""


def index_arrays(spec: ArrayLabels | ArrayMasks, block: Block) -> Index:
    """The file of each array: that of the pictures, or the one that its pattern joins.

    Raises:
        ManifestError: The patterns have nothing in common.
    """
    if spec.files is None:
        return Index(entries={image.path: Entry() for image in block.images})
    joined = join_files(spec.files, {}, block)
    return Index(
        entries={path: Entry(files=files) for path, files in joined.files.items()},
        faults={
            path: Fault(reason="name_duplicate", message=f"arrays {', '.join(files[:3])}")
            for path, files in joined.files.items()
            if len(files) > 1
        },
        orphans=tuple((files[0], "an array without its pictures") for files in joined.orphans),
    )


def entries_of_rows(
    spec: ArrayLabels | ArrayMasks, root: Root, case: Case, entry: Entry, stored: Stored
) -> Iterator[RowEntry]:
    """The entry of each picture, in order.

    Raises:
        CaseError: The array cannot be read.
    """
    file = entry.files[0] if entry.files else case.image
    variable = spec.variables[case.fields["part"]]
    is_turned = stored.upside_down and isinstance(spec, ArrayMasks)
    for row in array_rows(root.checked(file), file, variable, is_one=stored.one_picture):
        yield RowEntry(files=entry.files, row=np.flipud(row) if is_turned else row)
