"""Whether an image bears out where an annotation lies on it: held against every mirrored place.

An organ is of one grey where it is drawn right. Mirrored along any axis, its outline takes in
fat, gas, bone and other organs. On an abdominal CT the grey inside the liver spread three times
as wide in the best mirrored place as in the right one.
"""

from collections.abc import Iterable, Sequence
from itertools import product

import numpy as np
import numpy.typing as npt

from converters.annotations.structures import Structure
from converters.errors import CaseError
from converters.imaging.body import Body
from converters.records import Json

_SPREAD = (10.0, 90.0)  # percentiles: robust against vessels and against the rim of an outline
_CONTRAST = (1.0, 99.0)
_MIN_INSIDE = 0.9  # of what is marked, for a place to be one at all: air is of one grey, too
_MIN_POINTS = 50
_AXES = ("left-right", "front-back", "head-foot")


def held_against(
    structures: Sequence[Structure], body: Body, margin: float, name: str
) -> dict[str, Json]:
    """Require that the place of structures fits the image, and no mirrored one nearly as well.

    Args:
        structures: In the canonical frame of the image.
        body: A sample of the image.
        margin: How many times as wide the greys must spread in every mirrored place.
        name: For messages.

    Returns:
        What was found, for provenance.

    Raises:
        CaseError: ``orientation_ambiguous``, with the figures; or ``annotation_empty``, where
            too little is marked to tell.
    """
    masks = list(_sampled(structures, body))
    points = sum(int(np.count_nonzero(mask)) for mask in masks)
    if points < _MIN_POINTS:
        raise CaseError(
            "annotation_empty", f"{name}: {points} marked points do not tell how the labels lie"
        )
    own, inside = _fit(masks, body)
    if inside < _MIN_INSIDE:
        raise CaseError(
            "orientation_ambiguous", f"{name}: {inside:.0%} of what is marked lies in the body"
        )
    nearest, way = _nearest_mirrored(masks, body)
    if nearest < margin * own:
        raise CaseError(
            "orientation_ambiguous",
            f"{name}: greys of what is marked spread over {own:.3f} of the contrast, and mirrored "
            f"{way} over {nearest:.3f}; at least {margin:g} times as much is asked for",
        )
    found: dict[str, Json] = {"step": "held_against_image", "spread": round(own, 4)}
    # None where no mirrored place lies in the body.
    found["mirrored_spread"] = round(nearest, 4) if np.isfinite(nearest) else None
    return found


def _sampled(structures: Iterable[Structure], body: Body) -> Iterable[npt.NDArray[np.bool_]]:
    """Masks at the points of the sample."""
    i, j, k = body.steps
    for one in structures:
        first = [-(-at // step) for at, step in zip(one.corner, body.steps, strict=True)]
        skipped = [n * s - at for n, s, at in zip(first, body.steps, one.corner, strict=True)]
        points = one.mask[skipped[0] :: i, skipped[1] :: j, skipped[2] :: k]
        sampled = np.zeros(body.values.shape, dtype=bool)
        sampled[tuple(slice(n, n + m) for n, m in zip(first, points.shape, strict=True))] = points
        yield sampled


def _nearest_mirrored(masks: list[npt.NDArray[np.bool_]], body: Body) -> tuple[float, str]:
    """The least spread of a mirrored place that lies in the body, and how it is mirrored."""
    found = [(np.inf, "")]
    for flips in product((1, -1), repeat=3):
        if flips == (1, 1, 1):
            continue
        spread, inside = _fit([mask[:: flips[0], :: flips[1], :: flips[2]] for mask in masks], body)
        if inside >= _MIN_INSIDE:
            way = " and ".join(a for a, flip in zip(_AXES, flips, strict=True) if flip < 0)
            found.append((spread, way))
    return min(found)


def _fit(masks: list[npt.NDArray[np.bool_]], body: Body) -> tuple[float, float]:
    """How wide greys spread within the masks, and which part of them lies in the body.

    The spread is a part of the contrast of the volume, each mask counted by its size.
    """
    low, high = np.percentile(body.values, _CONTRAST)
    spreads, inside, sizes = [], 0, []
    for mask in masks:
        if not mask.any():
            continue
        below, above = np.percentile(np.clip(body.values[mask], low, high), _SPREAD)
        spreads.append(above - below)
        sizes.append(np.count_nonzero(mask))
        inside += int(np.count_nonzero(body.inside[mask]))
    contrast = max(float(high - low), np.finfo(float).tiny)
    return float(np.average(spreads, weights=sizes)) / contrast, inside / sum(sizes)
