"""A starting model: put together from its parts, saved, and loaded again by transformers."""

import argparse
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra 'train', as in the stage 'train' of CI")
pytest.importorskip("transformers", reason="needs the extra 'train'")
import torch
from transformers import (
    AutoProcessor,
    CLIPConfig,
    CLIPModel,
    LlavaForConditionalGeneration,
)

from trainer.chat import load_chat, tokenize
from trainer.chat_formats import FORMATS, IMAGE
from trainer.errors import TrainerError
from trainer.images import ImageSettings, decode, load_image_settings, normalise
from trainer.init_command import add_arguments, run
from trainer.init_model import init_model, report, without_gradient
from trainer.init_parts import load_vision
from trainer.init_tiny import init_tiny, tiny_language

MESSAGES = [
    {"role": "user", "content": f"{IMAGE}\nIs there a tumor?"},
    {"role": "assistant", "content": "No."},
]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("tiny") / "model"
    init_tiny(out)
    return out


def inputs(model: Path) -> dict[str, "torch.Tensor"]:
    """One row, as the trainer gives it."""
    chat = load_chat(model)
    row = tokenize(MESSAGES, chat)
    labels = [t if learn else -100 for t, learn in zip(row.ids, row.supervised, strict=True)]
    made = torch.Generator().manual_seed(3)
    pixels = torch.randint(0, 256, (1, 28, 28, 3), generator=made, dtype=torch.uint8)
    return {
        "input_ids": torch.tensor([row.ids]),
        "labels": torch.tensor([labels]),
        "pixel_values": normalise(pixels, load_image_settings(model)),
    }


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_what_is_saved_is_what_transformers_loads(name: str, tmp_path: Path) -> None:
    init_tiny(tmp_path, chat_format=name)
    model, outcome = LlavaForConditionalGeneration.from_pretrained(
        tmp_path, output_loading_info=True
    )
    assert not any(outcome.values())
    assert model.config.vision_feature_layer == -2
    assert torch.isfinite(model(**inputs(tmp_path)).loss)


def test_the_same_seed_gives_the_same_weights(tiny: Path, tmp_path: Path) -> None:
    init_tiny(tmp_path)
    name = "model.safetensors"
    assert (tmp_path / name).read_bytes() == (tiny / name).read_bytes()


def test_exactly_the_listed_parameters_get_no_gradient(tiny: Path) -> None:
    model = LlavaForConditionalGeneration.from_pretrained(tiny)
    model(**inputs(tiny)).loss.backward()
    without = tuple(name for name, p in model.named_parameters() if p.grad is None)
    assert without == without_gradient(model)
    assert len(without) == 18


def test_the_report_counts_every_parameter(tiny: Path) -> None:
    model = LlavaForConditionalGeneration.from_pretrained(tiny)
    assert sum(report(model).parameters.values()) == model.num_parameters()


def test_a_processor_of_transformers_gives_the_rows_that_are_trained_on(tiny: Path) -> None:
    from PIL import Image

    picture = Image.effect_noise((28, 28), 90).convert("RGB")
    processor = AutoProcessor.from_pretrained(tiny)
    prompt = processor.apply_chat_template(MESSAGES[:1], add_generation_prompt=True)
    served = processor(text=prompt, images=picture, return_tensors="pt")
    row = tokenize(MESSAGES, load_chat(tiny))
    assert served["input_ids"][0].tolist() == list(row.ids[: row.supervised.index(True)])
    assert load_image_settings(tiny) == ImageSettings(size_px=28, fit="pad")


def clip_folder(path: Path) -> Path:
    """A whole CLIP model, as it is published: with its text half."""
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3,
             "num_attention_heads": 4}  # fmt: skip
    torch.manual_seed(5)
    CLIPModel(CLIPConfig(
        text_config=sizes | {"vocab_size": 99}, projection_dim=16,
        vision_config=sizes | {"image_size": 42, "patch_size": 14},
    )).save_pretrained(path)  # fmt: skip
    return path


def language_folder(path: Path, chat_format: str) -> Path:
    torch.manual_seed(6)
    language = tiny_language(chat_format)
    language.model.resize_token_embeddings(len(language.tokenizer) - 1)
    language.model.save_pretrained(path)
    language.tokenizer.save_pretrained(path)
    return path


@pytest.mark.parametrize("name", ["smollm2", "qwen3"])
def test_the_weights_of_both_parts_come_over_to_the_last_bit(name: str, tmp_path: Path) -> None:
    vision = clip_folder(tmp_path / "clip")
    language = language_folder(tmp_path / "language", name)
    init_model(vision, language, tmp_path / "out", chat_format=name)
    model = LlavaForConditionalGeneration.from_pretrained(tmp_path / "out").state_dict()
    tower = {k.removeprefix("vision_model."): v for k, v in
             CLIPModel.from_pretrained(vision).vision_model.state_dict().items()}  # fmt: skip
    assert all(torch.equal(model[f"model.vision_tower.{k}"], v) for k, v in tower.items())
    from transformers import AutoModelForCausalLM

    text = AutoModelForCausalLM.from_pretrained(language).model.state_dict()
    for key, value in text.items():
        kept = model[f"model.language_model.{key}"]
        assert torch.equal(kept[: len(value)], value), key
    embeddings = model["model.language_model.embed_tokens.weight"]
    assert len(embeddings) % 64 == 0


def test_the_small_encoder_sees_eight_patches_a_side() -> None:
    vision = load_vision(Path("random-small"), seed=0).config
    assert (vision.image_size // vision.patch_size) ** 2 == 64


def test_a_folder_that_is_no_clip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(TrainerError, match="type bert"):
        load_vision(tmp_path, seed=0)


def command(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(words)


def test_the_command_prints_what_never_learns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(command("--tiny", "--out", str(tmp_path)))
    assert "model.vision_tower.post_layernorm.bias" in capsys.readouterr().out


@pytest.mark.parametrize("words", [(), ("--vision", "v"), ("--tiny", "--language", "l")])
def test_the_command_wants_both_parts_or_neither(words: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(TrainerError, match="two parts"):
        run(command(*words, "--out", str(tmp_path)))


def test_the_command_overwrites_no_model(tiny: Path) -> None:
    with pytest.raises(TrainerError, match="holds a model already"):
        run(command("--tiny", "--out", str(tiny)))


def test_pixels_reach_the_model_as_decoded(tiny: Path) -> None:
    import io

    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (50, 20), "white").save(out, "PNG")
    assert decode(out.getvalue(), load_image_settings(tiny)).shape == (28, 28, 3)
