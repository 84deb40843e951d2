"""Where the weights of a run are, and what it has on record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.corpus import Build
from trainer.errors import TrainerError
from trainer.stage_record import MODEL_FOLDER, read_record, weights_digest
from trainer.stages import STAGE_NAMES


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainedModel:
    """A model with what is known of its training.

    Attributes:
        model: Folder with config, weights, tokenizer and processor.
        builds: Out folders of the builds that were trained on.
        digests: What each held then, see :meth:`trainer.corpus.Build.digest`.
        training: What is known of the run, as lines of words.
    """

    model: Path
    builds: Sequence[Path] = ()
    digests: Sequence[str] = ()
    training: Sequence[str] = ()

    def unchanged_builds(self) -> Sequence[Path]:
        """The builds, whose receipts tell what was trained on only while they hold it.

        Raises:
            TrainerError: One was made anew since, or has gone.
        """
        for folder, digest in zip(self.builds, self.digests, strict=True):
            Build(folder=folder).require(digest)
        return self.builds


def model_of_run(run: Path) -> TrainedModel:
    """The last trained model of a run.

    Args:
        run: Folder of a run, of one of its stages, or of a model.

    Raises:
        TrainerError: No model is there, or its weights are not those that its stage has left.
    """
    if (run / "config.json").is_file() and run.name != MODEL_FOLDER:
        return TrainedModel(model=run)
    stage = run.parent if run.name == MODEL_FOLDER else run
    ended = [(folder, record) for folder in (stage, *(stage / name for name in STAGE_NAMES))
             if (record := read_record(folder)) is not None]  # fmt: skip
    if not ended:
        if (run / "config.json").is_file():
            return TrainedModel(model=run)
        raise TrainerError(str(run), "holds no trained model", "name the RUN of gmai-train --out")
    folder, record = ended[-1]
    if weights_digest(folder / MODEL_FOLDER) != record["weights_digest"]:
        raise TrainerError(
            str(folder), "weights are not those that the stage has left", "train the stage again"
        )
    builds = dict.fromkeys(
        pair for _, entry in ended
        for pair in zip(entry["builds"], entry["settings"]["data"], strict=True)
    )  # fmt: skip
    return TrainedModel(
        model=folder / MODEL_FOLDER,
        builds=[Path(build) for build, _ in builds],
        digests=[digest for _, digest in builds],
        training=[_line(entry) for _, entry in ended],
    )


def _line(record: Mapping[str, Any]) -> str:
    rates = record["settings"]["stage"]["learning_rates"]
    learnt = ", ".join(f"{part} at {rate:g}" for part, rate in rates.items())
    words = f"{record['stage']} of recipe {record['recipe']}: {record['steps']:,} steps, "
    words += f"{record['conversations']:,} conversations; learnt: {learnt}; "
    return words + f"from weights `{record['starting_digest']}` to `{record['weights_digest']}`"
