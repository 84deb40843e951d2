"""One driver an out folder.

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

    Raises:
        SettingsError: Another driver holds the out folder.
    """

    def __init__(self, out: Path) -> None:
        self._out = out
        self._path = out / ".gmai" / "lease"
        self._stop = threading.Event()
        self._descriptor = -1

    def __enter__(self) -> "Lease":
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_locked = True
        except BlockingIOError as error:
            holder = self._holder()
            os.close(self._descriptor)
            raise self._taken(holder) from error
        except OSError:
            is_locked = False  # a disk without locks: the heartbeat alone decides
        holder = self._holder()
        is_elsewhere = holder.get("host") != socket.gethostname()
        if holder and (is_elsewhere or not is_locked) and self._age() < DEAD_AFTER_SECONDS:
            os.close(self._descriptor)
            raise self._taken(holder)
        self._sign()
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
        os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)

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

    def _holder(self) -> dict[str, str]:
        text = os.pread(self._descriptor, 4096, 0).decode("utf-8", "replace")
        try:
            content = json.loads(text) if text else {}
        except json.JSONDecodeError:
            return {}
        return content if isinstance(content, dict) else {}

    def _age(self) -> float:
        return time.time() - os.fstat(self._descriptor).st_mtime

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
