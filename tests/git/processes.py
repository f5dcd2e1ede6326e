"""What this process has running and open, for tests that nothing is left behind."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

STANDING: set[int] = set()
"""Children that were there before the test began: a broker or a browser that serves several tests."""


def children(of: int | None = None) -> list[int]:
    """Direct children that the test itself started, zombies included."""
    pid = of or os.getpid()
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            found += [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            continue
    return [child for child in found if child not in STANDING]


def descriptors() -> set[str]:
    """Open descriptors with what they lead to, but for the one that lists them."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            found.add(f"{name} {os.readlink(f'/proc/self/fd/{name}')}")
        except OSError:
            continue
    return {entry for entry in found if "/fd" not in entry.partition(" ")[2]}


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def pids_with(text: str) -> list[int]:
    """Processes whose command line holds this text, this one left out."""
    mine = os.getpid()
    found = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in found if pid != mine and text in command_line(pid)]


def wait_for(condition: Callable[[], object], seconds: float = 10) -> bool:
    """Whether the condition came true in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.02)
    return bool(condition())
