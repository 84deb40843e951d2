"""The picture of a composition: geometry, colours, words."""

import math
import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.composition import Composition, said, shared
from pipeline.sunburst import COLORS, arcs, color_of, contrast, fitted, ink_on, sunburst_svg

SVG = "{http://www.w3.org/2000/svg}"


def composition(counts: dict[tuple[str, ...], float], rings: int = 2) -> Composition:
    facets = ("modality", "task", "source")[: len(next(iter(counts)))]
    return Composition(title="Pairs", unit="pairs", facets=facets, rings=rings, counts=counts)


TWO = composition({("CT", "seg"): 6, ("CT", "cls"): 2, ("MR", "seg"): 2})


def test_an_arc_is_as_wide_as_its_count_and_lies_within_its_parent() -> None:
    found = {arc.words: (arc.start, arc.end) for arc in arcs(TWO)}
    assert found == {
        ("CT",): (0.0, 0.8), ("CT", "seg"): (0.0, 0.6), ("CT", "cls"): (0.6, pytest.approx(0.8)),
        ("MR",): (0.8, 1.0), ("MR", "seg"): (0.8, 1.0),
    }  # fmt: skip


words = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=9)


@given(
    st.dictionaries(
        st.tuples(words, words), st.floats(0, 1e6), min_size=1, max_size=20
    )
)  # fmt: skip
def test_every_ring_is_a_whole_turn(counts: dict[tuple[str, ...], float]) -> None:
    drawn = arcs(composition(counts))
    for ring in (0, 1):
        of_ring = sorted((a for a in drawn if a.ring == ring), key=lambda a: a.start)
        if composition(counts).total:
            assert math.isclose(sum(a.end - a.start for a in of_ring), 1)
        assert all(a.end <= b.start + 1e-9 for a, b in pairwise(of_ring))


@given(st.dictionaries(st.tuples(words, words), st.floats(0, 1e6), min_size=1, max_size=9))
def test_the_picture_is_xml_whatever_the_words_are(counts: dict[tuple[str, ...], float]) -> None:
    root = ET.fromstring(sunburst_svg(composition(counts)))
    assert {element.tag for element in root.iter()} <= {
        f"{SVG}{name}" for name in ("svg", "title", "desc", "rect", "g", "path", "text")
    }


def test_the_picture_has_a_name_and_a_description_with_its_largest_parts() -> None:
    root = ET.fromstring(sunburst_svg(TWO, name="one"))
    assert root.get("aria-labelledby") == "one-title one-desc"
    assert root.findtext(f"{SVG}title") == "Pairs"
    described = root.findtext(f"{SVG}desc")
    assert described == "10 pairs. By modality, the largest: CT 8, MR 2. " \
        "By task, the largest: seg 8, cls 2."  # fmt: skip


def test_each_part_says_what_it_is_when_it_is_pointed_at() -> None:
    titles = re.findall(r"<path [^>]*><title>([^<]*)</title>", sunburst_svg(TWO))
    assert "CT, seg: 6 pairs, 60.0 percent" in titles
    assert len(titles) == 5


def test_words_stand_out_from_their_ground() -> None:
    many = composition({(f"m{i}", f"t{j}"): 1 for i in range(12) for j in range(3)})
    for arc in arcs(many):
        assert contrast(ink_on(arc.fill), arc.fill) >= 4.5


def seen_by(color: str, matrix: list[list[float]] | None) -> tuple[float, ...]:
    """A colour in CIE Lab as an eye sees it whose cones answer as the matrix says."""
    linear = []
    for at in (1, 3, 5):
        part = int(color[at : at + 2], 16) / 255
        linear.append(part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4)
    if matrix:
        linear = [
            min(max(sum(m * c for m, c in zip(row, linear, strict=True)), 0), 1) for row in matrix
        ]
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = [sum(m * c for m, c in zip(row, linear, strict=True)) for row in to_xyz]
    x, y, z = (
        v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116
        for v in (xyz[0] / 0.9505, xyz[1], xyz[2] / 1.089)
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


# Machado, Oliveira and Fernandes 2009, severity 1.0.
EYES = {
    "usual": None,
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
               [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
               [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
               [0.004733, 0.691367, 0.303900]],
}  # fmt: skip


@pytest.mark.parametrize("eye", EYES)
def test_neighbours_differ_for_every_eye(eye: str) -> None:
    row = [color_of(at) for at in range(len(COLORS) + 4)]
    for first, second in pairwise(row):
        apart = math.dist(seen_by(first, EYES[eye]), seen_by(second, EYES[eye]))
        assert apart > 25, f"{first} beside {second}: {apart:.0f}"


def test_a_word_too_long_is_cut_and_one_that_fits_is_whole() -> None:
    assert fitted("segmentation", 200) == "segmentation"
    assert fitted("Gastroenterology and Hepatology", 95).endswith("…")
    assert len(fitted("Gastroenterology and Hepatology", 95)) <= 95 / (13 * 0.57)


def test_one_thing_with_several_words_is_shared() -> None:
    parts = shared((("CT",), ("seg", "det"), ("liver", "spleen")))
    assert parts == dict.fromkeys(
        [("CT", task, organ) for task in ("seg", "det") for organ in ("liver", "spleen")], 0.25
    )


def test_a_count_that_fits_no_facet_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        composition({("CT", "seg"): 1, ("MR",): 1})
    with pytest.raises(ValueError, match="does not fit"):
        composition({("CT", "seg"): -1})


@pytest.mark.parametrize(("count", "text"), [(1234, "1,234"), (0.5, "0.5"), (2.99999, "3")])
def test_a_count_is_said_in_short(count: float, text: str) -> None:
    assert said(count) == text
