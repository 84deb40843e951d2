"""The loader of gmai-train alone, against bare decoding and resizing of the same pictures.

    python benchmarks/loader.py --model start --data ./pairs --size 336

Packs are made as a stage makes them: row groups are read, texts tokenized, pictures decoded and
brought to size. What it is held against is Pillow alone on the same bytes, in memory already. The
two take turns, pack by pack, in one process with one thread; what counts is processor time, which
other work on the machine disturbs less than the clock. Then the same packs are made by several
workers, by the clock. A row group that is read more often than once is told, since it is read
whole each time.
"""

import argparse
import io
import sys
import time
from pathlib import Path


def made(model: Path, data: str, size: int, pack_tokens: int, *, joins: bool) -> tuple:
    """The data of a stage, with pictures of another size than the model's."""
    from dataclasses import replace

    from trainer.batches import PackMaker
    from trainer.chat import load_chat
    from trainer.corpus import Build, load_corpus
    from trainer.images import load_image_settings
    from trainer.lengths import LengthSettings
    from trainer.plan import PlanSettings, make_plan
    from trainer.stages import Stage

    chat = load_chat(model)
    images = replace(load_image_settings(model), size_px=size)
    lengths = LengthSettings(chat=chat, max_tokens=pack_tokens, joins_rows=joins)
    stage = Stage(name="instruction_tuning", learning_rates={}, text_share=0.0)
    corpus = load_corpus([Build.parse(data)], lengths, stage)
    plan = make_plan(corpus.parts, PlanSettings(
        seed=0, epochs=1, pack_tokens=pack_tokens, packs_per_step=1
    ))  # fmt: skip
    return corpus, plan, lambda: PackMaker(corpus, chat, images, pack_tokens)


def bare(data: bytes, size: int) -> None:
    """What cannot be done without."""
    from PIL import Image

    picture = Image.open(io.BytesIO(data)).convert("RGB")
    picture.resize((size, size), Image.Resampling.BICUBIC)


def against_bare(corpus, packs, maker, size: int) -> tuple[int, float, float, int]:
    """Pictures, processor seconds of bare decoding and of the loader, and row groups read."""
    from trainer import rows

    reader, reads, pictures, alone, ours = rows.RowReader(), [], 0, 0.0, 0.0
    plain = rows._read
    rows._read = lambda *where: reads.append(where) or plain(*where)
    for documents in packs:
        began = time.process_time()
        maker.pack(documents)
        ours += time.process_time() - began
        every = [reader.rows(corpus.document(number))[0].image for number in documents]
        began = time.process_time()
        for data in every:
            bare(data, size)
        alone += time.process_time() - began
        pictures += len(every)
    rows._read = plain
    return pictures, alone, ours, len(reads) // 2  # the other half are for bare decoding


def by_workers(packs, maker, workers: int) -> float:
    """Seconds by the clock."""
    from trainer.batches import Loader

    began = time.perf_counter()
    for _ in Loader(iter([[documents] for documents in packs]), maker.pack, workers):
        pass
    return time.perf_counter() - began


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", required=True, help="a build, as a folder or a URL")
    parser.add_argument("--size", type=int, default=336)
    parser.add_argument("--packs", type=int, default=100)
    parser.add_argument("--pack-tokens", type=int, default=4096)
    parser.add_argument("--joined", action="store_true", help="rows of an image together")
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    chosen = parser.parse_args()
    corpus, plan, maker = made(
        chosen.model, chosen.data, chosen.size, chosen.pack_tokens, joins=chosen.joined
    )
    packs = [plan.pack(number) for number in range(min(chosen.packs, len(plan.pack_ends)))]
    pictures, alone, ours, reads = against_bare(corpus, packs, maker(), chosen.size)
    places = {(d.shard, d.block) for pack in packs for d in map(corpus.document, pack)}
    print(f"{len(packs)} packs, {pictures} pictures of {chosen.size} pixels; "
          f"{reads} reads of {len(places)} row groups\n")  # fmt: skip
    print("| | pictures a second | |")
    print("|---|---|---|")
    print(f"| bare decoding and resizing | {pictures / alone:.0f} | of one core |")
    print(f"| packs of the loader | {pictures / ours:.0f} | {ours / alone:.2f} times as long |")
    for workers in chosen.workers:
        seconds = by_workers(packs, maker(), workers)
        print(f"| workers: {workers} | {pictures / seconds:.0f} | by the clock |")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    main()
