"""Where the demo's applications lie and on which port each answers. Standard library only: the app host reads it, too.

`<apps>/<project>/<environment>/` holds `app.json` (port, Python package), `slots/<release>/`, `current` → one of them,
and `restart`, a file whose age says when somebody asked for a restart.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
FIRST_PORT, PORTS = 20_000, 12_000
"""Below what systems hand out for outgoing connections."""
TO_SHIP = "to-ship"
"""Stands beside the projects as long as the demo's first releases are not all shipped."""


def apps_folder(data_dir: Path) -> Path:
    return data_dir / "demo" / "apps"


@dataclass(frozen=True, slots=True)
class Place:
    """One application in one environment."""

    folder: Path
    port: int
    package: str

    @property
    def name(self) -> str:
        """`checkout-api production`."""
        return f"{self.folder.parent.name} {self.folder.name}"

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}/"

    def current(self) -> Path | None:
        """The slot that is to run, if any."""
        slot = Path(os.path.realpath(self.folder / "current"))
        return slot if slot.is_dir() and slot.parent == Path(os.path.realpath(self.folder / "slots")) else None

    def restart_asked(self) -> int:
        """When it was last asked for, in nanoseconds since 1970; 0 for never."""
        try:
            return (self.folder / "restart").stat().st_mtime_ns
        except OSError:
            return 0

    def write(self) -> None:
        """Make the folder, and keep the port; whoever reads at the same time sees the old file or the new one."""
        (self.folder / "slots").mkdir(parents=True, exist_ok=True)
        draft = self.folder / ".app.json"
        draft.write_text(json.dumps({"port": self.port, "package": self.package}))
        draft.rename(self.folder / "app.json")


def places(root: Path) -> Iterator[Place]:
    """Every application's place below the folder."""
    for path in sorted(root.glob("*/*/app.json")):
        try:
            data = json.loads(path.read_text())
            yield Place(path.parent, int(data["port"]), str(data["package"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue  # Being written, or not ours.


def port_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def port_choose(root: Path, taken: Collection[int]) -> int:
    """A free port that none of these is.

    The search starts at a place that the folder's path decides, so that two installations on one machine, of which
    perhaps only one runs now, hardly ever want the same one. Raises OSError when there is none.
    """
    start = int.from_bytes(hashlib.sha256(os.fsencode(root)).digest()[:4], "big")
    for step in range(PORTS):
        port = FIRST_PORT + (start + step) % PORTS
        if port not in taken and port_free(port):
            return port
    raise OSError("no port is free for the demo's applications")
