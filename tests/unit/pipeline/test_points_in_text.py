"""Points in texts: they have a place and a number, and never a box."""

import pytest

from converters.manifest import Manifest, load_manifest
from converters.records import Finding, Sample
from converters.vocabulary import term
from pipeline.cli import FORMATS
from pipeline.pairs import Pair
from pipeline.view import named
from pipeline.write_text import TextSettings, pairs_of

SETTINGS = TextSettings(formats=FORMATS, languages=("en",))
NAME = "cell nucleus"


def manifest() -> Manifest:
    """A manifest with one label."""
    toy = load_manifest("brain_tumor_sartaj").manifest
    block = toy.layout.annotations[0].model_copy(update={"labels": {NAME: NAME}})
    layout = toy.layout.model_copy(update={"annotations": [block]})
    return toy.model_copy(update={"layout": layout, "name": "toy"})


def texts(*positions: str, countable: tuple[str, ...]) -> list[str]:
    """Every answer that is made of points in these places."""
    points = tuple(
        Finding(label=NAME, code="1", role=term(NAME).role, is_instance=True, position=place)
        for place in positions
    )
    known = Sample(
        sample_id="toy/1", case_key="1", image=b"x", image_format="png", phash="0" * 16, width=200,
        height=100, findings=points, countable=countable, modality="MIC", anatomy=("specimen",),
        source_path="1",
    )  # fmt: skip
    made = pairs_of(known, manifest(), SETTINGS)
    assert all(isinstance(pair, Pair) for pair in made)
    return [pair.messages[1].content for pair in made if isinstance(pair, Pair)]


def test_points_are_counted_where_all_are_marked() -> None:
    places = ["center", "center", "upper left"]
    assert any("3 cell nuclei" in text for text in texts(*places, countable=(NAME,)))
    assert not any("3 cell nuclei" in text for text in texts(*places, countable=()))


def test_one_point_has_its_place() -> None:
    assert any("in the upper left" in text for text in texts("upper left", countable=()))


def test_a_point_gives_no_box() -> None:
    for text in texts("center", "upper left", countable=(NAME,)):
        assert "<box>" not in text


def test_a_disease_that_ends_in_s_is_no_plural() -> None:
    assert not named(term("pulmonary fibrosis")).is_plural
    assert named(term("diffuse lung nodules")).is_plural


@pytest.mark.parametrize("name", ["vertebrae", "basal ganglia", "overlapping cell nuclei"])
def test_a_plural_need_not_end_in_s(name: str) -> None:
    assert named(term(name)).is_plural
