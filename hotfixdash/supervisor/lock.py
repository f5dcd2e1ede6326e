"""One supervisor per data folder."""

from __future__ import annotations

import fcntl
import json
import os
import time
from pathlib import Path
from typing import IO

WAIT_SECONDS = 5.0
"""How long to wait for the guard of a supervisor that was killed to finish clearing up."""


class AlreadyRunning(Exception):
    """Another supervisor holds this data folder."""

    def __init__(self, pid: int, address: str) -> None:
        super().__init__(f"Hotfixdash is already running here (pid {pid}, {address}).")
        self.pid = pid
        self.address = address


def is_alive(pid: int) -> bool:
    """Whether a process with this id exists, whoever owns it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class RunLock:
    """Held from `acquire` to `release` or to the end of the process, however it ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: IO[str] | None = None

    def acquire(self, address: str) -> None:
        """Take the lock and write down who holds it. Raises `AlreadyRunning`."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle = open(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644), "r+")  # noqa: SIM115
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                pid, held = self._holder(handle)
                if is_alive(pid) or time.monotonic() > deadline:
                    handle.close()
                    raise AlreadyRunning(pid, held) from None
                time.sleep(0.05)
        handle.seek(0)
        handle.truncate()
        json.dump({"pid": os.getpid(), "address": address}, handle)
        handle.flush()
        self._handle = handle

    def release(self) -> None:
        """Let the next one in. The file stays: removing it would let two in at once."""
        if self._handle is not None:
            self._handle.close()
            self._handle = None

    def fileno(self) -> int:
        """For the guard, which holds the lock until it has cleared up."""
        if self._handle is None:
            raise ValueError("the lock is not held")
        return self._handle.fileno()

    @staticmethod
    def _holder(handle: IO[str]) -> tuple[int, str]:
        handle.seek(0)
        try:
            data = json.load(handle)
            return int(data["pid"]), str(data["address"])
        except (ValueError, KeyError, TypeError):
            # Taken this very moment and not yet written down.
            return os.getpid(), "address not known yet"
