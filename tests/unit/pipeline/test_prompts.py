"""Prompts for models: the same bytes for the same sample, and answers read strictly."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converters.manifest import load_manifest
from converters.records import Box, Finding, Sample
from pipeline.prompts import FORMATS, MODES, Mode, facts_text, model_prompt, read_answer, thousand
from pipeline.view import View, labels_of


def view(*findings: Finding, width: int = 400, height: int = 300) -> View:
    """A CT slice with some findings."""
    manifest = load_manifest("totalsegmentator_v2").manifest
    sample = Sample(
        sample_id="toy/1", case_key="1", image=b"", image_format="png", phash="0" * 16,
        width=width, height=height, findings=findings, absent=("spleen",), modality="CT",
        anatomy=("abdomen",), view="axial", source_path="1.nii.gz",
    )  # fmt: skip
    return View(sample=sample, manifest=manifest, labels=labels_of(manifest))


KIDNEY = Finding(
    label="left kidney", code="2", role="organ", side="left", position="center right",
    box=Box(x_min=250, y_min=100, x_max=330, y_max=190), area_mm2=1800.0,
    longest_diameter_px=90.0, longest_diameter_mm=52.4, parts=1,
)  # fmt: skip
LIVER = Finding(
    label="liver", code="5", role="organ", position="center left",
    box=Box(x_min=20, y_min=40, x_max=200, y_max=220),
)  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", FORMATS)
def test_prompts_are_the_golden_ones(
    name: str, mode: Mode, golden: Callable[[str, str], None]
) -> None:
    prompt = model_prompt(view(KIDNEY, LIVER), name, "en", mode, region=KIDNEY)
    text = f"{prompt.system}\n---\n{prompt.user}\n---\n{prompt.schema}\n"
    golden(f"prompts/{name}-{mode}.en.txt", text)


@pytest.mark.parametrize("name", FORMATS)
def test_the_system_part_is_the_same_for_every_image(name: str) -> None:
    one = model_prompt(view(KIDNEY), name, "en", "facts", region=KIDNEY)
    other = model_prompt(view(LIVER), name, "en", "facts", region=LIVER)
    assert one.system == other.system
    assert one.user != other.user


def test_without_facts_the_annotation_is_not_given_away() -> None:
    prompt = model_prompt(view(KIDNEY), "caption", "en", "free")
    assert "kidney" not in prompt.system + prompt.user
    assert prompt.needs_image


def test_a_region_is_told_alone() -> None:
    text = facts_text(view(KIDNEY, LIVER), "en", KIDNEY)
    assert "left kidney" in text
    assert "liver" not in text
    assert "spleen" not in text


def test_a_region_caption_needs_a_box() -> None:
    with pytest.raises(ValueError, match="needs a finding with a box"):
        model_prompt(view(KIDNEY), "region_caption", "en", "facts")


@given(
    x=st.floats(0, 399.5),
    y=st.floats(0, 299.5),
    width=st.floats(0.1, 50),
    height=st.floats(0.1, 50),
)
def test_a_box_of_the_prompt_has_an_area(x: float, y: float, width: float, height: float) -> None:
    box = Box(x_min=x, y_min=y, x_max=min(400, x + width), y_max=min(300, y + height))
    found = thousand(Finding(label="liver", code="5", role="organ", box=box), view())
    assert found is not None
    left, top, right, bottom = found
    assert 0 <= left < right <= 1000
    assert 0 <= top < bottom <= 1000


def test_an_answer_is_read() -> None:
    assert read_answer("caption", '{"caption": " A liver.\\nIt is large. "}') == (
        "A liver. It is large."
    )


@pytest.mark.parametrize(
    "answer",
    ["", "A liver.", '{"caption": ""}', '{"caption": 3}', '{"text": "a"}', "[]",
     '{"caption": "a", "more": 1}', '```json\n{"caption": "a"}\n```',
     '{"caption": "' + "a" * 30_000],
)  # fmt: skip
def test_an_answer_of_another_shape_is_refused(answer: str) -> None:
    with pytest.raises(ValueError, match=r"not JSON|not an object|is empty|characters"):
        read_answer("caption", answer)
