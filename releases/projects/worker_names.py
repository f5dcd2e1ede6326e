"""How a worker is named in a run, so that the sweep can tell at once that one on its own machine is gone."""

from __future__ import annotations

import hashlib
import os
import socket
from functools import cache
from pathlib import Path


def worker_name() -> str:
    """This process, as shown on the health page: host, process id, and a mark of the machine's run."""
    return f"{socket.gethostname()}:{os.getpid()}/{_machine()}"


def worker_gone(name: str) -> bool:
    """Whether the worker of this name surely runs no more; False when that cannot be known from here.

    Process ids mean something only within the same boot and the same process namespace (a container has its own).
    """
    process, _, machine = name.rpartition("/")
    host, _, pid = process.rpartition(":")
    if not machine or machine != _machine() or host != socket.gethostname() or not pid.isdecimal():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        return False
    return False


@cache
def _machine() -> str:
    """Differs between machines, boots and process namespaces; empty where that cannot be told."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
    return hashlib.sha256(f"{boot} {space}".encode()).hexdigest()[:12]
