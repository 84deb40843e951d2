"""A finished build, put on an object store: each object whole, the receipt when all are there.

A reader of the store sees the build before or this one, never something in between: shards that
the receipt names are there before it is, and shards that it no longer names go after it came. What
was put is kept in a journal beside the build, so that a publication that was stopped goes on. A
shard that was made anew under its old name (``--retry failed``) is replaced before the receipt is.
"""

import hashlib
import json
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converters.errors import SettingsError
from pipeline.digests import digest_file
from pipeline.shards import RECEIPT_FILE

# Stores where an object is there whole or not at all; elsewhere it is put beside and renamed.
_WHOLE = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl"})
_AT_ONCE = 8
_LAST = (RECEIPT_FILE,)


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """What a publication did.

    Attributes:
        put: Objects that were put.
        there: Objects that were there already.
        removed: Shards of an earlier build that were removed.
    """

    put: int
    there: int
    removed: int


def publish(out: Path, url: str, on_done: Callable[[int], None] = lambda _done: None) -> Published:
    """Put a finished build where a URL of fsspec says.

    Args:
        out: The out folder of the build.
        url: Where to, as ``s3://bucket/prefix``.
        on_done: Called with the number of shards that are there.

    Raises:
        SettingsError: No such store is known, it cannot be reached, or the build is not finished.
    """
    try:
        return _Publication(out, url).run(on_done)
    except (OSError, ValueError, ImportError) as error:
        said = str(error).splitlines() or [type(error).__name__]
        raise SettingsError(
            url,
            f"cannot be written: {said[0]}",
            "check the address, the rights, and that the package for such stores is installed "
            "(s3fs, gcsfs, adlfs); the build itself is whole: run the same command again",
        ) from error


class _Publication:
    def __init__(self, out: Path, url: str) -> None:
        import fsspec

        self._out = out
        # Listings that are kept would hide what another machine has put.
        self._files, root = fsspec.core.url_to_fs(url, use_listings_cache=False)
        self._root = str(root).rstrip("/")
        protocols = self._files.protocol
        names = {protocols} if isinstance(protocols, str) else set(protocols)
        self._is_whole = bool(names & _WHOLE)
        name = hashlib.sha256(url.rstrip("/").encode()).hexdigest()[:16]
        self._journal = out / ".gmai" / "published" / f"{name}.jsonl"

    def run(self, on_done: Callable[[int], None]) -> Published:
        receipt = json.loads((self._out / RECEIPT_FILE).read_text("utf-8"))
        entries = receipt["sources"].values()
        wanted = {shard["path"]: shard["digest"] for one in entries for shard in one["shards"]}
        beside = {
            path.name: digest_file(path)
            for path in sorted(self._out.iterdir())
            if path.is_file() and not path.name.startswith(".") and path.name not in _LAST
        }
        there = self._there({**wanted, **beside})
        missing = [path for path in wanted if path not in there]
        self._put_all(missing, wanted, on_done, len(wanted) - len(missing))
        for path, digest in beside.items():
            if path not in there:
                self._put(path, digest)
        for path in _LAST:
            self._put(path, "")
        removed = sorted(self._shards() - wanted.keys())
        for path in removed:
            self._files.rm_file(self._at(path))
        put = len(missing) + len(beside.keys() - there) + len(_LAST)
        return Published(put=put, there=len(there), removed=len(removed))

    def _put_all(
        self,
        paths: list[str],
        digests: dict[str, str],
        on_done: Callable[[int], None],
        done: int,
    ) -> None:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for _ in pool.map(lambda path: self._put(path, digests[path]), paths):
                done += 1
                on_done(done)

    def _put(self, path: str, digest: str) -> None:
        place = self._at(path)
        if self._is_whole:
            self._files.put_file(str(self._out / path), place)
        else:
            folder, _, name = place.rpartition("/")
            beside = f"{folder}/.{name}.{uuid.uuid4().hex[:12]}.tmp"
            self._files.makedirs(folder, exist_ok=True)
            self._files.put_file(str(self._out / path), beside)
            self._files.mv(beside, place)
        if digest:
            self._journal.parent.mkdir(parents=True, exist_ok=True)
            line = json.dumps({"path": path, "digest": digest}) + "\n"
            with self._journal.open("a", encoding="utf-8") as file:
                file.write(line)  # one write: threads do not mix their lines

    def _there(self, wanted: dict[str, str]) -> set[str]:
        """What was put by an earlier run and is there with its size."""
        said = dict(self._said())
        same = {path for path, digest in wanted.items() if said.get(path) == digest}
        if not same:
            return set()
        sizes = self._sizes()
        return {path for path in same if sizes.get(path) == (self._out / path).stat().st_size}

    def _said(self) -> Iterator[tuple[str, str]]:
        if not self._journal.is_file():
            return
        for line in self._journal.read_text("utf-8").splitlines():
            try:
                one = json.loads(line)
                yield one["path"], one["digest"]
            except (ValueError, KeyError, TypeError):  # torn by a kill
                continue

    def _sizes(self) -> dict[str, int]:
        """Sizes of the objects that lie there, by path below the root."""
        try:
            found: dict[str, Any] = self._files.find(self._root, detail=True)
        except FileNotFoundError:
            return {}
        start = len(self._root) + 1
        return {path[start:]: int(one["size"] or 0) for path, one in found.items()}

    def _shards(self) -> set[str]:
        return {
            path
            for path in self._sizes()
            if path.startswith("data/") and path.endswith(".parquet") and path.count("/") == 2
        }

    def _at(self, path: str) -> str:
        return f"{self._root}/{path}"
