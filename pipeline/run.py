"""The driver of a build: sources planned, partitions made, the receipt written."""

import errno
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from converters.errors import SettingsError
from converters.files import Root
from converters.manifest import LoadedManifest, load_manifest
from converters.records import Case, Json
from converters.roots import find_root
from converters.select import converter_for
from pipeline.build import Job, Made, already_made
from pipeline.digests import FileDigests, default_workers
from pipeline.distribute import make_all
from pipeline.lease import Lease
from pipeline.plan import Plan, make_plan
from pipeline.progress import console, progress
from pipeline.receipt import (
    SourceResult,
    close_build,
    open_build,
    read_receipt,
    rejections_digest,
)
from pipeline.write_text import TextSettings, text_identity

PICTURES_A_PARTITION = 512
VOLUMES_A_PARTITION = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildSettings:
    """What the user asked for; None stands for the default."""

    sources: tuple[str, ...]
    root: Path | None
    out: Path
    formats: tuple[str, ...]
    languages: tuple[str, ...]
    workers: int | None
    limit: int | None
    partition_cases: int | None
    is_dry_run: bool

    @property
    def text(self) -> TextSettings:
        """What is written about each sample."""
        return TextSettings(formats=self.formats, languages=self.languages)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Listed:
    """A source whose files have been listed."""

    loaded: LoadedManifest
    root: Root
    cases: list[Case]
    partition_cases: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _Planned:
    listed: _Listed
    plan: Plan
    jobs: tuple[Job, ...]


def run_build(settings: BuildSettings, environ: Mapping[str, str]) -> int:
    """Build the sources; return the exit code.

    Raises:
        GmaiError: The user's to mend.
        KeyboardInterrupt: Ctrl-C, after saying how to go on.
    """
    screen = console()
    listed = [_list_source(settings, name, environ, screen) for name in settings.sources]
    if settings.is_dry_run:
        _say_plan(screen, settings, listed)
        return 0
    started = time.monotonic()
    with _out_folder(settings.out), Lease(settings.out):
        planned = [_plan_source(settings, one, screen) for one in listed]
        if _is_done(settings, planned):
            screen.print(f"{settings.out}: nothing to do, every shard is there and up to date")
            return 0
        others = open_build(settings.out)
        results = _make(settings, planned, screen)
        names = {result.loaded.manifest.name for result in results}
        others = {name: entry for name, entry in others.items() if name not in names}
        close_build(settings.out, results, others, _settings_json(settings))
    _say_results(screen, settings, results, time.monotonic() - started)
    return 0


def _list_source(
    settings: BuildSettings, name: str, environ: Mapping[str, str], screen: Console
) -> _Listed:
    loaded = load_manifest(name)
    given = settings.root
    if given and len(settings.sources) > 1:
        given = given / name
    root, notes = find_root(loaded.manifest, given, environ)
    for note in notes:
        screen.print(f"{name}: {note}")
    cases = converter_for(loaded.manifest).cases(root)
    if settings.limit:
        cases = _first(cases, settings.limit)
    is_volume = loaded.manifest.layout.kind == "volumes"
    default = VOLUMES_A_PARTITION if is_volume else PICTURES_A_PARTITION
    return _Listed(
        loaded=loaded,
        root=root,
        cases=cases,
        partition_cases=settings.partition_cases or default,
    )


def _first(cases: Sequence[Case], limit: int) -> list[Case]:
    """The first cases that can be used; faulty ones are not counted against the limit."""
    usable = [case for case in cases if not case.fault]
    kept = {case.key for case in usable[:limit]}
    return [case for case in cases if case.key in kept]


def _plan_source(settings: BuildSettings, listed: _Listed, screen: Console) -> _Planned:
    name = listed.loaded.manifest.name
    files = list(dict.fromkeys(f for case in listed.cases if not case.fault for f in case.files))
    known = FileDigests(kept_in=settings.out / ".gmai" / "digests" / f"{name}.parquet")
    digests: dict[str, str] = {}
    with progress(screen, f"{name}: digests", len(files), "files") as on_done:
        done = 0

        def on_read(_size: int) -> None:
            nonlocal done
            done += 1
            on_done(done)

        workers = settings.workers or default_workers()
        try:
            digests = known.of(listed.root, files, workers=workers, on_read=on_read)
        finally:
            known.save()
    plan = make_plan(
        listed.loaded,
        listed.cases,
        digests,
        partition_cases=listed.partition_cases,
        text=text_identity(settings.text),
    )
    jobs = tuple(
        Job(
            partition=partition,
            root=listed.root,
            digests={f: digests[f] for c in partition.cases for f in c.files if f in digests},
            stamps=known.stamps(f for c in partition.cases for f in c.files),
            manifest_digest=listed.loaded.digest,
            text=settings.text,
            out=settings.out,
        )
        for partition in plan.partitions
    )
    return _Planned(listed=listed, plan=plan, jobs=jobs)


def _is_done(settings: BuildSettings, planned: Sequence[_Planned]) -> bool:
    receipt = read_receipt(settings.out)
    if not receipt:
        return False
    for one in planned:
        entry = receipt["sources"].get(one.listed.loaded.manifest.name)
        shards = {shard["path"]: shard["bytes"] for shard in entry["shards"]} if entry else {}
        if set(shards) != {job.partition.path for job in one.jobs}:
            return False
        if entry["rejections_before"] != rejections_digest(one.plan):
            return False
        if any(not job.path.is_file() or job.path.stat().st_size != shards[job.partition.path]
               for job in one.jobs):  # fmt: skip
            return False
    return True


