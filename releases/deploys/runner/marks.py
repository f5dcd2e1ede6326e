"""Finding the processes of a run by the mark in their environment, and ending those that nobody guards any more."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

from django.conf import settings

from .guard.processes import Stat, below, processes, stat_of

MARK = "HOTFIXDASH_MARK"
TERM_GRACE = 1.0
"""Seconds between asking and forcing."""
END_WAIT = 10.0
_PREFIX = f"{MARK}=".encode()


@cache
def _site() -> str:
    """Tells this installation's processes from those of another on the same machine."""
    return hashlib.sha256(str(Path(settings.DATA_DIR).resolve()).encode()).hexdigest()[:12]


def mark_value(marker: str) -> str:
    """What stands in the environment of all processes of a run's attempt (`<run pk>:<fence>`)."""
    return f"{marker}@{_site()}"


def marked() -> dict[str, list[Stat]]:
    """Marker → processes of this installation that carry it, with what descends from them or shares their session."""
    everything = [stat for stat in processes() if stat.state not in "ZX"]
    found: dict[str, list[Stat]] = {}
    for stat in everything:
        marker = _marker(stat.pid)
        if marker:
            found.setdefault(marker, []).append(stat)
    return {marker: _family(stats, everything) for marker, stats in found.items()}


def orphans_end(is_alive: Callable[[str], bool]) -> int:
    """End this machine's processes of runs that are not alive (asked with `<run pk>:<fence>`); how many there were."""
    mine = os.getpid()
    ended = 0
    for marker, stats in marked().items():
        if any(stat.pid == mine for stat in stats) or is_alive(marker):
            continue
        ended += len(stats)
        end_marked(marker)
    return ended


def end_marked(marker: str) -> None:
    """End all processes of one attempt, by request and then by force; returns when none is left."""
    until = time.monotonic() + TERM_GRACE
    stats = marked().get(marker, [])
    _send(stats, signal.SIGTERM)
    while stats and time.monotonic() < until:
        time.sleep(0.05)
        stats = [stat for stat in stats if _lives(stat)]
    until = time.monotonic() + END_WAIT
    while time.monotonic() < until:
        # What wiped its environment was seen beside its parents in the first look.
        stats = [*filter(_lives, stats), *marked().get(marker, [])]
        if not stats:
            return
        _send(stats, signal.SIGKILL)
        time.sleep(0.02)


def _family(stats: list[Stat], everything: list[Stat]) -> list[Stat]:
    """A guardian and its command lead sessions of their own, so whoever is in one of these belongs to them."""
    sessions = {stat.session for stat in stats}
    found = {stat.pid: stat for stat in stats}
    found |= {stat.pid: stat for stat in everything if stat.session in sessions}
    found |= {stat.pid: stat for stat in below(set(found), everything)}
    return list(found.values())


def _marker(pid: int) -> str:
    """The marker in its environment when it belongs to this installation; empty for all others."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as handle:
            variables = handle.read()
    except OSError:
        return ""
    if _PREFIX not in variables:
        return ""
    for variable in variables.split(b"\0"):
        if variable.startswith(_PREFIX):
            marker, _, site = variable.removeprefix(_PREFIX).decode(errors="replace").rpartition("@")
            return marker if site == _site() else ""
    return ""


def _lives(stat: Stat) -> bool:
    now = stat_of(stat.pid)
    return now is not None and now.began == stat.began and now.state not in "ZX"


def _send(stats: list[Stat], number: signal.Signals) -> None:
    """Through a handle on the process, so that a number that was given anew hits nobody else."""
    for stat in stats:
        try:
            handle = os.pidfd_open(stat.pid)
        except OSError:
            continue
        try:
            if _lives(stat):
                signal.pidfd_send_signal(handle, number)
        except OSError:
            pass
        finally:
            os.close(handle)
