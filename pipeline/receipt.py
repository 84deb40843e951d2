"""The receipt of a build: what was made of each source, and what was left out.

``build.json`` is written last: where it is, the build is whole. It holds no time and no name
of a machine, so that the same build has the same receipt.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from converters.manifest import LoadedManifest
from converters.records import Json, Rejection
from pipeline.build import Made
from pipeline.digests import canonical, digest_json
from pipeline.plan import Plan
from pipeline.shards import SCHEMA_VERSION, write_whole
from pipeline.version import BUILD_VERSION

BUILD_FILE = "build.json"
REJECTIONS_FILE = "rejections.parquet"
_KEPT_FILE = ".gmai/sources.json"
_REJECTIONS = pa.schema(
    [(name, pa.string()) for name in ("source", "case_key", "sample_id", "reason", "message")]
)


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceResult:
    """What a build made of one source.

    Attributes:
        loaded: Its manifest.
        plan: What was planned.
        made: What became of each partition, in the order of the plan.
    """

    loaded: LoadedManifest
    plan: Plan
    made: tuple[Made, ...]

    @property
    def rejections(self) -> tuple[Rejection, ...]:
        """Everything that was left out: before pixels were read, then by partition."""
        return self.plan.rejections + tuple(r for made in self.made for r in made.rejections)

    def summary(self) -> dict[str, Json]:
        """The entry of the source in the receipt."""
        manifest = self.loaded.manifest
        return {
            "manifest_digest": self.loaded.digest,
            "license": manifest.license,
            "access": manifest.access,
            "title": manifest.title,
            "citation": manifest.citation,
            "homepage": manifest.homepage,
            "evidence": manifest.evidence.level,
            "cases": sum(len(p.cases) for p in self.plan.partitions) + len(self.plan.rejections),
            "samples": sum(made.samples for made in self.made),
            "pairs": _total(made.pairs for made in self.made),
            "findings": _total(made.findings for made in self.made),
            "splits": _splits(self.plan, self.made),
            "rejections_before": rejections_digest(self.plan),
            "rejections": dict(sorted(Counter(r.reason for r in self.rejections).items())),
            "shards": [
                {"path": m.path, "bytes": m.size_bytes, "digest": m.digest} for m in self.made
            ],
        }


def rejections_digest(plan: Plan) -> str:
    """Digest of what a plan leaves out before pixels are read."""
    return digest_json([[r.case_key, r.reason, r.message] for r in plan.rejections])


def _total(counts: Iterable[Mapping[str, int]]) -> dict[str, Json]:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return dict(sorted(total.items()))


def _splits(plan: Plan, made: Sequence[Made]) -> dict[str, Json]:
    out: dict[str, Counter[str]] = {}
    for partition, one in zip(plan.partitions, made, strict=True):
        count = out.setdefault(partition.split, Counter())
        count.update(samples=one.samples, pairs=sum(one.pairs.values()))
    for split, count in out.items():
        parts = [p for p in plan.partitions if p.split == split]
        count["subjects"] = len({case.subject_id for p in parts for case in p.cases})
    return {split: dict(sorted(count.items())) for split, count in sorted(out.items())}


def read_receipt(out: Path) -> dict[str, Any] | None:
    """The receipt of a whole build, or None where there is none."""
    path = out / BUILD_FILE
    content: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return content or None


def open_build(out: Path) -> dict[str, Any]:
    """Take the receipt away while shards change; return what it says of each source.

    What other sources of the out folder have made is kept beside the build until
    :func:`close_build`.
    """
    kept = out / _KEPT_FILE
    receipt = read_receipt(out)
    if receipt:
        write_whole(kept, canonical(receipt["sources"]).encode())
        (out / BUILD_FILE).unlink()
    sources: dict[str, Any] = json.loads(kept.read_text("utf-8")) if kept.is_file() else {}
    return {name: entry for name, entry in sources.items() if _is_whole(out, entry)}


def _is_whole(out: Path, entry: Mapping[str, Any]) -> bool:
    return all((out / shard["path"]).is_file() for shard in entry["shards"])


def close_build(
    out: Path,
    results: Sequence[SourceResult],
    others: Mapping[str, Any],
    settings: Mapping[str, Json],
) -> None:
    """Remove shards that are no longer part of the build, then write what is said of it.

    Args:
        out: The out folder.
        results: The sources of this run.
        others: Entries of sources that earlier runs made, from :func:`open_build`.
        settings: What the user asked for.
    """
    sources = dict(others)
    sources.update({result.loaded.manifest.name: result.summary() for result in results})
    sources = dict(sorted(sources.items()))
    _write_rejections(out, results, others)
    for result in results:
        _remove_stale(out, result)
    for path in [*out.glob(".*.tmp"), *(out / ".gmai").rglob(".*.tmp")]:
        path.unlink()  # of a driver that was killed while it wrote
    write_whole(out / "README.md", _card(sources).encode())
    content = {
        "build_version": BUILD_VERSION,
        "schema_version": SCHEMA_VERSION,
        "settings": dict(settings),
        "sources": sources,
    }
    text = json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True)
    write_whole(out / BUILD_FILE, f"{text}\n".encode())
    (out / _KEPT_FILE).unlink(missing_ok=True)


def _remove_stale(out: Path, result: SourceResult) -> None:
    wanted = {made.path for made in result.made}
    folder = out / "data" / result.loaded.manifest.name
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        is_ours = path.name.endswith((".parquet", ".tmp"))
        if is_ours and path.relative_to(out).as_posix() not in wanted:
            path.unlink()


def _write_rejections(
    out: Path, results: Sequence[SourceResult], others: Mapping[str, Any]
) -> None:
    rows = [
        {
            "source": r.source,
            "case_key": r.case_key,
            "sample_id": r.sample_id,
            "reason": r.reason,
            "message": r.message,
        }
        for result in results
        for r in result.rejections
    ]
    path = out / REJECTIONS_FILE
    if path.is_file() and others:
        rows += [row for row in pq.read_table(path).to_pylist() if row["source"] in others]
    rows.sort(key=lambda row: row["source"])  # stable: within a source, the order of the plan
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema=_REJECTIONS), sink, compression="zstd")
    write_whole(path, sink.getvalue().to_pybytes())


def _card(sources: Mapping[str, Mapping[str, Any]]) -> str:
    """The dataset card, with the Hugging Face YAML: a config a source, and one for all."""
    lines = ["---", "pretty_name: Image-text pairs built by gmai", "task_categories:",
             "- image-text-to-text", "configs:"]  # fmt: skip
    splits = {name: [s for s, c in entry["splits"].items() if c["pairs"]]
              for name, entry in sources.items()}  # fmt: skip
    every = [s for s in ("train", "validation", "test") if any(s in x for x in splits.values())]
    if every:
        lines += [*_config("all", "*", every), "  default: true"]
    for name, found in splits.items():
        if found:
            lines += _config(name, name, found)
    lines += ["---", "", "# Image-text pairs", "", _CARD_WORDS, ""]
    lines += [
        "| source | title | licence | images | pairs | rejected |",
        "|---|---|---|---|---|---|",
    ]
    for name, entry in sources.items():
        pairs, rejected = (
            sum(entry["pairs"].values()),
            sum(entry["rejections"].values()),
        )
        title = entry["title"].replace("|", "\\|")
        lines.append(
            f"| {name} | {title} | {entry['license']} | {entry['samples']} | {pairs} | {rejected} |"
        )
    return "\n".join(lines) + "\n"


_CARD_WORDS = (
    "Made from annotated medical images by gmai-build. Each source keeps its own licence, given "
    "in the table and in every row; `not stated` means that none was found, never that it is "
    "free. `build.json` says what was made, `rejections.parquet` what was left out and why. "
    "Not for clinical use."
)


def _config(name: str, folder: str, splits: Sequence[str]) -> list[str]:
    lines = [f"- config_name: {name}", "  data_files:"]
    for split in splits:
        lines += [f"  - split: {split}", f'    path: "data/{folder}/{split}-*.parquet"']
    return lines
