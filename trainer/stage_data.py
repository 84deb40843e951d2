"""What a stage is trained on: its conversations, the plan of its steps, and what makes packs."""

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from trainer.batches import Pack, PackMaker
from trainer.chat import load_chat
from trainer.corpus import Corpus, load_corpus
from trainer.distributed import Ranks, wait_for_all
from trainer.errors import TrainerError
from trainer.images import load_image_settings
from trainer.lengths import LengthSettings
from trainer.plan import Plan, PlanSettings, make_plan, packs_of_rank
from trainer.stage_run import StageRun

HELD_OUT_PACKS = 16


class StageData:
    """The data of a stage; made when it is first asked for.

    Args:
        run: What was asked for.
        model: Folder that it starts from, which says how text and pictures are brought to it.
        ranks: Who takes part.
    """

    def __init__(self, run: StageRun, model: Path, ranks: Ranks) -> None:
        self._run, self._ranks = run, ranks
        self._chat = load_chat(model)
        self.images = load_image_settings(model)

    def _corpus_of(self, split: str) -> Corpus:
        recipe = self._run.recipe
        lengths = LengthSettings(
            chat=self._chat, max_tokens=recipe.pack_tokens, joins_rows=recipe.joins_rows
        )
        return load_corpus(
            self._run.builds, lengths, self._run.stage, split=split,
            spare_folder=self._run.out / "lengths",
        )  # fmt: skip

    @cached_property
    def corpus(self) -> Corpus:
        """What is trained on."""
        if not self._ranks.is_first:
            wait_for_all(self._ranks)  # the first one measures, the others find the tables
        corpus = self._corpus_of("train")
        if self._ranks.is_first:
            wait_for_all(self._ranks)
        if not len(corpus):
            raise TrainerError(
                "--data", "no row of the split train can be trained on in this stage",
                "name a build with such rows"
            )  # fmt: skip
        return corpus

    @cached_property
    def plan(self) -> Plan:
        """Which conversations each step sees."""
        run = self._run
        return self._plan(self.corpus, run.stage.epochs, run.recipe.packs_per_step)

    def _plan(self, corpus: Corpus, epochs: int, packs_per_step: int) -> Plan:
        return make_plan(corpus.parts, PlanSettings(
            seed=self._run.seed, epochs=epochs, pack_tokens=self._run.recipe.pack_tokens,
            packs_per_step=packs_per_step,
        ))  # fmt: skip

    @property
    def steps(self) -> int:
        """Steps of the stage."""
        return min(self.plan.steps, self._run.max_steps or self.plan.steps)

    def documents(self, step: int) -> list[Sequence[int]]:
        """Conversations of each pack of a step that is this rank's."""
        packs = packs_of_rank(self.plan, step, self._ranks.rank, self._ranks.world)
        return [() if number is None else self.plan.pack(number) for number in packs]

    def maker(self, corpus: Corpus) -> PackMaker:
        """What makes packs of a corpus."""
        return PackMaker(corpus, self._chat, self.images, self._run.recipe.pack_tokens)

    @cached_property
    def held_out(self) -> tuple[Corpus, list[Pack]]:
        """Conversations that are not trained on, and the first packs of them."""
        corpus = self._corpus_of("validation")
        plan = self._plan(corpus, epochs=1, packs_per_step=1)
        maker = self.maker(corpus)
        count = min(HELD_OUT_PACKS, len(plan.pack_ends))
        return corpus, [maker.pack(plan.pack(number)) for number in range(count)]


def worker_count() -> int:
    """Threads that make packs, unless a user says otherwise."""
    return min(os.cpu_count() or 1, 8)
