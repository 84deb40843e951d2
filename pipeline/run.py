"""The driver of a build: sources planned, partitions made, the receipt written."""

import errno
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.console import Console

from converters.errors import SettingsError
from converters.records import Json
from pipeline.build import Job, Made, already_made
from pipeline.build_settings import BuildSettings
from pipeline.cluster import Share
from pipeline.digests import default_workers
from pipeline.distribute import Workers
from pipeline.executor import Executor
from pipeline.lease import Lease
from pipeline.license_policy import require_allowed
from pipeline.out_folder import close_build, is_whole, known_sources, open_build
from pipeline.planned_source import ListedSource, PlannedSource, list_source, plan_source
from pipeline.progress import console, progress
from pipeline.publish import publish
from pipeline.receipt import SourceResult, rejections_digest
from pipeline.report import (
    say_asked,
    say_expectation,
    say_nothing_written,
    say_plan,
    say_results,
    say_terms,
)
from pipeline.shards import shard_paths
from pipeline.source_terms import terms_of


@dataclass(kw_only=True)
class _Progress:
    """What is done, for a word to the user who stops it."""

    made: dict[str, Made] = field(default_factory=dict)
    total: int = 0


def run_build(settings: BuildSettings, environ: Mapping[str, str]) -> int:
    """Build the sources; return the exit code.

    Raises:
        GmaiError: The user's to mend.
        KeyboardInterrupt: Ctrl-C, after saying how to go on.
    """
    screen = console()
    with _executor(settings) as workers, _interruptible(screen, settings) as done:
        require_allowed(settings.policy, map(terms_of, settings.sources), settings.actions)
        listed = [list_source(settings, name, environ, screen) for name in settings.sources]
        if settings.is_dry_run:
            for one in listed:
                say_plan(
                    screen, one.loaded.manifest, one.root.folder, one.cases, one.partition_cases
                )
            say_nothing_written(screen, settings.out)
            return 0
        share = str(settings.share) if settings.share else ""
        with _out_folder(settings.out), Lease(settings.out, share) as lease:
            if settings.is_digests_only:
                for one in listed:
                    plan_source(settings, one, screen)
            elif settings.share:
                _build_share(settings, settings.share, listed, workers, screen, done)
            else:
                _build(settings, listed, lease, workers, screen, done)
                if settings.publish_url:
                    _publish(settings.out, settings.publish_url, screen)
    return 0


def _publish(out: Path, url: str, screen: Console) -> None:
    total = len(shard_paths(out))
    with progress(screen, f"putting on {url}", total, "shards") as on_done:
        said = publish(out, url, on_done)
    screen.print(f"{url}: {said.put:,} objects put, {said.there:,} were there, "
                 f"{said.removed:,} removed")  # fmt: skip


def _executor(settings: BuildSettings) -> Executor:
    if settings.cluster and not settings.is_dry_run:
        from pipeline.ray_executor import RayWorkers

        return RayWorkers(settings.cluster)
    return Workers(1 if settings.is_dry_run else _processes(settings))


def _processes(settings: BuildSettings) -> int:
    """How many processes make partitions; with a model two at least, so that it never waits."""
    least = 2 if settings.model else 1
    return max(settings.workers or default_workers(), least)


def _build(
    settings: BuildSettings,
    listed: Sequence[ListedSource],
    lease: Lease,
    workers: Executor,
    screen: Console,
    done: _Progress,
) -> None:
    started = time.monotonic()
    known, broken = known_sources(settings.out)
    _require_no_less(settings, known)
    planned = [plan_source(settings, one, screen) for one in listed]
    if not broken and not settings.retries_failed and _is_done(settings, planned, known):
        screen.print(f"{settings.out}: nothing to do, every shard is there and up to date")
        return
    for name in sorted(broken.keys() - set(settings.sources)):
        screen.print(f"{name}: {broken[name]}; left out of the receipt until it is built again")
    open_build(settings.out, settings.sources)
    _make(settings, [job for one in planned for job in one.jobs], workers, screen, done)
    results = [
        SourceResult(
            loaded=one.listed.loaded,
            plan=one.plan,
            made=tuple(done.made[job.partition.path] for job in one.jobs),
        )
        for one in planned
    ]
    lease.require_held()
    aside = close_build(
        settings.out,
        {result.loaded.manifest.name: result.entry(settings.in_receipt) for result in results},
        {result.loaded.manifest.name: result.rejection_rows() for result in results},
    )
    for name, count in aside.items():
        screen.print(
            f"{name}: {count:,} shards of a build that did not end are set aside; "
            "building it again takes them back"
        )
    for result in results if not settings.limit else ():
        say_expectation(screen, result)
    say_results(screen, settings.out, results, time.monotonic() - started)
    say_terms(screen, map(terms_of, settings.sources))


