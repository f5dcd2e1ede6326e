"""Where the embedded broker's Unix socket lies. Read by the settings: no Django here."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

LONGEST = 100
"""Bytes in a Unix socket's path: 108 on Linux and 104 on macOS, the closing zero included."""


class UnsafeFolder(Exception):
    """The short folder for the socket belongs to somebody else or is open to others."""


def broker_socket(data_dir: Path) -> Path:
    """Under the data folder, or, when that path is too long for a socket, in a short folder of its own."""
    wanted = data_dir / "run" / "broker.sock"
    if len(os.fsencode(wanted)) <= LONGEST:
        return wanted
    base = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
    digest = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:12]
    short = base / f"hotfixdash-{os.getuid()}-{digest}" / "broker.sock"
    if len(os.fsencode(short)) > LONGEST:
        short = Path("/tmp") / short.parent.name / short.name  # noqa: S108
    return short


def make_folder(socket_path: Path) -> None:
    """Make the socket's folder, for its owner only. Raises `UnsafeFolder` when somebody else was there first."""
    folder = socket_path.parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if found.st_uid != os.getuid() or folder.is_symlink():
        raise UnsafeFolder(f"{folder} belongs to somebody else; choose a shorter DATA_DIR.")
    if found.st_mode & 0o077:
        folder.chmod(0o700)
