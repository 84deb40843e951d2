"""On a GPU: attention by bounds is attention by conversation, and packs isolate there too."""

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra 'train'")
pytest.importorskip("transformers", reason="needs the extra 'train'")
import torch

from trainer.attention import use_attention
from trainer.batches import PackMaker
from trainer.chat import load_chat
from trainer.corpus import Build, load_corpus
from trainer.images import load_image_settings
from trainer.lengths import LengthSettings
from trainer.load_model import load_trained_model
from trainer.loss import Trainee, to_batch
from trainer.stages import Stage

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
]


@pytest.fixture
def maker(tiny_model: Path, squares: Path) -> PackMaker:
    lengths = LengthSettings(chat=load_chat(tiny_model), max_tokens=256, joins_rows=False)
    stage = Stage(name="instruction_tuning", learning_rates={})
    corpus = load_corpus([Build(folder=squares)], lengths, stage)
    return PackMaker(corpus, lengths.chat, load_image_settings(tiny_model), 256)


def losses(model_folder: Path, pack, backend: str):
    model = load_trained_model(model_folder).to("cuda").train()
    use_attention(model, backend)
    batch = to_batch(pack, load_image_settings(model_folder), "cuda")
    with torch.no_grad(), torch.autocast("cuda", torch.bfloat16):
        return Trainee(model)(batch)


def test_attention_by_bounds_agrees_with_attention_by_conversation(
    maker: PackMaker, tiny_model: Path
) -> None:
    pack = maker.pack([3, 60, 150, 7])
    found = [losses(tiny_model, pack, backend)[0] for backend in ("varlen", "documents", "sdpa")]
    assert torch.allclose(found[0], found[1], atol=2e-2, rtol=0)
    assert torch.allclose(found[0], found[2], atol=2e-2, rtol=0)


def test_a_changed_conversation_leaves_all_others_bitwise_equal(
    maker: PackMaker, tiny_model: Path
) -> None:
    pack = maker.pack([3, 60, 7])
    pixels = pack.pixels.copy()
    pixels[1] = 255 - pixels[1]
    (before, owner), (after, _) = (
        losses(tiny_model, one, "varlen") for one in (pack, replace(pack, pixels=pixels))
    )
    assert torch.equal(before[owner != 1], after[owner != 1])
    assert not torch.equal(before[owner == 1], after[owner == 1])
