"""The page of a composition, and the composition of the manifests."""

import json
import re

import pytest

from converters.manifest import list_sources, load_manifest
from converters.vocabulary import words
from pipeline.composition import Composition
from pipeline.overview import composition_of, overview_page, overview_section
from pipeline.paper import modality_name, paper

HOSTILE = '</script><img src=x onerror="alert(1)">'


def page(word: str = "CT") -> str:
    return overview_page(
        Composition(
            title=word,
            unit="pairs",
            facets=("modality", "task"),
            rings=2,
            counts={(word, "segmentation"): 3, ("MR", "detection"): 1},
        )
    )


def test_a_page_loads_nothing_from_elsewhere() -> None:
    text = page()
    assert "default-src 'none'" in text
    assert re.findall(r"(?:src|href)=|url\(|@import", text) == []
    assert set(re.findall(r"https?://[^\"' ]+", text)) == {"http://www.w3.org/2000/svg"}


def test_words_cannot_become_markup() -> None:
    text = page(HOSTILE)
    assert "<img" not in text
    assert text.count("</script>") == 2


def test_the_script_is_given_every_count() -> None:
    data = re.search(r'<script type="application/json" class="data">(.*?)</script>', page(HOSTILE))
    assert data
    held = json.loads(data[1])
    assert held["rows"] == [[HOSTILE, "segmentation", 3], ["MR", "detection", 1]]
    assert held["facets"] == ["modality", "task"]


def test_without_script_the_picture_and_a_table_of_each_facet_are_there() -> None:
    text = page().split("<script")[0]
    assert "<svg" in text
    assert re.findall(r"<caption>([^<]*)</caption>", text) == ["modality (2)", "task (2)"]
    assert "<tr><td>CT</td><td>3</td></tr>" in text


def test_a_page_can_hold_several() -> None:
    one = Composition(title="t", unit="pairs", facets=("a",), rings=1, counts={("x",): 1})
    ids = [re.findall(r'\bid="([^"]*)"', overview_section(one, name=n)) for n in ("p", "q")]
    assert set(ids[0]).isdisjoint(ids[1])
    assert len(ids[0]) == 3


@pytest.fixture(scope="module")
def of_sources() -> Composition:
    return composition_of(load_manifest(name).manifest for name in list_sources())


def test_each_source_counts_as_one(of_sources: Composition) -> None:
    assert of_sources.total == pytest.approx(len(list_sources()))
    assert [n for n, count in of_sources.by("source") if count != pytest.approx(1)] == []


def test_every_modality_has_one_name() -> None:
    known = paper()
    listed = [code for said in known["modality"].values() for code in said["of"]]
    listed += [code for codes in known["other_modality"].values() for code in codes]
    assert sorted(listed) == sorted(words("modality"))
    assert modality_name("OT", "ravir") == "Infrared reflectance"
    assert modality_name("OT", "cadis") == "Other"


def test_the_words_of_the_paper_are_ours_as_well() -> None:
    known = paper()
    assert set(known["department"]) <= words("department")
    assert {t for said in known["task"].values() for t in said["of"]} <= words("task")
    named = {name for said in known["modality"].values() for name in said.get("sources", ())}
    assert named <= set(list_sources())
