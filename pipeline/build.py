"""One partition, end to end, in plain Python: cases in, one shard out.

What it makes depends on the job alone: no clock, no random numbers, no other partition.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import pyarrow as pa

from converters.errors import SourceError
from converters.files import Root
from converters.manifest import LoadedManifest, load_manifest
from converters.records import Case, Json, Rejection
from converters.select import Converter, converter_for
from pipeline.digests import Stamp, canonical, digest_file
from pipeline.fill_shard import Filling, Tally
from pipeline.model_texts import NO_ANSWER, Asker
from pipeline.plan import Partition, own_files_digest
from pipeline.shards import ShardWriter, shard_notes
from pipeline.write_text import TextSettings

NOTES_KEY = "gmai.partition"
# Shards of builds that are not whole, by source: building the source takes them back.
ASIDE = Path(".gmai") / "aside"


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """Everything that making a partition needs.

    Attributes:
        partition: What is made.
        root: Where the files are.
        digests: Digests of the files of its cases, by relative path.
        stamps: What the disk said of the same files when they were digested.
        own_files: The manifest, terms and templates that the plan was made with, see
            :func:`pipeline.plan.own_files_digest`.
        text: What is written about each sample.
        out: The out folder.
        is_aside: Whether the shard is put aside, where a whole build finds it.
        is_pointers: Whether rows are written without the bytes of their images.
    """

    partition: Partition
    root: Root
    digests: Mapping[str, str]
    stamps: Mapping[str, Stamp]
    own_files: str
    text: TextSettings
    out: Path
    is_aside: bool = False
    is_pointers: bool = False

    @property
    def path(self) -> Path:
        """Where the shard goes."""
        path = self.out / self.partition.path
        return self.out / ASIDE / self.partition.source / path.name if self.is_aside else path


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """What became of a partition, as its shard says.

    Attributes:
        path: The shard, relative to the out folder.
        cases: How many cases it covers.
        samples: How many images it holds.
        subjects: How many subjects the images are of.
        pairs: How many pairs, by format.
        findings: How many findings, by canonical term.
        texts: What became of the texts that a model was asked for.
        rejections: What was left out.
        size_bytes: Size of the shard.
        digest: SHA-256 of the shard.
    """

    path: str
    cases: int
    samples: int
    subjects: int
    pairs: Mapping[str, int]
    findings: Mapping[str, int]
    texts: Mapping[str, int]
    rejections: tuple[Rejection, ...]
    size_bytes: int
    digest: str


@lru_cache(maxsize=64)
def _converter(source: str) -> tuple[LoadedManifest, Converter]:
    loaded = load_manifest(source)
    return loaded, converter_for(loaded.manifest)


def make_partition(
    job: Job, on_case: Callable[[], None] = lambda: None, asker: Asker | None = None
) -> Made:
    """Convert the cases of a partition, write their texts, and commit the shard.

    Args:
        job: What to make.
        on_case: Called after each case.
        asker: Where requests to a model go, where one writes texts.

    Raises:
        GmaiError: A file changed since the plan was made, or cannot be read; or the model cannot
            be asked any more.
        OSError: The shard cannot be written.
    """
    _require_same_words(job)
    loaded, converter = _converter(job.partition.source)
    job.path.parent.mkdir(parents=True, exist_ok=True)
    with ShardWriter(job.path, is_pointers=job.is_pointers) as writer:
        filling = Filling(
            writer=writer,
            loaded=loaded,
            converter=converter.name,
            digests=job.digests,
            settings=job.text,
            asker=asker,
            on_case=on_case,
        )
        for case in job.partition.cases:
            for outcome in converter.convert(job.root, case):
                filling.add(case, outcome)
            _require_unchanged(job, case)
            filling.end_case()
        notes = _notes(job, filling.finish())
        _require_same_words(job)
        writer.commit({NOTES_KEY: canonical(notes)})
    return _made(job, notes)


def _require_same_words(job: Job) -> None:
    if own_files_digest(job.partition.source) != job.own_files:
        raise SourceError(
            job.partition.source,
            "its manifest, the vocabulary, the terms or a template changed while the build ran",
            "run the same command again: what was made before the change is made anew",
        )


def _require_unchanged(job: Job, case: Case) -> None:
    """Raise SourceError where a file of the case is not the one that was digested."""
    for file in case.files:
        stamp = job.stamps.get(file)
        if stamp is None:
            continue
        try:
            status = job.root.path(file).stat()
        except OSError as error:
            raise job.root.unreadable(file, error) from error
        if stamp != Stamp.of(status):
            raise SourceError(
                case.source,
                f"{file} changed while the build ran",
                "run the same command again",
            )


def _notes(job: Job, tally: Tally) -> dict[str, Json]:
    return {
        "digest": job.partition.digest,
        "cases": len(job.partition.cases),
        "samples": tally.samples,
        "subjects": len(tally.subjects),
        "pairs": dict(sorted(tally.pairs.items())),
        "findings": dict(sorted(tally.findings.items())),
        "texts": dict(sorted(tally.texts.items())),
        "rejections": [asdict(rejection) for rejection in tally.rejections],
    }


def _made(job: Job, notes: Mapping[str, Json]) -> Made:
    content = {key: value for key, value in notes.items() if key not in ("digest", "rejections")}
    return Made(
        path=job.partition.path,
        rejections=tuple(Rejection(**row) for row in notes["rejections"]),  # type: ignore[union-attr, arg-type]
        size_bytes=job.path.stat().st_size,
        digest=digest_file(job.path),
        **content,  # type: ignore[arg-type]
    )


def already_made(job: Job, *, retries_failed: bool = False) -> Made | None:
    """What an earlier run made of this partition, or None where its shard is not there.

    A file of that name that is no shard of this partition (cut by a disk, put there by hand) is
    made anew.

    Args:
        job: The partition.
        retries_failed: Whether a shard counts as not there that lacks a text for the model's sake.
    """
    if not job.path.is_file():
        return None
    try:
        notes = json.loads(shard_notes(job.path).get(NOTES_KEY, "{}"))
    except (OSError, pa.ArrowInvalid, ValueError):
        return None
    if notes.get("digest") != job.partition.digest:
        return None
    made = _made(job, notes)
    lacks = any(rejection.reason == NO_ANSWER for rejection in made.rejections)
    return None if retries_failed and lacks else made
