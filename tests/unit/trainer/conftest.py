"""What tests of training share: a tiny model and a build of colored squares."""

from pathlib import Path

import pytest

from tests.fakes.pair_build import MadeImage, asked, color_images, write_build


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Tiny models are quicker with one thread, and sums come out the same everywhere."""
    try:
        import torch
    except ModuleNotFoundError:
        return
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of two sources with images and one of texts; do not change it."""
    texts = [MadeImage(data=b"", source="texts", format="text",
                       conversations=[asked(f"How are {n}?", f"Well, {n} times.", sees=False)])
             for n in range(12)]  # fmt: skip
    images = [
        *color_images(6), *color_images(3, source="others", format="judgement"), *texts,
        *color_images(1, split="validation"),
    ]  # fmt: skip
    return write_build(tmp_path_factory.mktemp("squares"), images, shards=3)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model with random weights; do not change it."""
    pytest.importorskip("torch", reason="needs the extra 'train', as in the stage 'train' of CI")
    from trainer.init_tiny import init_tiny

    folder = tmp_path_factory.mktemp("tiny") / "model"
    init_tiny(folder)
    return folder
