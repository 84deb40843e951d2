"""What a finished stage leaves on record, and the check of it before the next one starts."""

import hashlib
import json
from pathlib import Path
from typing import Any

from pipeline.shards import write_whole
from trainer.errors import TrainerError

RECORD_FILE = "stage.json"
SETTINGS_FILE = "settings.json"
MODEL_FOLDER = "model"
_PIECE = 1 << 22


def weights_digest(model: Path) -> str:
    """Digest of all weights of a model folder.

    Raises:
        TrainerError: There are none.
    """
    files = sorted(model.glob("*.safetensors"))
    if not files:
        raise TrainerError(str(model), "holds no weights", "make a model: gmai-train init")
    state = hashlib.sha256()
    for path in files:
        state.update(path.name.encode() + b"\0")
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                state.update(piece)
    return f"sha256:{state.hexdigest()}"


def write_record(stage_folder: Path, record: dict[str, Any]) -> None:
    """Write the record of a stage; it comes last, so one that is there is true."""
    write_whole(stage_folder / RECORD_FILE, (json.dumps(record, indent=2) + "\n").encode())


def read_record(stage_folder: Path) -> dict[str, Any] | None:
    """The record of a finished stage, or None."""
    try:
        content: dict[str, Any] = json.loads((stage_folder / RECORD_FILE).read_text("utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise TrainerError(
            str(stage_folder / RECORD_FILE), f"is damaged: {error}", "train the stage again"
        ) from error
    return content


def starting_model(given: Path) -> tuple[Path, str]:
    """The model that a stage starts from, and the digest of its weights.

    Args:
        given: A folder of ``gmai-train init``, or of a finished stage.

    Raises:
        TrainerError: No model is there, or the weights are not those that its stage has left.
    """
    stage_folder = given.parent if given.name == MODEL_FOLDER else given
    record = read_record(stage_folder)
    is_of_stage = given.name == MODEL_FOLDER and (stage_folder / SETTINGS_FILE).is_file()
    if record is None and not (given / "config.json").is_file():
        raise TrainerError(
            str(given), "holds neither a starting model nor a finished stage",
            "name a folder of gmai-train init, or RUN/STAGE of a stage that has ended"
        )  # fmt: skip
    if record is None and is_of_stage:
        raise TrainerError(
            str(given), f"no {RECORD_FILE} beside it: its stage has not ended",
            "run that stage to its end first"
        )  # fmt: skip
    model = given if record is None else stage_folder / MODEL_FOLDER
    digest = weights_digest(model)
    if record is not None and digest != record["weights_digest"]:
        raise TrainerError(
            str(model), "weights are not those that the stage has left: "
            f"{digest[:19]}, on record {str(record['weights_digest'])[:19]}",
            "they were changed or damaged: run the stage again, or name another model"
        )  # fmt: skip
    return model, digest
