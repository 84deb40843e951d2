"""Tokens a second, MFU and memory of each stage on one GPU, with random weights.

    python benchmarks/gpu/speed.py 8b

A model of CLIP ViT-L/14-336 and a language model of Qwen3's shape is made on the device. Packs are
made up: conversations of one image and 224 tokens of text, 150 of them supervised. What is printed
is the median of the steps after the first ones. The third stage keeps all in bfloat16 here, since
float32 weights and moments of 8 billion parameters do not fit one card; see docs/training.md.
"""

import statistics
import sys
import time
from pathlib import Path

SHAPES = {
    "0.6b": (1024, 3072, 28, 16, 8, True),
    "1.7b": (2048, 6144, 28, 16, 8, True),
    "4b": (2560, 9728, 36, 32, 8, True),
    "8b": (4096, 12288, 36, 32, 8, False),
}
STEPS, WARMUP, PACK_TOKENS, WORDS, SUPERVISED = 12, 4, 8192, 224, 150
STAGES = {
    "shallow_alignment": ("projector",),
    "deep_alignment": ("projector", "vision"),
    "instruction_tuning": ("projector", "vision", "language"),
}


def make_model(size: str, device: str):
    """A model with random weights, in bfloat16."""
    import torch
    from transformers import (
        CLIPVisionConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        Qwen3Config,
    )

    width, inner, layers, heads, groups, is_tied = SHAPES[size]
    vision = CLIPVisionConfig(
        hidden_size=1024, intermediate_size=4096, num_hidden_layers=24, num_attention_heads=16,
        image_size=336, patch_size=14, projection_dim=768,
    )  # fmt: skip
    text = Qwen3Config(
        vocab_size=151936, hidden_size=width, intermediate_size=inner, num_hidden_layers=layers,
        num_attention_heads=heads, num_key_value_heads=groups, head_dim=128,
        max_position_embeddings=32768, tie_word_embeddings=is_tied,
    )  # fmt: skip
    config = LlavaConfig(
        vision_config=vision, text_config=text, image_token_index=151900, image_seq_length=576,
        vision_feature_layer=-2, vision_feature_select_strategy="default",
        tie_word_embeddings=is_tied,
    )  # fmt: skip
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device(device):
            return LlavaForConditionalGeneration(config).train()
    finally:
        torch.set_default_dtype(torch.float32)


def make_pack():
    """As many made-up conversations as fit."""
    import numpy as np

    from trainer.batches import NOT_LEARNT, Pack

    length = 576 + WORDS
    count = PACK_TOKENS // length
    random = np.random.default_rng(0)
    ids = random.integers(0, 150000, (count, length))
    ids[:, 10:586] = 151900
    targets = np.full((count, length), NOT_LEARNT)
    targets[:, -SUPERVISED - 1 : -1] = ids[:, -SUPERVISED:]
    return Pack(
        ids=ids.reshape(-1), positions=np.tile(np.arange(length), count),
        targets=targets.reshape(-1), owner=np.repeat(np.arange(count), length),
        pixels=random.integers(0, 255, (count, 336, 336, 3)).astype(np.uint8),
        documents=tuple(range(count)), bad=(), image_tokens=576 * count,
    )  # fmt: skip


def measure(size: str, stage: str, device: str, *, recomputes: bool, compiles: bool) -> str:
    """One line of the table."""
    import torch

    from trainer.attention import use_attention
    from trainer.distributed import Ranks
    from trainer.flops import peak_flops, size_of
    from trainer.images import ImageSettings
    from trainer.loop import Stepper, StepRules
    from trainer.loss import Trainee
    from trainer.parts import freeze, parameter_groups

    model = make_model(size, device)
    use_attention(model, "varlen")
    learning = freeze(model, dict.fromkeys(STAGES[stage], 1e-5))
    if recomputes:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    if compiles:
        for layer in model.model.language_model.layers:
            layer.compile()
    groups = parameter_groups(
        dict(model.named_parameters()), learning, dict.fromkeys(STAGES[stage], 1e-5), 0.0
    )
    rules = StepRules(
        steps=STEPS, warmup_share=0.0, clip_norm=1.0, precision="bfloat16", packs_per_forward=1,
        bad_share=1.0, layout="replicated",
    )  # fmt: skip
    stepper = Stepper(
        Trainee(model, recomputes=recomputes), torch.optim.AdamW(groups, fused=True), rules,
        Ranks(device=device), ImageSettings(), size_of(model),
    )  # fmt: skip
    pack, seconds = make_pack(), []
    torch.cuda.reset_peak_memory_stats()
    for step in range(STEPS):
        torch.cuda.synchronize()
        started = time.perf_counter()
        result = stepper.step(step, [pack] * 2)
        torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started)
    median = statistics.median(seconds[WARMUP:])
    mfu = result.flops / median / peak_flops(device)
    memory = torch.cuda.max_memory_allocated() / 2**30
    return (f"| {size} | {stage} | {recomputes} | {compiles} | {result.tokens / median:,.0f} "
            f"| {len(result.documents) / median:.1f} | {mfu:.1%} | {memory:.1f} |")  # fmt: skip


def main() -> None:
    """Print the table."""
    import gc

    import torch

    device = "cuda:0"
    print(torch.cuda.get_device_name(device), torch.__version__)
    print("| size | stage | recomputes | compiled | tokens/s | samples/s | MFU | memory GiB |")
    print("|---|---|---|---|---|---|---|---|")
    for size in sys.argv[1:] or ["8b"]:
        for stage in STAGES:
            for recomputes, compiles in ((True, False), (False, False), (True, True)):
                try:
                    told = measure(size, stage, device, recomputes=recomputes, compiles=compiles)
                except torch.OutOfMemoryError:
                    told = f"| {size} | {stage} | {recomputes} | {compiles} | out of memory | | | |"
                print(told, flush=True)
                gc.collect()
                torch.cuda.empty_cache()


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    main()
