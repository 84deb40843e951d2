"""What a build will make: cases listed, duplicates set apart, partitions cut and named."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from converters.errors import SourceError
from converters.licenses import license_of
from converters.manifest import LoadedManifest
from converters.records import Case, Entry, Json, Rejection, Split
from converters.select import converter_for
from converters.terminology import contradicted_by, implied_by
from converters.vocabulary import MANIFESTS, modality, terms, vocabulary, words
from pipeline.digests import canonical, digest_bytes, digest_json
from pipeline.phrasing import TEMPLATES
from pipeline.shards import SCHEMA_VERSION
from pipeline.version import BUILD_VERSION
from pipeline.word_forms import WORD_LISTS

_GOES_FIRST: dict[str | None, int] = {"test": 0, "validation": 1, "train": 2}


@dataclass(frozen=True, kw_only=True, slots=True)
class Partition:
    """The unit of work: some cases of one source and split, which become one shard.

    Attributes:
        source: Name of the manifest.
        split: Split of all its cases.
        index: Number within the split.
        cases: In order.
        digest: Covers everything that decides the shard's content.
    """

    source: str
    split: Split
    index: int
    cases: tuple[Case, ...]
    digest: str

    @property
    def path(self) -> str:
        """Where its shard lies in the out folder."""
        short = self.digest.removeprefix("sha256:")[:12]
        return f"data/{self.source}/{self.split}-{self.index:05d}-{short}.parquet"

    @property
    def name(self) -> str:
        """What the store of answers calls it."""
        short = self.digest.removeprefix("sha256:")[:12]
        return f"{self.source}-{self.split}-{self.index:05d}-{short}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """All partitions of a source, and what is left out before a pixel is read."""

    partitions: tuple[Partition, ...]
    rejections: tuple[Rejection, ...]


def set_apart_duplicates(
    cases: Sequence[Case], digests: Mapping[str, str]
) -> tuple[list[Case], list[Rejection]]:
    """Keep one of the cases whose image files are equal byte for byte.

    The one kept is of the split that goes first (test, validation, train), then the first in
    order. Where their labels differ, none is kept: one of them must be wrong.
    """
    by_image: dict[tuple[str, str], list[Case]] = {}
    for case in cases:
        if case.image in digests:
            by_image.setdefault((digests[case.image], case.part), []).append(case)
    rejected: dict[str, Rejection] = {}
    for group in by_image.values():
        for rejection in _duplicates(group, digests) if len(group) > 1 else ():
            rejected[rejection.case_key] = rejection
    kept = [case for case in cases if case.key not in rejected]
    return kept, [rejected[case.key] for case in cases if case.key in rejected]


def _duplicates(group: list[Case], digests: Mapping[str, str]) -> Iterator[Rejection]:
    group = sorted(group, key=lambda case: _GOES_FIRST[case.split])
    kept = group[0]
    said = {canonical([_labels(entry, digests) for entry in case.entries]) for case in group}
    agree = len(said) == 1
    for case in group[1:] if agree else group:
        other = kept if case is not kept else group[1]
        yield Rejection(
            source=case.source,
            case_key=case.key,
            reason="duplicate_image" if agree else "duplicate_contradiction",
            message=f"the same image as {other.key}" + ("" if agree else ", labelled otherwise"),
        )


def _labels(entry: Entry | None, digests: Mapping[str, str]) -> Json:
    """What an entry says of labels, as far as it is known without reading the image."""
    if entry is None:
        return None
    files: list[Json] = [digests.get(file) for file in entry.files]
    return [files, entry.values if entry.labels is None else list(entry.labels)]


def make_plan(
    loaded: LoadedManifest,
    cases: Sequence[Case],
    digests: Mapping[str, str],
    *,
    partition_cases: int,
    text: Mapping[str, Json],
    images: str = "embed",
) -> Plan:
    """Cut the cases of a source into partitions.

    Args:
        loaded: The manifest.
        cases: Every case with its final split; faults and all.
        digests: By relative path, of every file of the cases.
        partition_cases: Cases a partition.
        text: What decides the texts: formats, languages, captioner, digests of templates.
        images: Where images go, see :class:`pipeline.build_settings.BuildSettings`.
    """
    rejections = [
        Rejection(
            source=case.source,
            case_key=case.key,
            reason=case.fault.reason,
            message=case.fault.message,
        )
        for case in cases
        if case.fault
    ]
    usable, duplicates = set_apart_duplicates([c for c in cases if not c.fault], digests)
    common = {**_common(loaded, text), "images": images}
    partitions = [
        _partition(split, index, tuple(chunk), digests, common)
        for split, members in _by_split(usable)
        for index, chunk in enumerate(_chunks(members, partition_cases))
    ]
    return Plan(partitions=tuple(partitions), rejections=(*rejections, *duplicates))


def _by_split(cases: list[Case]) -> Iterator[tuple[Split, list[Case]]]:
    ordered = sorted(cases, key=lambda case: case.split or "")
    for split, members in groupby(ordered, key=lambda case: case.split):
        if split is not None:
            yield split, list(members)


def _chunks(cases: list[Case], size: int) -> Iterator[list[Case]]:
    for start in range(0, len(cases), size):
        yield cases[start : start + size]


def _common(loaded: LoadedManifest, text: Mapping[str, Json]) -> dict[str, Json]:
    return {
        "build_version": BUILD_VERSION,
        "schema_version": SCHEMA_VERSION,
        "manifest": loaded.digest,
        "converter": converter_for(loaded.manifest).name,
        "words": _words_digest(loaded),
        "license": dict(license_of(loaded.manifest.license).classes),
        "text": dict(text),
    }


def own_files_digest(source: str) -> str:
    """SHA-256 of our own files that decide what is made of a source, as they are on disk now.

    The manifest, the vocabulary, the terms, their relations and all templates. A build compares
    it before and after each shard: nobody edits them in between unseen.

    Raises:
        SourceError: One of them is not there any more.
    """
    paths = [
        MANIFESTS / f"{source}.yaml",
        MANIFESTS / "vocabulary.toml",
        MANIFESTS / "relations.csv",
        MANIFESTS / "licenses.csv",
        *(MANIFESTS / path.name for path in WORD_LISTS),
        *sorted(TEMPLATES.rglob("*.j2")),
    ]
    try:
        return digest_bytes(b"\0".join(f"{p.name}\0".encode() + p.read_bytes() for p in paths))
    except OSError as error:
        raise SourceError(
            source, f"cannot read {error.filename}: {error.strerror}", "put it back"
        ) from error


def _words_digest(loaded: LoadedManifest) -> str:
    """Digest of the terms, the words for modalities and the windows that the manifest uses."""
    strings = _strings(loaded.manifest.model_dump(mode="json"))
    named = strings & set(terms())
    named = named.union(*map(implied_by, named))  # what a part of them says of the whole
    used: list[Json] = [str(terms()[name]) for name in sorted(named)]
    for name in sorted(named):
        used += [[*sorted(implied_by(name))], [*sorted(contradicted_by(name) & named)]]
    used += [str(modality(code)) for code in sorted(strings & words("modality"))]
    used += [str(vocabulary()["window"][name]) for name in sorted(strings & words("window"))]
    return digest_json(used)


def _strings(value: object) -> set[str]:
    if isinstance(value, str):
        return {value}
    if isinstance(value, dict):
        return set().union(*map(_strings, value.values()))
    if isinstance(value, list):
        return set().union(*map(_strings, value))
    return set()


def _partition(
    split: Split,
    index: int,
    cases: tuple[Case, ...],
    digests: Mapping[str, str],
    common: Mapping[str, Json],
) -> Partition:
    members: list[Json] = [_identity(case, digests) for case in cases]
    identity = digest_json({**common, "split": split, "cases": members})
    return Partition(source=cases[0].source, split=split, index=index, cases=cases, digest=identity)


def _identity(case: Case, digests: Mapping[str, str]) -> Json:
    files: list[Json] = [[file, digests.get(file)] for file in case.files]
    entries: list[Json] = [[entry.table, entry.values] if entry else None for entry in case.entries]
    return [case.key, case.subject_id, dict(case.fields), files, entries]
