"""What a step costs, counted as what has to be computed and no more.

Frozen parts cost what they cost: no gradient of their weights, and none of what they are given
where nothing before them learns. Scores of the vocabulary are made for supervised tokens only,
and a pack has no padding. What is made again on the way back to save memory is not counted.
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import LlavaForConditionalGeneration

# Dense bfloat16, by what the device calls itself.
PEAK_FLOPS = {"H100": 989e12, "H200": 989e12, "A100": 312e12, "A800": 312e12, "L40S": 362e12}


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelSize:
    """Numbers that costs follow from.

    Attributes:
        language: Weights of the language model's matrices, without words and head.
        head: Weights of the head.
        projector: Weights of the projector's matrices.
        vision: Weights of the matrices of the vision layers that are used.
        patch: Weights of the patch embedding.
        language_layers: Their number.
        language_width: Heads times their size.
        vision_layers: Number of those used.
        vision_width: Width of the vision encoder.
        image_patches: Patches of an image, without the class token.
    """

    language: int
    head: int
    projector: int
    vision: int
    patch: int
    language_layers: int
    language_width: int
    vision_layers: int
    vision_width: int
    image_patches: int


def size_of(model: "LlavaForConditionalGeneration") -> ModelSize:
    """The numbers of a model."""
    inner, text = model.model, model.config.text_config
    used = model.config.vision_feature_layer
    depth = model.config.vision_config.num_hidden_layers
    count = used if used >= 0 else depth + 1 + used
    matrices = [
        sum(p.numel() for p in module.parameters() if p.ndim > 1)
        for module in (inner.language_model.layers, inner.multi_modal_projector,
                       inner.vision_tower.encoder.layers[:count])
    ]  # fmt: skip
    head_size = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    return ModelSize(
        language=matrices[0], head=model.lm_head.weight.numel(), projector=matrices[1],
        vision=matrices[2], patch=inner.vision_tower.embeddings.patch_embedding.weight.numel(),
        language_layers=text.num_hidden_layers,
        language_width=head_size * text.num_attention_heads,
        vision_layers=count, vision_width=model.config.vision_config.hidden_size,
        image_patches=model.config.image_seq_length,
    )  # fmt: skip


def pack_flops(
    size: ModelSize, learning: Set[str], lengths: Sequence[int], images: int, supervised: int
) -> float:
    """Floating-point operations of one pack, forward and backward.

    Args:
        size: See :func:`size_of`.
        learning: Parts that learn.
        lengths: Tokens of each conversation.
        images: Pictures that are encoded.
        supervised: Supervised tokens.
    """
    tokens = sum(lengths)
    squares = sum(length * length for length in lengths)
    in_language = "language" in learning
    # Forward, back to what a layer is given, and to its weights: twice a weight and token each.
    weights_language = 2 * (2 + in_language) * (tokens * size.language + supervised * size.head)
    # Scores and their use, of half the square since later tokens are not seen; twice on the way
    # back, as PyTorch counts too.
    attention_language = 3 * 2 * size.language_layers * size.language_width * squares
    projector = 2 * _times("projector" in learning, "vision" in learning) * size.projector
    vision_learns = "vision" in learning
    patches = size.image_patches + 1
    vision = 2 * (3 if vision_learns else 1) * patches * size.vision
    vision += 2 * (2 if vision_learns else 1) * size.image_patches * size.patch
    vision += (3 if vision_learns else 1) * 4 * size.vision_layers * size.vision_width * patches**2
    pictures = images * (projector * size.image_patches + vision)
    return float(weights_language + attention_language + pictures)


def _times(learns: bool, before_learns: bool) -> int:  # noqa: FBT001
    return 1 + learns + before_learns


def peak_flops(device: str) -> float:
    """What a device can do at most, a second.

    A GPU's is its maker's figure; of an unknown one, and of a CPU, that of a large product now.
    """
    import time

    import torch

    if device.startswith("cuda"):
        name = torch.cuda.get_device_name(device)
        for known, peak in PEAK_FLOPS.items():
            if known in name:
                return peak
    side = 1024
    one = torch.ones(side, side, device=device)
    best = 0.0
    for _ in range(4):
        started = time.perf_counter()
        float((one @ one)[0, 0])
        best = max(best, 2 * side**3 / (time.perf_counter() - started))
    return best
