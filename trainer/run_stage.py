"""One stage from its starting model to the record of its end."""

import contextlib
import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from trainer.batches import Loader
from trainer.checkpoint import Checkpoints, StageState
from trainer.distributed import Ranks, wait_for_all
from trainer.errors import TrainerError
from trainer.flops import size_of
from trainer.held_out import evaluation_line, held_out_loss, with_pictures_of_others
from trainer.loop import Stepper, StepRules
from trainer.metrics import Seeing
from trainer.save_stage import save_stage_model
from trainer.stage_data import StageData
from trainer.stage_model import StageModel
from trainer.stage_record import MODEL_FOLDER, read_record, starting_model, write_record
from trainer.stage_run import StageRun
from trainer.stage_seeing import open_seeing, opening, record_step, write_settings


def run_stage(run: StageRun, ranks: Ranks) -> Path:
    """Train a stage, going on from its last checkpoint where there is one.

    Returns:
        Folder of the stage; a stage that has ended is not run again.

    Raises:
        TrainerError: Something does not fit; see the message.
    """
    model, digest = starting_model(run.model)
    record = read_record(run.folder)
    if record is not None:
        if record["settings"] != json.loads(json.dumps(run.decisive(digest))):
            raise TrainerError(
                str(run.folder), "holds a stage that ended with other settings or other data",
                "name another --out, or remove the folder"
            )  # fmt: skip
        return run.folder
    if ranks.is_first:
        run.folder.mkdir(parents=True, exist_ok=True)
    wait_for_all(ranks)
    StageWork(run, model, digest, ranks).work()
    return run.folder


class StageWork:
    """A stage while it runs.

    Args:
        run: What was asked for.
        model: Folder that it starts from.
        digest: Of its weights.
        ranks: Who takes part.
    """

    def __init__(self, run: StageRun, model: Path, digest: str, ranks: Ranks) -> None:
        self.run, self.ranks = run, ranks
        self.data = StageData(run, model, ranks)
        self.model = StageModel(run, model, ranks)
        self._digest = digest
        self._settings = run.decisive(digest)
        self._checkpoints = Checkpoints(run.folder / "checkpoints", ranks, run.kept_checkpoints)

    def work(self) -> None:
        """Train to the end of the stage, or to where it was to stop."""
        recipe, model = self.run.recipe, self.model
        size = size_of(model.net)
        trainee, optimizer = model.trainee, model.optimizer()
        rules = StepRules(
            steps=self.data.steps, warmup_share=recipe.warmup_share, clip_norm=recipe.clip_norm,
            precision=recipe.precision, packs_per_forward=recipe.packs_per_forward,
            bad_share=recipe.bad_share, layout=model.layout,
        )  # fmt: skip
        stepper = Stepper(trainee, optimizer, rules, self.ranks, self.data.images, size)
        start = self._resume(optimizer, stepper)
        with self._seeing(start) as seeing:
            self._steps(stepper, optimizer, start, seeing)

    def _steps(
        self, stepper: Stepper, optimizer: torch.optim.Optimizer, start: int, seeing: Seeing
    ) -> None:
        data, recipe = self.data, self.run.recipe
        last = min(data.steps, self.run.stop_after or data.steps)
        loader = Loader(
            iter([data.documents(step) for step in range(start, last)]),
            data.maker(data.corpus).pack, self.run.workers,
        )  # fmt: skip
        waited, ended = 0.0, time.perf_counter()
        for step, packs in enumerate(loader, start):
            result = stepper.step(step, packs)
            now = time.perf_counter()
            if self.ranks.is_first:
                times = (now - ended, loader.waited - waited)
                record_step(self.run, data, step, result, stepper, seeing, times)
            waited, ended = loader.waited, now
            done = step + 1
            if recipe.evaluation_steps and (done % recipe.evaluation_steps == 0
                                            or done == data.steps):  # fmt: skip
                self._evaluate(done, seeing)
                ended = time.perf_counter()
            if done % recipe.checkpoint_steps == 0 or done == last:
                self._checkpoints.save(self.model.trainee, optimizer, self._state(done, stepper))
                ended = time.perf_counter()
        if last == data.steps:
            self._finish(stepper)

    def _state(self, step: int, stepper: Stepper) -> StageState:
        return StageState(step=step, plan=self.data.plan.digest(), setup=self._setup,
                          seen=stepper.seen, bad=dict(stepper.bad))  # fmt: skip

    @property
    def _setup(self) -> str:
        text = json.dumps(self._settings, sort_keys=True)
        return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"

    def _resume(self, optimizer: torch.optim.Optimizer, stepper: Stepper) -> int:
        place = self._checkpoints.latest()
        if place is None:
            return 0
        state = self._checkpoints.state(place)
        for found, expected, what in (
            (state.setup, self._setup, "other settings, other data or another starting model"),
            (state.plan, self.data.plan.digest(), "other data"),
        ):
            if found != expected:
                raise TrainerError(
                    str(place), f"was saved with {what}",
                    "give what it was started with, or name another --out"
                )  # fmt: skip
        self._checkpoints.load(place, self.model.trainee, optimizer)
        stepper.seen = state.seen
        stepper.bad.update(state.bad)
        return state.step

    @contextlib.contextmanager
    def _seeing(self, start: int) -> Iterator[Seeing]:
        ranks = self.ranks
        seeing = open_seeing(
            self.run, start, ranks.device, world=ranks.world, is_first=ranks.is_first
        )
        if ranks.is_first:
            write_settings(self.run, {
                "settings": self._settings,
                "builds": self._builds,
                "model": str(self.model.folder.resolve()),
                "plan_digest": self.data.plan.digest(),
                "steps": self.data.steps,
            })  # fmt: skip
        seeing.say(opening(self.run, self.data, self.model.learning, start))
        try:
            yield seeing
        finally:
            seeing.close()

    @property
    def _builds(self) -> list[str]:
        return [str(build.folder.resolve()) for build in self.run.builds]

    def _evaluate(self, done: int, seeing: Seeing) -> None:
        corpus, packs = self.data.held_out
        if not packs:
            return
        own, shuffled = (
            None if seen is None else held_out_loss(
                self.model.trainee, seen, self.data.images, self.ranks, self.run.recipe.precision
            )
            for seen in (packs, with_pictures_of_others(packs, self.data.images))
        )  # fmt: skip
        if own and self.ranks.is_first:
            seeing.evaluation(evaluation_line(corpus, done, own, shuffled))

    def _finish(self, stepper: Stepper) -> None:
        place, learning = self.run.folder / MODEL_FOLDER, self.model.learning
        digest = save_stage_model(
            self.model.trainee, learning, self.model.folder, place, self.ranks
        )
        if self.ranks.is_first:
            unusable = sorted(self.data.corpus.unusable.items())
            write_record(self.run.folder, {
                "stage": self.run.stage.name, "recipe": self.run.recipe.name,
                "steps": self.data.steps,
                "starting_digest": self._digest, "weights_digest": digest,
                "plan_digest": self.data.plan.digest(), "settings": self._settings,
                "builds": self._builds,
                "conversations": stepper.seen, "bad": dict(stepper.bad),
                "unusable": {f"{source} {reason}": count for (reason, source), count in unusable},
                "without_gradient": list(learning.without_gradient),
            })  # fmt: skip
        wait_for_all(self.ranks)
