"""Promises of what follows from a term: departments, tasks, codes, relations."""

import csv
from itertools import combinations

import pytest

from converters.terminology import (
    NOT_ASSIGNED,
    codes_of,
    contradicted_by,
    department_of,
    implied_by,
    task_of,
)
from converters.vocabulary import MANIFESTS, term, terms, wholes_of, words
from pipeline.languages import LANGUAGES
from pipeline.word_forms import forms_of

# Of no department: a mark of any part of the body, or of none.
ANY_DEPARTMENT = 0.05


def rows(name: str) -> list[list[str]]:
    """The rows of a table of ``manifests/``, its header left out."""
    with (MANIFESTS / name).open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))[1:]


@pytest.mark.parametrize("name", terms())
def test_a_term_has_a_department_and_a_task(name: str) -> None:
    assert department_of(name) in words("department")
    assert task_of(name)


def test_few_terms_are_of_no_department() -> None:
    assert sum(department_of(n) == NOT_ASSIGNED for n in terms()) < ANY_DEPARTMENT * len(terms())


@pytest.mark.parametrize(
    ("name", "department", "task"),
    [
        ("left kidney", "Nephrology and Hypertension", "organ recognition: abdomen"),
        ("glaucoma", "Ophthalmology", "disease diagnosis"),
        ("advanced glaucoma", "Ophthalmology", "severity grading"),
        ("pulmonary edema", "Pulmonary Medicine", "disease diagnosis"),
        ("L3 vertebra", "Orthopedic Surgery", "bone"),
        ("neutrophil", "Hematology", "cell recognition"),
        ("Escherichia coli", "Laboratory Medicine and Pathology", "microorganism recognition"),
        ("left gluteus maximus muscle", "Sports Medicine", "muscle"),
        ("retraction", "General Surgery", "surgeon action recognition"),
        ("poor image quality", NOT_ASSIGNED, "image quality grading"),
    ],
)
def test_rules_give_what_a_reader_expects(name: str, department: str, task: str) -> None:
    assert (department_of(name), task_of(name)) == (department, task)


def test_both_sides_are_of_one_department_and_task() -> None:
    for one in terms().values():
        other = one.term.replace("left", "right", 1)
        if one.side == "left" and other in terms():
            assert department_of(one.term) == department_of(other)
            assert task_of(one.term) == task_of(other)


@pytest.mark.parametrize("name", ["relations.csv", "codes.csv"])
def test_rows_stand_in_order_and_once(name: str) -> None:
    found = [tuple(row) for row in rows(name)]
    assert found == sorted(set(found), key=lambda row: [cell.casefold() for cell in row])


def test_what_is_implied_is_implied_to_the_end() -> None:
    for name in terms():
        for other in implied_by(name):
            assert implied_by(other) - {name} <= implied_by(name)
        assert wholes_of(name) - {name} <= implied_by(name)


def test_no_term_implies_itself() -> None:
    assert [
        name for name in terms() for other in implied_by(name) if name in implied_by(other)
    ] == []


def test_contradiction_goes_both_ways() -> None:
    for name in terms():
        assert all(name in contradicted_by(other) for other in contradicted_by(name))


def test_nothing_contradicts_what_it_implies() -> None:
    for name in terms():
        assert contradicted_by(name).isdisjoint({name, *implied_by(name)})


def test_what_is_implied_together_does_not_contradict_itself() -> None:
    for name in terms():
        for first, second in combinations(sorted(implied_by(name)), 2):
            assert second not in contradicted_by(first)


def test_a_contradiction_is_passed_on_to_what_implies_it() -> None:
    assert "no brain tumor" in contradicted_by("glioblastoma")
    assert "glioblastoma" in contradicted_by("no brain tumor")
    assert "normal chest radiograph" in contradicted_by("COVID-19")


def test_sides_of_a_term_never_contradict() -> None:
    for one in terms().values():
        assert all(term(name).base != one.base for name in contradicted_by(one.term) if one.side)


def test_codes_are_those_of_dicom() -> None:
    # DICOM ships its context groups; a code that stands there with the same name means the same.
    concepts = pytest.importorskip("pydicom.sr._concepts_dict").concepts
    for name, scheme, code, meaning in rows("codes.csv"):
        known = {(c, m) for codes in concepts[scheme].values() for c, (m, _) in codes.items()}
        assert (code, meaning) in known, name


def test_a_code_is_of_one_term() -> None:
    codes = [(scheme, code) for _, scheme, code, _ in rows("codes.csv")]
    assert len(codes) == len(set(codes))


def test_a_code_means_its_term_by_name() -> None:
    for name, _, _, meaning in rows("codes.csv"):
        found = (
            name if name in terms() else next(t.term for t in terms().values() if t.base == name)
        )
        forms = {form.lower() for form in forms_of(found, "en")} | {name.lower()}
        assert meaning.lower() in forms


def test_a_side_has_the_code_of_its_organ() -> None:
    (left,), (right,) = codes_of("left kidney"), codes_of("right kidney")
    assert left == right
    assert (left.scheme, left.meaning) == ("SCT", "Kidney")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_form_of_a_term_leads_back_to_it(language: str) -> None:
    for name in terms():
        spoken = LANGUAGES[language].word(name)
        assert spoken.lower() in {form.lower() for form in forms_of(name, language)}
