"""One stage from its starting model to the record of its end."""

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from trainer.attention import default_backend, use_attention
from trainer.batches import Loader, Pack, PackMaker
from trainer.chat import load_chat
from trainer.checkpoint import Checkpoints, StageState
from trainer.corpus import Corpus, load_corpus
from trainer.distributed import Layout, Ranks, lay_out, wait_for_all
from trainer.errors import TrainerError
from trainer.flops import peak_flops, size_of
from trainer.images import load_image_settings
from trainer.ledger import LEDGER_FILE, LedgerLine, cut_lines, write_step
from trainer.lengths import LengthSettings
from trainer.loop import Stepper, StepResult, StepRules, held_out_loss
from trainer.loss import Trainee
from trainer.metrics import EVALUATION_FILE, METRICS_FILE, Seeing, StepNumbers, sums_by
from trainer.parts import Learning, freeze, parameter_groups
from trainer.plan import Plan, PlanSettings, make_plan, packs_of_rank
from trainer.save_stage import save_stage_model
from trainer.stage_record import (
    MODEL_FOLDER,
    SETTINGS_FILE,
    read_record,
    starting_model,
    write_record,
)
from trainer.stage_run import StageRun

HELD_OUT_PACKS = 16


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
        self._model_folder, self._digest = model, digest
        self._settings = run.decisive(digest)
        self.chat = load_chat(model)
        self.images = load_image_settings(model)
        self._checkpoints = Checkpoints(run.folder / "checkpoints", ranks, run.kept_checkpoints)

    def _lengths(self) -> LengthSettings:
        recipe = self.run.recipe
        return LengthSettings(
            chat=self.chat, max_tokens=recipe.pack_tokens, joins_rows=recipe.joins_rows
        )

    def corpus_of(self, split: str) -> Corpus:
        """Conversations of a split."""
        return load_corpus(
            self.run.builds, self._lengths(), self.run.stage, split=split,
            spare_folder=self.run.out / "lengths",
        )  # fmt: skip

    @cached_property
    def corpus(self) -> Corpus:
        """What is trained on."""
        if not self.ranks.is_first:
            wait_for_all(self.ranks)  # the first one measures, the others find the tables
        corpus = self.corpus_of("train")
        if self.ranks.is_first:
            wait_for_all(self.ranks)
        if not len(corpus):
            raise TrainerError(
                "--data", "no row of the split train can be trained on in this stage",
                "name a build with such rows"
            )  # fmt: skip
        return corpus

    @cached_property
    def plan(self) -> Plan:
        """Which conversations each step sees."""
        recipe = self.run.recipe
        return make_plan(self.corpus.parts, PlanSettings(
            seed=self.run.seed, epochs=self.run.stage.epochs, pack_tokens=recipe.pack_tokens,
            packs_per_step=recipe.packs_per_step,
        ))  # fmt: skip

    @property
    def steps(self) -> int:
        """Steps of the stage."""
        return min(self.plan.steps, self.run.max_steps or self.plan.steps)

    def maker(self, corpus: Corpus) -> PackMaker:
        """What makes packs of a corpus."""
        return PackMaker(corpus, self.chat, self.images, self.run.recipe.pack_tokens)

    @property
    def layout(self) -> Layout:
        """How the model lies over the ranks; a frozen language model is not worth gathering."""
        return self.run.layout or (
            "sharded" if "language" in self.run.stage.learning_rates else "replicated"
        )

    @cached_property
    def learning(self) -> Learning:
        """What learns; the model is frozen accordingly."""
        return freeze(self.model, self.run.stage.learning_rates)

    @cached_property
    def model(self) -> Any:  # noqa: ANN401 - transformers' class, which is loaded late
        """The model that is trained."""
        from trainer.load_model import load_trained_model

        model = load_trained_model(self._model_folder)
        use_attention(model, self.run.attention or default_backend(self._device_kind))
        return model

    @property
    def _device_kind(self) -> str:
        return self.ranks.device.split(":")[0]

    @cached_property
    def trainee(self) -> Trainee:
        """The model with its loss, on its devices."""
        recipe, model = self.run.recipe, self.model
        if recipe.precision == "bfloat16" and self.layout == "replicated":
            named = dict(model.named_parameters())
            for name in self.learning.frozen:
                named[name].data = named[name].data.to(torch.bfloat16)
        if recipe.recomputes:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        if self.run.compiles:
            for layer in model.model.language_model.layers:
                layer.compile(dynamic=True)
        trainee = Trainee(model.train(), recomputes=recipe.recomputes)
        return lay_out(trainee, self.layout, self.ranks, recipe.precision)

    def work(self) -> None:
        """Train to the end of the stage, or to where it was to stop."""
        self.learning  # noqa: B018 - parameters are frozen before they are laid out
        recipe, stage = self.run.recipe, self.run.stage
        size = size_of(self.model)
        trainee = self.trainee
        named = {name.removeprefix("model."): p for name, p in trainee.named_parameters()}
        named = {name: named[name] for names in self.learning.parameters.values()
                 for name in names}  # fmt: skip
        optimizer = torch.optim.AdamW(
            parameter_groups(named, self.learning, stage.learning_rates, recipe.weight_decay),
            betas=recipe.betas, foreach=True,
        )  # fmt: skip
        rules = StepRules(
            steps=self.steps, warmup_share=recipe.warmup_share, clip_norm=recipe.clip_norm,
            precision=recipe.precision, packs_per_forward=recipe.packs_per_forward,
            bad_share=recipe.bad_share, layout=self.layout,
        )  # fmt: skip
        stepper = Stepper(trainee, optimizer, rules, self.ranks, self.images, size)
        start = self._resume(trainee, optimizer, stepper)
        with self._seeing(start) as seeing:
            self._steps(stepper, optimizer, start, seeing)

    def _steps(
        self, stepper: Stepper, optimizer: torch.optim.Optimizer, start: int, seeing: Seeing
    ) -> None:
        last = min(self.steps, self.run.stop_after or self.steps)
        loader = Loader(
            iter([self._documents(step) for step in range(start, last)]),
            self.maker(self.corpus).pack, self.run.workers,
        )  # fmt: skip
        waited, ended = 0.0, time.perf_counter()
        recipe = self.run.recipe
        for step, packs in enumerate(loader, start):
            result = stepper.step(step, packs)
            now = time.perf_counter()
            if self.ranks.is_first:
                self._record_step(step, result, stepper, seeing,
                                  (now - ended, loader.waited - waited))  # fmt: skip
            waited, ended = loader.waited, now
            done = step + 1
            if recipe.evaluation_steps and (done % recipe.evaluation_steps == 0
                                            or done == self.steps):  # fmt: skip
                self._evaluate(done, seeing)
                ended = time.perf_counter()
            if done % recipe.checkpoint_steps == 0 or done == last:
                self._checkpoints.save(self.trainee, optimizer, self._state(done, stepper))
                ended = time.perf_counter()
        if last == self.steps:
            self._finish(stepper)

    def _documents(self, step: int) -> list[Sequence[int]]:
        packs = packs_of_rank(self.plan, step, self.ranks.rank, self.ranks.world)
        return [() if number is None else self.plan.pack(number) for number in packs]

    def _state(self, step: int, stepper: Stepper) -> StageState:
        return StageState(step=step, plan=self.plan.digest(), setup=self._setup,
                          seen=stepper.seen, bad=dict(stepper.bad))  # fmt: skip

    @property
    def _setup(self) -> str:
        text = json.dumps(self._settings, sort_keys=True)
        return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"

    def _resume(self, trainee: Trainee, optimizer: torch.optim.Optimizer, stepper: Stepper) -> int:
        place = self._checkpoints.latest()
        if place is None:
            return 0
        state = self._checkpoints.state(place)
        for found, expected, what in (
            (state.setup, self._setup, "other settings, other data or another starting model"),
            (state.plan, self.plan.digest(), "other data"),
        ):
            if found != expected:
                raise TrainerError(
                    str(place), f"was saved with {what}",
                    "give what it was started with, or name another --out"
                )  # fmt: skip
        self._checkpoints.load(place, trainee, optimizer)
        stepper.seen = state.seen
        stepper.bad.update(state.bad)
        return state.step

    @contextlib.contextmanager
    def _seeing(self, start: int) -> Iterator[Seeing]:
        run, folder = self.run, self.run.folder
        is_first = self.ranks.is_first
        peak = peak_flops(self.ranks.device) * self.ranks.world
        if is_first:
            for name in (LEDGER_FILE, METRICS_FILE, EVALUATION_FILE):
                cut_lines(folder / name, start + (name == EVALUATION_FILE))
            self._write_settings()
        seeing = Seeing(folder, run.stage.name, peak, is_shown=run.is_shown and is_first,
                        has_tensorboard=run.has_tensorboard and is_first)  # fmt: skip
        seeing.say(self._opening(start))
        try:
            yield seeing
        finally:
            seeing.close()

    def _opening(self, start: int) -> str:
        tail = len(self.learning.without_gradient)
        learns = ", ".join(f"{part} at {rate:g}"
                           for part, rate in self.run.stage.learning_rates.items())  # fmt: skip
        unusable = sum(self.corpus.unusable.values())
        return (
            f"{self.run.stage.name}: {len(self.corpus):,} conversations, "
            f"{len(self.plan.pack_ends):,} packs, {self.steps:,} steps"
            + (f", going on after {start}" if start else "")
            + f"; learns: {learns}"
            + (f"; {tail} tensors of the vision encoder lie behind the layer used" if tail else "")
            + (f"; {unusable} rows cannot be trained on" if unusable else "")
        )

    def _write_settings(self) -> None:
        content = {
            "settings": self._settings,
            "builds": [str(build.folder.resolve()) for build in self.run.builds],
            "model": str(self._model_folder.resolve()),
            "plan_digest": self.plan.digest(),
            "steps": self.steps,
        }
        path = self.run.folder / SETTINGS_FILE
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")

    def _record_step(
        self, step: int, result: StepResult, stepper: Stepper, seeing: Seeing,
        times: tuple[float, float],
    ) -> None:  # fmt: skip
        document = self.corpus.document
        planned = [n for pack in self.plan.packs_of_step(step) for n in self.plan.pack(pack)]
        by_number = {number: (loss, tokens) for number, loss, tokens in result.documents}
        write_step(self.run.folder, LedgerLine(
            step=step, documents=planned,
            losses=[round(by_number[n][0] / max(by_number[n][1], 1), 6) for n in planned],
            tokens=[by_number[n][1] for n in planned], bad=sorted(result.bad),
        ))  # fmt: skip
        seeing.step(StepNumbers(
            step=step, steps=self.steps, loss=result.loss, gradient_norm=result.gradient_norm,
            rates=stepper.rates(), conversations=len(planned), tokens=result.tokens,
            image_tokens=result.image_tokens, supervised=result.supervised, flops=result.flops,
            seconds=times[0], waited=times[1],
            capacity=len(self.plan.packs_of_step(step)) * self.run.recipe.pack_tokens,
            by_source=sums_by(lambda n: document(n).source, result.documents),
            by_format=sums_by(lambda n: document(n).format, result.documents),
            bad=dict(stepper.bad),
        ))  # fmt: skip

    @cached_property
    def _held_out(self) -> tuple[Corpus, list[Pack]]:
        corpus = self.corpus_of("validation")
        plan = make_plan(corpus.parts, PlanSettings(
            seed=self.run.seed, epochs=1, pack_tokens=self.run.recipe.pack_tokens, packs_per_step=1,
        ))  # fmt: skip
        maker = self.maker(corpus)
        count = min(HELD_OUT_PACKS, len(plan.pack_ends))
        return corpus, [maker.pack(plan.pack(number)) for number in range(count)]

    def _evaluate(self, done: int, seeing: Seeing) -> None:
        corpus, packs = self._held_out
        if not packs:
            return
        told = [
            held_out_loss(self.trainee, seen, self.images, self.ranks, self.run.recipe.precision)
            for seen in (packs, with_pictures_of_others(packs))
        ]
        if not self.ranks.is_first:
            return
        means = [sum(loss for _, loss, _ in one) / max(sum(n for *_, n in one), 1) for one in told]
        line: dict[str, Any] = {"step": done, "conversations": len(told[0]), "loss": means[0],
                                "loss_shuffled_images": means[1]}  # fmt: skip
        for name in ("source", "format", "department"):
            sums = sums_by(lambda n, name=name: getattr(corpus.document(n), name), told[0])  # type: ignore[misc]
            line[f"loss_by_{name}"] = {k: s / n for k, (s, n) in sorted(sums.items()) if n}
        seeing.evaluation(line)

    def _finish(self, stepper: Stepper) -> None:
        place = self.run.folder / MODEL_FOLDER
        digest = save_stage_model(
            self.trainee, self.learning, self._model_folder, place, self.ranks
        )
        if not self.ranks.is_first:
            wait_for_all(self.ranks)
            return
        write_record(self.run.folder, {
            "stage": self.run.stage.name, "recipe": self.run.recipe.name, "steps": self.steps,
            "starting_digest": self._digest, "weights_digest": digest,
            "plan_digest": self.plan.digest(), "settings": self._settings,
            "builds": [str(build.folder.resolve()) for build in self.run.builds],
            "conversations": stepper.seen, "bad": dict(stepper.bad),
            "unusable": {f"{source} {reason}": count
                         for (reason, source), count in sorted(self.corpus.unusable.items())},
            "without_gradient": list(self.learning.without_gradient),
        })  # fmt: skip
        wait_for_all(self.ranks)


def with_pictures_of_others(packs: Sequence[Pack]) -> list[Pack]:
    """The same texts, each with the picture of the next conversation that has one."""
    pixels = np.concatenate([pack.pixels for pack in packs])
    rolled = np.roll(pixels, 1, axis=0)
    out, start = [], 0
    for pack in packs:
        out.append(replace(pack, pixels=rolled[start : start + len(pack.pixels)]))
        start += len(pack.pixels)
    return out


def worker_count() -> int:
    """Threads that make packs, unless a user says otherwise."""
    return min(os.cpu_count() or 1, 8)
