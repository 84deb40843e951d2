"""Recipes: everything that decides how a model is trained, as values."""

from dataclasses import dataclass, replace

from trainer.mixture_gmai_vl import INSTRUCTION_SHARES
from trainer.stages import Stage, three_stages


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """How a model is trained.

    Attributes:
        name: By which the command line knows it.
        stages: In the order in which they are run.
        pack_tokens: Longest pack; a row that is longer loses its last exchanges.
        packs_per_step: Packs of one optimiser update, over all ranks.
        joins_rows: Rows of one image become one conversation, with the image once.
        warmup_share: Part of the steps in which the rate rises from zero.
        weight_decay: Of AdamW, on matrices only.
        clip_norm: Longest gradient.
        betas: Of AdamW.
        precision: ``float32``, or ``bfloat16`` for products with weights kept in float32.
        packs_per_forward: Packs that go through the model at once, one after the other in one
            row: they do not see each other.
        checkpoint_steps: Steps between checkpoints.
        evaluation_steps: Steps between looks at held-out rows; 0 for none.
        bad_share: Share of conversations with a picture that cannot be read above which a run
            is stopped.
        recomputes: Whether activations are made again on the way back, to save memory.
        cpu_threads: Of PyTorch; as it likes where None. A tiny model is quicker with one.
    """

    name: str
    stages: tuple[Stage, ...]
    pack_tokens: int = 2048
    packs_per_step: int = 512
    joins_rows: bool = False
    warmup_share: float = 0.03
    weight_decay: float = 0.0
    clip_norm: float = 1.0
    betas: tuple[float, float] = (0.9, 0.999)
    precision: str = "bfloat16"
    packs_per_forward: int = 1
    checkpoint_steps: int = 500
    evaluation_steps: int = 500
    bad_share: float = 0.01
    recomputes: bool = True
    cpu_threads: int | None = None

    def stage(self, name: str) -> Stage:
        """The stage of a name."""
        return next(stage for stage in self.stages if stage.name == name)


def _gmai_vl() -> Recipe:
    # Rates, batch, length and shares are the paper's. Warm-up, clipping and weight decay are not
    # stated there; these are the values of the sibling recipe in the code it was trained with.
    shallow, deep, tuning = three_stages(
        1e-3, 1e-4, {"projector": 1e-5, "vision": 1e-5, "language": 1e-5}
    )
    return Recipe(
        name="gmai-vl",
        stages=(
            replace(shallow, text_share=0.0),
            replace(deep, text_share=0.0),
            replace(tuning, shares=INSTRUCTION_SHARES),
        ),
    )


RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        _gmai_vl(),
        Recipe(
            name="qwen3-8b",
            stages=three_stages(1e-3, 1e-4, {"projector": 1e-5, "vision": 2e-6, "language": 1e-5}),
            pack_tokens=4096,
            packs_per_step=128,
            joins_rows=True,
        ),
        Recipe(
            name="laptop",
            stages=three_stages(2e-3, 5e-4, {"projector": 5e-4, "vision": 5e-4, "language": 1e-4}),
            pack_tokens=1024,
            packs_per_step=4,
            joins_rows=True,
            precision="float32",
            checkpoint_steps=100,
            evaluation_steps=100,
            recomputes=False,
        ),
        Recipe(
            name="smoke",
            stages=three_stages(1e-2, 1e-2, {"projector": 1e-2, "vision": 1e-2, "language": 1e-2}),
            pack_tokens=512,
            packs_per_step=4,
            precision="float32",
            checkpoint_steps=10,
            evaluation_steps=10,
            recomputes=False,
            cpu_threads=1,
        ),
    )
}
