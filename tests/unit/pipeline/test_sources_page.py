"""The page of sources."""

import re

import pytest

from converters.manifest import list_sources, load_manifest
from pipeline.sources_page import sources_page, suffixes


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("**/images/{name}.jpg", ["jpg"]),
        ("imagesTr/{name}.nii.gz", ["nii.gz"]),
        ("**/{case}_flair.nii{packed:(\\.gz)?}", ["nii"]),
        ("**/{case}.{ext:nii[.]gz|mha}", ["nii.gz", "mha"]),
        ("{class:png}/{name}.{ext:jpg|JPG|jpeg|tif}", ["jpg", "tiff"]),
        ("images/{name}", []),
    ],
)
def test_the_kinds_of_file_are_those_of_the_pattern(pattern: str, wanted: list[str]) -> None:
    assert suffixes(pattern) == wanted


def test_every_source_has_one_row_below_its_modality() -> None:
    lines = list(sources_page([load_manifest(n).manifest for n in ("hc18", "kvasir_seg", "bccd")]))
    text = "\n".join(lines)
    named = re.findall(r"^\| [^|]*\| \[(\w+)\]\(\.\./manifests/\1\.yaml\) \|", text, re.MULTILINE)
    assert sorted(named) == ["bccd", "hc18", "kvasir_seg"]
    assert set(named) <= set(list_sources())
    assert text.index("## Ultrasound") < text.index("[hc18]")


def test_a_row_has_a_cell_for_each_column() -> None:
    manifests = [load_manifest(name).manifest for name in list_sources()]
    rows = [line for line in sources_page(manifests) if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {11}


def test_what_is_not_known_is_said_to_be_unknown() -> None:
    one = load_manifest("couinaud_liver_segments").manifest
    assert one.expect.cases is None
    assert "| unknown |" in list(sources_page([one]))[-1]
