"""The label of the whole image and the region that it is about are one thing."""

from dataclasses import replace

from converters.annotations.contract import Said, take_label
from converters.records import Box, Finding

REGION = Finding(
    label="breast lesion", code="255", role="lesion", box=Box(x_min=1, y_min=2, x_max=9, y_max=8)
)
BENIGN = Finding(label="benign breast lesion", code="benign", role="lesion")
GRADE = Finding(label="BI-RADS category 2", code="2", role="grade")


def test_a_region_takes_the_label_that_names_it_more_exactly() -> None:
    said = take_label(Said(findings=(REGION,)), [GRADE, BENIGN])
    assert said.findings == (replace(REGION, label=BENIGN.label, code="benign"),)


def test_a_region_keeps_its_label_where_nothing_names_it_more_exactly() -> None:
    said = Said(findings=(REGION,))
    assert take_label(said, [GRADE]) == said


def test_of_several_regions_it_is_not_known_which_is_named() -> None:
    said = Said(findings=(REGION, REGION))
    assert take_label(said, [BENIGN]) == said


def test_of_several_labels_it_is_not_known_which_one_the_region_has() -> None:
    said = Said(findings=(REGION,))
    malignant = Finding(label="malignant breast lesion", code="malignant", role="lesion")
    assert take_label(said, [BENIGN, malignant]) == said


def test_what_has_a_place_of_its_own_names_no_other_region() -> None:
    said = Said(findings=(REGION,))
    assert take_label(said, [replace(BENIGN, box=REGION.box)]) == said
