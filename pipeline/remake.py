"""Rows of a build made again from the files of their source, and compared column by column.

The same code that filled the shard fills another one; a model is not asked: its answers come from
the store beside the build.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converters.errors import SettingsError, SourceError
from converters.files import Root
from converters.manifest import load_manifest
from converters.records import Case
from converters.select import Converter, converter_for
from pipeline.answers import ANSWERS_FOLDER, AnswerStore
from pipeline.captioner import Answer
from pipeline.digests import digest_file
from pipeline.fill_shard import Filling
from pipeline.mix import Mix
from pipeline.model_request import Request, Sampling
from pipeline.model_settings import ModelSettings
from pipeline.out_folder import read_receipt
from pipeline.shards import ShardWriter, read_shard
from pipeline.write_text import TextSettings

NOT_MADE = "not made again"


@dataclass(frozen=True, kw_only=True, slots=True)
class Remade:
    """What came out when a row was made again.

    Attributes:
        pair_id: The pair.
        differs: Columns that came out otherwise, with what stands in the shard and what came out;
            none where the row is equal.
    """

    pair_id: str
    differs: Mapping[str, tuple[object, object]]


def remake(
    out: Path, rows: Sequence[Mapping[str, Any]], root_of: Callable[[str], Root]
) -> Iterator[Remade]:
    """Make rows again; yield one result a row, by source and case.

    Args:
        out: The out folder that they are of.
        rows: Whole rows, with the bytes of their images.
        root_of: Where the files of a source are.

    Raises:
        GmaiError: The build or the files of a source are not there.
    """
    by_source: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_source.setdefault(row["source"], []).append(row)
    with AnswerStore(out) if (out / ANSWERS_FOLDER).is_dir() else _NoStore() as store:
        for source, members in sorted(by_source.items()):
            settings = text_settings_of(out, source)
            yield from _remake_source(source, members, root_of(source), settings, store)


def text_settings_of(out: Path, source: str) -> TextSettings:
    """What was written about each sample of a source, as the receipt says.

    Raises:
        SettingsError: No build of the source is there.
    """
    entry = (read_receipt(out) or {"sources": {}})["sources"].get(source)
    if entry is None:
        raise SettingsError(str(out), f"holds no finished build of {source}", "run gmai-build")
    said = entry["settings"]
    model = said.get("model")
    if model:
        model = ModelSettings(**{**model, "sampling": Sampling(**model["sampling"])})
    return TextSettings(
        formats=tuple(said["formats"]),
        languages=tuple(said["languages"]),
        boxes=said["boxes"],
        model=model,
        mix=Mix(**said["mix"]) if said.get("mix") else None,
    )


def _remake_source(
    source: str,
    rows: Sequence[Mapping[str, Any]],
    root: Root,
    settings: TextSettings,
    store: "AnswerStore | _NoStore",
) -> Iterator[Remade]:
    converter = converter_for(load_manifest(source).manifest)
    cases = {f"{source}/{case.key}": case for case in converter.cases(root)}
    by_case: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_case.setdefault(_case_of(row["sample_id"], cases), []).append(row)
    for name, members in by_case.items():
        made = _fill(cases[name], root, converter, settings, store) if name else {}
        for row in members:
            again = made.get(row["pair_id"])
            if again is None:
                differs: dict[str, tuple[object, object]] = {"pair_id": (row["pair_id"], NOT_MADE)}
            else:
                again = _as_pointer(again) if row["image"]["bytes"] is None else again
                differs = {k: (row[k], again[k]) for k in again if row.get(k) != again[k]}
            yield Remade(pair_id=row["pair_id"], differs=differs)


def _as_pointer(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row without its pixels: their digest is compared all the same."""
    return {**row, "image": {**row["image"], "bytes": None}}


def _case_of(sample_id: str, cases: Mapping[str, Case]) -> str:
    """The name of the case of a sample: itself, or what stands before the slice; "" for none."""
    name = sample_id
    while name not in cases:
        name, mark, _ = name.rpartition("#")
        if not mark:
            return ""
    return name


def _fill(
    case: Case,
    root: Root,
    converter: Converter,
    settings: TextSettings,
    store: "AnswerStore | _NoStore",
) -> dict[str, dict[str, Any]]:
    """All rows of a case, by pair, read back from a shard of its own."""
    try:
        digests = {file: digest_file(root.path(file)) for file in case.files}
    except OSError as error:
        raise SourceError(case.source, f"cannot read {error.filename}", "check --root") from error
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "remade.parquet"
        with ShardWriter(path) as writer:
            filling = Filling(
                writer=writer,
                loaded=load_manifest(case.source),
                converter=converter.name,
                digests=digests,
                settings=settings,
                asker=_FromStore(store),
                on_case=lambda: None,
            )
            for outcome in converter.convert(root, case):
                filling.add(case, outcome)
            filling.end_case()
            filling.finish()
            writer.commit({})
        return {row["pair_id"]: row for row in read_shard(path)}


class _NoStore:
    """Where a build has no answers."""

    def __enter__(self) -> "_NoStore":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def find(self, keys: object) -> dict[str, Answer]:
        """Nothing."""
        return {}


class _FromStore:
    """Answers what the store knows, and nothing else."""

    def __init__(self, store: "AnswerStore | _NoStore") -> None:
        self._store = store

    def submit(self, request: Request, image: bytes) -> "Future[Answer]":
        """The kept answer, or an error of this prompt."""
        kept = self._store.find([request.key]).get(request.key)
        future: Future[Answer] = Future()
        future.set_result(
            kept or Answer(text="", finish_reason="error", error="its answer is not kept")
        )
        return future
