"""A small stand-in of systemd: it restarts web servers that live outside of the steps that ask for it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from types import TracebackType
from typing import Any, Self

from .pages import Bench

_SUDO = '#!/bin/sh\n[ "$1" = -n ] && shift\nexec "$@"\n'
_SYSTEMCTL = """#!/bin/sh
# Asks whoever manages the units, and waits until it is done.
[ "$1" = restart ] || exit 2
: > "{folder}/$2"
while [ -e "{folder}/$2" ]; do sleep 0.02; done
"""


class Units:
    """`shop@<environment>` serves the folder `current` of its environment, resolved when it starts."""

    def __init__(self, bench: Bench) -> None:
        self.root = bench.folder / "srv"
        self.requests = bench.folder / "units"
        self.requests.mkdir()
        self.ports = {name: _free_port() for name in ("staging", "production")}
        self.restarts: list[str] = []
        self.broken = False
        """Restarting does nothing."""
        self._servers: dict[str, subprocess.Popen[bytes]] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._manage, daemon=True)
        bench.tool("sudo", _SUDO)
        bench.tool("systemctl", _SYSTEMCTL.replace("{folder}", str(self.requests)))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(10)
        for server in self._servers.values():
            server.kill()
            server.wait()

    def _manage(self) -> None:
        while not self._over.wait(0.01):
            for request in list(self.requests.iterdir()):
                if not self.broken:
                    self._restart(request.name)
                request.unlink()

    def _restart(self, unit: str) -> None:
        name = unit.partition("@")[2]
        former = self._servers.pop(unit, None)
        if former is not None:
            former.kill()
            former.wait()
        folder = (self.root / name / "current").resolve()
        command = [sys.executable, "-m", "http.server", str(self.ports[name]), "--bind", "127.0.0.1"]
        self._servers[unit] = subprocess.Popen(
            [*command, "--directory", str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.restarts.append(unit)

    def text(self, name: str, path: str) -> str:
        """What the environment's server answers."""
        deadline = time.monotonic() + 20
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[name]}/{path}", timeout=5) as answer:
                    return str(answer.read().decode())
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.05)

    def answer(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.text(name, "version.json"))
        return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
