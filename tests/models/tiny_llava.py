"""A LLaVA of random weights, in the layout that transformers and vLLM load: its words mean nothing.

    python -m tests.models.tiny_llava FOLDER

It borrows the tokenizer of SmolLM2 (see :mod:`tests.models.smollm2`) and adds the token that stands
for an image. Needs torch and transformers.
"""

import sys
from pathlib import Path

from tests.models.smollm2 import smollm2

IMAGE_TOKENS = 16  # of one image: 4 patches by 4
_SIDE, _PATCH = 56, 14
# The image's place is its token; vLLM repeats it as often as the image has patches.
_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}{% if part['type'] == 'text' %}{{ part['text'] }}"
    "{% else %}{{ '<image>\n' }}{% endif %}{% endfor %}{% endif %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def tiny_llava(folder: Path) -> Path:
    """Write the model into a folder, where it is not there yet."""
    if (folder / "config.json").is_file():
        return folder
    import torch
    from transformers import (
        AutoTokenizer,
        CLIPImageProcessor,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )

    tokenizer = AutoTokenizer.from_pretrained(smollm2())
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    tokenizer.chat_template = _TEMPLATE
    image_token = tokenizer.convert_tokens_to_ids("<image>")
    vision = CLIPVisionConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        image_size=_SIDE, patch_size=_PATCH, projection_dim=32,
    )  # fmt: skip
    language = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=2, head_dim=32, max_position_embeddings=4096,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    torch.manual_seed(0)
    config = LlavaConfig(
        vision_config=vision, text_config=language, image_token_index=image_token,
        vision_feature_layer=-2, vision_feature_select_strategy="default",
        image_seq_length=IMAGE_TOKENS,
    )  # fmt: skip
    model = LlavaForConditionalGeneration(config).to(torch.bfloat16)
    images = CLIPImageProcessor(
        size={"shortest_edge": _SIDE}, crop_size={"height": _SIDE, "width": _SIDE}
    )
    processor = LlavaProcessor(
        image_processor=images, tokenizer=tokenizer, patch_size=_PATCH,
        vision_feature_select_strategy="default", num_additional_image_tokens=1,
        chat_template=_TEMPLATE,
    )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    processor.save_pretrained(folder)
    model.save_pretrained(folder)
    _rename(folder / "model.safetensors")
    return folder


def _rename(weights: Path) -> None:
    """What transformers 5 saves, vLLM does not find: its names of the vision encoder are longer."""
    from safetensors.torch import load_file, save_file

    short, long = "vision_tower.", "vision_tower.vision_model."
    renamed = {name.replace(short, long): weight for name, weight in load_file(weights).items()}
    save_file(renamed, weights, metadata={"format": "pt"})


if __name__ == "__main__":
    sys.stdout.write(f"{tiny_llava(Path(sys.argv[1]))}\n")
