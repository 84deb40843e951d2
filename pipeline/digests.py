"""Digests: of files, kept by what the disk says of them, and of records."""

import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from converters.errors import CaseError
from converters.files import Root
from converters.records import Json
from pipeline.shards import write_whole

_CHUNK = 1 << 20
_FILES_A_TASK = 64


def digest_bytes(data: bytes) -> str:
    """SHA-256 with its name in front."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def canonical(value: Json) -> str:
    """JSON with sorted keys and no blanks: equal values give equal text."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def digest_json(value: Json) -> str:
    """SHA-256 of the canonical JSON of a value."""
    return digest_bytes(canonical(value).encode("utf-8"))


def digest_file(path: Path) -> str:
    """SHA-256 of a file, read in pieces."""
    with path.open("rb", buffering=0) as file:
        state = hashlib.sha256(file.read(_CHUNK))
        while piece := file.read(_CHUNK):
            state.update(piece)
    return f"sha256:{state.hexdigest()}"


class Stamp(NamedTuple):
    """What the disk says of a file; while it stays, the file counts as unchanged.

    The time of the change of the inode cannot be set by a program, so that a copy that keeps
    size and time of writing is seen.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> "Stamp":
        """The stamp of a file."""
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


_CACHE = pa.schema(
    [
        ("path", pa.string()),
        *((name, pa.int64()) for name in Stamp._fields),
        ("digest", pa.string()),
    ]
)


@dataclass(kw_only=True)
class FileDigests:
    """Digests of files, kept on disk so that an unchanged file is not read again.

    Attributes:
        kept_in: Where they are kept between runs.
        root: Where the files are; digests kept for another folder are dropped.
    """

    kept_in: Path
    root: Root
    _known: dict[str, tuple[Stamp, str]] = field(default_factory=dict)
    _has_news: bool = False

    def __post_init__(self) -> None:
        if not self.kept_in.is_file():
            return
        try:
            table = pq.read_table(self.kept_in)
        except (OSError, pa.ArrowInvalid):
            return  # a cache that cannot be read is an empty one
        is_ours = (table.schema.metadata or {}).get(b"folder") == self._folder_digest()
        if not is_ours or table.schema.remove_metadata() != _CACHE:
            return
        path, *stamps, digest = (column.to_pylist() for column in table.columns)
        for name, said, *stamp in zip(path, digest, *stamps, strict=True):
            self._known[name] = (Stamp(*stamp), said)

    def _folder_digest(self) -> bytes:
        return digest_bytes(os.fsencode(self.root.folder)).encode()

    def of(
        self,
        paths: Iterable[str],
        *,
        workers: int = 1,
        on_read: Callable[[int], None] = lambda _bytes: None,
    ) -> dict[str, str]:
        """The digest of each file; only new and changed ones are read.

        Files that cannot be used (a link out of the root, one that vanished) are left out:
        converting them says why.

        Args:
            paths: Relative paths.
            workers: Threads that read.
            on_read: Called with the size of each file that was looked at.
        """
        found: dict[str, str] = {}
        names = list(paths)
        # A task a file would take longer than a small file does.
        chunks = [
            names[start : start + _FILES_A_TASK] for start in range(0, len(names), _FILES_A_TASK)
        ]
        with ThreadPoolExecutor(workers) as pool:
            for some in pool.map(lambda chunk: [self._one(path) for path in chunk], chunks):
                for path, known in some:
                    on_read(known[0].size if known else 0)
                    if known:
                        found[path] = known[1]
                        self._has_news |= self._known.get(path) is not known
                        self._known[path] = known
        return found

    def _one(self, path: str) -> tuple[str, tuple[Stamp, str] | None]:
        try:
            full = self.root.path(path)
            status = full.stat()
            if not stat.S_ISREG(status.st_mode):
                return path, None  # a pipe would be waited for without end
            known = self._known.get(path)
            stamp = Stamp.of(status)
            if known and known[0] == stamp:
                return path, known
            return path, (stamp, digest_file(full))
        except (CaseError, FileNotFoundError):
            return path, None
        except OSError as error:
            raise self.root.unreadable(path, error) from error

    def stamps(self, paths: Iterable[str]) -> dict[str, Stamp]:
        """What the disk said of files when they were digested."""
        known = ((path, self._known.get(path)) for path in paths)
        return {path: one[0] for path, one in known if one}

    def save(self) -> None:
        """Keep what is known for the next run, where anything is new."""
        if not self._has_news:
            return
        paths = sorted(self._known)
        stamps = list(zip(*(self._known[path][0] for path in paths), strict=True))
        columns = [paths, *stamps, [self._known[path][1] for path in paths]]
        schema = _CACHE.with_metadata({"folder": self._folder_digest()})
        table = pa.Table.from_arrays(
            [pa.array(column, kind) for column, kind in zip(columns, _CACHE.types, strict=True)],
            schema=schema,
        )
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        write_whole(self.kept_in, sink.getvalue().to_pybytes())


def default_workers() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
