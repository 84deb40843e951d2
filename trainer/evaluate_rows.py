"""Held-out rows to evaluate on, each with the image of another as a control."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from pipeline.shards import read_shard, shard_paths
from trainer.errors import TrainerError

_TEXT = ("pair_id", "source", "department", "format", "language", "split", "messages",
         "image_digest")  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldOut:
    """A row that was not trained on.

    Attributes:
        pair_id: Identity of the pair.
        source: Name of the manifest.
        department: Clinical department of the source.
        format: Kind of text.
        language: ``en`` or ``zh``.
        messages: The conversation.
        image: Encoded picture; none for a row of text.
        other_image: The picture of another row of the source, for the control.
    """

    pair_id: str
    source: str
    department: str
    format: str
    language: str
    messages: Sequence[Mapping[str, str]]
    image: bytes | None
    other_image: bytes | None


def held_out(
    builds: Sequence[Path],
    split: str,
    *,
    limit: int,
    seed: int = 0,
    formats: Sequence[str] | None = None,
) -> list[HeldOut]:
    """Rows of a split, spread evenly over sources and formats, the same for the same seed.

    The control of an image is the next one of its source in an order of its own; where a source
    has one image alone, it is the next of all.

    Args:
        builds: Out folders of builds.
        split: ``validation`` or ``test``.
        limit: Most rows.
        seed: Of the draw.
        formats: Only these kinds of text; all where None.

    Raises:
        TrainerError: There is no such row, or a single image.
    """
    rows = [row for path in _shards(builds, split) for row in read_shard(path, _TEXT)
            if row["split"] == split]  # fmt: skip
    wanted = [row for row in rows if formats is None or row["format"] in formats]
    chosen = _spread(wanted, limit, seed)
    other = _others(rows, seed)
    if not chosen:
        raise TrainerError(
            f"split {split}", "holds no rows", "name another split, or a build that has it"
        )
    needed = {row["image_digest"] for row in chosen}
    images = _images(builds, split, needed | {other[digest] for digest in needed})
    return [_row(row, images, other[row["image_digest"]]) for row in chosen]


def _shards(builds: Sequence[Path], split: str) -> list[Path]:
    try:
        paths = [path for build in builds for path in shard_paths(build)]
    except FileNotFoundError as error:
        raise TrainerError(
            str(error.filename), "no finished build is there", "name an out folder of gmai-build"
        ) from error
    # The name of a shard opens with its split.
    return [path for path in paths if path.name.startswith(f"{split}-")]


def _spread(rows: Iterable[dict[str, Any]], limit: int, seed: int) -> list[dict[str, Any]]:
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in sorted(rows, key=_order(seed, "pair_id")):
        groups.setdefault((row["source"], row["format"]), []).append(row)
    turns = zip_longest(*(groups[name] for name in sorted(groups)))
    return [row for turn in turns for row in turn if row is not None][:limit]


def _others(rows: Sequence[dict[str, Any]], seed: int) -> dict[str, str]:
    by_source: dict[str, set[str]] = {}
    for row in rows:
        by_source.setdefault(row["source"], set()).add(row["image_digest"])
    every = set().union(*by_source.values()) if by_source else set()
    # The last to be written wins: sources with several images of their own come after the whole.
    out = _next(every, seed)
    for digests in by_source.values():
        if len(digests) > 1:
            out |= _next(digests, seed)
    return out


def _next(digests: set[str], seed: int) -> dict[str, str]:
    order = sorted(digests, key=lambda digest: _hash(seed, digest))
    return dict(zip(order, order[1:] + order[:1], strict=True))


def _order(seed: int, column: str) -> Callable[[dict[str, Any]], str]:
    return lambda row: _hash(seed, row[column])


def _hash(seed: int, word: str) -> str:
    return hashlib.sha256(f"{seed}/{word}".encode()).hexdigest()


def _images(builds: Sequence[Path], split: str, digests: set[str]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for path in _shards(builds, split):
        there = {row["image_digest"] for row in read_shard(path, ["image_digest"])}
        if not there & digests - set(found):
            continue
        for row in read_shard(path, ["image_digest", "image"]):
            if row["image_digest"] in digests:
                found[row["image_digest"]] = row["image"]["bytes"]
    return found


def _row(row: Mapping[str, Any], images: Mapping[str, bytes], other: str) -> HeldOut:
    return HeldOut(
        pair_id=row["pair_id"],
        source=row["source"],
        department=row["department"],
        format=row["format"],
        language=row["language"],
        messages=row["messages"],
        image=images.get(row["image_digest"]),
        other_image=images.get(other),
    )
