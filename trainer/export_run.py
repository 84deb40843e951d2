"""Where the weights of a run are, and what it has on record."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trainer.errors import TrainerError

STAGES = ("instruction_tuning", "deep_alignment", "shallow_alignment")


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainedModel:
    """A model with what is known of its training.

    Attributes:
        model: Folder with config, weights, tokenizer and processor.
        builds: Out folders of the builds that were trained on.
        training: What is known of the run, as lines of words.
    """

    model: Path
    builds: Sequence[Path] = ()
    training: Sequence[str] = ()


def model_of_run(run: Path) -> TrainedModel:
    """The last trained model of a run.

    Args:
        run: Folder of a run, of one of its stages, or of a model.

    Raises:
        TrainerError: No model is there.
    """
    for folder in (run, run / "model", *(run / stage / "model" for stage in STAGES)):
        if (folder / "config.json").is_file():
            return TrainedModel(model=folder)
    raise TrainerError(str(run), "holds no trained model", "name the RUN of gmai-train --out")
