"""`manage.py serve` as people start it: the real broker, web, workers and timer."""

from __future__ import annotations

import os
import signal
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.ground.serving import Serving
from tests.plugins.real import Broker

pytestmark = pytest.mark.broker
Start = Callable[..., Serving]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Start]:
    started: list[Serving] = []

    def begin(folder: Path = tmp_path, **environment: str) -> Serving:
        started.append(Serving(folder, **environment))
        return started[-1]

    yield begin
    for serving in started:
        serving.end()


def test_one_life(serve: Start, tmp_path: Path) -> None:
    """Start, ready, a second start, every program killed once, Ctrl-C."""
    serving = serve()
    serving.wait_for_words(f"Hotfixdash is ready: {serving.url}", 120)
    serving.wait_until_ready()
    mode = stat.S_IMODE((tmp_path / "run" / "broker.sock").stat().st_mode)
    assert mode == 0o600

    second = serve()
    assert second.stopped(60) != 0
    second.wait_for_words(f"already running here (pid {serving.process.pid}, {serving.url})", 5)

    for name, part in {"broker": "valkey-server", "web": "uvicorn", "git": "-Q git", "beat": " beat "}.items():
        before = serving.pid_of(part)
        os.kill(before, signal.SIGKILL)
        serving.wait_for_words(f"{name:<8} ended by signal SIGKILL", 30)
        serving.wait_for_words(f"{name:<8} started again", 30)
    serving.wait_until_ready()

    began = time.monotonic()
    serving.signal()
    assert serving.stopped(30) == 0
    assert time.monotonic() - began < 10
    assert serving.processes() == {}
    assert "Traceback" not in serving.said


@pytest.mark.long
def test_killed_supervisor_leaves_no_orphans_and_starts_again(serve: Start) -> None:
    first = serve()
    first.wait_until_ready()
    assert len(first.processes()) >= 6
    first.signal(signal.SIGKILL)
    first.wait_for(lambda: not first.processes(), 10)
    again = serve()
    again.wait_until_ready()


@pytest.mark.long
def test_foreign_broker_is_used_when_named_and_long_folders_are_no_trouble(
    serve: Start, broker: Broker, tmp_path: Path
) -> None:
    from django.conf import settings

    deep = tmp_path / ("deep" * 30)
    serving = serve(deep, REDIS_URL=f"redis+socket://{settings.BROKER_SOCKET}".replace("redis+socket", "unix"))
    serving.wait_for_words("Hotfixdash is ready", 120)
    assert not any("valkey-server" in line for line in serving.processes().values())


@pytest.mark.long
def test_data_folder_too_deep_for_a_socket(serve: Start, tmp_path: Path) -> None:
    serving = serve(tmp_path / ("deep" * 30))
    serving.wait_for_words("the broker's lies at", 120)
    serving.wait_until_ready()
