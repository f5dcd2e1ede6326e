"""How a worker holds a row while it works on it, and how others see that it holds it no more.

A claim raises the row's fence and names the worker; every later write is filtered on that fence, so that a worker
believed dead can do no harm when it wakes up. Shared by fetches and by operations.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from types import TracebackType
from typing import Protocol, Self

from django.db import DatabaseError, connection

from ..worker_names import worker_gone

BEAT_EVERY = 5.0
"""Seconds between two signs of life of a worker that holds a row."""
LOST_AFTER = timedelta(seconds=30)
"""Without a sign of life for this long, the worker counts as lost."""
NUDGE_AGAIN = timedelta(seconds=30)
"""A queued row that nobody took gets another task after this long."""


class Held(Protocol):
    """What a row says about who holds it."""

    heartbeat_at: datetime | None
    worker: str


def silent(row: Held, now: datetime) -> bool:
    """Whether its worker gives no sign of life, or surely runs no more on this very machine."""
    return row.heartbeat_at is None or row.heartbeat_at < now - LOST_AFTER or worker_gone(row.worker)


class Beats:
    """Signs of life from a thread of its own while the work goes on.

    `beat` gives one, and says whether the row is still held; `lost` is set as soon as it is not.
    """

    def __init__(self, beat: Callable[[], bool], name: str, every: float = BEAT_EVERY) -> None:
        self.every = every
        self.lost = threading.Event()
        self._give = beat
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=name, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(timeout=30)

    def _beat(self) -> None:
        try:
            while not self._ended.wait(self.every):
                try:
                    if not self._give() and not self._ended.is_set():
                        self.lost.set()
                        return
                except DatabaseError:
                    # The database is away or busy for a moment; the next beat may get through.
                    connection.close()
        finally:
            connection.close()
