"""Boxes in two notations: inside the image, with an area, and near to where they are."""

import re

from hypothesis import given
from hypothesis import strategies as st

from converters.manifest import load_manifest
from converters.records import Box, Finding, Sample
from pipeline.box_notation import MOST, Notation, thousandths, written
from pipeline.cli import FORMATS
from pipeline.pairs import Pair
from pipeline.write_text import TextSettings, pairs_of

SIZE = (200, 100)
BOX = Box(x_min=30, y_min=20, x_max=90, y_max=70)
CT = load_manifest("totalsegmentator_v2").manifest
KNOWN = Sample(
    sample_id="toy/1", case_key="1", image=b"x", image_format="png", phash="0" * 16, width=200,
    height=100, modality="CT", anatomy=("abdomen",), source_path="1",
    findings=(
        Finding(label="liver", code="1", role="organ", box=BOX, parts=1, position="center"),
        Finding(
            label="left kidney", code="2", role="organ", parts=1, position="center right",
            box=Box(x_min=120, y_min=20, x_max=160, y_max=70), side="left",
        ),
    ),
)  # fmt: skip

boxes = st.builds(
    lambda x, y, w, h: Box(x_min=x, y_min=y, x_max=min(200, x + w), y_max=min(100, y + h)),
    st.floats(0, 199.9), st.floats(0, 99.9), st.floats(0.001, 90), st.floats(0.001, 60),
)  # fmt: skip


@given(box=boxes, notation=st.sampled_from(["unit", "thousand"]))
def test_a_box_stays_inside_and_keeps_an_area(box: Box, notation: Notation) -> None:
    x_min, y_min, x_max, y_max = map(float, written(box, SIZE, notation))
    assert 0 <= x_min <= x_max <= MOST[notation]
    assert 0 <= y_min <= y_max <= MOST[notation]
    if notation == "thousand":
        assert x_min < x_max
        assert y_min < y_max


@given(box=boxes)
def test_thousandths_are_near_to_where_the_box_is(box: Box) -> None:
    for said, value, extent in zip(
        thousandths(box, SIZE), (box.x_min, box.y_min, box.x_max, box.y_max), SIZE * 2, strict=True
    ):
        assert abs(int(said) - value / extent * 1000) <= 1


def test_every_format_writes_boxes_in_the_notation_that_is_asked_for() -> None:
    settings = TextSettings(formats=FORMATS, languages=("en",), boxes="thousand")
    made = pairs_of(KNOWN, CT, settings)
    assert all(isinstance(pair, Pair) for pair in made)
    texts = [
        message.content for pair in made if isinstance(pair, Pair) for message in pair.messages
    ]
    said = {row for text in texts for row in re.findall(r"\[([\d., ]+)\]", text)}
    assert said == {"150, 200, 450, 700", "600, 200, 800, 700"}
