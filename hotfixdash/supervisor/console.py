"""What the supervisor says: one calm line per event, each with the name of the program it is about."""

from __future__ import annotations

import sys
import threading
from collections import deque
from typing import IO, TextIO

NAME_WIDTH = 8
KEPT_LINES = 15


class Console:
    """Writes whole lines, also from several threads at once; a closed terminal is no error."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self.following = True
        """Whether the programs' own output is shown; not while they stop, when each has something to say."""
        self._lock = threading.Lock()

    def say(self, text: str, name: str = "") -> None:
        lines = [f"{name:<{NAME_WIDTH}} {line}".rstrip() for line in (text.splitlines() or [""])]
        with self._lock:
            try:
                self._out.write("\n".join(lines) + "\n")
                self._out.flush()
            except (OSError, ValueError):
                pass


class Output:
    """Follows a program's output in a thread of its own, and keeps the last lines for when it fails."""

    def __init__(self, name: str, stream: IO[bytes], console: Console, *, quiet: bool) -> None:
        self.last: deque[str] = deque(maxlen=KEPT_LINES)
        self._name, self._stream, self._console, self._quiet = name, stream, console, quiet
        self._thread = threading.Thread(target=self._follow, name=f"output of {name}", daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        for raw in self._stream:
            line = raw.decode(errors="replace").rstrip()
            if not line:
                continue
            self.last.append(line)
            if not self._quiet and self._console.following:
                self._console.say(line, self._name)
        self._stream.close()

    def finish(self, seconds: float = 1.0) -> None:
        """Wait for the last lines of a program that ended."""
        self._thread.join(seconds)
