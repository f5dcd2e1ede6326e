"""One running program."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from . import sessions
from .console import Console, Output
from .programs import Program

LAUNCHER = Path(__file__).with_name("launch.py")
FIRST_DELAY = 0.5
LONGEST_DELAY = 30.0
STEADY_SECONDS = 30.0
"""A program that ran this long starts over with the first delay when it ends."""


class Child:
    """Starts a program in a session of its own, and says when it may be started again."""

    def __init__(self, program: Program, console: Console, cwd: Path) -> None:
        self.program = program
        self.console = console
        self.cwd = cwd
        self.failures = 0
        self.start_at = 0.0
        self._started = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._output: Output | None = None

    @property
    def session(self) -> int | None:
        """The number of its process session while it runs."""
        return self._process.pid if self._process else None

    def start(self) -> int:
        """Start it; returns its session. Must be called from the main thread (its end ends the program on Linux)."""
        command = [sys.executable, "-S", "-E", str(LAUNCHER), str(os.getpid()), *self.program.command()]
        self._process = subprocess.Popen(
            command, cwd=self.cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        assert self._process.stdout is not None  # noqa: S101
        self._output = Output(self.program.name, self._process.stdout, self.console, quiet=self.program.quiet)
        self._started = time.monotonic()
        return self._process.pid

    def ended(self) -> int | None:
        """Its exit code once it has ended, else None."""
        return self._process.poll() if self._process else None

    def clear(self) -> list[str]:
        """After its end: end what it left behind, plan the next start; returns its last lines."""
        assert self._process is not None and self._output is not None  # noqa: S101, PT018
        sessions.end([self._process.pid])
        self._output.finish()
        if time.monotonic() - self._started > STEADY_SECONDS:
            self.failures = 0
        delay = min(FIRST_DELAY * 2**self.failures, LONGEST_DELAY)
        self.failures += 1
        self.start_at = time.monotonic() + delay
        self._process = None
        return list(self._output.last)

    def ask_to_stop(self) -> None:
        """Ask the program itself; what it started is its own business until the grace time is over."""
        if self._process and self._process.poll() is None:
            try:
                self._process.send_signal(self.program.stop_signal)
            except ProcessLookupError:
                pass

    def kill(self) -> None:
        """End it and everything in its session now."""
        if self._process is None:
            return
        sessions.end([self._process.pid])
        self._process.wait()
        self._process = None
