"""What a text calls the plane of a slice or the projection of a radiograph."""

import re

import pytest

from converters.manifest import load_manifest
from converters.records import Box, Finding, Sample
from pipeline.cli import FORMATS
from pipeline.languages import LANGUAGES
from pipeline.pairs import Pair
from pipeline.write_text import TextSettings, pairs_of

CT = load_manifest("totalsegmentator_v2").manifest
LIVER = Finding(
    label="liver", code="liver", role="organ", box=Box(x_min=20, y_min=10, x_max=60, y_max=40),
    parts=1, position="center", longest_diameter_px=40.0, longest_diameter_mm=40.0,
)  # fmt: skip


def pairs(view: str, language: str = "en", **changes: object) -> list[Pair]:
    """Every pair that is made of images of that view, and none that fails."""
    made: list[object] = []
    for number in range(12):
        fields: dict[str, object] = {
            "sample_id": f"toy/{number}", "case_key": "1", "image": b"x", "image_format": "png",
            "phash": "0" * 16, "width": 200, "height": 100, "findings": (LIVER,),
            "modality": "CT", "anatomy": ("abdomen",), "source_path": "1",
            "spacing_mm": (1.0, 1.0), "absent": ("spleen",), "view": view, **changes,
        }  # fmt: skip
        known = Sample(**fields)  # type: ignore[arg-type]
        made += pairs_of(known, CT, TextSettings(formats=FORMATS, languages=(language,)))
    assert all(isinstance(pair, Pair) for pair in made), made
    return [pair for pair in made if isinstance(pair, Pair)]


def text_of(made: list[Pair]) -> str:
    """All that is said."""
    return "\n".join(message.content for pair in made for message in pair.messages)


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_an_oblique_slice_is_never_called_by_its_plane_alone(plane: str) -> None:
    said = text_of(pairs(f"oblique {plane}"))
    assert f"an oblique {plane} CT image" in said.replace("An", "an")
    assert not re.search(rf"(?<!oblique ){plane}", said)
    assert f"oblique {plane} view)" not in said
    assert "this plane" in said or "this slice" in said


@pytest.mark.parametrize(
    ("plane", "word"), [("axial", "轴位"), ("coronal", "冠状位"), ("sagittal", "矢状位")]
)
def test_an_oblique_slice_is_oblique_in_chinese(plane: str, word: str) -> None:
    said = text_of(pairs(f"oblique {plane}", "zh"))
    assert f"斜{word}" in said
    assert not re.search(rf"(?<!斜){word}", said)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_plane_of_an_oblique_slice_is_not_asked(language: str) -> None:
    template = f"recognition/plane.{language}.j2"
    assert template in {pair.template for pair in pairs("axial", language)}
    assert template not in {pair.template for pair in pairs("oblique axial", language)}


@pytest.mark.parametrize(
    ("view", "words"),
    [
        ("ML", "a mediolateral view"),
        ("LM", "a lateromedial view"),
        ("XCCL", "an exaggerated craniocaudal lateral view"),
        ("from below", "a caudocranial (from below) view"),
    ],
)
def test_a_projection_has_a_name(view: str, words: str) -> None:
    said = text_of(pairs(view, modality="MG", anatomy=("breast",)))
    assert f"in {words}" in said
    assert f"({view} view)" not in said
    assert not re.search(r"\b(ML|LM|XCCL)\b", said)
