"""The learning rate as a function of the step alone."""

import math


def rate_factor(step: int, steps: int, warmup_share: float) -> float:
    """What the highest rate is multiplied by.

    It rises from almost zero over the first steps and falls to zero along half a cosine.

    Args:
        step: Counts from 0.
        steps: Of the whole stage.
        warmup_share: Part of the steps in which it rises.
    """
    warmup = math.ceil(steps * warmup_share)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    done = (step - warmup) / max(steps - warmup, 1)
    return 0.5 * (1 + math.cos(math.pi * done))
