"""Jobs for tests, and what they printed."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from releases.deploys.runner import Ended, Job, execute
from releases.deploys.runner.marks import marked

_numbers = itertools.count(1)


def make_job(command: str, folder: Path, **fields: Any) -> Job:
    """A job with a marker of its own and wide limits."""
    limits: dict[str, Any] = {"timeout": 60.0, "silence": 0.0, "cpu": 0.0, "max_size": 0, "grace": 1.0}
    given = {"env": {}, "marker": f"{os.getpid()}:{next(_numbers)}"} | limits | fields
    return Job(command=command, folder=folder, **given)


class Output:
    """Collects what a command prints, up to a bound, and counts all of it."""

    def __init__(self, most: int = 1 << 20) -> None:
        self.most = most
        self.size = 0
        self.data = bytearray()

    def __call__(self, data: bytes) -> None:
        self.size += len(data)
        self.data += data[: max(0, self.most - len(self.data))]

    @property
    def text(self) -> str:
        return self.data.decode("utf-8", "replace")


def carry_out(
    command: str, folder: Path, *, stop: Callable[[], str] = lambda: "", **fields: Any
) -> tuple[Ended, Output]:
    """Execute a command; nothing of it may be left when that returns."""
    job, output = make_job(command, folder, **fields), Output()
    ended = execute(job, output, stop)
    assert job.marker not in marked()
    return ended, output


def never() -> str:
    """Nobody asks it to stop."""
    return ""
