"""The loss is transformers' own, of supervised tokens alone, and packs keep conversations apart."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra 'train', as in the stage 'train' of CI")
pytest.importorskip("transformers", reason="needs the extra 'train'")
import torch
from torch.nn import functional
from transformers import LlavaForConditionalGeneration

from trainer.attention import call_varlen, use_attention
from trainer.batches import NO_DOCUMENT, NOT_LEARNT, Pack, PackMaker, join_packs
from trainer.chat import load_chat
from trainer.corpus import Build, load_corpus
from trainer.images import load_image_settings
from trainer.init_tiny import init_tiny
from trainer.lengths import LengthSettings
from trainer.load_model import load_trained_model
from trainer.loss import Batch, Trainee, sums_by_document, to_batch
from trainer.stages import Stage

MAX_TOKENS = 256


@pytest.fixture(scope="module", params=["smollm2", "qwen3"])
def model_folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("loss") / "model"
    init_tiny(folder, chat_format=request.param)
    return folder


@pytest.fixture(scope="module")
def maker(model_folder: Path, squares: Path) -> PackMaker:
    chat = load_chat(model_folder)
    lengths = LengthSettings(chat=chat, max_tokens=MAX_TOKENS, joins_rows=False)
    corpus = load_corpus(
        [Build(folder=squares)], lengths, Stage(name="instruction_tuning", learning_rates={})
    )
    return PackMaker(corpus, chat, load_image_settings(model_folder), MAX_TOKENS)


Loaded = Callable[..., LlavaForConditionalGeneration]


@pytest.fixture
def loaded(model_folder: Path) -> Loaded:
    def load(backend: str = "documents") -> LlavaForConditionalGeneration:
        model = load_trained_model(model_folder).double().train()
        use_attention(model, backend)
        return model

    return load


def batch_of(pack: Pack, model_folder: Path) -> Batch:
    batch = to_batch(pack, load_image_settings(model_folder))
    return replace(batch, pixels=batch.pixels.double())


def gradients(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def farthest(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    assert one.keys() == other.keys()
    return max(float((one[name] - other[name]).abs().max()) for name in one)


def ours(
    model: LlavaForConditionalGeneration, pack: Pack, folder: Path
) -> tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
    model.zero_grad()
    losses, owner = Trainee(model)(batch_of(pack, folder))
    losses.mean().backward()
    return losses.detach(), owner, gradients(model)


def test_loss_and_gradients_are_those_of_transformers(
    maker: PackMaker, loaded: Loaded, model_folder: Path
) -> None:
    pack = maker.pack([3, 60, 150, 7])
    losses, _, found = ours(loaded("sdpa"), pack, model_folder)
    model = loaded("sdpa")
    batch = batch_of(pack, model_folder)
    labels = functional.pad(batch.targets, (1, 0), value=NOT_LEARNT)[None, :-1]
    told = model(
        input_ids=batch.ids, pixel_values=batch.pixels, position_ids=batch.positions,
        labels=labels, use_cache=False, num_items_in_batch=len(losses),
    )  # fmt: skip
    told.loss.backward()
    assert float(losses.mean()) == pytest.approx(float(told.loss.detach()), abs=1e-6)
    assert farthest(found, gradients(model)) < 1e-7


def test_a_pack_is_the_sum_of_its_conversations(
    maker: PackMaker, loaded: Loaded, model_folder: Path
) -> None:
    numbers = [3, 60, 7]
    model = loaded()
    losses, owner, packed = ours(model, maker.pack(numbers), model_folder)
    model.zero_grad()
    for place, number in enumerate(numbers):
        alone, _ = Trainee(model)(batch_of(maker.pack([number]), model_folder))
        assert torch.allclose(alone, losses[owner == place], atol=1e-9, rtol=0)
        (alone.sum() / len(losses)).backward()
    assert farthest(packed, gradients(model)) < 1e-9


@pytest.mark.parametrize("backend", ["documents", "sdpa"])
def test_a_changed_conversation_leaves_all_others_bitwise_equal(
    maker: PackMaker, loaded: Loaded, model_folder: Path, backend: str
) -> None:
    pack = maker.pack([3, 60, 7])
    changed = replace(pack, ids=pack.ids.copy(), pixels=pack.pixels.copy())
    text = (pack.owner == 1) & (pack.targets != NOT_LEARNT)
    changed.ids[text] = changed.ids[text] + 1
    changed.pixels[1] = 255 - changed.pixels[1]
    trainee = Trainee(loaded(backend))
    (before, owner), (after, _) = (trainee(batch_of(p, model_folder)) for p in (pack, changed))
    assert torch.equal(before[owner != 1], after[owner != 1])
    assert not torch.equal(before[owner == 1], after[owner == 1])


def test_without_restarting_positions_conversations_do_see_each_other(
    maker: PackMaker, loaded: Loaded, model_folder: Path
) -> None:
    pack = maker.pack([3, 60, 7])
    blind = replace(batch_of(pack, model_folder), positions=torch.arange(len(pack.ids))[None])
    trainee = Trainee(loaded("sdpa"))
    apart, owner = trainee(batch_of(pack, model_folder))
    together, _ = trainee(blind)
    assert float((apart - together).detach()[owner == 2].abs().max()) > 1e-4


def test_the_backends_agree(maker: PackMaker, loaded: Loaded, model_folder: Path) -> None:
    pack = maker.pack([3, 60, 150, 7])
    by_backend = [ours(loaded(backend), pack, model_folder) for backend in ("documents", "sdpa")]
    assert torch.allclose(by_backend[0][0], by_backend[1][0], atol=1e-10, rtol=0)
    assert farthest(by_backend[0][2], by_backend[1][2]) < 1e-10


def test_packs_joined_in_one_row_do_not_see_each_other(
    maker: PackMaker, loaded: Loaded, model_folder: Path
) -> None:
    packs = [maker.pack([3, 60]), maker.pack([150]), maker.pack([7])]
    trainee = Trainee(loaded())
    joined, owner = trainee(batch_of(join_packs(packs), model_folder))
    alone = torch.cat([trainee(batch_of(pack, model_folder))[0] for pack in packs])
    assert torch.allclose(joined, alone, atol=1e-10, rtol=0)
    assert sorted(set(owner.tolist())) == [0, 1, 2, 3]


def test_a_text_has_a_masked_image_that_changes_nothing(
    maker: PackMaker, loaded: Loaded, model_folder: Path
) -> None:
    pack = maker.pack([150])
    assert NO_DOCUMENT in pack.owner
    other = replace(pack, pixels=255 - pack.pixels)
    model = loaded()
    losses, _, found = ours(model, pack, model_folder)
    assert torch.equal(losses, ours(model, other, model_folder)[0])
    vision = [g for name, g in found.items() if "vision" in name or "projector" in name]
    assert vision
    assert all(not g.any() for g in vision)


def test_the_gradient_of_the_projector_is_that_of_finite_differences(
    maker: PackMaker, loaded: Loaded, model_folder: Path
) -> None:
    model, pack = loaded(), maker.pack([3, 60])
    _, _, found = ours(model, pack, model_folder)
    name = "model.multi_modal_projector.linear_1.weight"
    weight = dict(model.named_parameters())[name]
    place = int(found[name].abs().argmax())
    small, values = 1e-4, []
    for shift in (small, -2 * small):
        with torch.no_grad():
            weight.view(-1)[place] += shift
            # transformers' norm computes in float32; the sum of many tokens evens that out.
            values.append(float(Trainee(model)(batch_of(pack, model_folder))[0].mean()))
    slope = (values[0] - values[1]) / (2 * small)
    assert slope == pytest.approx(float(found[name].view(-1)[place]), rel=0.02)


def test_losses_are_told_by_conversation(
    maker: PackMaker, loaded: Loaded, model_folder: Path
) -> None:
    pack = maker.pack([3, 60, 7])
    losses, owner, _ = ours(loaded(), pack, model_folder)
    sums, counts = sums_by_document(losses, owner, 3)
    assert math.isclose(sum(sums), float(losses.sum()))
    assert sum(counts) == pack.supervised


def test_scores_made_again_on_the_way_back_change_no_gradient(
    maker: PackMaker, loaded: Loaded, model_folder: Path
) -> None:
    model, batch = loaded(), batch_of(maker.pack([3, 60]), model_folder)
    found = []
    for recomputes in (False, True):
        model.zero_grad()
        Trainee(model, recomputes=recomputes)(batch)[0].mean().backward()
        found.append(gradients(model))
    assert farthest(*found) == 0.0


def attend(q, k, v, bounds, causal, grouped, scale=None):
    pieces = zip(*(t.split(bounds.diff().tolist()) for t in (q, k, v)), strict=True)
    return torch.cat([
        functional.scaled_dot_product_attention(
            *(t.transpose(0, 1)[None] for t in piece), is_causal=causal, enable_gqa=grouped,
            scale=scale,
        )[0].transpose(0, 1)
        for piece in pieces
    ])  # fmt: skip


def of_2_10(  # noqa: PLR0917 - as that version has it
    q, k, v, cu_seq_q, cu_seq_k, max_q, max_k, is_causal=False, return_aux=None
):
    return attend(q, k, v, cu_seq_q, is_causal, False)


def of_2_11(q, k, v, cu_seq_q, cu_seq_k, max_q, max_k, *, scale=None, window_size=(-1, -1)):
    return attend(q, k, v, cu_seq_q, window_size == (-1, 0), False, scale)


def of_2_12(
    q, k, v, cu_seq_q, cu_seq_k, max_q, max_k, *, scale=None, window_size=(-1, -1),
    enable_gqa=False,
):  # fmt: skip
    return attend(q, k, v, cu_seq_q, window_size == (-1, 0), enable_gqa, scale)


@pytest.mark.parametrize("version", [of_2_10, of_2_11, of_2_12])
@pytest.mark.parametrize("scaling", [None, 0.3])
def test_every_signature_of_varlen_attn_is_called_rightly(
    version: Callable[..., torch.Tensor], scaling: float | None
) -> None:
    torch.manual_seed(0)
    tensors = [torch.randn(9, heads, 8, dtype=torch.float64) for heads in (4, 2, 2)]
    bounds = torch.tensor([0, 4, 9], dtype=torch.int32)
    found = call_varlen(version, tensors, bounds, 5, scaling)
    assert torch.allclose(found, attend(*tensors, bounds, True, True, scaling), atol=1e-12)
