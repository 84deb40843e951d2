"""The out folder: what is whole in it, and how a build begins and ends there.

While a build changes shards, ``build.json`` is away and ``.gmai/sources.json`` says what is whole.
It is the one truth: everything else that a build leaves (the card, the table of rejections,
the receipt, which shards lie in ``data/``) is made from it, so that a driver killed at any
moment leaves a folder that the next one, of the same source or another, brings to the same end.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from converters.errors import SettingsError
from pipeline.attribution import attribution
from pipeline.build import ASIDE
from pipeline.card import dataset_card
from pipeline.croissant import croissant
from pipeline.digests import canonical
from pipeline.receipt import ENTRY_KEYS, REJECTION_COLUMNS
from pipeline.shards import RECEIPT_FILE, SCHEMA_VERSION, sync_folder, write_whole
from pipeline.version import BUILD_VERSION

Entries: TypeAlias = dict[str, dict[str, Any]]

CARD_FILE = "README.md"
CROISSANT_FILE = "croissant.json"
ATTRIBUTION_FILE = "ATTRIBUTION.md"
REJECTIONS_FILE = "rejections.parquet"
# What is made of the entries of a receipt alone, beside it.
_DOCUMENTS: dict[str, Callable[[Entries], str]] = {
    CARD_FILE: dataset_card,
    CROISSANT_FILE: croissant,
    ATTRIBUTION_FILE: attribution,
}
_BESIDE = (RECEIPT_FILE, REJECTIONS_FILE, *_DOCUMENTS)
_KEPT = Path(".gmai") / "sources.json"
_REJECTIONS = pa.schema([(name, pa.string()) for name in REJECTION_COLUMNS])


def read_receipt(out: Path) -> dict[str, Any] | None:
    """The receipt of a whole build, or None where there is none.

    Raises:
        SettingsError: A file of that name is there and is none.
    """
    return _read_json(out / RECEIPT_FILE, "sources")


def _read_json(path: Path, key: str) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    remedy = "move it away and run gmai-build again: shards that are done are kept"
    try:
        content = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise SettingsError(str(path), f"is not JSON: {error}", remedy) from error
    if not isinstance(content, dict) or not isinstance(content.get(key), dict):
        raise SettingsError(str(path), f"holds no {key!r}: it is not of gmai-build", remedy)
    return content


def is_whole(out: Path) -> bool:
    """Whether a finished build lies here, with all that is written beside its shards."""
    return all((out / name).is_file() for name in _BESIDE)


def known_sources(out: Path) -> tuple[Entries, dict[str, str]]:
    """What earlier builds made, from the receipt or from what a killed driver kept.

    Returns:
        Entries of sources that are whole, and for each other one why it is not.
    """
    receipt = read_receipt(out)
    entries = receipt["sources"] if receipt else _read_kept(out)
    broken = {name: _fault(out, entry) for name, entry in entries.items()}
    whole = {name: entry for name, entry in entries.items() if not broken[name]}
    return whole, {name: fault for name, fault in broken.items() if fault}


def _read_kept(out: Path) -> Entries:
    kept = _read_json(out / _KEPT, "sources")
    return kept["sources"] if kept else {}


def _fault(out: Path, entry: object) -> str:
    if not isinstance(entry, dict) or not entry.keys() >= ENTRY_KEYS:
        return "it was written by another version"
    for shard in entry["shards"]:
        path = out / shard["path"]
        if not path.is_file():
            return f"{shard['path']} is gone"
        if path.stat().st_size != shard["bytes"]:
            return f"{shard['path']} has another size than was written"
    return ""


def open_build(out: Path, sources: Iterable[str]) -> None:
    """Take the receipt away while shards change; what it says of whole sources is kept.

    Args:
        out: The out folder; the caller holds its lease.
        sources: The sources that are about to be built.
    """
    whole, _ = known_sources(out)
    _keep(out, whole, _rejections_of(out, whole))
    (out / RECEIPT_FILE).unlink(missing_ok=True)
    _remove_unfinished(out)
    for name in sources:
        _move_shards(out / ASIDE / name, out / "data" / name)


def _remove_unfinished(out: Path) -> None:
    """Remove what a driver, a worker or a node that was killed had begun to write."""
    for pattern in (".*.tmp", "data/*/.*.tmp", ".gmai/**/.*.tmp"):
        for path in out.glob(pattern):
            path.unlink(missing_ok=True)


def _keep(out: Path, entries: Entries, rejections: Mapping[str, list[list[str]]]) -> None:
    kept: dict[str, Any] = {"sources": entries, "rejections": dict(rejections)}
    write_whole(out / _KEPT, canonical(kept).encode())


def _rejections_of(out: Path, entries: Entries) -> dict[str, list[list[str]]]:
    """Rows of the table of rejections by source, from where they are kept."""
    kept = _read_json(out / _KEPT, "sources") if not (out / RECEIPT_FILE).is_file() else None
    if kept:
        return {name: kept.get("rejections", {}).get(name, []) for name in entries}
    rows: dict[str, list[list[str]]] = {name: [] for name in entries}
    if not any(sum(entry["rejections"].values()) for entry in entries.values()):
        return rows
    path = out / REJECTIONS_FILE
    try:
        table = pq.read_table(path, schema=_REJECTIONS)
    except (OSError, pa.ArrowInvalid) as error:
        raise SettingsError(
            str(path),
            f"cannot be read: {error}",
            f"it lists what was left out of {', '.join(entries)}; choose another --out, or move "
            f"{RECEIPT_FILE} away to build them anew",
        ) from error
    for row in table.to_pylist():
        if row["source"] in rows:
            rows[row["source"]].append([row[name] for name in REJECTION_COLUMNS])
    return rows


def close_build(
    out: Path, entries: Entries, rejections: Mapping[str, list[list[str]]]
) -> dict[str, int]:
    """Say that sources are whole, then make everything else of a build agree with that.

    Args:
        out: The out folder.
        entries: The sources of this run, from :meth:`pipeline.receipt.SourceResult.entry`.
        rejections: Rows for the table of rejections, by source.

    Returns:
        By source: how many shards of an unfinished build of it were set aside.
    """
    others, _ = known_sources(out)
    said = {**_rejections_of(out, others), **rejections}
    sources = dict(sorted({**others, **entries}.items()))
    _keep(out, sources, said)
    _remove_unfinished(out)
    aside = _tidy(out, sources, entries)
    _write_rejections(out, [row for name in sources for row in said[name]])
    for name, written in _DOCUMENTS.items():
        write_whole(out / name, written(sources).encode())
    content = {
        "build_version": BUILD_VERSION,
        "schema_version": SCHEMA_VERSION,
        "sources": sources,
    }
    text = json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True)
    write_whole(out / RECEIPT_FILE, f"{text}\n".encode())
    (out / _KEPT).unlink(missing_ok=True)
    return aside


def _tidy(out: Path, sources: Entries, built: Iterable[str]) -> dict[str, int]:
    """Leave the shards of the sources alone in ``data/``, where readers look.

    What is no longer part of a source just built is removed. Shards of an unfinished build of
    another source are set aside: building that source takes them back.
    """
    listed = {shard["path"] for entry in sources.values() for shard in entry["shards"]}
    done = set(built)
    aside: dict[str, int] = {}
    for path in sorted(out.glob("data/*/*.parquet")):
        if path.relative_to(out).as_posix() in listed:
            continue
        source = path.parent.name
        if source in done:
            path.unlink()
            continue
        _move(path, out / ASIDE / source)
        aside[source] = aside.get(source, 0) + 1
    return aside


def _move_shards(folder: Path, to: Path) -> None:
    for path in sorted(folder.glob("*.parquet")):
        _move(path, to)


def _move(path: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path.replace(folder / path.name)
    sync_folder(folder)


def _write_rejections(out: Path, rows: Sequence[Sequence[str]]) -> None:
    columns = zip(*rows, strict=True) if rows else ([] for _ in REJECTION_COLUMNS)
    arrays = [pa.array(column, pa.string()) for column in columns]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_arrays(arrays, schema=_REJECTIONS), sink, compression="zstd")
    write_whole(out / REJECTIONS_FILE, sink.getvalue().to_pybytes())
