"""Golden text: what a fixed sample is said to be, in every format, word for word."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from converters.manifest import load_manifest
from converters.records import Box, Exchange, Finding, Sample
from converters.vocabulary import term
from pipeline.cli import FORMATS, LANGUAGES
from pipeline.pairs import Pair
from pipeline.write_text import TextSettings, pairs_of

CT = load_manifest("totalsegmentator_v2").manifest
SAMPLE = Sample(
    sample_id="toy/s0001/ct.nii.gz#axial-012",
    case_key="s0001/ct.nii.gz",
    image=b"x",
    image_format="png",
    phash="0" * 16,
    width=300,
    height=200,
    modality="CT",
    anatomy=("whole body",),
    view="axial",
    source_path="s0001/ct.nii.gz",
    absent=("heart", "left rib 1", "right rib 1", "urinary bladder"),
    exchanges=(Exchange(question="Is the liver enlarged?", answer="No."),),
    findings=(
        Finding(
            label="liver", code="liver", role="organ", parts=1, area_px=9000.0,
            box=Box(x_min=30, y_min=40, x_max=150, y_max=150), position="center left",
            longest_diameter_mm=182.4, volume_ml=1432.0,
        ),
        Finding(
            label="left kidney", code="kidney_left", role="organ", side="left", parts=2,
            area_px=900.0, box=Box(x_min=210, y_min=90, x_max=250, y_max=140),
            position="center right", longest_diameter_mm=61.0,
        ),
    ),
)  # fmt: skip


def _of_image(*labels: str, **changes: object) -> Sample:
    """The same image with labels of the whole of it."""
    findings = tuple(Finding(label=n, code=n, role=term(n).role) for n in labels)
    return replace(SAMPLE, findings=findings, absent=(), view="", **changes)  # type: ignore[arg-type]


OPACITY = "lung opacity suspicious for pneumonia"
MEASURED = replace(SAMPLE, spacing_mm=(1.5, 1.5))
COUNTED = replace(
    SAMPLE,
    modality="DX",
    anatomy=("chest",),
    view="",
    absent=(),
    countable=(OPACITY,),
    findings=tuple(
        Finding(
            label=OPACITY, code="1", role="lesion", is_instance=True, position=place,
            box=Box(x_min=left, y_min=40, x_max=left + 50, y_max=90),
        )
        for left, place in ((30, "center left"), (220, "center right"))
    ),
)  # fmt: skip
REPORT = Exchange(
    question="", answer="Findings: The lungs are clear.\nImpression: No disease.", topic="report"
)
ACTED = tuple(
    Finding(label=label, code=label, role=term(label).role, attributes=pairs)
    for label, pairs in (
        ("grasper", ()),
        ("gallbladder", ()),
        ("retraction", (("instrument", "grasper"), ("target", "gallbladder"))),
    )
)
# What the first sample gives nothing for.
SAMPLES = {
    "comparison": (MEASURED, "totalsegmentator_v2"),
    "conversation": (MEASURED, "totalsegmentator_v2"),
    "counting": (COUNTED, "rsna_pneumonia"),
    "grading": (_of_image("BI-RADS category 5", modality="MG", anatomy=("breast",)), "inbreast"),
    "measurement": (MEASURED, "totalsegmentator_v2"),
    "report": (COUNTED, "rsna_pneumonia"),
    "image_quality": (
        replace(
            _of_image("good image quality", modality="OP", anatomy=("retina",)),
            absent=("poor image quality",),
        ),
        "drimdb",
    ),
    "own_text": (
        replace(_of_image(modality="DX", anatomy=("chest",)), exchanges=(REPORT,)),
        "iu_xray",
    ),
    "surgical_action": (
        replace(
            _of_image(modality="ES", anatomy=("abdomen",)),
            findings=ACTED,
            absent=("clipping", "cutting", "dissection"),
        ),
        "cholect50",
    ),
    "surgical_phase": (
        _of_image("preparation phase", "grasper", modality="ES", anatomy=("abdomen",)),
        "cholec80",
    ),
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", FORMATS)
def test_text_is_the_golden_one(
    name: str, language: str, golden: Callable[[str, str], None]
) -> None:
    sample, source = SAMPLES.get(name, (SAMPLE, CT.name))
    manifest = load_manifest(source).manifest
    made = pairs_of(sample, manifest, TextSettings(formats=(name,), languages=(language,)))
    lines = []
    for pair in made:
        assert isinstance(pair, Pair)
        lines += [f"# {pair.template}", *(f"{m.role}: {m.content}" for m in pair.messages), ""]
    golden(f"text/{name}.{language}.txt", "\n".join(lines))


@pytest.mark.parametrize("language", LANGUAGES)
def test_prompt_is_the_golden_one(language: str, golden: Callable[[str, str], None]) -> None:
    pair = pairs_of(SAMPLE, CT, TextSettings(formats=("caption",), languages=(language,)))[0]
    assert isinstance(pair, Pair)
    golden(f"text/prompt.{language}.txt", pair.prompt)


def test_facts_of_an_action_name_tool_and_target_in_chinese() -> None:
    sample, source = SAMPLES["surgical_action"]
    settings = TextSettings(formats=("surgical_action",), languages=("zh",))
    pair = pairs_of(sample, load_manifest(source).manifest, settings)[0]
    assert isinstance(pair, Pair)
    assert "- 牵拉；器械：抓钳；对象：胆囊" in pair.prompt
