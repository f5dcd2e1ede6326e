"""What runs, in the order of starting. Stopping goes the other way round, but for the web, which stops first."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .broker import server_command, wait_until_it_answers


@dataclass(frozen=True)
class Program:
    """One program and how to start and stop it."""

    name: str
    command: Callable[[], list[str]]
    """Called before every start, so that it can make the folders that it needs."""
    stop_rank: int
    """Programs with the lowest rank are stopped first; those of one rank together."""
    stop_signal: int = signal.SIGTERM
    grace_seconds: float = 2.0
    """How long it may take to stop before it is ended by force."""
    quiet: bool = False
    """Its output is shown only when it fails."""
    ready: Callable[[], bool] | None = None
    """Waits until it can be used; False when that took too long."""
    needed: Callable[[], bool] = lambda: True
    """Asked before the first start, and then again and again until it says yes."""


@dataclass(frozen=True)
class Setup:
    """What the programs need to know of the settings."""

    host: str
    port: int
    redis_url: str
    socket: Path
    embedded: bool
    """No REDIS_URL is set: the broker is one of the programs."""
    data_dir: Path
    git_processes: int = 2
    deploy_processes: int = 2


def broker(setup: Setup) -> Program:
    return Program(
        name="broker",
        command=lambda: server_command(setup.socket, setup.data_dir / "broker"),
        stop_rank=3,
        quiet=True,
        ready=lambda: wait_until_it_answers(setup.redis_url),
    )


def _celery(*arguments: str) -> list[str]:
    calm = ["-W", "ignore:You're running the worker"]
    return [sys.executable, *calm, "-m", "celery", "--quiet", "-A", "hotfixdash", *arguments]


def worker(queue: str, processes: int) -> Program:
    command = _celery(
        "worker", "-Q", queue, "-n", f"{queue}@%h", "-c", str(processes), "-l", "warning",
        "--without-gossip", "--without-mingle", "--without-heartbeat",
    )  # fmt: skip
    return Program(
        name="worker" if queue == "default" else queue,
        command=lambda: command,
        stop_rank=2,
        # Asks for a soft shutdown: running tasks get a moment, then go back to the queue.
        stop_signal=signal.SIGQUIT,
        grace_seconds=3.0,
    )


def beat() -> Program:
    command = _celery("beat", "-l", "warning", "--pidfile=")
    return Program(name="beat", command=lambda: command, stop_rank=1, grace_seconds=1.0)


def web(setup: Setup) -> Program:
    command = [
        sys.executable, "-m", "uvicorn", "hotfixdash.asgi:application", "--host", setup.host.strip("[]"),
        "--port", str(setup.port), "--timeout-graceful-shutdown", "2", "--log-level", "warning",
        "--no-access-log", "--no-server-header", "--no-proxy-headers",
    ]  # fmt: skip
    return Program("web", lambda: command, stop_rank=0, grace_seconds=3.0)


def demo_apps(setup: Setup) -> Program:
    """Keeps the demo's applications running, as soon as the demo has any."""
    folder = setup.data_dir / "demo" / "apps"
    ship = [sys.executable, "manage.py", "demo", "--ship"]
    command = [sys.executable, "-m", "releases.demo.app_host", str(folder), *ship]
    return Program("apps", lambda: command, stop_rank=1, grace_seconds=4.0, needed=folder.is_dir)


def programs(setup: Setup) -> list[Program]:
    """All that one installation needs, in the order of starting."""
    chain = [broker(setup)] if setup.embedded else []
    workers = [worker("default", 2), worker("git", setup.git_processes), worker("deploy", setup.deploy_processes)]
    return [*chain, web(setup), *workers, beat(), demo_apps(setup)]
