"""The three stages, and what a stage is: which part learns at which rate, on which mixture.

A part without a rate is frozen; there is no second switch for that. The parts are those of
:data:`trainer.init_model.PARTS`, with the head of the language model counted to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

STAGE_NAMES = ("shallow_alignment", "deep_alignment", "instruction_tuning")
LEARNING_PARTS = ("projector", "vision", "language")


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """One stage as a value.

    Attributes:
        name: One of :data:`STAGE_NAMES`.
        learning_rates: Highest rate of each part that learns; the others are frozen.
        shares: How much of a source is seen an epoch, by its name; 1 where it is not named.
        text_share: How much of the conversations without an image is seen an epoch.
        epochs: How often the mixture is gone through.
    """

    name: str
    learning_rates: Mapping[str, float]
    shares: Mapping[str, float] = field(default_factory=dict)
    text_share: float = 1.0
    epochs: int = 1

    def __post_init__(self) -> None:
        unknown = set(self.learning_rates) - set(LEARNING_PARTS)
        assert self.name in STAGE_NAMES, self.name
        assert not unknown, f"{self.name}: {sorted(unknown)}"


def three_stages(
    projector: float, vision: float, everything: Mapping[str, float], epochs: int = 1
) -> tuple[Stage, Stage, Stage]:
    """Projector alone, then the vision encoder with it, then all.

    Args:
        projector: Rate of the first stage.
        vision: Rate of the second stage, for vision encoder and projector.
        everything: Rates of the third stage.
        epochs: Of each.
    """
    return (
        Stage(name="shallow_alignment", learning_rates={"projector": projector}, epochs=epochs),
        Stage(
            name="deep_alignment",
            learning_rates={"projector": vision, "vision": vision},
            epochs=epochs,
        ),
        Stage(name="instruction_tuning", learning_rates=everything, epochs=epochs),
    )
