"""Starts the programs in order, restarts what ends by itself, stops all in order."""

from __future__ import annotations

import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from types import FrameType

from .addresses import check_free, shown_address
from .broker import set_aside
from .child import Child
from .console import Console
from .guard import Guard
from .lock import RunLock
from .programs import Program, Setup, programs

TICK_SECONDS = 0.2
WEB_SECONDS = 60.0
BROKER_TRIES = 3
FORCED = 130


class StopAsked(Exception):
    """A signal came while starting."""


class Supervisor:
    """`run` returns the exit code: 0 after an orderly stop, 130 when a second signal forced it."""

    def __init__(
        self, setup: Setup, cwd: Path, console: Console, wanted: Callable[[Setup], list[Program]] = programs
    ) -> None:
        self.setup, self.cwd, self.console, self.wanted = setup, cwd, console, wanted
        self.address = shown_address(setup.host, setup.port)
        self.lock = RunLock(setup.data_dir / "run" / "serve.lock")
        self.children: list[Child] = []
        self.dormant: list[Program] = []
        """Programs that nothing needs yet."""
        self.news: Callable[[str], str] | None = None
        """Asked every second, with the address, until it has something to say."""
        self._news_at = 0.0
        self._asked = 0
        self._guard: Guard | None = None

    def claim(self) -> None:
        """Make sure that nobody else runs here and that the port is free.

        Raises `AlreadyRunning` or `PortTaken`; nothing has been started then.
        """
        self.lock.acquire(self.address)
        check_free(self.setup.host, self.setup.port)

    def run(self, prepare: Callable[[], str]) -> int:
        """Start, watch until asked to stop, stop. Call `claim` first, from the main thread.

        `prepare` runs once the broker answers and before everything else; it returns what to print when all is ready.
        """
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.default_int_handler)
        self._guard = Guard(self.lock.fileno())
        try:
            wanted = self.wanted(self.setup)
            if self.setup.embedded:
                self._begin(wanted.pop(0))
            greeting = prepare()
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, self._on_signal)
            for program in wanted:
                self._begin(program)
            if self._wait_for_web():
                self.console.say(greeting)
            while not self._asked:
                self._look()
                self._tell_news()
                time.sleep(TICK_SECONDS)
        except (StopAsked, KeyboardInterrupt):
            signal.signal(signal.SIGINT, self._on_signal)
        finally:
            forced = self._stop()
        return FORCED if forced else 0

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._asked += 1

    def _begin(self, program: Program) -> None:
        if self._asked:
            raise StopAsked
        if not program.needed():
            self.dormant.append(program)
            return
        child = Child(program, self.console, self.cwd)
        self.children.append(child)
        self._start(child)

    def _start(self, child: Child) -> None:
        assert self._guard is not None  # noqa: S101
        self._guard.add(child.start())
        if child.program.ready and not child.program.ready():
            self.console.say("does not answer yet; going on without it.", child.program.name)

    def _wait_for_web(self) -> bool:
        """Until the web answers, so that the printed address works when it is read."""
        deadline = time.monotonic() + WEB_SECONDS
        while time.monotonic() < deadline:
            if self._asked:
                return False
            self._look()
            try:
                with urllib.request.urlopen(f"{self.address}/healthz", timeout=2):  # noqa: S310
                    return True
            except urllib.error.HTTPError:
                return True
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        self.console.say("does not answer yet; its messages are above.", "web")
        return True

    def _look(self) -> None:
        """One round: clear up after what ended, start what may start again."""
        assert self._guard is not None  # noqa: S101
        self._guard.revive()
        for child in self.children:
            session, code = child.session, child.ended()
            if session is not None and code is not None:
                self._report_end(child, code, child.clear())
                self._guard.remove(session)
            elif session is None and time.monotonic() >= child.start_at:
                self._start(child)
                self.console.say("started again.", child.program.name)
        for program in [program for program in self.dormant if program.needed()]:
            self.dormant.remove(program)
            self._begin(program)

    def _tell_news(self) -> None:
        if self.news is None or time.monotonic() < self._news_at:
            return
        self._news_at = time.monotonic() + 1.0
        if text := self.news(self.address):
            self.console.say(text)
            self.news = None

    def _report_end(self, child: Child, code: int, last: list[str]) -> None:
        how = f"by signal {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        wait = max(0.0, child.start_at - time.monotonic())
        self.console.say(f"ended {how}; starting it again in {wait:.1f} s.", child.program.name)
        if child.program.quiet and last:
            self.console.say("\n".join(last), child.program.name)
        if child.program.name == "broker" and child.failures == BROKER_TRIES:
            aside = set_aside(self.setup.data_dir / "broker")
            self.console.say(f"could not read its data; moved to {aside}. Nothing is lost.", "broker")

    def _stop(self) -> bool:
        """Web, beat, workers, broker; True when a second signal cut it short."""
        enough = self._asked + 1 if self._asked else 2
        self.console.following = False
        self.console.say("Stopping …")
        ranked = sorted(self.children, key=lambda child: child.program.stop_rank)
        for _, group in groupby(ranked, key=lambda child: child.program.stop_rank):
            members = list(group)
            for child in members:
                child.ask_to_stop()
            for child in members:
                self._finish(child, enough)
        assert self._guard is not None  # noqa: S101
        self._guard.close()
        self.lock.release()
        forced = self._asked >= enough
        self.console.say("Stopped by force." if forced else "Stopped.")
        return forced

    def _finish(self, child: Child, enough: int) -> None:
        deadline = time.monotonic() + child.program.grace_seconds
        while child.ended() is None and child.session and time.monotonic() < deadline and self._asked < enough:
            time.sleep(0.02)
        child.kill()
