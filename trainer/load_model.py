"""A starting model as it is trained: weights in float32."""

from pathlib import Path
from typing import TYPE_CHECKING

from trainer.errors import TrainerError

if TYPE_CHECKING:
    from transformers import LlavaForConditionalGeneration


def load_trained_model(folder: Path) -> "LlavaForConditionalGeneration":
    """Load a model folder.

    Raises:
        TrainerError: Weights are missing or do not fit the config.
    """
    import torch
    from transformers import LlavaForConditionalGeneration
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        model, told = LlavaForConditionalGeneration.from_pretrained(
            folder, dtype=torch.float32, output_loading_info=True, local_files_only=True
        )
    except (OSError, ValueError) as error:
        raise TrainerError(
            str(folder), f"the model cannot be loaded: {error}", "make one: gmai-train init"
        ) from error
    if told["missing_keys"] or told["mismatched_keys"]:
        names = ", ".join(sorted(str(key) for key in told["missing_keys"])[:3])
        raise TrainerError(
            str(folder), f"weights are missing or of another shape: {names}",
            "make the model again: gmai-train init"
        )  # fmt: skip
    return model
