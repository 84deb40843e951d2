"""Reading manifests: strict at the border."""

from pathlib import Path

import pytest

from converters.errors import ManifestError, SettingsError
from converters.manifest import list_sources, load_manifest, parse_manifest
from converters.vocabulary import MANIFESTS

NAME = "brain_tumor_sartaj"
TEXT = (MANIFESTS / f"{NAME}.yaml").read_text("utf-8")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("license: MIT", "licence: MIT", "licence: Extra inputs"),
        ("modality: MR", "modality: MR\nmodality: CT", "key 'modality' stands twice"),
        ("modality: MR", "modality: NO", "'NO' is not in"),
        ("modality: MR", "modality: false", "modality: Input should be a valid string"),
        ("year: 2020", 'year: "2020"', "year: Input should be a valid integer"),
        ("title: Brain", "title: 2018 #", "title: Input should be a valid string"),
        ("no_tumor: no brain", "no: no brain", None),
        ("no_tumor: no brain", "1: no brain", "Input should be a valid string"),
        ("glioma_tumor: glioma", "glioma_tumor: gliom", "'gliom' is not a term"),
        ("kind: folder_label", "kind: folders", "does not match any of the expected tags"),
        ('{split:Training|Testing}/', "../{split:Training|Testing}/", "must be a path below"),
        ("license: MIT", "license: LicenseRef-x", None),
        ("license: MIT", "license: mit", "neither in [license]"),
        ("access: open", "access: package", "belong together"),
        (f"name: {NAME}", "name: other", "file name and name must agree"),
        ("evidence:", "evidence: [", "not valid YAML"),
    ],
)  # fmt: skip
def test_what_is_not_strict_is_refused(old: str, new: str, said: str | None) -> None:
    assert old in TEXT
    text = TEXT.replace(old, new, 1)
    if said is None:
        parse_manifest(text, NAME)
    else:
        with pytest.raises(ManifestError) as error:
            parse_manifest(text, NAME)
        assert said in str(error.value)


def test_yaml_words_stay_words() -> None:
    text = TEXT.replace("no_tumor: no brain", "no: no brain", 1)
    labels = parse_manifest(text, NAME).manifest.layout.annotations[0].labels
    assert "no" in labels


def test_comments_and_order_do_not_change_the_digest() -> None:
    assert parse_manifest(TEXT + "# a remark\n", NAME).digest == parse_manifest(TEXT, NAME).digest


def test_a_word_changes_the_digest() -> None:
    other = parse_manifest(TEXT.replace("no tumour", "none", 1), NAME)
    assert other.digest != parse_manifest(TEXT, NAME).digest


def test_an_unknown_source_suggests_near_names() -> None:
    with pytest.raises(SettingsError, match=f"did you mean {NAME}"):
        load_manifest("brain_tumour_sartaj")


def test_sources_are_the_names_of_files(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yaml", "vocabulary.toml", "README.md"):
        (tmp_path / name).touch()
    assert list_sources(tmp_path) == ["a", "b"]
