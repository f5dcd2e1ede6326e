"""Ends whole process sessions, and guards them: run as a script, it ends them when the supervisor is gone.

Each program of the supervisor leads a session of its own, so that everything it starts (a worker's pool, git)
can be found by the session's number even after its parent died. Standard library only: the guard runs this
file by itself, without the rest of the project, to be small and quick.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable

POLL_SECONDS = 0.02


def members(sessions: Iterable[int]) -> list[int]:
    """Process ids that belong to any of `sessions`, zombies aside."""
    wanted = set(sessions)
    found = _from_proc(wanted)
    return _from_ps(wanted) if found is None else found


def _from_proc(wanted: set[int]) -> list[int] | None:
    try:
        names = [name for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return None
    out = []
    for name in names:
        try:
            with open(f"/proc/{name}/stat") as handle:
                # The command's name may hold spaces and brackets: fields are counted after its last bracket.
                fields = handle.read().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) in wanted and fields[0] not in "ZX":
            out.append(int(name))
    return out if names else None


def _from_ps(wanted: set[int]) -> list[int]:
    listed = subprocess.run(["ps", "-A", "-o", "pid=,stat="], capture_output=True, text=True, check=False).stdout
    out = []
    for line in listed.splitlines():
        pid, _, state = line.strip().partition(" ")
        try:
            if os.getsid(int(pid)) in wanted and not state.strip().startswith("Z"):
                out.append(int(pid))
        except (OSError, ValueError):
            continue
    return out


def send(sessions: Iterable[int], number: int) -> None:
    """Send a signal to every member; those that ended meanwhile are no error."""
    for pid in members(sessions):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def end(sessions: Iterable[int], grace_seconds: float = 0.0) -> None:
    """End every member, by request first when there is a grace time, then by force; returns when none is left."""
    wanted = list(sessions)
    deadline = time.monotonic() + grace_seconds
    if grace_seconds:
        send(wanted, signal.SIGTERM)
        while members(wanted) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
    # A process may be starting another one while it is being ended: look until a look finds none.
    for _ in range(200):
        if not members(wanted):
            return
        send(wanted, signal.SIGKILL)
        time.sleep(POLL_SECONDS)


def guard() -> None:
    """Read `+<session>` and `-<session>` lines; at the end of the input, end the sessions still standing."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    standing: set[int] = set()
    for line in sys.stdin:
        session = int(line[1:])
        if line[0] == "+":
            standing.add(session)
        else:
            standing.discard(session)
    if standing:
        end(standing)


if __name__ == "__main__":
    guard()
