"""Golden text: what a fixed sample is said to be, in every format, word for word."""

from collections.abc import Callable

import pytest

from converters.manifest import load_manifest
from converters.records import Box, Exchange, Finding, Sample
from pipeline.cli import FORMATS
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


@pytest.mark.parametrize("name", FORMATS)
def test_text_is_the_golden_one(name: str, golden: Callable[[str, str], None]) -> None:
    made = pairs_of(SAMPLE, CT, TextSettings(formats=(name,), languages=("en",)))
    lines = []
    for pair in made:
        assert isinstance(pair, Pair)
        lines += [f"# {pair.template}", *(f"{m.role}: {m.content}" for m in pair.messages), ""]
    golden(f"text/{name}.en.txt", "\n".join(lines))


def test_prompt_is_the_golden_one(golden: Callable[[str, str], None]) -> None:
    pair = pairs_of(SAMPLE, CT, TextSettings(formats=("caption",), languages=("en",)))[0]
    assert isinstance(pair, Pair)
    golden("text/prompt.en.txt", pair.prompt)
