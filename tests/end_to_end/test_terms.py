"""The terms of sources go with what is made of them, and a policy stops what they do not allow."""

import json
from pathlib import Path

import pytest
import yaml

from converters.manifest import load_manifest
from pipeline import cli
from pipeline.attribution import attribution
from pipeline.license_policy import terms_in
from pipeline.mixture_terms import conditions
from pipeline.out_folder import read_receipt
from pipeline.shards import read_shards
from tests.fakes import build_twin

# CC-BY-4.0; terms of its own for research; MIT.
SOURCES = ("hc18", "kvasir_seg", "bccd")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("twins")
    for source in SOURCES:
        build_twin(load_manifest(source).manifest, folder / source)
    return folder


@pytest.fixture(scope="module")
def out(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built") / "out"
    named = [word for source in SOURCES for word in ("--source", source)]
    assert cli.main([*named, "--root", str(root), "--out", str(folder), "--workers", "1"]) == 0
    return folder


def entries(out: Path) -> dict[str, dict[str, object]]:
    receipt = read_receipt(out)
    assert receipt
    return receipt["sources"]


def test_every_row_says_its_terms(out: Path) -> None:
    said = {
        row["source"]: (row["license"], row["access"], row["permitted_use"], row["redistribution"])
        for row in read_shards(out, ["source", "license", "access", "permitted_use",
                                     "redistribution"])
    }  # fmt: skip
    for source in SOURCES:
        manifest = load_manifest(source).manifest
        assert said[source][:2] == (manifest.license, manifest.access)
    assert said["hc18"][2:] == ("any", "yes")
    assert said["kvasir_seg"][2:] == ("research", "not stated")


def test_the_attribution_names_every_source_as_its_manifest_does(out: Path) -> None:
    text = (out / "ATTRIBUTION.md").read_text("utf-8")
    for source in SOURCES:
        manifest = load_manifest(source).manifest
        part = text[text.index(f"## {source}:") :]
        for said in (manifest.license, manifest.citation or "not stated", manifest.homepage):
            assert said in part
    assert "https://creativecommons.org/licenses/by/4.0/" in text


def test_the_card_speaks_the_language_of_the_hub(out: Path) -> None:
    _, front, text = (out / "README.md").read_text("utf-8").split("---\n", 2)
    facts = yaml.safe_load(front)
    assert facts["license"] == "other"
    assert facts["license_link"] == "ATTRIBUTION.md"
    assert facts["language"] == ["en"]
    assert facts["size_categories"] == ["n<1K"]
    assert "Research only: kvasir_seg" in text


@pytest.mark.parametrize(
    ("policy", "source", "code"),
    [("open", "hc18", 0), ("open", "kvasir_seg", 2), ("open", "bccd", 0), ("any", "bccd", 0)],
)
def test_a_policy_lets_a_source_be_built_or_not(
    root: Path, tmp_path: Path, policy: str, source: str, code: int
) -> None:
    given = ["--source", source, "--root", str(root / source), "--out", str(tmp_path / "out")]
    assert cli.main([*given, "--workers", "1", "--license-policy", policy]) == code
    assert (tmp_path / "out").exists() == (code == 0)


def test_what_forbids_it_is_sent_to_no_server_elsewhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--source", "mimic_cxr_jpg", "--root", str(tmp_path), "--out", str(tmp_path / "out")]
    model = ["--captioner", "openai", "--model", "m", "--base-url", "https://api.example.org/v1"]
    assert cli.main([*given, *model]) == 2
    said = capsys.readouterr().err
    assert "mimic_cxr_jpg: may not be sent to a server elsewhere under policy default" in said
    assert "LicenseRef-PhysioNet-Credentialed-1.5.0" in said


def test_the_receipt_says_which_policy_held(root: Path, tmp_path: Path) -> None:
    given = ["--source", "hc18", "--root", str(root / "hc18"), "--out", str(tmp_path / "out")]
    assert cli.main([*given, "--workers", "1", "--license-policy", "research"]) == 0
    settings = json.loads((tmp_path / "out" / "build.json").read_text())["sources"]["hc18"]
    assert settings["settings"]["policy"]["name"] == "research"


def test_conditions_of_a_mixture_are_a_union() -> None:
    def entry(name: str, allows: dict[str, str]) -> dict[str, object]:
        free = dict.fromkeys(("redistribution", "services", "derivatives"), "yes")
        return {"license": name, "access": "open", "license_allows": {**free, **allows}}

    lines = conditions(terms_in({
        "b": entry("CC-BY-NC-SA-4.0", {"use": "noncommercial", "derivatives": "share alike"}),
        "a": entry("CC-BY-SA-4.0", {"use": "any", "derivatives": "share alike"}),
        "c": entry("CC0-1.0", {"use": "any"}),
    }))  # fmt: skip
    assert lines == [
        "No commercial use: b (CC-BY-NC-SA-4.0)",
        "What is made of it is passed on under the same licence only: "
        "a (CC-BY-SA-4.0), b (CC-BY-NC-SA-4.0)",
        "CC-BY-NC-SA-4.0 and CC-BY-SA-4.0 each ask for themselves: one work made of both can be "
        "under neither",
    ]
    free = conditions(terms_in({"c": entry("CC0-1.0", {"use": "any"})}))
    assert free == ["For any purpose, to pass on and to change, under the licences named"]


def test_an_attribution_holds_no_markup_of_a_manifest(out: Path) -> None:
    entry = {**entries(out)["hc18"], "title": "<script>x</script>\n# not a heading | cell"}
    text = attribution({"hc18": entry})
    assert "<script" not in text
    assert "\n# not" not in text
