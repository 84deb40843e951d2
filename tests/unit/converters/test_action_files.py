"""Triplets of operations: what is there, and what is absent."""

import json
from pathlib import Path

import pytest

from converters.files import Root
from converters.manifest import load_manifest
from converters.records import Sample
from converters.select import converter_for
from tests.fakes import build_twin

NONE = -1


@pytest.fixture
def said(tmp_path: Path, triplet: tuple[int, int, int]) -> Sample:
    """A frame of the published layout with one row: instrument, verb and target by number."""
    twin = build_twin(load_manifest("cholect50").manifest, tmp_path, count=1)
    (path,) = twin.folder.rglob("*.json")
    content = json.loads(path.read_text())
    row = [NONE] * 15
    row[1], row[7], row[8] = triplet
    content["annotations"] = {frame: [row] for frame in content["annotations"]}
    path.write_text(json.dumps(content))
    root = Root(source="cholect50", folder=twin.folder.resolve())
    converter = converter_for(twin.manifest)
    (case,) = converter.cases(root)
    (found,) = converter.convert(root, case)
    assert isinstance(found, Sample)
    return found


@pytest.mark.parametrize("triplet", [(0, 1, 0)])
def test_an_action_has_its_instrument_and_target(said: Sample) -> None:
    assert [one.label for one in said.findings] == ["grasper", "gallbladder", "retraction"]
    assert said.findings[2].attributes == (("instrument", "grasper"), ("target", "gallbladder"))
    assert "grasping" in said.absent
    assert "bipolar forceps" in said.absent


@pytest.mark.parametrize("triplet", [(0, 1, NONE)])
def test_an_organ_that_nothing_is_done_to_is_not_absent(said: Sample) -> None:
    assert not {"gallbladder", "liver"} & set(said.absent)


@pytest.mark.parametrize("triplet", [(NONE, 1, 0)])
def test_an_action_without_its_instrument_is_neither_said_nor_absent(said: Sample) -> None:
    assert [one.label for one in said.findings] == ["gallbladder"]
    assert "retraction" not in said.absent
