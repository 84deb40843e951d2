"""Sources before anything is made: files found and listed, digested, cut into partitions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console

from converters.files import Root
from converters.manifest import LoadedManifest, load_manifest
from converters.records import Case
from converters.roots import find_root
from converters.select import converter_for
from pipeline.build import Job
from pipeline.build_settings import BuildSettings
from pipeline.digests import FileDigests, default_workers
from pipeline.plan import Plan, make_plan, own_files_digest
from pipeline.progress import progress
from pipeline.write_text import text_identity

PICTURES_A_PARTITION = 512
VOLUMES_A_PARTITION = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedSource:
    """A source whose files have been listed.

    Attributes:
        loaded: Its manifest.
        own_files: Digest of the files of ours that decide what is made of it.
        root: Where its files are.
        cases: All of it, or as many as the user asked for.
        partition_cases: The most cases of a partition.
    """

    loaded: LoadedManifest
    own_files: str
    root: Root
    cases: list[Case]
    partition_cases: int

    @property
    def name(self) -> str:
        """Name of the manifest."""
        return self.loaded.manifest.name


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedSource:
    """A source whose partitions are known.

    Attributes:
        listed: Its files.
        plan: Its partitions, and what is left out before they are made.
        jobs: What makes each partition, in their order.
    """

    listed: ListedSource
    plan: Plan
    jobs: tuple[Job, ...]


def list_source(
    settings: BuildSettings, name: str, environ: Mapping[str, str], screen: Console
) -> ListedSource:
    """Find the files of a source and list its cases; nothing of them is digested yet.

    Args:
        settings: What the user asked for.
        name: Of the manifest.
        environ: Where roots may be named.
        screen: Where it is said which files are used.

    Raises:
        GmaiError: The manifest, its root or a file that lists cases cannot be read.
    """
    loaded = load_manifest(name)
    own_files = own_files_digest(name)
    given = settings.root
    if given and len(settings.sources) > 1:
        given = given / name
    root, notes = find_root(loaded.manifest, given, environ)
    for note in notes:
        screen.print(f"{name}: {note}")
    cases = converter_for(loaded.manifest).cases(root)
    if settings.limit:
        cases = _first(cases, settings.limit)
    is_volume = loaded.manifest.layout.kind != "images"
    default = VOLUMES_A_PARTITION if is_volume else PICTURES_A_PARTITION
    return ListedSource(
        loaded=loaded,
        own_files=own_files,
        root=root,
        cases=cases,
        partition_cases=settings.partition_cases or default,
    )


def _first(cases: Sequence[Case], limit: int) -> list[Case]:
    """The first cases that can be used; faulty ones are not counted against the limit."""
    usable = [case for case in cases if not case.fault]
    kept = {case.key for case in usable[:limit]}
    return [case for case in cases if case.key in kept]


def plan_source(settings: BuildSettings, listed: ListedSource, screen: Console) -> PlannedSource:
    """Digest the files of a source that are not known yet, and cut it into partitions.

    What was digested is kept in the out folder, also when this is stopped half-way.

    Raises:
        GmaiError: A file cannot be read, or no case can be used.
    """
    files = list(dict.fromkeys(f for case in listed.cases if not case.fault for f in case.files))
    known = FileDigests(
        kept_in=settings.out / ".gmai" / "digests" / f"{listed.name}.parquet",
        root=listed.root,
    )
    digests: dict[str, str] = {}
    with progress(screen, f"{listed.name}: digests", len(files), "files") as on_done:
        done = 0

        def on_read(_size: int) -> None:
            nonlocal done
            done += 1
            on_done(done)

        workers = settings.workers or default_workers()
        try:
            digests = known.of(files, workers=workers, on_read=on_read)
        finally:
            known.save()
    plan = make_plan(
        listed.loaded,
        listed.cases,
        digests,
        partition_cases=listed.partition_cases,
        text=text_identity(settings.text),
        images=settings.images,
    )
    jobs = tuple(
        Job(
            partition=partition,
            root=listed.root,
            digests={f: digests[f] for c in partition.cases for f in c.files if f in digests},
            stamps=known.stamps(f for c in partition.cases for f in c.files),
            own_files=listed.own_files,
            text=settings.text,
            out=settings.out,
            is_pointers=settings.images == "pointers",
        )
        for partition in plan.partitions
    )
    return PlannedSource(listed=listed, plan=plan, jobs=jobs)
