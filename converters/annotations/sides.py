"""Left and right of a patient, held against where the marked structures lie."""

from collections.abc import Iterable, Mapping

import numpy as np

from converters.annotations.structures import Structure
from converters.errors import CaseError
from converters.imaging.planes import Grid, Plane
from converters.vocabulary import term

_CLEAR_MM = 5.0  # centres that are nearer than this from side to side tell nothing
_AXES: tuple[Plane, ...] = ("sagittal", "coronal", "axial")


def require_sides(structures: Iterable[Structure], grid: Grid) -> None:
    """Refuse a volume whose left structures lie on the right of their twins.

    Such a file was mirrored, or its labels were exchanged; which of the two is not known, and
    nothing that is said of a side would be sure. One pair may lie the other way round in a
    patient: the majority of pairs decides.

    Args:
        structures: All that are marked, in the canonical frame; empty ones are passed over.
        grid: Their grid.

    Raises:
        CaseError: ``sides_swapped``, with the pair that lies farthest the wrong way.
    """
    places: dict[str, dict[str, float]] = {}
    for one in structures:
        word = term(one.term)
        if word.side and one.mask.size:
            places.setdefault(word.base, {})[word.side] = _to_the_right_mm(one, grid)
    offsets = {
        base: sides["left"] - sides["right"] for base, sides in places.items() if len(sides) == 2
    }
    clear = {base: offset for base, offset in offsets.items() if abs(offset) > _CLEAR_MM}
    swapped = [base for base, offset in clear.items() if offset > 0]
    if 2 * len(swapped) > len(clear):
        raise CaseError("sides_swapped", _said(swapped, clear))


def _said(swapped: list[str], clear: Mapping[str, float]) -> str:
    worst = max(swapped, key=lambda base: (clear[base], base))
    return (
        f"of {len(clear)} structures with a left and a right one, {len(swapped)} lie the wrong way "
        f"round: the left {worst} lies {clear[worst]:.0f} mm to the right of the right one"
    )


def _to_the_right_mm(structure: Structure, grid: Grid) -> float:
    """Where the centre of a structure lies along the patient's axis from left to right."""
    centre = [1.0, 1.0, 1.0, 1.0]
    for axis, plane in enumerate(_AXES):
        counts = structure.counts(plane)
        at = structure.corner[axis] + np.arange(counts.size)
        centre[axis] = float((counts * at).sum() / counts.sum())
    return float(grid.affine[0] @ centre)
