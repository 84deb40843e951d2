"""Twins of volumes put the law of sides to the test: left and right lie well apart."""

import numpy as np
import pytest

from converters.annotations.sides import require_sides
from converters.annotations.structures import Structure
from converters.errors import CaseError
from converters.imaging.planes import Grid, to_canonical
from converters.imaging.volumes import Volume
from converters.manifest import list_sources, load_manifest
from tests.fakes.volume_files import SPACING
from tests.fakes.volumes import SHAPE, Block, all_terms, pairs_of, phantom

LAYOUTS = {name: load_manifest(name).manifest.layout for name in list_sources()}
TERMS = {
    name: all_terms(layout)
    for name, layout in LAYOUTS.items()
    if layout.kind in ("volumes", "series") and pairs_of(all_terms(layout))
}


def grid() -> Grid:
    """The grid of a twin."""
    volume = Volume(values=np.zeros(SHAPE, np.uint8), affine=np.diag([*SPACING, 1.0]))
    return to_canonical(volume, "twin").grid


def structure(block: Block, *, is_mirrored: bool = False) -> Structure:
    """A block as it is read, or as a file that was mirrored has it."""
    i, j, k = (where.start for where in block.bounds)
    if is_mirrored:
        i = SHAPE[0] - block.bounds[0].stop
    return Structure(term=block.term, code="", mask=np.ones(block.lengths, bool), corner=(i, j, k))


@pytest.mark.parametrize("source", TERMS)
@pytest.mark.parametrize("number", range(3))
def test_left_and_right_lie_well_apart(source: str, number: int) -> None:
    blocks = {block.term: block for block in phantom(TERMS[source], number)}
    for left, right in pairs_of(list(blocks)):
        apart = blocks[right].bounds[0].start - blocks[left].bounds[0].start
        assert apart * SPACING[0] > 5, (left, right)


@pytest.mark.parametrize("source", TERMS)
def test_a_mirrored_twin_is_refused(source: str) -> None:
    twins = (phantom(TERMS[source], number) for number in range(5))
    blocks = next(found for found in twins if pairs_of([block.term for block in found]))
    require_sides([structure(block) for block in blocks], grid())
    with pytest.raises(CaseError, match="sides_swapped"):
        require_sides([structure(block, is_mirrored=True) for block in blocks], grid())


@pytest.mark.parametrize("source", TERMS)
def test_no_two_blocks_share_a_place(source: str) -> None:
    blocks = phantom(TERMS[source], 1)
    assert len({str(block.bounds) for block in blocks}) == len(blocks)
