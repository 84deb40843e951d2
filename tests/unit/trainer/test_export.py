"""An exported model: the names others load, the same answers, and a card that tells its data."""

import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra 'train', as in the stage 'train' of CI")
pytest.importorskip("transformers", reason="needs the extra 'train'")
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import AutoProcessor, LlavaForConditionalGeneration

from trainer.errors import TrainerError
from trainer.export_command import main
from trainer.export_hf import ExportSettings, export_hf
from trainer.export_lora import Adapters
from trainer.export_weights import exported_name, saved_tensors, write_weights
from trainer.init_tiny import init_tiny

QUESTION = [{"role": "user", "content": "<image>\nIs there a tumor?"}]
FORMATS = ("smollm2", "qwen3", "internlm2", "llama3")


@pytest.fixture(scope="module", params=FORMATS)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A model and what is exported of it."""
    folder = tmp_path_factory.mktemp(request.param)
    init_tiny(folder / "model", chat_format=request.param)
    assert main(["hf", str(folder / "model"), str(folder / "out")]) == 0
    return [folder / "model", folder / "out"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "model"
    init_tiny(folder, chat_format="qwen3")
    return folder


def names(folder: Path) -> set[str]:
    found: set[str] = set()
    for path in folder.glob("*.safetensors"):
        with safe_open(path, "pt") as file:
            found.update(file.keys())
    return found


def answer(folder: Path) -> list[int]:
    """Greedy tokens about a picture of noise."""
    from PIL import Image

    processor = AutoProcessor.from_pretrained(folder)
    text = processor.apply_chat_template(QUESTION, add_generation_prompt=True)
    picture = Image.linear_gradient("L").convert("RGB").resize((60, 40))
    inputs = processor(text=text, images=picture, return_tensors="pt")
    model = LlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    out = model.generate(**inputs, max_new_tokens=12, do_sample=False)
    return out[0, inputs["input_ids"].shape[1] :].tolist()


def test_transformers_finds_every_weight(pair: list[Path]) -> None:
    _, outcome = LlavaForConditionalGeneration.from_pretrained(pair[1], output_loading_info=True)
    assert not any(outcome.values())


def test_the_answers_are_those_of_the_model(pair: list[Path]) -> None:
    assert answer(pair[0]) == answer(pair[1])


def test_the_names_are_those_that_vllm_asks_for(pair: list[Path]) -> None:
    found = names(pair[1])
    assert "vision_tower.vision_model.embeddings.patch_embedding.weight" in found
    assert "language_model.model.embed_tokens.weight" in found
    starts = ("vision_tower.vision_model.", "multi_modal_projector.", "language_model.model.",
              "language_model.lm_head.")  # fmt: skip
    assert all(name.startswith(starts) for name in found)


@pytest.mark.parametrize(
    ("name", "exported"),
    [
        ("model.vision_tower.post_layernorm.bias", "vision_tower.vision_model.post_layernorm.bias"),
        ("vision_tower.vision_model.x", "vision_tower.vision_model.x"),
        ("vision_tower.x", "vision_tower.vision_model.x"),
        ("model.language_model.norm.weight", "language_model.model.norm.weight"),
        ("language_model.model.norm.weight", "language_model.model.norm.weight"),
        ("lm_head.weight", "language_model.lm_head.weight"),
        ("model.multi_modal_projector.linear_1.bias", "multi_modal_projector.linear_1.bias"),
    ],
)
def test_a_name_in_memory_and_a_saved_one_become_the_same(name: str, exported: str) -> None:
    assert exported_name(name) == exported
    assert exported_name(exported) == exported


def test_several_files_come_with_an_index(tiny: Path, tmp_path: Path) -> None:
    file_of = write_weights(saved_tensors(tiny), tmp_path, file_bytes=100_000)
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    assert len(set(file_of.values())) > 1
    assert set(index["weight_map"]) == set(file_of) == names(tmp_path)


def test_weights_may_be_cast(tiny: Path, tmp_path: Path) -> None:
    assert main(["hf", str(tiny), str(tmp_path / "out"), "--dtype", "bfloat16"]) == 0
    model = LlavaForConditionalGeneration.from_pretrained(tmp_path / "out", dtype="auto")
    assert model.dtype == torch.bfloat16


def test_a_model_that_lacks_a_weight_is_not_exported(tiny: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in tiny.iterdir():
        (broken / path.name).write_bytes(path.read_bytes())
    weights = load_file(broken / "model.safetensors")
    del weights["multi_modal_projector.linear_1.bias"]
    save_file(weights, broken / "model.safetensors")
    with pytest.raises(TrainerError, match="1 weights are missing and 0 unknown"):
        export_hf(ExportSettings(model=broken, out=tmp_path / "out", name="m"))
    assert not (tmp_path / "out").exists()


def test_a_folder_with_files_is_left_alone(tiny: Path) -> None:
    with pytest.raises(TrainerError, match="is not empty"):
        export_hf(ExportSettings(model=tiny, out=tiny, name="m"))


TARGET = "language_model.model.layers.0.self_attn.q_proj.weight"


def adapters(folder: Path, **settings: object) -> dict[str, "torch.Tensor"]:
    """Adapters of one weight, as PEFT saves them."""
    folder.mkdir(exist_ok=True)
    made = torch.Generator().manual_seed(2)
    halves = {"A": torch.randn(2, 64, generator=made), "B": torch.randn(64, 2, generator=made)}
    base = "base_model.model.model.language_model.layers.0.self_attn.q_proj"
    save_file({f"{base}.lora_{half}.weight": value for half, value in halves.items()},
              folder / "adapter_model.safetensors")  # fmt: skip
    config = {"peft_type": "LORA", "r": 2, "lora_alpha": 6} | settings
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return halves


def test_adapters_are_merged_into_their_weight_alone(tiny: Path, tmp_path: Path) -> None:
    halves = adapters(tmp_path / "lora")
    settings = ExportSettings(model=tiny, out=tmp_path / "out", name="m", lora=tmp_path / "lora")
    export_hf(settings)
    before, after = dict(saved_tensors(tiny)), dict(saved_tensors(tmp_path / "out"))
    assert torch.allclose(after[TARGET] - before[TARGET], 3 * halves["B"] @ halves["A"], atol=1e-5)
    assert [k for k in before if not torch.equal(before[k], after[k])] == [TARGET]


def test_adapters_scaled_by_the_root_of_their_rank_are_known(tmp_path: Path) -> None:
    halves = adapters(tmp_path, use_rslora=True)
    merged = Adapters(tmp_path).merged(TARGET, torch.zeros(64, 64))
    assert torch.allclose(merged, 6 / 2**0.5 * halves["B"] @ halves["A"], atol=1e-5)


def test_adapters_of_another_kind_are_refused(tmp_path: Path) -> None:
    adapters(tmp_path, use_dora=True)
    with pytest.raises(TrainerError, match="use_dora is not known"):
        Adapters(tmp_path)


def test_adapters_that_fit_nothing_are_told(tmp_path: Path) -> None:
    adapters(tmp_path)
    with pytest.raises(TrainerError, match="fit no weight"):
        Adapters(tmp_path).require_all_used()


def receipt(folder: Path) -> Path:
    """A build with a receipt, without shards."""
    entry = {
        "build_version": "0.3", "title": "Toy | Set", "license": "CC-BY-4.0", "access": "open",
        "evidence": "page", "manifest_digest": "ab" * 32,
        "splits": {"train": {"pairs": 1234}, "test": {"pairs": 9}},
    }  # fmt: skip
    folder.mkdir()
    (folder / "build.json").write_text(json.dumps({"sources": {"toy": entry}}))
    return folder


def test_the_card_tells_what_was_trained_on(tiny: Path, tmp_path: Path) -> None:
    build = receipt(tmp_path / "build")
    assert main(["hf", str(tiny), str(tmp_path / "out"), "--data", str(build)]) == 0
    card = (tmp_path / "out" / "README.md").read_text()
    assert "| toy | Toy \\| Set | CC-BY-4.0 | page | open | 1,234 | `abababababab` |" in card
    assert "Not for clinical use." in card


def test_a_folder_that_is_no_build_is_refused(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["hf", str(tiny), str(tmp_path / "out"), "--data", str(tmp_path)]) == 2
    assert "is no receipt of a build" in capsys.readouterr().err


def test_a_folder_without_a_model_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["hf", str(tmp_path), str(tmp_path / "out")]) == 2
    assert "holds no trained model" in capsys.readouterr().err
