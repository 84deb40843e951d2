"""An exported model in vLLM on a CPU: the same greedy tokens as in transformers."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra 'train', as in the stage 'model' of CI")
pytest.importorskip("transformers", reason="needs the extra 'train'")
import torch
from PIL import Image
from transformers import AutoProcessor, LlavaForConditionalGeneration

from trainer.export_command import main
from trainer.init_tiny import init_tiny

QUESTION = [{"role": "user", "content": "<image>\nIs there a tumor?"}]
COUNT = 12


def python_with_vllm() -> str:
    """The interpreter to ask: this one, or the one that GMAI_VLLM_PYTHON names."""
    named = os.environ.get("GMAI_VLLM_PYTHON")
    if named is None and importlib.util.find_spec("vllm") is None:
        pytest.skip("needs vLLM here, or GMAI_VLLM_PYTHON to name a Python that has it")
    return named or sys.executable


@pytest.mark.model
@pytest.mark.slow
@pytest.mark.parametrize("chat_format", ["qwen3", "smollm2"])
def test_vllm_answers_as_transformers_does(chat_format: str, tmp_path: Path) -> None:
    python = python_with_vllm()
    init_tiny(tmp_path / "model", chat_format=chat_format)
    exported = tmp_path / "exported"
    assert main(["hf", str(tmp_path / "model"), str(exported)]) == 0
    # Wider than tall, so that padding counts.
    picture = Image.linear_gradient("L").convert("RGB").resize((60, 40))
    picture.save(tmp_path / "picture.png")
    processor = AutoProcessor.from_pretrained(exported)
    prompt = processor.apply_chat_template(QUESTION, add_generation_prompt=True)
    (tmp_path / "prompt.txt").write_text(prompt, "utf-8")
    inputs = processor(text=prompt, images=picture, return_tensors="pt")
    model = LlavaForConditionalGeneration.from_pretrained(exported, dtype=torch.float32)
    out = model.generate(**inputs, max_new_tokens=COUNT, min_new_tokens=COUNT, do_sample=False)
    expected = out[0, inputs["input_ids"].shape[1] :].tolist()
    run = subprocess.run(
        [python, str(Path(__file__).parent / "ask_vllm.py"), str(exported),
         str(tmp_path / "picture.png"), str(tmp_path / "prompt.txt"), str(COUNT)],
        capture_output=True, text=True, check=True, timeout=900,
    )  # fmt: skip
    assert json.loads(run.stdout.rsplit("ANSWER", 1)[1]) == expected