def _make(
    settings: BuildSettings, planned: Sequence[_Planned], screen: Console
) -> list[SourceResult]:
    made: dict[str, Made] = {}
    todo: list[Job] = []
    for job in (job for one in planned for job in one.jobs):
        done = already_made(job)
        if done:
            made[done.path] = done
        else:
            todo.append(job)
    if made:
        screen.print(f"going on: {len(made):,} of {len(made) + len(todo):,} partitions are done")
    total = sum(len(job.partition.cases) for job in todo)
    workers = settings.workers or default_workers()
    with (
        _interruptible(screen, settings.out, made, len(made) + len(todo)),
        progress(screen, "building", total, "cases") as on_cases,
    ):
        for one in make_all(todo, workers=workers, on_cases=on_cases):
            made[one.path] = one
        on_cases(total)
    return [
        SourceResult(
            loaded=one.listed.loaded,
            plan=one.plan,
            made=tuple(made[job.partition.path] for job in one.jobs),
        )
        for one in planned
    ]


@contextmanager
def _interruptible(
    screen: Console, out: Path, made: Mapping[str, Made], total: int
) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        screen.print(
            f"stopped: {len(made):,} of {total:,} partitions are done and kept in {out}; "
            "run the same command again to go on"
        )
        raise


@contextmanager
def _out_folder(out: Path) -> Iterator[None]:
    """Turn what the disk refuses into messages; nothing half-written counts as whole."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        remedy = {
            errno.ENOSPC: "free some space and run the same command again; what is done is kept",
            errno.EDQUOT: "free some space and run the same command again; what is done is kept",
        }.get(error.errno or 0, "choose an --out folder that can be written")
        what = error.strerror or str(error)
        where = error.filename or out
        raise SettingsError(str(out), f"cannot write {where}: {what}", remedy) from error


def _settings_json(settings: BuildSettings) -> dict[str, Json]:
    return {
        "formats": list(settings.formats),
        "languages": list(settings.languages),
        "captioner": text_identity(settings.text)["captioner"],
        "images": "embed",
        "limit": settings.limit,
    }


def _say_plan(screen: Console, settings: BuildSettings, listed: Sequence[_Listed]) -> None:
    for one in listed:
        manifest = one.loaded.manifest
        usable = [case for case in one.cases if not case.fault]
        splits = Counter(str(case.split) for case in usable)
        parts = sum(-(-count // one.partition_cases) for count in splits.values())
        reasons = Counter(case.fault.reason for case in one.cases if case.fault)
        table = Table(
            title=f"{manifest.name}: {manifest.title}",
            title_justify="left",
            show_header=False,
        )
        table.add_row("root", str(one.root.folder))
        table.add_row(
            "licence",
            f"{manifest.license} ({manifest.terms or 'access: ' + manifest.access})",
        )
        table.add_row("cases", f"{len(usable):,}")
        table.add_row("subjects", f"{len({case.subject_id for case in usable}):,}")
        table.add_row("splits", ", ".join(f"{k} {v:,}" for k, v in sorted(splits.items())))
        table.add_row("partitions", f"{parts:,} of at most {one.partition_cases:,} cases")
        table.add_row("formats", ", ".join(settings.formats))
        table.add_row("rejected before reading", _counted(reasons))
        screen.print(table)
    free = shutil.disk_usage(_existing(settings.out)).free
    screen.print(f"{settings.out}: {free / 1e9:,.1f} GB free; nothing was written")
    screen.print("Equal images and unreadable files are found by the build itself.")


def _existing(path: Path) -> Path:
    path = path.absolute()
    return path if path.exists() else _existing(path.parent)


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items())) or "none"


def _say_results(
    screen: Console,
    settings: BuildSettings,
    results: Sequence[SourceResult],
    seconds: float,
) -> None:
    table = Table(title=f"built in {seconds:,.1f} s", title_justify="left")
    for column in (
        "source",
        "images",
        "pairs",
        "pairs by format",
        "rejected",
        "by reason",
    ):
        table.add_column(
            column,
            justify="right" if column in ("images", "pairs", "rejected") else "left",
        )
    images = 0
    for result in results:
        pairs = Counter[str]()
        for made in result.made:
            pairs.update(made.pairs)
        samples = sum(made.samples for made in result.made)
        images += samples
        reasons = Counter(rejection.reason for rejection in result.rejections)
        table.add_row(result.loaded.manifest.name, f"{samples:,}", f"{pairs.total():,}",
                      _counted(pairs), f"{reasons.total():,}", _counted(reasons))  # fmt: skip
        _say_expectation(screen, settings, result, samples)
    screen.print(table)
    screen.print(f"{images / max(seconds, 1e-3):,.1f} images/s; written to {settings.out}")


def _say_expectation(
    screen: Console, settings: BuildSettings, result: SourceResult, samples: int
) -> None:
    """Compare with what the owner publishes; a part of the source is a part, not a fault."""
    manifest = result.loaded.manifest
    expected = manifest.expect.cases
    seen = sum(len(p.cases) for p in result.plan.partitions) + len(result.plan.rejections)
    if expected is not None and seen != expected and not settings.limit:
        screen.print(f"{manifest.name}: {seen:,} cases found, {expected:,} are published")
