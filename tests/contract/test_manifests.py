"""Promises of every manifest, of the vocabulary and of the terms."""

import re
from itertools import combinations

import pytest
import yaml

from converters.licenses import licenses
from converters.manifest import LoadedManifest, Manifest, list_sources
from converters.vocabulary import MANIFESTS, Term, modality, terms, vocabulary, words
from pipeline.phrasing import said_words


def test_keys_stand_in_the_order_of_the_schema(source: str) -> None:
    content = yaml.safe_load((MANIFESTS / f"{source}.yaml").read_text("utf-8"))
    order = [name for name in Manifest.model_fields if name in content]
    assert list(content) == order


def test_the_editor_finds_the_schema(source: str) -> None:
    first = (MANIFESTS / f"{source}.yaml").read_text("utf-8").split("\n", 1)[0]
    assert first == "# yaml-language-server: $schema=schema.json"


def test_a_digest_is_of_what_is_said(loaded: LoadedManifest) -> None:
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", loaded.digest)


def test_modality_has_words(loaded: LoadedManifest) -> None:
    assert modality(loaded.manifest.modality).image


def test_a_doubtful_source_says_what_to_know(loaded: LoadedManifest) -> None:
    assert loaded.manifest.gotchas


def test_there_are_the_sources_of_the_first_release() -> None:
    wanted = {
        "bccd", "dsb2018", "hc18", "msd_task04_hippocampus", "chestxray14", "brain_tumor_sartaj",
        "wbc_zheng", "colin27_aal", "totalsegmentator_v2", "axondeepseg_sem", "vqa_rad",
        "mni152_tissues",
    }  # fmt: skip
    assert wanted <= set(list_sources())


def distance_is_one(first: str, second: str) -> bool:
    """Whether one letter added, dropped or changed makes one word of the other."""
    if abs(len(first) - len(second)) > 1:
        return False
    short, long = sorted((first, second), key=len)
    at = next((i for i, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    return short[at + (len(short) == len(long)) :] == long[at + 1 :]


def near(names: list[str]) -> list[tuple[str, str]]:
    """Pairs of names that differ by case, plural or one letter, numbers and sides aside."""

    def bare(name: str) -> str:
        return re.sub(r"\b[A-Z]?\d+\b|\b[IVX]+(-[IVX]+)?[AB]?\b", "#", name).lower()

    found = []
    for first, second in combinations(sorted(names), 2):
        a, b = bare(first), bare(second)
        if (a == b and first.lower() == second.lower()) or (a != b and distance_is_one(a, b)):
            found.append((first, second))
    return found


def test_no_two_terms_are_nearly_the_same() -> None:
    assert near(list(terms())) == []


@pytest.mark.parametrize("section", ["anatomy", "department", "task", "role", "format"])
def test_no_two_words_are_nearly_the_same(section: str) -> None:
    assert near(list(words(section))) == []


def test_every_rejection_has_a_meaning() -> None:
    assert all(isinstance(text, str) and text for text in vocabulary()["rejection"].values())


@pytest.mark.parametrize("one", terms().values(), ids=lambda one: one.term)
def test_a_term_with_a_side_names_it(one: Term) -> None:
    if one.side:
        assert re.search(rf"\b{one.side}\b", one.term)
        assert one.side not in one.base.split()
    else:
        assert one.base == one.term


@pytest.mark.parametrize("one", terms().values(), ids=lambda one: one.term)
def test_an_article_fits_its_term(one: Term) -> None:
    assert one.article in ("", "a", "an", "the")
    if one.article in ("a", "an"):
        vowel = one.term[0].lower() in "aeio"
        assert vowel == (one.article == "an")


def test_a_term_that_names_a_side_says_so() -> None:
    for one in terms().values():
        named = set(re.findall(r"\b(left|right)\b", one.term))
        assert named == ({one.side} if one.side else set())


LATIN = re.compile(r"[A-Za-z]+(?:-[A-Za-z]+)?")
# Names of scales, sequences, tracers and vertebrae, and grades, that Chinese writes in Latin.
LATIN_IN_CHINESE = {"BI-RADS", "CT", "FDG", "FLAIR", "ISUP", "X"}
# One word in Chinese, which has no plural.
SAME_IN_CHINESE = [{"cell nuclei", "cell nucleus"}, {"pulmonary arteries", "pulmonary artery"}]


@pytest.mark.parametrize("one", terms().values(), ids=lambda one: one.term)
def test_a_term_has_a_chinese_word(one: Term) -> None:
    assert re.search(r"[\u4e00-\u9fff]", one.zh), "give the row its Chinese term"
    strange = {
        word
        for word in LATIN.findall(one.zh)
        if word not in LATIN_IN_CHINESE and not re.fullmatch("[A-EL-T]", word)
    }
    assert strange == set()
    assert not re.search(r"[,;()。，；]|^\s|\s$", one.zh)


@pytest.mark.parametrize("one", terms().values(), ids=lambda one: one.term)
def test_a_chinese_term_names_the_same_side(one: Term) -> None:
    if one.side:
        assert one.zh.startswith({"left": "左", "right": "右"}[one.side])
    else:
        assert not re.search("^[左右]", one.zh)


def test_no_two_terms_of_a_role_are_one_in_chinese() -> None:
    for first, second in combinations(terms().values(), 2):
        if first.role == second.role and first.zh == second.zh:
            assert {first.term, second.term} in SAME_IN_CHINESE


def test_a_term_and_its_other_side_differ_by_the_side_in_chinese() -> None:
    for one in terms().values():
        if one.side == "left":
            words = re.sub(r"\bleft\b", "right", one.term)
            if words in terms():
                assert terms()[words].zh == "右" + one.zh[1:]


def test_every_closed_word_has_a_chinese_one() -> None:
    codes = words("modality")
    names = {modality(code).name for code in codes}
    assert {modality(code).image for code in codes} <= set(said_words("zh", "images"))
    assert names <= set(said_words("zh", "modalities"))
    assert words("anatomy") <= set(said_words("zh", "anatomies"))
    assert words("department") <= set(said_words("zh", "departments"))


def test_every_view_of_a_manifest_has_a_chinese_word(loaded: LoadedManifest) -> None:
    layout = loaded.manifest.layout.model_dump()
    views = set((layout.get("views") or {}).values())
    assert views <= set(said_words("zh", "views"))


def test_terms_are_sorted() -> None:
    names = list(terms())
    assert names == sorted(names, key=str.casefold)


def test_its_licence_stands_in_the_reviewed_table(loaded: LoadedManifest) -> None:
    name = loaded.manifest.license
    assert name in licenses(), f"review {name!r} and add a row to manifests/licenses.csv"
