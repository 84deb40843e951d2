"""All conversations of the builds that a run trains on, numbered in one order for every rank."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.shards import IMAGES_KEY, RECEIPT_FILE, SCHEMA_VERSION, shard_notes
from trainer.errors import TrainerError
from trainer.lengths import SPLITS, Lengths, LengthSettings, lengths_of
from trainer.plan import SourcePart
from trainer.stages import Stage

_TEXT = "text"


@dataclass(frozen=True, kw_only=True, slots=True)
class Build:
    """A build to train on.

    Attributes:
        folder: Its out folder.
        share: How much of it an epoch takes.
    """

    folder: Path
    share: float = 1.0

    @staticmethod
    def parse(text: str) -> "Build":
        """A build as the command line names it: ``DIR`` or ``DIR:SHARE``.

        Raises:
            TrainerError: The share is no number above zero.
        """
        folder, colon, share = text.rpartition(":")
        if not colon or not folder or "/" in share:
            return Build(folder=Path(text).expanduser())
        try:
            value = float(Fraction(share))
        except (ValueError, ZeroDivisionError):
            value = -1.0
        if not 0 < value <= 100:  # more than a hundred times is a slip of the pen
            raise TrainerError(f"--data {text}", f"{share!r} is no share", "write OUT:0.5, say")
        return Build(folder=Path(folder).expanduser(), share=value)

    def shards(self) -> dict[str, str]:
        """The digest of each shard by its path in the folder, as the receipt lists them.

        Raises:
            TrainerError: No build was finished there.
        """
        receipt = self.folder / RECEIPT_FILE
        try:
            entries = json.loads(receipt.read_text("utf-8"))["sources"].values()
            return {s["path"]: s["digest"] for entry in entries for s in entry["shards"]}
        except (FileNotFoundError, NotADirectoryError) as error:
            raise TrainerError(
                str(self.folder), f"no {RECEIPT_FILE}: no build was finished there",
                "run gmai-build --out with this folder, to its end"
            ) from error  # fmt: skip
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise TrainerError(
                str(receipt), f"is no receipt of a build: {error}", "build again"
            ) from error

    def digest(self) -> str:
        """Digest of what is in its shards, wherever the folder lies."""
        return f"sha256:{hashlib.sha256(json.dumps(self.shards()).encode()).hexdigest()}"

    def require(self, digest: str) -> None:
        """Make sure that it still holds what was trained on.

        Raises:
            TrainerError: It has another digest.
        """
        if self.digest() != digest:
            raise TrainerError(
                str(self.folder), "holds other shards than were trained on",
                "build again what was trained on, or name a copy of it"
            )  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """One conversation: where its rows are, and what it counts as."""

    number: int
    shard: Path
    block: int
    first_row: int
    rows: int
    tokens: int
    images: int
    source: str
    format: str
    department: str


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """The conversations of one split, source after source.

    Attributes:
        parts: What the plan is made of; numbers of conversations follow their order.
        unusable: Rows of the split that cannot be trained on, by reason and source.
    """

    parts: tuple[SourcePart, ...]
    unusable: Counter[tuple[str, str]]
    _shards: tuple[Path, ...]
    _tables: tuple[Lengths, ...]
    _shard_of: npt.NDArray[np.int32]
    _row_of: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self._row_of)

    def document(self, number: int) -> Document:
        """A conversation by its number."""
        place = int(self._shard_of[number])
        table, row = self._tables[place], int(self._row_of[number])
        word = {n: table.words[n][int(table.columns[n][row])] for n in table.words}
        count = {n: int(table.columns[n][row])
                 for n in ("block", "first_row", "rows", "tokens", "images")}  # fmt: skip
        return Document(number=number, shard=self._shards[place], **count, **word)  # type: ignore[arg-type]


def load_corpus(
    builds: Sequence[Build],
    settings: LengthSettings,
    stage: Stage,
    *,
    split: str = "train",
    spare_folder: Path | None = None,
) -> Corpus:
    """Number the conversations of builds.

    Args:
        builds: Finished builds.
        settings: Tokenizer, limit and joining.
        stage: Gives the shares of sources.
        split: Which rows.
        spare_folder: Where tables of lengths are kept if a build's folder cannot be written.

    Raises:
        TrainerError: A build is not finished, of another schema, or named twice; or there is
            nothing to train on.
    """
    shards = [(build, build.folder / path, digest) for build in _distinct(builds)
              for path, digest in build.shards().items()]  # fmt: skip
    tables = [_table(*shard, settings, spare_folder) for shard in shards]
    code = SPLITS.index(split)
    members: dict[tuple[int, str, int], list[tuple[int, npt.NDArray[np.int64]]]] = {}
    for place, (build, *_) in enumerate(shards):
        for source, images, rows in _groups(tables[place], code):
            name = source if images else f"{source} {_TEXT}"
            key = (builds.index(build), name, images)
            members.setdefault(key, []).append((place, rows))
    parts, shard_of, row_of = [], [], []
    for (number, name, images), pieces in sorted(members.items()):
        share = stage.shares.get(name, 1.0) * builds[number].share
        share *= 1.0 if images else stage.text_share
        if share > 0:
            parts.append(_part(f"{number} {name}", share, pieces, tables))
            for place, rows in pieces:
                shard_of.append(np.full(len(rows), place, np.int32))
                row_of.append(rows.astype(np.int32))
    unusable: Counter[tuple[str, str]] = Counter()
    for table in tables:
        unusable.update({(reason, source): count
                         for (reason, source, where), count in table.unusable.items()
                         if where == split})  # fmt: skip
    empty = [np.zeros(0, np.int32)]
    return Corpus(
        parts=tuple(parts), unusable=unusable, _shards=tuple(shard for _, shard, _ in shards),
        _tables=tuple(tables), _shard_of=np.concatenate(shard_of or empty),
        _row_of=np.concatenate(row_of or empty),
    )  # fmt: skip


def _distinct(builds: Sequence[Build]) -> Sequence[Build]:
    folders = [build.folder.resolve() for build in builds]
    for folder, count in Counter(folders).items():
        if count > 1:
            raise TrainerError(str(folder), "is named twice as --data", "give one share for it")
    return builds


def _table(
    build: Build, shard: Path, digest: str, settings: LengthSettings, spare_folder: Path | None
) -> Lengths:
    kept = [build.folder / ".gmai" / "lengths"]
    kept += [spare_folder] if spare_folder else []
    table = lengths_of(shard, digest, settings, kept)
    notes = shard_notes(shard)
    version = notes.get("gmai.schema_version")
    if version != SCHEMA_VERSION:
        raise TrainerError(
            str(shard), f"schema version {version}, this trainer reads {SCHEMA_VERSION}",
            "build it again with this version of gmai-build"
        )  # fmt: skip
    if notes.get(IMAGES_KEY) == "pointers":
        raise TrainerError(
            str(build.folder), "holds pointers in place of images",
            "gmai-rehydrate puts them back from your own copy of the source"
        )  # fmt: skip
    return table


def _groups(table: Lengths, split: int) -> list[tuple[str, int, npt.NDArray[np.int64]]]:
    out = []
    columns = table.columns
    for code, source in enumerate(table.words["source"]):
        for images in (0, 1):
            is_wanted = (columns["source"] == code) & (columns["images"] == images)
            rows = np.flatnonzero(is_wanted & (columns["split"] == split))
            if len(rows):
                out.append((source, images, rows))
    return out


def _part(
    name: str,
    share: float,
    pieces: Sequence[tuple[int, npt.NDArray[np.int64]]],
    tables: Sequence[Lengths],
) -> SourcePart:
    tokens, blocks = [], []
    first_block = 0
    for place, rows in pieces:
        columns = tables[place].columns
        tokens.append(columns["tokens"][rows].astype(np.int64))
        blocks.append(columns["block"][rows].astype(np.int64) + first_block)
        first_block += int(columns["block"].max()) + 1
    return SourcePart(
        name=name, share=share, tokens=np.concatenate(tokens), block=np.concatenate(blocks)
    )
