"""What a user asked for, of one stage."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from trainer.corpus import Build
from trainer.distributed import Layout
from trainer.recipes import Recipe
from trainer.stages import Stage

_INDECISIVE = ("stages", "checkpoint_steps", "evaluation_steps", "name", "cpu_threads", "bad_share")


@dataclass(frozen=True, kw_only=True, slots=True)
class StageRun:
    """What a user asked for.

    Attributes:
        recipe: How it is trained.
        stage: Which stage of it.
        builds: What it is trained on.
        model: Folder that it starts from.
        out: Folder of the run; the stage gets one of its own in it.
        seed: Of the order of conversations.
        workers: Threads that make packs.
        max_steps: Fewer steps than the plan has; the rate still falls to zero over these.
        stop_after: Stop after so many steps, to go on later.
        attention: Backend; what suits the device where None.
        layout: How the model lies over ranks; what suits the stage where None.
        kept_checkpoints: How many are kept.
        is_shown: Whether a person is told how it goes.
        has_tensorboard: Whether TensorBoard files are written.
        compiles: Whether layers are compiled, on a GPU.
    """

    recipe: Recipe
    stage: Stage
    builds: Sequence[Build]
    model: Path
    out: Path
    seed: int = 0
    workers: int = 2
    max_steps: int | None = None
    stop_after: int | None = None
    attention: str | None = None
    layout: Layout | None = None
    kept_checkpoints: int = 2
    is_shown: bool = True
    has_tensorboard: bool = False
    compiles: bool = False

    @property
    def folder(self) -> Path:
        """Folder of the stage."""
        return self.out / self.stage.name

    def decisive(self, model_digest: str) -> dict[str, Any]:
        """All that decides the weights, for the record and to refuse a resume with other values.

        Checkpointing, evaluation, what is shown and how much bad input is put up with decide
        nothing: a run that was stopped for too much of it goes on where more is allowed.
        """
        recipe = asdict(self.recipe)
        for name in _INDECISIVE:
            recipe.pop(name)
        return {
            "recipe": recipe,
            "stage": asdict(self.stage),
            "seed": self.seed,
            "max_steps": self.max_steps,
            "shares": [build.share for build in self.builds],
            "data": [build.digest() for build in self.builds],
            "model_digest": model_digest,
        }
