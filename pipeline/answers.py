"""The store of answers: what a model said is kept, and never paid for twice.

It lies beside a build, in ``.gmai/answers``. Each open partition has a journal
(:mod:`pipeline.journal`); when the partition is closed, its journals become one parquet file
(:mod:`pipeline.answer_files`). No file is ever changed or replaced, so that it is safe on a shared
disk and while others read.

After a kill of the process, everything that was put is there. After a crash of the machine, the
answers of the last 0.2 s may be missing. What is there is whole.
"""

import contextlib
import errno
import re
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType

from converters.errors import SettingsError
from pipeline.answer_files import AnswerFiles, raw_key, write_answers
from pipeline.captioner import Answer
from pipeline.journal import (
    Journal,
    Kept,
    names_in,
    partition_of,
    read_journal,
    remove_if_left,
)

ANSWERS_FOLDER = Path(".gmai") / "answers"
SYNC_SECONDS = 0.1  # half of what is promised: a slow disk takes its time
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,159}")
_TRIES = 5
_GONE = (errno.ENOENT, errno.ESTALE)


class AnswerStore:
    """Answers of a build, and of others that are only read.

    Attributes:
        folder: Where the answers of this build lie.

    Args:
        out: The out folder.
        reuse: Out folders, or folders of answers, of other builds.

    Raises:
        SettingsError: A folder of `reuse` holds no answers.
        OSError: The folder cannot be made.
    """

    def __init__(self, out: Path, reuse: Sequence[Path] = ()) -> None:
        self.folder = out / ANSWERS_FOLDER
        self.folder.mkdir(parents=True, exist_ok=True)
        self._own = _Stored(self.folder)
        self._others = [_Stored(_folder_of(path)) for path in reuse]
        self._lock = threading.RLock()
        self._partitions: dict[str, OpenPartition] = {}
        self._wake = threading.Event()
        self._stop = threading.Event()
        for stored in (self._own, *self._others):
            stored.refresh()
        self._syncing = threading.Thread(target=self._sync, name="gmai-answers", daemon=True)
        self._syncing.start()

    def __enter__(self) -> "AnswerStore":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._own)

    @property
    def unreadable(self) -> dict[str, str]:
        """Files that were left out, with the reason; their answers are asked for again."""
        return {
            str(stored.folder / name): why
            for stored in (self._own, *self._others)
            for name, why in stored.files.unreadable.items()
        }

    def open(self, partition: str) -> "OpenPartition":
        """Begin a partition, or go on with one that was killed.

        Args:
            partition: Its name; letters, digits, dots, hyphens and underscores.

        Raises:
            OSError: Its journal cannot be made.
        """
        if not _NAME.fullmatch(partition):
            raise ValueError(f"not the name of a partition: {partition!r}")
        with self._lock:
            if partition in self._partitions:
                raise ValueError(f"partition {partition} is open already")
            self._own.refresh()
            opened = OpenPartition(self, partition)
            self._partitions[partition] = opened
            return opened

    def find(
        self, keys: Iterable[str], keep_in: "OpenPartition | None" = None
    ) -> dict[str, Answer]:
        """The answers that are kept, by key; those of this build before those of others.

        Args:
            keys: Keys of requests.
            keep_in: Where answers of other builds are put, so that this one can do without them.

        Raises:
            OSError: They cannot be put there.
        """
        wanted = {raw_key(key): key for key in keys}
        found: dict[str, Answer] = {}
        for stored in (self._own, *self._others):
            with self._lock:
                some = stored.find(wanted)
            for raw, answer in some.items():
                found[wanted.pop(raw)] = answer
                if keep_in and stored is not self._own:
                    keep_in.put(f"sha256:{raw.hex()}", answer)
        return found

    def merge_left(self) -> None:
        """Make files of journals that earlier runs left and nobody goes on with.

        Raises:
            OSError: The disk is full or broken; the journals stay.
        """
        with self._lock:
            busy = set(self._partitions)
        for partition in sorted(self._own.partitions() - busy):
            self._merge(partition, None)

    def close(self) -> None:
        """Sync and close the journals; a partition that is not closed stays open for later.

        Raises:
            OSError: The disk is full or broken.
        """
        self._stop.set()
        self._wake.set()
        self._syncing.join()
        with contextlib.ExitStack() as stack:
            for opened in list(self._partitions.values()):
                stack.callback(opened.leave)

    def _begin(self, partition: str) -> Journal:
        journal = Journal(self.folder, partition)
        self._own.written_here.add(journal.path.name)
        return journal

    def _put(self, journal: Journal, kept: Kept) -> bool:
        if not journal.put(kept):
            return False
        self._own.journaled[raw_key(kept.key)] = kept.answer
        self._wake.set()
        return True

    def _sync(self) -> None:
        while not self._stop.is_set():
            self._wake.wait()
            self._stop.wait(SYNC_SECONDS)
            self._wake.clear()
            with self._lock:
                journals = [opened.journal for opened in self._partitions.values()]
            for journal in journals:
                journal.sync()

    def _merge(self, partition: str, own: Journal | None) -> None:
        """Make one file of all journals of a partition that nobody writes to any more."""
        kept, paths = self._own.journals_of(partition)
        written = write_answers(self.folder, partition, kept)
        for path in paths:
            if own and path == own.path:
                path.unlink()
            else:
                remove_if_left(path)
        with self._lock:
            if written:
                self._own.files.add(written)
            self._own.drop(kept)

    def _forget(self, partition: str) -> None:
        with self._lock:
            self._partitions.pop(partition, None)


