"""What the receipt says of a source: what was made of it, and what was left out.

It holds no time and no name of a machine, so that the same build has the same receipt.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from converters.licenses import license_of
from converters.manifest import LoadedManifest
from converters.records import Json, Rejection
from pipeline.build import Made
from pipeline.digests import digest_json
from pipeline.plan import Plan
from pipeline.version import BUILD_VERSION

REJECTION_COLUMNS = ("source", "case_key", "sample_id", "reason", "message")
ENTRY_KEYS = frozenset({
    "access", "build_version", "cases", "citation", "evidence", "findings", "homepage", "license",
    "license_allows", "manifest_digest", "pairs", "rejections", "rejections_before", "samples",
    "settings", "shards", "splits", "terms", "texts", "title",
})  # fmt: skip


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

    def rejection_rows(self) -> list[list[str]]:
        """Rows of the table of rejections, in the order of :data:`REJECTION_COLUMNS`."""
        return [[getattr(r, name) for name in REJECTION_COLUMNS] for r in self.rejections]

    def entry(self, settings: Mapping[str, Json]) -> dict[str, Json]:
        """The entry of the source in the receipt.

        Args:
            settings: What the user asked for.
        """
        manifest = self.loaded.manifest
        entry: dict[str, Json] = {
            "build_version": BUILD_VERSION,
            "settings": dict(settings),
            "manifest_digest": self.loaded.digest,
            "license": manifest.license,
            "license_allows": dict(license_of(manifest.license).classes),
            "terms": manifest.terms,
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
            "texts": _total(made.texts for made in self.made),
            "rejections_before": rejections_digest(self.plan),
            "rejections": dict(sorted(Counter(r.reason for r in self.rejections).items())),
            "shards": [
                {"path": m.path, "bytes": m.size_bytes, "digest": m.digest} for m in self.made
            ],
        }
        assert entry.keys() == ENTRY_KEYS, "a key of the entry is not in ENTRY_KEYS"
        return entry


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
