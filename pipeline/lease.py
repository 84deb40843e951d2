"""One driver an out folder, or several that make a share of the partitions each.

The lease is a file that the driver holds locked. The lock goes with the process, so a killed
driver never blocks the next one. Where the disk is shared and locks do not reach other
machines, the holder's heartbeat (the file's time of change) says that it is alive.
"""

import fcntl
import json
import os
import socket
import sys
import threading
import time
from pathlib import Path
from types import TracebackType

from converters.errors import SettingsError

HEARTBEAT_SECONDS = 5.0
DEAD_AFTER_SECONDS = 60.0


class Lease:
    """Held while the block runs.

    Args:
        out: The out folder.
        share: The share of the partitions that is made, as "3-of-8"; "" for a whole build, which
            waits for all shares.

    Raises:
        SettingsError: Another driver holds the out folder, or this share of it.
    """

    def __init__(self, out: Path, share: str = "") -> None:
        self._out = out
        self._share = share
        self._path = out / ".gmai" / (f"lease.{share}" if share else "lease")
        self._stop = threading.Event()
        self._descriptor = -1

    def __enter__(self) -> "Lease":
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_locked = True
        except BlockingIOError as error:
            holder = _holder(self._descriptor)
            os.close(self._descriptor)
            raise self._taken(holder) from error
        except OSError:
            is_locked = False  # a disk without locks: the heartbeat alone decides
        holder = _holder(self._descriptor)
        if _is_alive(holder, self._descriptor, is_locked=is_locked):
            os.close(self._descriptor)
            raise self._taken(holder)
        self._sign()
        for rival in self._rivals():
            if (other := _held_by(rival)) is not None:
                self._give_up()
                raise self._taken(other)
        self._beating = threading.Thread(target=self._beat, daemon=True)
        self._beating.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._beating.join()
        self._give_up()

    def _give_up(self) -> None:
        os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)

    def _rivals(self) -> list[Path]:
        """Leases that must not be held beside this one; shares go together."""
        folder = self._path.parent
        return [folder / "lease"] if self._share else sorted(folder.glob("lease.*"))

    def require_held(self) -> None:
        """Raise SettingsError where the file of the lease was removed or replaced.

        Another driver may then have begun to write here.
        """
        try:
            is_ours = os.path.samestat(self._path.stat(), os.fstat(self._descriptor))
        except FileNotFoundError:
            is_ours = False
        if not is_ours:
            raise SettingsError(
                str(self._out),
                "the lease of this build was removed while it ran",
                "make sure that no other build writes here, then run the same command again; "
                "what is done is kept",
            )

    def _sign(self) -> None:
        content = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "command": sys.argv[:1],
        }
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, json.dumps(content).encode(), 0)

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT_SECONDS):
            os.utime(self._descriptor)

    def _taken(self, holder: dict[str, str]) -> SettingsError:
        who = f"process {holder.get('pid', '?')} on {holder.get('host', 'another machine')}"
        return SettingsError(
            str(self._out),
            f"another build writes here: {who}",
            "wait for it, stop it, or choose another --out",
        )


def _holder(descriptor: int) -> dict[str, str]:
    """Who signed a lease."""
    text = os.pread(descriptor, 4096, 0).decode("utf-8", "replace")
    try:
        content = json.loads(text) if text else {}
    except json.JSONDecodeError:
        return {}
    return content if isinstance(content, dict) else {}


def _is_alive(holder: dict[str, str], descriptor: int, *, is_locked: bool) -> bool:
    """Whether a holder that no lock tells of shows a heartbeat.

    Args:
        holder: Who signed.
        descriptor: Of the lease.
        is_locked: Whether it could be locked here, so that nobody of this machine holds it.
    """
    is_elsewhere = holder.get("host") != socket.gethostname()
    age_seconds = time.time() - os.fstat(descriptor).st_mtime
    return bool(holder) and (is_elsewhere or not is_locked) and age_seconds < DEAD_AFTER_SECONDS


def _held_by(path: Path) -> dict[str, str] | None:
    """Who holds another lease, or None."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        holder = _holder(descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            is_locked = True
        except BlockingIOError:
            return holder
        except OSError:
            is_locked = False
        return holder if _is_alive(holder, descriptor, is_locked=is_locked) else None
    finally:
        os.close(descriptor)