class OpenPartition:
    """Answers of one partition while it is made.

    Used as a context, it is closed where the block ends well; after an error the journal stays,
    and the next run goes on with it.

    Attributes:
        name: The partition.
        journal: Where answers are put.
    """

    def __init__(self, store: AnswerStore, name: str) -> None:
        self._store = store
        self.name = name
        self.journal = store._begin(name)

    def __enter__(self) -> "OpenPartition":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.leave()

    def put(self, key: str, answer: Answer) -> None:
        """Keep an answer; one that comes after the end gets a journal of its own.

        Raises:
            ValueError: It carries an error: that is not the model's answer.
            OSError: The disk is full or broken.
        """
        if answer.error:
            raise ValueError("an answer with an error is not kept")
        kept = Kept(key=key, answer=answer)
        if not self._store._put(self.journal, kept):
            late = self._store._begin(self.name)
            self._store._put(late, kept)
            late.close()

    def close(self) -> None:
        """Sync, and make one file of everything that was put.

        Raises:
            OSError: The disk is full or broken; the journal stays.
        """
        self.leave()
        self._store._merge(self.name, self.journal)

    def leave(self) -> None:
        """Sync and close the journal, for a later run."""
        self._store._forget(self.name)
        self.journal.close()


class _Stored:
    """A folder of answers as it was last seen: closed partitions and journals."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = AnswerFiles(folder)
        self.journaled: dict[bytes, Answer] = {}
        self.written_here: set[str] = set()
        self._sizes: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.files) + len(self.journaled)

    def refresh(self) -> None:
        """Look at the folder again."""
        for _ in range(_TRIES):  # a journal that goes while it is read has become a file
            # Journals before files: what is in neither list would be lost.
            journals = self.journals()
            self.files.refresh()
            try:
                self._read(journals)
            except OSError as error:
                if error.errno not in _GONE:
                    raise
            else:
                return

    def _read(self, journals: Iterable[Path]) -> None:
        for path in journals:
            size = path.stat().st_size
            if path.name in self.written_here or self._sizes.get(path.name) == size:
                continue
            for kept in read_journal(path):
                self.journaled.setdefault(raw_key(kept.key), kept.answer)
            self._sizes[path.name] = size

    def journals(self) -> list[Path]:
        """The journals that lie there now."""
        return [self.folder / name for name in names_in(self.folder, ".journal")]

    def partitions(self) -> set[str]:
        """Partitions that have journals."""
        return {partition_of(path) for path in self.journals()}

    def journals_of(self, partition: str) -> tuple[list[Kept], list[Path]]:
        """What the journals of a partition hold."""
        paths = [path for path in self.journals() if partition_of(path) == partition]
        return [kept for path in paths for kept in read_journal(path)], paths

    def drop(self, kept: Iterable[Kept]) -> None:
        """Forget answers of journals that are in a file now."""
        for one in kept:
            self.journaled.pop(raw_key(one.key), None)

    def find(self, keys: Iterable[bytes]) -> dict[bytes, Answer]:
        wanted = list(keys)
        found = {key: answer for key in wanted if (answer := self.journaled.get(key))}
        rest = [key for key in wanted if key not in found]
        return {**found, **(self.files.find(rest) if rest else {})}


def _folder_of(path: Path) -> Path:
    for folder in (path / ANSWERS_FOLDER, path):
        if any(folder.glob("*.parquet")) or any(folder.glob("*.journal")):
            return folder
    raise SettingsError(
        str(path),
        "holds no answers",
        f"name the out folder of another build, or its {ANSWERS_FOLDER}",
    )
