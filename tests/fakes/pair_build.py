"""A finished build of made-up pairs: colored squares and a question about them."""

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from PIL import Image

from pipeline.shards import COLUMNS, SCHEMA_VERSION, ShardWriter

COLORS = {
    "red": (220, 30, 30), "green": (30, 200, 60), "blue": (40, 60, 220), "yellow": (230, 220, 40),
    "white": (250, 250, 250), "black": (5, 5, 5), "pink": (250, 120, 200), "brown": (120, 70, 20),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class MadeImage:
    """An image with the conversations about it; without bytes they are of text alone."""

    data: bytes
    conversations: Sequence[Sequence[dict[str, str]]]
    split: str = "train"
    source: str = "squares"
    format: str = "open_question"
    language: str = "en"
    other: dict[str, Any] = field(default_factory=dict)


def square_png(color: tuple[int, int, int], side: int = 28) -> bytes:
    """A picture of one color."""
    out = io.BytesIO()
    Image.new("RGB", (side, side), color).save(out, "PNG")
    return out.getvalue()


def asked(question: str, answer: str, *, sees: bool = True) -> list[dict[str, str]]:
    """A conversation of one exchange."""
    opening = "<image>\n" if sees else ""
    return [{"role": "user", "content": opening + question},
            {"role": "assistant", "content": answer}]  # fmt: skip


def color_images(copies: int = 1, **rest: Any) -> list[MadeImage]:
    """Squares of every color, with two questions each; copies differ a little in their pixels."""
    return [
        MadeImage(
            data=square_png((red, green, min(blue + copy, 255))),
            conversations=[asked("Which color?", word), asked(f"{copy}?", f"It is {word}.")],
            **rest,
        )
        for copy in range(copies)
        for word, (red, green, blue) in COLORS.items()
    ]


def write_build(folder: Path, images: Sequence[MadeImage], shards: int = 1) -> Path:
    """Write shards and a receipt; rows of one image follow each other."""
    paths = []
    size = -(-len(images) // shards)
    for number in range(shards):
        path = folder / "data" / "made" / f"train-{number:05d}-made.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        with ShardWriter(path) as writer:
            for image in images[number * size : (number + 1) * size]:
                digest = f"sha256:{hashlib.sha256(image.data).hexdigest()}" if image.data else ""
                writer.write_image(image.data, digest, _rows(image, digest))
            writer.commit({})
        digest = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
        paths.append({"path": path.relative_to(folder).as_posix(), "digest": digest})
    receipt = {"schema_version": SCHEMA_VERSION, "sources": {"made": {"shards": paths}}}
    (folder / "build.json").write_text(json.dumps(receipt), encoding="utf-8")
    return folder


def _rows(image: MadeImage, digest: str) -> list[dict[str, Any]]:
    empty = {name: _empty(kind) for name, kind, _ in COLUMNS}
    return [
        {
            **empty, "image": "made.png", "image_digest": digest, "messages": list(messages),
            "pair_id": f"{digest[7:19]}-{number}", "sample_id": digest, "split": image.split,
            "source": image.source, "format": image.format, "language": image.language,
            "department": "general surgery", **image.other,
        }
        for number, messages in enumerate(image.conversations)
    ]  # fmt: skip


def _empty(kind: pa.DataType) -> Any:
    if pa.types.is_list(kind):
        return []
    return "" if pa.types.is_string(kind) else 0