def _build_share(
    settings: BuildSettings,
    share: Share,
    listed: Sequence[ListedSource],
    workers: Executor,
    screen: Console,
    done: _Progress,
) -> None:
    """Make a share of the partitions, put aside: what is whole in the folder stays whole."""
    planned = [plan_source(settings, one, screen) for one in listed]
    jobs = [job for one in planned for job in one.jobs][share.index :: share.count]
    missing = [j for j in jobs if not already_made(j, retries_failed=settings.retries_failed)]
    _make(settings, [replace(job, is_aside=True) for job in missing], workers, screen, done)
    screen.print(
        f"{settings.out}: share {share} is made, {len(jobs):,} partitions; when all shares are, "
        "run the same command without --shard"
    )


def _require_no_less(settings: BuildSettings, known: Mapping[str, Mapping[str, Json]]) -> None:
    """Refuse to replace what was made of more cases by what is made of fewer."""
    wanted = settings.limit
    if wanted is None:
        return
    for name in settings.sources:
        before = known[name]["settings"] if name in known else None
        if not isinstance(before, dict):
            continue
        limit = before["limit"]
        if limit is None or (isinstance(limit, int) and limit > wanted):
            made_of = "every case" if limit is None else f"{limit:,} cases"
            raise SettingsError(
                str(settings.out),
                f"{name} was built here of {made_of}; --limit {wanted} would remove shards",
                "choose another --out, or remove this one first",
            )


def _is_done(
    settings: BuildSettings,
    planned: Sequence[PlannedSource],
    known: Mapping[str, Mapping[str, Json]],
) -> bool:
    """Whether the receipt already says what this build would make it say."""
    if not is_whole(settings.out):
        return False
    for one in planned:
        entry = known.get(one.listed.name)
        if entry is None or entry["settings"] != settings.in_receipt:
            return False
        shards = entry["shards"]
        assert isinstance(shards, list)
        paths = [shard["path"] for shard in shards if isinstance(shard, dict)]
        if paths != [job.partition.path for job in one.jobs]:
            return False
        if entry["rejections_before"] != rejections_digest(one.plan):
            return False
    return True


def _make(
    settings: BuildSettings,
    jobs: Iterable[Job],
    workers: Executor,
    screen: Console,
    done: _Progress,
) -> None:
    todo: list[Job] = []
    for job in jobs:
        made = already_made(job, retries_failed=settings.retries_failed)
        if made:
            done.made[made.path] = made
        else:
            todo.append(job)
    done.total = len(done.made) + len(todo)
    if done.made:
        screen.print(f"going on: {len(done.made):,} of {done.total:,} partitions are done")
    total = sum(len(job.partition.cases) for job in todo)
    with progress(screen, "building", total, "cases") as on_cases:
        connection = settings.connection
        if connection and settings.share:
            connection = replace(connection, is_alone=False)
        making = workers.make_all(todo, on_cases=on_cases, connection=connection)
        with closing(making):
            for one in making:
                done.made[one.path] = one
        on_cases(total)
    if workers.asked:
        say_asked(screen, workers.asked)


@contextmanager
def _interruptible(screen: Console, settings: BuildSettings) -> Iterator[_Progress]:
    done = _Progress()
    try:
        yield done
    except KeyboardInterrupt:
        kept = f"{len(done.made):,} of {done.total:,} partitions are done and kept"
        what = f"{kept} in {settings.out}" if done.total else "nothing was made yet"
        screen.print(f"stopped: {what}; run the same command again to go on")
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
