"""Prompts for models: what a captioner with a model is asked, and how it has to answer.

Three modes: ``facts`` gives the annotation alone, ``vision`` the annotation and the image, ``free``
the image alone, as a control that shows what the annotation is worth (GMAI-VL, arXiv 2411.14522,
compares the same two). The system part is constant for a format, language and mode, so that
servers keep it as a prefix; the same sample gives the same bytes.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from converters.records import Finding, Json
from pipeline.digests import canonical
from pipeline.phrasing import keep_lines, render
from pipeline.view import View, diameter, image_words

Mode: TypeAlias = Literal["facts", "vision", "free"]
MODES: tuple[Mode, ...] = ("facts", "vision", "free")
FORMATS = ("caption", "region_caption")  # those that a model writes
_MAX_ANSWER = 20_000

# One schema a format, the same for every row: a server compiles it once.
SCHEMAS: Mapping[str, dict[str, Json]] = {
    name: {
        "type": "object",
        "properties": {"caption": {"type": "string"}},
        "required": ["caption"],
        "additionalProperties": False,
    }
    for name in FORMATS
}


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelPrompt:
    """What a model is asked for one pair.

    Attributes:
        system: Role, rules and an example; the same for all prompts of a format and mode.
        user: What is known of this image.
        schema: JSON schema of the answer, canonical JSON.
        needs_image: Whether the image goes with it.
    """

    system: str
    user: str
    schema: str
    needs_image: bool


def model_prompt(
    view: View, format_name: str, language: str, mode: Mode, region: Finding | None = None
) -> ModelPrompt:
    """The prompt for one pair.

    Args:
        view: The sample.
        format_name: One of :data:`FORMATS`.
        language: "en".
        mode: See the module.
        region: The finding that a region caption is about.

    Raises:
        ValueError: A region caption without a region that has a box.
    """
    if format_name == "region_caption" and (region is None or region.box is None):
        raise ValueError("a region caption needs a finding with a box")
    template = f"prompts/{format_name}.{language}.j2"
    variables: dict[str, object] = {
        "mode": mode,
        "facts": keep_lines(facts_text(view, language, region)),
        "box": thousand(region, view) if region else None,
    }
    system, user = (
        render(template, block, variables, language=language, seed="")
        for block in ("system", "user")
    )
    return ModelPrompt(
        system=system,
        user=user,
        schema=canonical(SCHEMAS[format_name]),
        needs_image=mode != "facts",
    )


def facts_text(view: View, language: str, region: Finding | None = None) -> str:
    """What is known of a sample, in the words that a captioner is given.

    Args:
        view: The sample.
        language: "en".
        region: Where given, this finding alone is listed.
    """
    sample = view.sample
    present = [region] if region else sample.findings
    variables = {
        **image_words(sample),
        "department": view.manifest.department,
        "is_region": region is not None,
        "present": [_fact(finding, view) for finding in present],
        "absent": [] if region else list(sample.absent),
        "counts": [] if region else list(sample.countable),
    }
    return render(f"parts/facts.{language}.j2", "facts", variables, language=language, seed="")


def _fact(finding: Finding, view: View) -> dict[str, object]:
    return {
        "label": finding.label,
        "side": finding.side,
        "box": thousand(finding, view),
        "position": finding.position,
        "diameter": diameter(finding, view.size),
        "attributes": finding.attributes,
    }


def thousand(finding: Finding, view: View) -> list[int] | None:
    """The box of a finding from 0 to 1000, at least 1 wide and high; None where it has none."""
    box = finding.box
    if box is None:
        return None
    width, height = view.size
    left, right = _ends(box.x_min / width, box.x_max / width)
    top, bottom = _ends(box.y_min / height, box.y_max / height)
    return [left, top, right, bottom]


def _ends(low: float, high: float) -> tuple[int, int]:
    first, last = round(low * 1000), round(high * 1000)
    if first < last:
        return first, last
    return (first, first + 1) if first < 1000 else (999, 1000)


def read_answer(format_name: str, answer: str) -> str:
    """The text in a model's answer.

    Raises:
        ValueError: The answer is not JSON of the format's schema, or its text is empty.
    """
    if len(answer) > _MAX_ANSWER:
        raise ValueError(f"an answer of {len(answer):,} characters")
    try:
        content = json.loads(answer)
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from error
    names = SCHEMAS[format_name]["required"]
    assert isinstance(names, list)
    if not isinstance(content, dict) or sorted(content) != sorted(map(str, names)):
        raise ValueError(f"not an object with {', '.join(map(str, names))}")
    text = content[str(names[0])]
    if not isinstance(text, str) or not text.strip():
        raise ValueError("its text is empty")
    return " ".join(text.split())
