"""Promises that every converter keeps, on a generated twin of every source."""

import contextlib
import shutil
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from converters.errors import SourceError
from converters.files import locate_root
from converters.manifest import LoadedManifest, load_manifest
from converters.records import Outcome, Rejection, Sample
from converters.select import converter_for
from converters.vocabulary import words
from tests.fakes import Twin


def outcomes(manifest, folder: Path) -> list[Outcome]:
    """Everything that a converter yields for a folder."""
    root, _ = locate_root(manifest, folder)
    converter = converter_for(manifest)
    return [out for case in converter.cases(root) for out in converter.convert(root, case)]


@cache
def outcomes_of(folder: Path, source: str) -> tuple[Outcome, ...]:
    """Everything that a converter yields for a shared twin, asked once."""
    return tuple(outcomes(load_manifest(source).manifest, folder))


def made_of(twin: Twin) -> tuple[Outcome, ...]:
    """Everything that a converter yields for a twin."""
    return outcomes_of(twin.folder, twin.manifest.name)


def samples(twin: Twin) -> list[Sample]:
    """The samples of a twin."""
    return [out for out in made_of(twin) if isinstance(out, Sample)]


def test_twin_gives_samples_without_rejections(twin: Twin) -> None:
    found = made_of(twin)
    assert [out for out in found if isinstance(out, Rejection)] == []
    assert found


def test_findings_are_the_ones_that_the_twin_holds(twin: Twin) -> None:
    found = Counter(f.label for sample in samples(twin) for f in sample.findings)
    assert dict(found) == twin.expected


def test_same_files_give_same_records(twin: Twin) -> None:
    assert tuple(outcomes(twin.manifest, twin.folder)) == made_of(twin)


def test_sample_ids_are_unique(twin: Twin) -> None:
    ids = [sample.sample_id for sample in samples(twin)]
    assert len(ids) == len(set(ids))


def test_boxes_lie_inside_their_image(twin: Twin) -> None:
    for sample in samples(twin):
        for finding in sample.findings:
            if finding.box:
                assert 0 <= finding.box.x_min < finding.box.x_max <= sample.width
                assert 0 <= finding.box.y_min < finding.box.y_max <= sample.height


def test_nothing_is_present_and_absent(twin: Twin) -> None:
    for sample in samples(twin):
        assert not {f.label for f in sample.findings} & set(sample.absent)


def test_provenance_points_at_real_files(twin: Twin) -> None:
    root, _ = locate_root(twin.manifest, twin.folder)
    for sample in samples(twin):
        for path in (sample.source_path, *sample.annotation_files):
            assert root.path(path).is_file()


def test_no_subject_stands_in_two_splits(twin: Twin) -> None:
    root, _ = locate_root(twin.manifest, twin.folder)
    splits: dict[str, set[str]] = {}
    for case in converter_for(twin.manifest).cases(root):
        if case.fault is None:
            splits.setdefault(case.subject_id, set()).add(case.split)
    assert all(len(found) == 1 for found in splits.values())


def test_one_folder_too_many_is_found(twin: Twin, tmp_path: Path) -> None:
    nested = tmp_path / "nested"
    nested.mkdir()
    shutil.copytree(twin.folder, nested / "archive")
    root, note = locate_root(twin.manifest, nested)
    assert note or twin.manifest.layout.images.startswith("**/")  # found at any depth
    assert converter_for(twin.manifest).cases(root)


def test_empty_root_is_an_error_that_says_what_to_do(
    loaded: LoadedManifest, tmp_path: Path
) -> None:
    with pytest.raises(SourceError, match="gmai-sources show"):
        locate_root(loaded.manifest, tmp_path)


def test_half_a_download_gives_reasons_or_a_clear_error(twin: Twin, tmp_path: Path) -> None:
    half = tmp_path / "half"
    shutil.copytree(twin.folder, half)
    files = sorted(path for path in half.rglob("*") if path.is_file())
    for path in files[len(files) // 2 :]:
        path.unlink()
    found: list[Outcome] = []
    with contextlib.suppress(SourceError):  # a table or a side of the pairs is missing
        found = outcomes(twin.manifest, half)
    reasons = {out.reason for out in found if isinstance(out, Rejection)}
    assert reasons <= words("rejection")
