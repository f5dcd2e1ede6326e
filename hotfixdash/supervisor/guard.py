"""The supervisor's end of the guard process, which clears up when the supervisor was killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_name("sessions.py")


class Guard:
    """Knows which sessions stand; ends them when this process goes away without saying so."""

    def __init__(self, keep_open: int) -> None:
        """`keep_open` is the run lock's descriptor: it stays taken until the guard is done."""
        self._keep_open = keep_open
        self._sessions: set[int] = set()
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-S", "-E", str(SCRIPT)],
            stdin=subprocess.PIPE, start_new_session=True, pass_fds=[self._keep_open],
        )  # fmt: skip

    def add(self, session: int) -> None:
        """From now on this session must not outlive the supervisor."""
        self._sessions.add(session)
        self._tell(f"+{session}\n")

    def remove(self, session: int) -> None:
        """This session has ended (its number may belong to somebody else soon)."""
        self._sessions.discard(session)
        self._tell(f"-{session}\n")

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None  # noqa: S101
        try:
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()
        except OSError:
            # The guard itself was ended: a new one learns everything from the start.
            self._process = self._start()
            for session in sorted(self._sessions):
                self._tell(f"+{session}\n")

    def revive(self) -> None:
        """Start it again when somebody ended it."""
        if self._process.poll() is not None:
            self._process = self._start()
            for session in sorted(self._sessions):
                self._tell(f"+{session}\n")

    def close(self) -> None:
        """Let it go; it ends whatever is still listed, then itself."""
        assert self._process.stdin is not None  # noqa: S101
        try:
            self._process.stdin.close()
        except OSError:
            pass
        self._process.wait()
