"""Closed partitions of the store of answers: parquet files that never change, found by key.

A file is named after the digest of its content: no file is ever put in the place of another that
somebody reads, and a damaged one is told by its name. Keys lie in it as 32 bytes, sorted; in
memory a key is the number of its file beside its first eight bytes, 12 bytes an answer.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.captioner import Answer
from pipeline.journal import Kept, names_in
from pipeline.shards import write_whole

SCHEMA = pa.schema(
    [
        pa.field("key", pa.binary(32), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("finish_reason", pa.string(), nullable=False),
        pa.field("tokens_in", pa.int64(), nullable=False),
        pa.field("tokens_out", pa.int64(), nullable=False),
    ],
    metadata={"gmai.answers": "1"},
)
_PREFIX = "sha256:"
_DIGITS = 12  # of the digest in a name, at least
_OPEN_FILES = 8  # contents kept in memory
_NONE = np.zeros(0, dtype=np.uint64)

Prefixes: TypeAlias = npt.NDArray[np.uint64]
Answers: TypeAlias = dict[bytes, Answer]


def raw_key(key: str) -> bytes:
    """The 32 bytes of a key.

    Raises:
        ValueError: It is none.
    """
    raw = bytes.fromhex(key.removeprefix(_PREFIX))
    if len(raw) != 32 or not key.startswith(_PREFIX):
        raise ValueError(f"not a key: {key[:80]!r}")
    return raw


def write_answers(folder: Path, partition: str, kept: Iterable[Kept]) -> Path | None:
    """Write the answers of a partition as one file; the same answers give the same file.

    Returns:
        The file, or None where there are no answers.
    """
    rows: dict[bytes, tuple[str, str, int, int]] = {}
    for one in sorted(kept, key=lambda one: one.fields):
        key, *said = one.fields
        rows.setdefault(raw_key(key), tuple(said))  # type: ignore[arg-type]
    if not rows:
        return None
    keys = sorted(rows)
    columns = [keys, *zip(*(rows[key] for key in keys), strict=True)]
    table = pa.Table.from_arrays(
        [pa.array(column, kind) for column, kind in zip(columns, SCHEMA.types, strict=True)],
        schema=SCHEMA,
    )
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        compression={"key": "NONE", "text": "ZSTD", "finish_reason": "ZSTD",
                     "tokens_in": "ZSTD", "tokens_out": "ZSTD"},
        use_dictionary=["finish_reason"],
        write_page_checksum=True,
    )  # fmt: skip
    return _put(folder, partition, sink.getvalue().to_pybytes())


def _put(folder: Path, partition: str, data: bytes) -> Path:
    digest = hashlib.sha256(data).hexdigest()
    for digits in range(_DIGITS, len(digest) + 1):  # more where a damaged one has the name
        path = folder / f"{partition}-{digest[:digits]}.parquet"
        if not path.exists():
            write_whole(path, data)
            return path
        if path.read_bytes() == data:
            return path
    raise FileExistsError(f"every name for the answers of {partition} is taken")


def read_answers(path: Path) -> Answers:
    """The answers of a file.

    Raises:
        OSError: It cannot be read, or is damaged.
        pyarrow.ArrowException: It is no such file.
    """
    data = path.read_bytes()
    named = path.stem.rsplit("-", 1)[-1]
    if len(named) < _DIGITS or not hashlib.sha256(data).hexdigest().startswith(named):
        raise pa.ArrowInvalid(f"{path.name} does not hold what its name is the digest of")
    file = pq.ParquetFile(pa.BufferReader(data))
    if not file.schema_arrow.equals(SCHEMA):
        raise pa.ArrowInvalid(f"{path.name} has other columns than a file of answers")
    keys, *columns = (column.to_pylist() for column in file.read().columns)
    return {
        key: Answer(text=text, finish_reason=reason, tokens_in=read, tokens_out=written)
        for key, text, reason, read, written in zip(keys, *columns, strict=True)
    }


def _read_prefixes(path: Path) -> Prefixes:
    file = pq.ParquetFile(path, page_checksum_verification=True)
    if not file.schema_arrow.equals(SCHEMA):
        raise pa.ArrowInvalid(f"{path.name} has other columns than a file of answers")
    chunks = file.read(columns=["key"]).column("key").chunks
    keys = [
        np.frombuffer(chunk.buffers()[1], ">u8", 4 * len(chunk), 32 * chunk.offset)[::4]
        for chunk in chunks
        if len(chunk)
    ]
    return np.concatenate([_NONE, *keys]).astype(np.uint64)


class _Run(NamedTuple):
    """Prefixes of keys, sorted, with the number of the file of each."""

    prefixes: Prefixes
    files: npt.NDArray[np.uint32]

    def and_(self, other: "_Run") -> "_Run":
        prefixes = np.concatenate([self.prefixes, other.prefixes])
        files = np.concatenate([self.files, other.files])
        order = np.argsort(prefixes, kind="stable")
        return _Run(prefixes[order], files[order])


class AnswerFiles:
    """All closed partitions of a store; files may be added while it is in use.

    Attributes:
        unreadable: Why a file was left out, by its name.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._paths: list[Path] = []
        self._known: set[str] = set()
        self._runs: list[_Run] = []
        self._open: OrderedDict[int, Answers] = OrderedDict()
        self.unreadable: dict[str, str] = {}

    def __len__(self) -> int:
        return sum(len(run.prefixes) for run in self._runs)

    def refresh(self) -> None:
        """Look for files that are new since the last time."""
        for name in names_in(self._folder, ".parquet"):
            if name not in self._known:
                self.add(self._folder / name)

    def add(self, path: Path) -> None:
        """Take a file in that was just written."""
        if path.name in self._known:
            return
        self._known.add(path.name)
        try:
            prefixes = _read_prefixes(path)
        except (OSError, pa.ArrowException) as error:
            self.unreadable[path.name] = str(error)
            return
        files = np.full(len(prefixes), len(self._paths), dtype=np.uint32)
        self._paths.append(path)
        self._runs.append(_Run(prefixes, files))
        # Few runs, each more than twice the next: a key is looked for a few times, and adding
        # many files costs little more than sorting once.
        while len(self._runs) > 1 and self._weight(-2) <= 2 * self._weight(-1):
            last = self._runs.pop()
            self._runs[-1] = self._runs[-1].and_(last)

    def _weight(self, place: int) -> int:
        return len(self._runs[place].prefixes)

    def find(self, keys: Iterable[bytes]) -> Mapping[bytes, Answer]:
        """The answers that are there, by key.

        Where two files answer one key, it is the least of the two: which one does not depend on
        the order in which they were written.
        """
        wanted = sorted(set(keys))
        found: Answers = {}
        for number, some in self._where(wanted).items():
            answers = self._content(number)
            for key in some:
                if key in answers:
                    found[key] = _least(found.get(key), answers[key])
        return found

    def _where(self, wanted: list[bytes]) -> dict[int, list[bytes]]:
        """Numbers of the files in which each key may lie."""
        if not wanted:
            return {}
        starts = b"".join(key[:8] for key in wanted)
        prefixes = np.frombuffer(starts, ">u8").astype(np.uint64)
        places: dict[int, list[bytes]] = {}
        for run in self._runs:
            first = np.searchsorted(run.prefixes, prefixes, "left")
            last = np.searchsorted(run.prefixes, prefixes, "right")
            for place in np.flatnonzero(first < last):
                for number in run.files[first[place] : last[place]].tolist():
                    places.setdefault(number, []).append(wanted[place])
        return dict(sorted(places.items()))

    def _content(self, number: int) -> Answers:
        if number not in self._open:
            path = self._paths[number]
            try:
                self._open[number] = read_answers(path)
            except (OSError, pa.ArrowException) as error:
                self.unreadable[path.name] = str(error)
                self._open[number] = {}
            if len(self._open) > _OPEN_FILES:
                self._open.popitem(last=False)
        self._open.move_to_end(number)
        return self._open[number]


def _least(one: Answer | None, other: Answer) -> Answer:
    return other if one is None else min(one, other, key=_order)


def _order(answer: Answer) -> tuple[str, str, int, int]:
    return answer.text, answer.finish_reason, answer.tokens_in, answer.tokens_out
