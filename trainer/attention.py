"""Attention among the tokens of one conversation only, behind one name for all devices.

No mask is made anywhere: what is one conversation follows from positions that restart. On a CPU
each conversation goes through PyTorch's own attention by itself, which is both exact and less
work than a square mask over the pack. On a GPU ``varlen_attn`` takes all of them at once; its
signature changed between versions of PyTorch, and this module knows the three.
"""

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

BACKENDS = ("documents", "varlen", "sdpa")
LENGTHS = "gmai_lengths"
BOUNDS = "gmai_bounds"


def default_backend(device: str) -> str:
    """What suits a kind of device."""
    return "varlen" if device == "cuda" else "documents"


def use_attention(model: "PreTrainedModel", backend: str) -> None:
    """Make the language model of a Llava model attend within conversations.

    Args:
        model: Is changed.
        backend: One of :data:`BACKENDS`; ``sdpa`` is transformers' own, with a mask that it
            makes of the positions, and is there to hold the others against.
    """
    if backend == "sdpa":
        model.set_attn_implementation("sdpa")
        return
    from transformers import AttentionInterface

    name = f"gmai_{backend}"
    AttentionInterface.register(name, {"documents": by_document, "varlen": by_bounds}[backend])
    model.set_attn_implementation({"text_config": name, "vision_config": "sdpa"})


def by_document(
    module: "torch.nn.Module",
    query: "torch.Tensor",
    key: "torch.Tensor",
    value: "torch.Tensor",
    attention_mask: "torch.Tensor | None",
    scaling: float | None = None,
    **kwargs: Any,  # noqa: ANN401 - transformers passes on what the model was called with
) -> tuple["torch.Tensor", None]:
    """Attention of each conversation by itself; shapes are transformers'."""
    import torch
    from torch.nn.functional import scaled_dot_product_attention as attend

    lengths = kwargs[LENGTHS]
    pieces = zip(*(tensor.split(lengths, dim=2) for tensor in (query, key, value)), strict=True)
    is_grouped = query.shape[1] != key.shape[1]
    out = [attend(q, k, v, is_causal=True, scale=scaling, enable_gqa=is_grouped)
           for q, k, v in pieces]  # fmt: skip
    return torch.cat(out, dim=2).transpose(1, 2).contiguous(), None


def by_bounds(
    module: "torch.nn.Module",
    query: "torch.Tensor",
    key: "torch.Tensor",
    value: "torch.Tensor",
    attention_mask: "torch.Tensor | None",
    scaling: float | None = None,
    **kwargs: Any,  # noqa: ANN401 - transformers passes on what the model was called with
) -> tuple["torch.Tensor", None]:
    """Attention of all conversations at once by their bounds; shapes are transformers'."""
    from torch.nn.attention.varlen import varlen_attn

    bounds, longest = kwargs[BOUNDS], max(kwargs[LENGTHS])
    out = call_varlen(
        varlen_attn, [tensor[0].transpose(0, 1) for tensor in (query, key, value)], bounds,
        longest, scaling,
    )  # fmt: skip
    return out.unsqueeze(0), None


def call_varlen(
    function: Callable[..., Any],
    tensors: list["torch.Tensor"],
    bounds: "torch.Tensor",
    longest: int,
    scaling: float | None,
) -> "torch.Tensor":
    """Call ``varlen_attn`` the way its version wants it, causal.

    Args:
        function: ``torch.nn.attention.varlen.varlen_attn``.
        tensors: Query, key and value: tokens, heads, size.
        bounds: Where conversations start, and the end; int32.
        longest: Tokens of the longest one.
        scaling: Of the scores; 1 over the root of the size where None.
    """
    known = inspect.signature(function).parameters
    query, key, value = tensors
    if query.shape[1] != key.shape[1] and "enable_gqa" not in known:
        times = query.shape[1] // key.shape[1]
        key, value = (tensor.repeat_interleave(times, dim=1) for tensor in (key, value))
    options: dict[str, Any] = {}
    options.update({"window_size": (-1, 0)} if "window_size" in known else {"is_causal": True})
    if "enable_gqa" in known:
        options["enable_gqa"] = query.shape[1] != key.shape[1]
    usual = query.shape[-1] ** -0.5
    if scaling is not None and "scale" in known:
        options["scale"] = scaling
    elif scaling is not None and scaling != usual:
        query = query * (scaling / usual)
    contiguous = [tensor.contiguous() for tensor in (query, key, value)]
    return function(*contiguous, bounds, bounds, longest, longest, **options)
