"""Digests: of files, kept by their size and time of change, and of records."""

import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

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


@dataclass(frozen=True, slots=True)
class _Known:
    size: int
    mtime_ns: int
    digest: str


@dataclass(kw_only=True)
class FileDigests:
    """Digests of files, kept on disk so that an unchanged file is not read again.

    A file counts as unchanged while its size and its time of change (nanoseconds) stay.

    Attributes:
        kept_in: Where they are kept between runs.
    """

    kept_in: Path
    _known: dict[str, _Known] = field(default_factory=dict)
    _has_news: bool = False

    def __post_init__(self) -> None:
        if not self.kept_in.is_file():
            return
        try:
            rows = pq.read_table(self.kept_in).to_pylist()
        except (OSError, pa.ArrowInvalid):
            return  # a cache that cannot be read is an empty one
        self._known = {r["path"]: _Known(r["size"], r["mtime_ns"], r["digest"]) for r in rows}

    def of(
        self,
        root: Root,
        paths: Iterable[str],
        *,
        workers: int = 1,
        on_read: Callable[[int], None] = lambda _bytes: None,
    ) -> dict[str, str]:
        """The digest of each file; only new and changed ones are read.

        Files that cannot be used (a link out of the root, one that vanished) are left out:
        converting them says why.

        Args:
            root: Where the files are.
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
            for some in pool.map(lambda chunk: [self._one(root, path) for path in chunk], chunks):
                for path, known in some:
                    on_read(known.size if known else 0)
                    if known:
                        found[path] = known.digest
                        self._has_news |= self._known.get(path) is not known
                        self._known[path] = known
        return found

    def _one(self, root: Root, path: str) -> tuple[str, _Known | None]:
        try:
            full = root.path(path)
            status = full.stat()
            if not stat.S_ISREG(status.st_mode):
                return path, None  # a pipe would be waited for without end
            known = self._known.get(path)
            if known and (known.size, known.mtime_ns) == (
                status.st_size,
                status.st_mtime_ns,
            ):
                return path, known
            return path, _Known(status.st_size, status.st_mtime_ns, digest_file(full))
        except (CaseError, FileNotFoundError):
            return path, None
        except OSError as error:
            raise root.unreadable(path, error) from error

    def stamps(self, paths: Iterable[str]) -> dict[str, tuple[int, int]]:
        """Size and time of change (nanoseconds) of files as they were when digested."""
        known = ((path, self._known.get(path)) for path in paths)
        return {path: (one.size, one.mtime_ns) for path, one in known if one}

    def save(self) -> None:
        """Keep what is known for the next run, where anything is new."""
        if not self._has_news:
            return
        paths = sorted(self._known)
        rows = [self._known[path] for path in paths]
        table = pa.table(
            {
                "path": paths,
                "size": pa.array([row.size for row in rows], pa.int64()),
                "mtime_ns": pa.array([row.mtime_ns for row in rows], pa.int64()),
                "digest": [row.digest for row in rows],
            }
        )
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        write_whole(self.kept_in, sink.getvalue().to_pybytes())


def default_workers() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
