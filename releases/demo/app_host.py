"""Keeps the demo's applications running: `python -m releases.demo.app_host <folder> [<command to ship> …]`.

What a deploy step leaves running is ended with the step, so an application needs somebody to keep it. This program
starts what each environment's `current` leads to, again when it ended, anew when another slot is put there or a restart
is asked for, and ends all of them when it is ended itself. Standard library only, to be small and to start at once.

As long as `to-ship` stands in the folder the command is run beside: it brings out the demo's first releases, and tells
the dashboard when an application had to move to another port, because somebody else took its own meanwhile.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType

from releases.demo.places import HOST, TO_SHIP, Place, places, port_choose, port_free

LOOK_EVERY = 0.1
FIRST_DELAY, LONGEST_DELAY = 0.2, 10.0
STEADY = 10.0
"""Seconds after which what ended is started again without a delay."""
GRACE = 2.0
"""Seconds between asking an application to end and ending it."""
LARGEST_LOG = 1 << 20


def said(text: str) -> None:
    print(text, flush=True)


class Kept:
    """A command that is to run: started again, less and less eagerly, as often as it ends."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.process: subprocess.Popen[bytes] | None = None
        self.delay = 0.0
        self.start_at = 0.0
        self.started = 0.0

    def begin(self, command: Sequence[str], **options: object) -> None:
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, **options)  # type: ignore[call-overload]
        self.started = time.monotonic()

    def ended(self) -> int | None:
        """Its exit code, once, after it ended by itself; else None."""
        code = self.process.poll() if self.process else None
        if code is not None:
            self.process = None
            if time.monotonic() - self.started > STEADY:
                self.delay = 0.0
            self.start_at = time.monotonic() + self.delay
            self.delay = min(max(self.delay * 2, FIRST_DELAY), LONGEST_DELAY)
        return code

    def ready(self) -> bool:
        return self.process is None and time.monotonic() >= self.start_at

    def end(self) -> None:
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None
        self.start_at = self.delay = 0.0


class App(Kept):
    """One application in one environment."""

    def __init__(self, place: Place) -> None:
        super().__init__(place.name)
        self.place = place
        self.runs: tuple[Path, int, int] | None = None
        """Slot, port and restart that what runs was started with."""

    def look(self) -> None:
        """Bring what runs in line with what is to run."""
        if (code := self.ended()) is not None:
            said(f"{self.name} ended with {code}; see {self.place.folder / 'app.log'}")
        slot = self.place.current()
        wanted = (slot, self.place.port, self.place.restart_asked()) if slot else None
        if self.runs != wanted:
            self.end()
        if wanted and self.ready():
            self.runs = wanted
            self._start(wanted[0])

    def _start(self, slot: Path) -> None:
        path = self.place.folder / "app.log"
        if path.exists() and path.stat().st_size > LARGEST_LOG:
            path.unlink()
        env = {
            "PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8", "HOST": HOST, "PORT": str(self.place.port),
            "PLACE": self.place.folder.name, "PYTHONDONTWRITEBYTECODE": "1",
        }  # fmt: skip
        with path.open("ab") as log:
            command = [sys.executable, "-m", self.place.package]
            self.begin(command, cwd=slot, env=env, stdout=log, stderr=subprocess.STDOUT)


class Host:
    """All applications below one folder."""

    def __init__(self, root: Path, ship: Sequence[str] = ()) -> None:
        self.root = root
        self.ship = list(ship)
        self.apps: dict[Path, App] = {}
        self.shipping = Kept("first releases")

    def move(self) -> None:
        """Before anything runs: give those another port whose own is taken by somebody else."""
        found = list(places(self.root))
        taken = {place.port for place in found}
        for place in found:
            if not port_free(place.port):
                moved = replace(place, port=port_choose(self.root, taken))
                taken.add(moved.port)
                moved.write()
                (self.root / TO_SHIP).touch()
                said(f"{place.name}: port {place.port} is taken; it moves to {moved.port}")

    def look(self) -> None:
        """One round over all of them."""
        found = {place.folder: place for place in places(self.root)}
        for folder in [folder for folder in self.apps if folder not in found]:
            self.apps.pop(folder).end()
        for folder, place in found.items():
            app = self.apps.setdefault(folder, App(place))
            app.place = place
            app.look()
        self._ship()

    def _ship(self) -> None:
        if (code := self.shipping.ended()) not in (None, 0):
            said(f"the first releases are not all shipped (exit code {code}); tried again")
        if self.ship and self.shipping.ready() and (self.root / TO_SHIP).exists():
            self.shipping.begin(self.ship)

    def end(self) -> None:
        """End all of them."""
        for kept in (self.shipping, *self.apps.values()):
            if kept.process is not None:
                kept.process.terminate()
        for kept in (self.shipping, *self.apps.values()):
            kept.end()


class Asked(Exception):
    """A signal asks to end."""


def _on_signal(number: int, frame: FrameType | None) -> None:
    raise Asked


def main(arguments: Sequence[str]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _on_signal)
    host = Host(Path(arguments[0]), arguments[1:])
    try:
        host.move()
        while True:
            host.look()
            time.sleep(LOOK_EVERY)
    except Asked:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
    finally:
        host.end()


if __name__ == "__main__":
    main(sys.argv[1:])
