"""How long each conversation of a build is, from the text columns alone, kept beside the shards.

Planning needs nothing else, so it never opens a picture. The table of a shard is kept under a
digest of what decides it: the shard, the tokenizer, the format, the limit and how rows are joined.
"""

import hashlib
import json
import os
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from trainer.chat import Chat, one_conversation, tokenize
from trainer.errors import REASONS, TrainerError, UnusableRow

LENGTHS_VERSION = "2"
SPLITS = ("train", "validation", "test")
_COLUMNS = ["messages", "source", "split", "format", "department", "language", "image_digest"]
_FIELDS = ("first_row", "rows", "tokens", "supervised", "images", "block", "split", "source",
           "format", "department")  # fmt: skip
_WORDS = ("source", "format", "department")
Numbers = npt.NDArray[np.int32]


@dataclass(frozen=True, kw_only=True, slots=True)
class Lengths:
    """The conversations of one shard.

    Attributes:
        columns: By name, one number a conversation: ``first_row`` and ``rows`` of the shard,
            ``tokens``, ``supervised`` tokens, ``images``, ``block`` (row group), and codes of
            ``split``, ``source``, ``format`` and ``department``.
        words: What the codes of a column mean.
        unusable: Rows that cannot be trained on, by reason, source and split.
    """

    columns: dict[str, Numbers]
    words: dict[str, tuple[str, ...]]
    unusable: Counter[tuple[str, str, str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class LengthSettings:
    """What decides lengths beside the shard.

    Attributes:
        chat: Tokenizer and format.
        max_tokens: Longest conversation.
        joins_rows: Rows of one image become one conversation.
    """

    chat: Chat
    max_tokens: int
    joins_rows: bool

    def fingerprint(self) -> str:
        """Digest of the settings."""
        form = self.chat.format
        state = hashlib.sha256(self.chat.tokenizer.to_str().encode())
        decisive = [LENGTHS_VERSION, repr(form), self.chat.tokens_per_image, self.max_tokens,
                    self.joins_rows]  # fmt: skip
        state.update(json.dumps(decisive).encode())
        return state.hexdigest()


def lengths_of(
    shard: Path, digest: str, settings: LengthSettings, folders: Sequence[Path]
) -> Lengths:
    """Lengths of a shard, from a table kept in one of the folders or made and kept now.

    Args:
        shard: A parquet file of a build.
        digest: Of the file, as the receipt of the build has it.
        settings: See :class:`LengthSettings`.
        folders: Where tables are looked for; kept in the first that can be written.

    Raises:
        TrainerError: The shard cannot be read, or is of another schema.
    """
    try:
        size = shard.stat().st_size
    except OSError as error:
        raise TrainerError(str(shard), "the shard is not there", "build it again") from error
    key = hashlib.sha256(f"{digest} {size} {settings.fingerprint()}".encode()).hexdigest()[:20]
    for folder in folders:
        kept = _load(folder / f"{key}.npz")
        if kept is not None:
            return kept
    made = measure(shard, settings)
    _keep(made, folders, f"{key}.npz")
    return made


def measure(shard: Path, settings: LengthSettings) -> Lengths:
    """Tokenize the texts of a shard and count.

    Raises:
        TrainerError: The shard cannot be read, or lacks a column.
    """
    columns: dict[str, list[int]] = {name: [] for name in _FIELDS}
    codes: dict[str, dict[str, int]] = {name: {} for name in _WORDS}
    unusable: Counter[tuple[str, str, str]] = Counter()
    first = 0
    for block, rows in enumerate(_text_rows(shard)):
        for start, group in _conversations(rows, joins=settings.joins_rows):
            for offset, count, outcome in _fitting(group, settings):
                head = group[offset]
                if isinstance(outcome, UnusableRow):
                    unusable[outcome.reason, head["source"], head["split"]] += count
                    continue
                tokens, supervised = outcome
                formats = {row["format"] for row in group[offset : offset + count]}
                words = {"source": head["source"], "department": head["department"] or "",
                         "format": formats.pop() if len(formats) == 1 else "several"}  # fmt: skip
                values = {
                    "first_row": first + start + offset, "rows": count, "tokens": tokens,
                    "supervised": supervised, "images": int(bool(head["image_digest"])),
                    "block": block, "split": SPLITS.index(head["split"]),
                    **{n: codes[n].setdefault(w, len(codes[n])) for n, w in words.items()},
                }  # fmt: skip
                for name, value in values.items():
                    columns[name].append(value)
        first += len(rows)
    return Lengths(
        columns={name: np.array(values, np.int32) for name, values in columns.items()},
        words={name: tuple(known) for name, known in codes.items()},
        unusable=unusable,
    )


def _text_rows(shard: Path) -> Iterator[list[dict[str, Any]]]:
    try:
        with pq.ParquetFile(shard) as file:
            lacking = [name for name in _COLUMNS if name not in file.schema_arrow.names]
            if lacking:
                raise TrainerError(
                    str(shard), f"no column {', '.join(lacking)}", "build it with gmai-build"
                )
            for group in range(file.num_row_groups):
                yield file.read_row_group(group, columns=_COLUMNS).to_pylist()
    except (OSError, pa.ArrowInvalid) as error:
        raise TrainerError(
            str(shard), f"the shard cannot be read: {error}", "build it again, or copy it again"
        ) from error


def _conversations(
    rows: list[dict[str, Any]], *, joins: bool
) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    start = 0
    while start < len(rows):
        stop = start + 1
        image = rows[start]["image_digest"]
        while joins and image and stop < len(rows) and _same(rows[start], rows[stop]):
            stop += 1
        yield start, rows[start:stop]
        start = stop


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    # Joining languages would teach to change them in the middle of a conversation.
    return all(one[name] == other[name] for name in ("image_digest", "split", "language"))


_Fit = tuple[int, int, tuple[int, int] | UnusableRow]


def _fitting(group: list[dict[str, Any]], settings: LengthSettings) -> Iterator[_Fit]:
    """Conversations out of rows of one image: as many rows in each as fit."""
    start = 0
    while start < len(group):
        count = len(group) - start
        outcome = _size(group[start:], settings)
        while count > 1 and not isinstance(outcome, tuple):
            count = max(count // 2, 1)
            outcome = _size(group[start : start + count], settings)
        yield start, count, outcome
        start += count


def _size(rows: list[dict[str, Any]], settings: LengthSettings) -> tuple[int, int] | UnusableRow:
    """Tokens and supervised tokens; several rows that do not fit whole are not cut."""
    try:
        row = tokenize(
            one_conversation([row["messages"] or [] for row in rows]),
            settings.chat,
            images=int(bool(rows[0]["image_digest"])),
            max_tokens=settings.max_tokens,
        )
    except UnusableRow as error:
        return error
    if row.is_cut and len(rows) > 1:
        return UnusableRow("too_long", "rows of one image are split over conversations")
    supervised = sum(row.supervised[1:])  # what comes first is predicted from nothing
    if not supervised:
        return UnusableRow("nothing_to_learn", f"none of {len(row.ids)} tokens is supervised")
    return len(row.ids), supervised


def _load(path: Path) -> Lengths | None:
    try:
        with np.load(path, allow_pickle=False) as kept:
            counts = json.loads(str(kept["unusable"]))
            return Lengths(
                columns={name: kept[name] for name in _FIELDS},
                words={n: tuple(json.loads(str(kept[f"{n}_words"]))) for n in _WORDS},
                unusable=Counter({(r, *where): n for r, *where, n in counts if r in REASONS}),
            )
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
        return None  # not there, or torn: it is made again


def _keep(lengths: Lengths, folders: Sequence[Path], name: str) -> None:
    texts = {f"{n}_words": np.array(json.dumps(words)) for n, words in lengths.words.items()}
    counts = [(*key, n) for key, n in sorted(lengths.unusable.items())]
    arrays = {"unusable": np.array(json.dumps(counts)), **texts, **lengths.columns}
    for folder in folders:
        unfinished = folder / f".{name}.{os.getpid()}.tmp.npz"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            np.savez(unfinished, **arrays)  # type: ignore[arg-type]  # its stubs mix up options
            unfinished.replace(folder / name)
        except OSError:
            continue  # a build may be on a disk that can only be read
        return
