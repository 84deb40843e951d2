"""Which weights a run stands for, and what its stages have on record."""

import json
from pathlib import Path

import pytest

from tests.fakes.pair_build import color_images, write_build
from trainer.corpus import Build
from trainer.errors import TrainerError
from trainer.export_run import TrainedModel, model_of_run
from trainer.stage_record import weights_digest


def stage(run: Path, name: str, builds: list[str]) -> Path:
    """A stage that has ended, with weights that are none."""
    model = run / name / "model"
    model.mkdir(parents=True)
    (model / "config.json").write_text("{}")
    (model / "model.safetensors").write_bytes(name.encode())
    record = {
        "stage": name, "recipe": "laptop", "steps": 1200, "conversations": 4321, "builds": builds,
        "starting_digest": "sha256:1", "weights_digest": weights_digest(model),
        "settings": {"stage": {"learning_rates": {"projector": 0.002}},
                     "data": [f"sha256:{build}" for build in builds]},
    }  # fmt: skip
    (run / name / "stage.json").write_text(json.dumps(record))
    return model


@pytest.fixture
def run(tmp_path: Path) -> Path:
    stage(tmp_path, "shallow_alignment", ["/data/one"])
    stage(tmp_path, "instruction_tuning", ["/data/one", "/data/two"])
    return tmp_path


def test_a_run_stands_for_its_last_stage(run: Path) -> None:
    found = model_of_run(run)
    assert found.model == run / "instruction_tuning" / "model"
    assert found.builds == [Path("/data/one"), Path("/data/two")]


def test_each_stage_is_told_in_a_line(run: Path) -> None:
    first, _ = model_of_run(run).training
    assert first.startswith("shallow_alignment of recipe laptop: 1,200 steps, 4,321 conversations")
    assert "learnt: projector at 0.002" in first


@pytest.mark.parametrize("inside", ["", "model"])
def test_a_stage_stands_for_itself(run: Path, inside: str) -> None:
    place = run / "shallow_alignment"
    assert model_of_run(place / inside).model == place / "model"


def test_the_receipt_of_a_build_made_anew_is_not_that_of_the_training(tmp_path: Path) -> None:
    build = write_build(tmp_path / "build", color_images(1))
    told = TrainedModel(model=tmp_path, builds=[build], digests=[Build(folder=build).digest()])
    assert told.unchanged_builds() == [build]
    write_build(build, color_images(1)[::-1])
    with pytest.raises(TrainerError, match="holds other shards than were trained on"):
        told.unchanged_builds()


def test_a_model_without_a_record_stands_for_itself(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert model_of_run(tmp_path).training == ()


def test_weights_that_were_changed_are_refused(run: Path) -> None:
    (run / "instruction_tuning" / "model" / "model.safetensors").write_bytes(b"other")
    with pytest.raises(TrainerError, match="not those that the stage has left"):
        model_of_run(run)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainerError, match="holds no trained model"):
        model_of_run(tmp_path)
