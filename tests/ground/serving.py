"""Starts the real supervisor in a process of its own, and watches what it says and which processes it leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings

from tests.plugins.real import free_port

Command = list[str]


class Serving:
    """`manage.py serve` (or another command) with a data folder and a port of its own."""

    def __init__(self, data_dir: Path, command: Command | None = None, **environment: str) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.lines: list[str] = []
        kept = {
            key: value for key, value in os.environ.items() if key not in {"DJANGO_SETTINGS_MODULE", "DATABASE_URL"}
        }
        self.environment = kept | {"DATA_DIR": str(data_dir), "PORT": str(self.port), "HOST": "127.0.0.1"} | environment
        self.process = subprocess.Popen(
            command or [sys.executable, "manage.py", "serve", "--no-demo"], cwd=settings.BASE_DIR,
            env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )  # fmt: skip
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())

    @property
    def said(self) -> str:
        return "\n".join(self.lines)

    def wait_for(self, check: Callable[[], Any], seconds: float = 60.0) -> Any:
        """What `check` gives as soon as it gives something; fails with everything that was said."""
        deadline = time.monotonic() + seconds
        while not (found := check()):
            assert time.monotonic() < deadline, f"waited {seconds} s in vain; it said:\n{self.said}"
            time.sleep(0.03)
        return found

    def wait_for_words(self, words: str, seconds: float = 60.0) -> None:
        self.wait_for(lambda: words in self.said, seconds)

    def ready(self) -> dict[str, Any]:
        """What `/readyz` says; empty while nobody answers."""
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:
                return dict(json.load(answer))
        except urllib.error.HTTPError as answer:
            return dict(json.load(answer))
        except (urllib.error.URLError, OSError, ValueError):
            return {}

    def wait_until_ready(self) -> None:
        self.wait_for(lambda: self.ready().get("status") == "ready", 120)

    def processes(self) -> dict[int, str]:
        """Every living process that has this data folder in its environment: id and command line."""
        mark = f"DATA_DIR={self.data_dir}\0".encode()
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (folder / "environ").read_bytes() and b") Z " not in (folder / "stat").read_bytes():
                    found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ").strip()
            except OSError:
                continue
        return {pid: line for pid, line in found.items() if line}

    def pid_of(self, part: str) -> int:
        """The oldest process whose command line holds `part`."""
        return min(pid for pid, line in self.processes().items() if part in line)

    def signal(self, number: int = signal.SIGINT) -> None:
        self.process.send_signal(number)

    def stopped(self, seconds: float = 20.0) -> int:
        """Its exit code, once it has ended by itself."""
        return self.process.wait(seconds)

    def end(self) -> None:
        """Clear up after a test, whatever happened in it."""
        for _ in range(50):
            left = self.processes()
            if not left:
                break
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.05)
        self.process.wait(5)
