"""A policy decides by the classes of a reviewed table, and a refusal says what to do."""

from pathlib import Path

import pytest

from converters.errors import SettingsError
from converters.licenses import CLASSES, NOT_IN_TABLE, NOT_STATED, license_of, licenses
from pipeline.license_policy import ACTIONS, BUILT_IN, Terms, load_policy, require_allowed, terms_in


def terms(license_name: str, access: str = "open", source: str = "toy") -> Terms:
    classes = license_of(license_name).classes
    return Terms(source=source, license=license_name, words="", access=access, classes=classes)


def allowed(policy: str, license_name: str) -> set[str]:
    return {a for a in ACTIONS if not load_policy(policy).refusal(a, terms(license_name))}


@pytest.mark.parametrize(
    ("policy", "license_name", "actions"),
    [
        ("open", "CC-BY-4.0", set(ACTIONS)),
        ("open", "CC-BY-SA-4.0", set(ACTIONS)),
        ("open", "CC-BY-ND-4.0", {"build", "send"}),
        ("open", "CC-BY-NC-4.0", set()),
        ("research", "CC-BY-NC-SA-4.0", set(ACTIONS)),
        ("research", "LicenseRef-PhysioNet-Credentialed-1.5.0", {"build", "train"}),
        ("research", "LicenseRef-Kaggle-Competition-Rules", set()),
        ("any", "LicenseRef-PhysioNet-Credentialed-1.5.0", set(ACTIONS)),
        ("default", "LicenseRef-PhysioNet-Credentialed-1.5.0", set(ACTIONS) - {"send"}),
    ],
)
def test_what_a_policy_allows(policy: str, license_name: str, actions: set[str]) -> None:
    assert allowed(policy, license_name) == actions


@pytest.mark.parametrize("license_name", [NOT_STATED, "LicenseRef-Nobody-Reviewed", "CC-BY-9.9"])
@pytest.mark.parametrize("policy", ["open", "research"])
def test_what_is_not_known_is_never_taken_for_free(policy: str, license_name: str) -> None:
    assert allowed(policy, license_name) == set()


def test_a_licence_is_looked_up_by_its_whole_name() -> None:
    assert set(license_of("CC-BY-4.0 or later").classes.values()) == {NOT_IN_TABLE}
    assert set(license_of("cc-by-4.0").classes.values()) == {NOT_IN_TABLE}


def test_not_stated_says_so_in_every_class() -> None:
    assert set(licenses()[NOT_STATED].classes.values()) == {NOT_STATED}


def test_a_receipt_that_says_no_terms_allows_nothing() -> None:
    (one,) = terms_in({"old": {"license": "CC-BY-4.0"}})
    assert all(load_policy("open").refusal(action, one) for action in ACTIONS)


def test_a_refusal_names_source_licence_policy_and_remedy() -> None:
    with pytest.raises(SettingsError) as caught:
        require_allowed(load_policy("open"), [terms("CC-BY-NC-4.0", source="drive")], ["build"])
    said = str(caught.value)
    for word in ("drive", "CC-BY-NC-4.0", "'noncommercial'", "policy open", "allows 'any'", "FILE"):
        assert word in said


def test_a_file_allows_what_it_names_and_accepts_a_source_for_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "ours.toml"
    path.write_text(
        '[build]\nuse = ["any", "not stated"]\n[train]\naccess = ["open"]\n'
        '[[accepted]]\nsource = "drive"\nactions = ["export"]\nbecause = "letter of the owner"\n'
    )
    policy = load_policy(str(path))
    assert not policy.refusal("build", terms(NOT_STATED))
    assert policy.refusal("build", terms("CC-BY-NC-4.0"))
    assert policy.refusal("train", terms("CC-BY-4.0", access="agreement"))
    assert policy.refusal("export", terms("CC-BY-4.0"))
    assert not policy.refusal("export", terms(NOT_STATED, source="drive"))
    assert policy.record["accepted"] == [["drive", ["export"], "letter of the owner"]]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[biuld]\n", "did you mean build?"),
        ('[build]\nusage = ["any"]\n', "did you mean use?"),
        ('[build]\nuse = ["anything"]\n', "'anything' is not known"),
        ("[build]\nuse = true\n", "is no list of words"),
        ("build = 1\n", "is no table"),
        ("[build\n", "is not TOML"),
        ('[[accepted]]\nsource = "a"\nactions = ["train"]\n', "needs exactly"),
        ('[[accepted]]\nsource = "a"\nactions = ["train"]\nbecause = " "\n', "are words"),
        ('[[accepted]]\nsource = "a"\nactions = ["fly"]\nbecause = "b"\n', "'fly' is not known"),
    ],
)
def test_a_file_that_is_no_policy_is_refused(tmp_path: Path, text: str, found: str) -> None:
    path = tmp_path / "ours.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=r"known|words|table|TOML|needs exactly") as caught:
        load_policy(str(path))
    assert found in str(caught.value)


def test_every_policy_names_every_action() -> None:
    assert all(load_policy(name).rules.keys() == ACTIONS.keys() for name in (*BUILT_IN, "default"))


def test_the_table_says_where_each_row_was_read() -> None:
    assert all(one.read_in for one in licenses().values())
    assert CLASSES.keys() <= {"use", "redistribution", "derivatives", "services"}
