"""What is learnt beside a picture was said of it, also where a shard changes after planning."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.fakes.pair_build import MadeImage, asked, square_png, write_build
from trainer.batches import Loader, PackMaker
from trainer.chat import load_chat
from trainer.corpus import Build, load_corpus
from trainer.errors import TrainerError
from trainer.images import load_image_settings
from trainer.lengths import LengthSettings, lengths_of
from trainer.stages import Stage

RED, BLUE = (square_png(color) for color in ((250, 0, 0), (0, 0, 250)))
TURNS = [asked(f"{number}?", f"It is {number}.") for number in range(4)]
Joined = Callable[[Path], PackMaker]


def two_images(folder: Path, of_red: int) -> Path:
    """Four rows, the first ones of the red image and the rest of the blue one."""
    return write_build(folder, [MadeImage(data=RED, conversations=TURNS[:of_red]),
                                MadeImage(data=BLUE, conversations=TURNS[of_red:])])  # fmt: skip


@pytest.fixture
def joined(tiny_model: Path) -> Joined:
    """What makes packs of a build as it is now, with the rows of an image joined."""
    images, chat = load_image_settings(tiny_model), load_chat(tiny_model)
    lengths = LengthSettings(chat=chat, max_tokens=512, joins_rows=True)

    def plan(build: Path) -> PackMaker:
        stage = Stage(name="instruction_tuning", learning_rates={})
        return PackMaker(load_corpus([Build(folder=build)], lengths, stage), chat, images, 512)

    return plan


def test_the_picture_of_a_joined_conversation_is_that_of_its_rows(
    joined: Joined, tmp_path: Path
) -> None:
    pack = joined(two_images(tmp_path, 2)).pack([1, 0])
    assert pack.pixels[:, 0, 0].tolist() == [[0, 0, 250], [250, 0, 0]]


def test_a_row_that_has_come_to_another_picture_since_is_not_learnt_with_the_old_one(
    joined: Joined, tmp_path: Path
) -> None:
    maker = joined(two_images(tmp_path, 2))
    two_images(tmp_path, 1)
    with pytest.raises(TrainerError, match="rows of several images, where one was planned"):
        maker.pack([0])


def test_lengths_are_counted_anew_for_another_shard_of_the_same_name_and_size(
    tiny_model: Path, tmp_path: Path
) -> None:
    shard = next(two_images(tmp_path / "build", 2).rglob("*.parquet"))
    settings = LengthSettings(chat=load_chat(tiny_model), max_tokens=512, joins_rows=True)
    for digest in ("sha256:1", "sha256:1", "sha256:2"):
        lengths_of(shard, digest, settings, [tmp_path / "lengths"])
    assert len(list((tmp_path / "lengths").iterdir())) == 2


@pytest.mark.parametrize(("workers", "packs"), [(1, 1), (4, 1), (4, 3)])
def test_every_worker_has_work_ahead_of_the_step_that_is_asked_for(
    workers: int, packs: int
) -> None:
    begun: list[int] = []

    def steps() -> Iterator[list[Sequence[int]]]:
        for step in range(40):
            begun.append(step)
            yield [(step,)] * packs

    out = iter(Loader(steps(), lambda documents: documents, workers))  # type: ignore[arg-type,return-value]
    assert next(out) == [(0,)] * packs
    ahead = len(begun) - 1
    assert ahead >= 2
    assert 2 * workers <= ahead * packs < 2 * workers + 2 * packs + 1
    assert [made[0] for made in out] == [(step,) for step in range(1, 40)]
