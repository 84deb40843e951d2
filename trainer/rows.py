"""Rows of shards by their place, read row group by row group with the last ones kept."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from trainer.corpus import Document

# Image bytes stay a dictionary, as they are stored: once for all rows of an image.
_BYTES_COLUMN = "image.bytes"
_COLUMNS = ["messages", _BYTES_COLUMN, "image_digest", "pair_id"]
KEPT_BYTES = 1 << 30


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """What training needs of a pair."""

    pair_id: str
    messages: Sequence[dict[str, str]]
    image_digest: str
    image: bytes


class RowReader:
    """Reads the rows of conversations; for several threads at once.

    Args:
        kept_bytes: Row groups up to this size in all are kept for the next rows.
    """

    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        self._most = kept_bytes
        self._kept: OrderedDict[tuple[Path, int], tuple[pa.Table, int]] = OrderedDict()
        self._size = 0
        self._lock = Lock()
        self._loading: dict[tuple[Path, int], Lock] = {}

    def rows(self, document: Document) -> list[Row]:
        """The rows of a conversation.

        Raises:
            OSError: The bytes cannot be read; Arrow's own errors are among these or ValueErrors.
        """
        table, first = self._group(document.shard, document.block)
        return [_row(row) for row in
                table.slice(document.first_row - first, document.rows).to_pylist()]  # fmt: skip

    def _group(self, shard: Path, block: int) -> tuple[pa.Table, int]:
        key = (shard, block)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            loading = self._loading.setdefault(key, Lock())
        with loading:  # another thread that wants the same group waits for it
            with self._lock:
                if key in self._kept:
                    return self._kept[key]
            return self._keep(key, _read(shard, block))

    def _keep(self, key: tuple[Path, int], group: tuple[pa.Table, int]) -> tuple[pa.Table, int]:
        with self._lock:
            self._kept[key] = group
            self._loading.pop(key, None)
            self._size += group[0].nbytes
            while self._size > self._most and len(self._kept) > 1:
                _, (old, _) = self._kept.popitem(last=False)
                self._size -= old.nbytes
        return group


def _read(shard: Path, block: int) -> tuple[pa.Table, int]:
    with pq.ParquetFile(shard, read_dictionary=[_BYTES_COLUMN]) as file:
        before = [file.metadata.row_group(number).num_rows for number in range(block)]
        return file.read_row_group(block, columns=_COLUMNS, use_threads=False), sum(before)


def _row(row: dict[str, Any]) -> Row:
    image = row["image"] or {}
    return Row(
        pair_id=row["pair_id"],
        messages=row["messages"] or [],
        image_digest=row["image_digest"] or "",
        image=image.get("bytes") or b"",
    )
