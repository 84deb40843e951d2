"""Verbs agree with their terms, whatever language these come from."""

import pytest

from converters.vocabulary import Term, terms
from pipeline.plurals import head_of, is_plural, is_plural_noun
from pipeline.view import named


def toy(name: str, role: str = "structure", plural: str = "") -> Term:
    """A term without a plural of its own, or with one."""
    return Term(
        term=name, plural=plural or name, role=role, side="", base=name, article="", part_of="",
        zh="",
    )  # fmt: skip


def test_the_ending_tells_every_term_from_its_plural() -> None:
    own = [one for one in terms().values() if one.plural != one.term]
    assert len(own) > 500
    assert [one.term for one in own if is_plural_noun(head_of(one.term))] == []
    assert [one.plural for one in own if not is_plural_noun(head_of(one.plural))] == []


def test_a_term_with_an_article_of_one_is_no_plural() -> None:
    one_thing = [one for one in terms().values() if one.article in ("a", "an")]
    assert [one.term for one in one_thing if named(one).is_plural] == []


@pytest.mark.parametrize(
    "name",
    [
        "basal ganglia", "vertebrae", "trachea and bronchi", "portal and splenic veins",
        "cell nuclei", "costal cartilages", "vessels within regression", "colon diverticula",
        "drusen", "normal acini or ducts", "lungs", "bipolar forceps", "surgical scissors",
    ],
)  # fmt: skip
def test_several_things_take_a_plural_verb(name: str) -> None:
    assert is_plural(terms().get(name, toy(name)))


@pytest.mark.parametrize(
    "name",
    [
        "pulmonary fibrosis", "measles", "Candida albicans", "Neisseria gonorrhoeae",
        "Escherichia coli", "prostate or uterus", "none of 14 common chest findings",
        "white matter of the spinal cord", "anthracosis", "blood in the lumen", "epidermis",
    ],
)  # fmt: skip
def test_one_thing_takes_a_singular_verb(name: str) -> None:
    assert not is_plural(terms()[name])


def test_a_term_with_its_own_plural_is_one() -> None:
    assert not is_plural(toy("head and neck tumors", plural="sets of head and neck tumors"))
