"""How often a public page was taken back: a number that all processes of the machine share, and read without a call.

Every visit asks for it, and thousands come in a second: looking at a file each time costs a fifth of them.
"""

from __future__ import annotations

import fcntl
import logging
import mmap
import os
from pathlib import Path

log = logging.getLogger(__name__)
SIZE = 8


class TakenBack:
    """The count, in a small file that each process has mapped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._map: mmap.mmap | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                if os.fstat(descriptor).st_size < SIZE:
                    os.ftruncate(descriptor, SIZE)
                self._map = mmap.mmap(descriptor, SIZE)
            finally:
                os.close(descriptor)
        except OSError as error:
            log.warning("%s cannot be shared; that a page was taken back shows with the next look: %s", path, error)

    def count(self) -> bytes:
        """Another one as soon as any process took a page back."""
        return self._map[:] if self._map is not None else b""

    def more(self) -> None:
        """A page was taken back. Raises nothing."""
        if self._map is None:
            return
        try:
            with self.path.open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                self._map[:] = (int.from_bytes(self._map[:], "big") + 1).to_bytes(SIZE, "big")
        except OSError as error:
            log.warning("%s: %s", self.path, error)
