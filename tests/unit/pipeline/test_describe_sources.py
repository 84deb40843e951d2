"""gmai-sources list and show: what is known of sources without their files."""

import json

import pytest

from converters.manifest import LoadedManifest, list_sources
from pipeline.sources_cli import main


def listed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, object]]:
    """What gmai-sources list --json prints."""
    assert main(["list", "--json", *arguments]) == 0
    rows: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return rows


def test_every_source_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert [row["name"] for row in listed(capsys)] == list_sources()


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["--modality", "CT"], "totalsegmentator_v2"),
        (["--task", "question answering"], "vqa_rad"),
        (["--license", "GPL-3.0-only"], "wbc_zheng"),
        (["--license", "LicenseRef-NIH-ChestXray"], "chestxray14"),
        (["--anatomy", "hippocampus"], "msd_task04_hippocampus"),
        (["--access", "package"], "mni152_tissues"),
        (["--evidence", "real"], "bccd"),
        (["--modality", "GM", "--task", "detection"], "bccd"),
    ],
)
def test_words_choose_sources(
    arguments: list[str], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = listed(capsys, *arguments)
    assert name in [row["name"] for row in rows]
    assert len(rows) < len(list_sources())


def test_no_source_is_an_answer_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert listed(capsys, "--modality", "CT", "--task", "question answering") == []


def test_a_word_that_is_not_in_the_vocabulary_is_a_mistake(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["list", "--modality", "MRI"]) == 2
    assert "'MRI' is not known\n  there are: CBCT, CR, CT" in capsys.readouterr().err


def test_each_source_is_shown(loaded: LoadedManifest, capsys: pytest.CaptureFixture[str]) -> None:
    m = loaded.manifest
    assert main(["show", m.name]) == 0
    said = capsys.readouterr().out
    for part in (m.title, m.license, m.obtain, m.homepage, m.layout.images, *m.gotchas):
        assert part in said


def test_columns_that_are_read_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    main(["show", "chestxray14"])
    assert "columns read: Image Index, Finding Labels, View Position" in capsys.readouterr().out


def test_series_that_are_chosen_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    main(["show", "prostatex"])
    said = capsys.readouterr().out
    assert "series of {patient}, one of each:" in said
    assert "  sequence T2, description t2_tse_tra.*, plane axial, min_slices 10" in said


def test_an_unknown_source_suggests_near_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "hc_18"]) == 2
    assert "did you mean hc18?" in capsys.readouterr().err


def test_a_split_by_number_says_its_ranges(capsys: pytest.CaptureFixture[str]) -> None:
    main(["show", "ct_org"])
    assert "by the number case: test is 0 to 20, train is 21 to 139" in capsys.readouterr().out


def test_images_that_are_refused_are_named_with_why(capsys: pytest.CaptureFixture[str]) -> None:
    main(["show", "atm22"])
    said = capsys.readouterr().out
    assert "ATM_164_0000.nii.gz: image and label do not belong together" in said
