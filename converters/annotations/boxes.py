"""Boxes as they are written in annotations, made findings of the picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from converters.annotations.contract import Said, absent_terms
from converters.errors import CaseError
from converters.facts import box_finding
from converters.records import Box, Finding, Json
from converters.specs.base import Completeness
from converters.vocabulary import term

RIM_PX = 1.0  # how far a box may reach out of the picture and still be a matter of counting


@dataclass(frozen=True, kw_only=True, slots=True)
class Marked:
    """A box of a code, in pixels of the picture; not yet held against its size.

    `is_instance` is False for a box around a crowd.
    """

    code: str
    box: Box
    is_instance: bool = True


def fit_box(box: Box, size: tuple[int, int], where: str) -> tuple[Box, bool]:
    """A box inside the picture, and whether its rim had to be clipped.

    Raises:
        CaseError: ``box_outside``, where it reaches out by more than a pixel; ``box_empty``.
    """
    width, height = size
    if box.x_max <= box.x_min or box.y_max <= box.y_min:
        raise CaseError("box_empty", f"{where}: box {_text(box)} has no area")
    out = max(-box.x_min, -box.y_min, box.x_max - width, box.y_max - height)
    if out > RIM_PX:
        raise CaseError(
            "box_outside", f"{where}: box {_text(box)} reaches out of the {width}x{height} picture"
        )
    if out <= 0:
        return box, False
    inside = Box(
        x_min=max(box.x_min, 0.0),
        y_min=max(box.y_min, 0.0),
        x_max=min(box.x_max, float(width)),
        y_max=min(box.y_max, float(height)),
    )
    if inside.x_max <= inside.x_min or inside.y_max <= inside.y_min:
        raise CaseError("box_outside", f"{where}: box {_text(box)} lies on the rim alone")
    return inside, True


def _text(box: Box) -> str:
    return f"({box.x_min:g}, {box.y_min:g}, {box.x_max:g}, {box.y_max:g})"


def say_boxes(
    marked: Sequence[Marked],
    labels: Mapping[str, str],
    *,
    size: tuple[int, int],
    completeness: Completeness,
    where: str,
) -> Said:
    """Findings of boxes whose codes are all labels, and which labels are surely not there.

    The same box of the same code twice is one finding.

    Raises:
        CaseError: A box does not fit the picture.
    """
    findings: list[Finding] = []
    seen: set[tuple[str, Box]] = set()
    clipped = repeated = 0
    for one in marked:
        box, is_clipped = fit_box(one.box, size, where)
        clipped += is_clipped
        if (one.code, box) in seen:
            repeated += 1
            continue
        seen.add((one.code, box))
        found = term(labels[one.code])
        findings.append(
            box_finding(box, term=found, code=one.code, size=size, is_instance=one.is_instance)
        )
    present = {finding.label for finding in findings}
    transforms: list[dict[str, Json]] = []
    if clipped:
        transforms.append({"step": "clip_boxes", "boxes": clipped})
    if repeated:
        transforms.append({"step": "drop_repeated_boxes", "boxes": repeated})
    return Said(
        findings=tuple(findings),
        absent=absent_terms(labels.values(), present, is_known=completeness != "partial"),
        transforms=tuple(transforms),
    )


def parse_number(text: str, where: str) -> float:
    """A finite number of a cell or an element.

    Raises:
        CaseError: ``value_invalid``.
    """
    try:
        value = float("nan" if "_" in text else text)
    except ValueError:
        value = float("nan")
    if not -1e7 < value < 1e7:
        raise CaseError("value_invalid", f"{where}: {text[:40]!r} is no coordinate")
    return value
