"""The supervisor with small programs: order, restarts, force, nothing left behind."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.ground.serving import Serving

SCRIPT = str(Path(__file__).with_name("fake_programs.py"))
Start = Callable[..., Serving]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """`start(kind, data_dir=…)`: a supervisor of the fake programs of that kind, ready."""
    started: list[Serving] = []

    def begin(kind: str, folder: Path = tmp_path, *, ready: bool = True, **environment: str) -> Serving:
        serving = Serving(folder, [sys.executable, SCRIPT, kind, str(tmp_path / "log")], **environment)
        started.append(serving)
        if ready:
            serving.wait_for_words("all are ready")
        return serving

    yield begin
    for serving in started:
        serving.end()


def test_starts_in_order_and_stops_by_rank(start: Start, tmp_path: Path) -> None:
    serving = start("ordered")
    serving.wait_for_words("hello from first")
    serving.signal()
    assert serving.stopped() == 0
    assert (tmp_path / "log").read_text().splitlines()[-3:] == ["first stopped", "middle stopped", "last stopped"]
    assert serving.lines[-1].strip() == "Stopped."
    assert serving.processes() == {}


def test_output_carries_the_name_of_its_program(start: Start) -> None:
    serving = start("ordered")
    serving.wait_for(lambda: "middle   hello from middle" in serving.lines)


def test_second_signal_cuts_a_stubborn_stop_short(start: Start) -> None:
    serving = start("stubborn")
    serving.signal()
    serving.wait_for_words("Stopping")
    time.sleep(0.3)
    assert serving.process.poll() is None
    serving.signal()
    assert serving.stopped(5) == 130
    assert serving.processes() == {}


def test_program_that_does_not_stop_in_its_grace_time_is_ended(start: Start) -> None:
    serving = start("slow")
    serving.signal()
    assert serving.stopped(5) == 0
    assert serving.processes() == {}


def test_program_that_dies_is_named_and_started_again(start: Start, tmp_path: Path) -> None:
    serving = start("ordered")
    pid = serving.wait_for(lambda: next((p for p, line in serving.processes().items() if " middle " in line), 0))
    os.kill(pid, signal.SIGKILL)
    serving.wait_for_words("middle   ended by signal SIGKILL")
    serving.wait_for_words("middle   started again")
    serving.wait_for(lambda: (tmp_path / "log").read_text().count("middle started") == 2)


def test_a_program_starts_only_once_it_is_needed(start: Start, tmp_path: Path) -> None:
    serving = start("later")
    time.sleep(0.5)
    assert not (tmp_path / "log").exists()
    (tmp_path / "wanted").touch()
    serving.wait_for_words("hello from later")
    serving.signal()
    assert serving.stopped() == 0
    assert (tmp_path / "log").read_text().splitlines() == ["later started", "later stopped"]


def test_what_a_dead_program_started_goes_with_it(start: Start) -> None:
    serving = start("parent")
    child = serving.wait_for(lambda: next((p for p, line in serving.processes().items() if line == "sleep 600"), 0))
    parent = next(p for p, line in serving.processes().items() if "Popen" in line)
    os.kill(parent, signal.SIGKILL)
    serving.wait_for(lambda: child not in serving.processes())


def test_failing_program_waits_longer_each_time(start: Start) -> None:
    serving = start("failing")
    serving.wait_for_words("ended with exit code 3; starting it again in 0.5 s", 10)
    serving.wait_for_words("ended with exit code 3; starting it again in 1.0 s", 10)
    serving.wait_for_words("ended with exit code 3; starting it again in 2.0 s", 10)


@pytest.mark.parametrize("kind", ["ordered", "stubborn", "parent"])
def test_killed_supervisor_leaves_nothing_behind(start: Start, kind: str) -> None:
    serving = start(kind)
    assert len(serving.processes()) >= 3
    serving.signal(signal.SIGKILL)
    serving.wait_for(lambda: not serving.processes(), 10)


def test_killed_supervisor_can_be_started_again_at_once(start: Start) -> None:
    first = start("ordered")
    first.signal(signal.SIGKILL)
    first.stopped()
    start("ordered")


def test_second_start_says_who_is_running(start: Start) -> None:
    first = start("ordered")
    second = start("ordered", ready=False)
    assert second.stopped() == 1
    second.wait_for_words(f"already running here (pid {first.process.pid}, {first.url})", 2)
    assert first.process.poll() is None


def test_taken_port_is_named_before_anything_starts(start: Start, tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        serving = start("ordered", tmp_path / "own", ready=False, PORT=str(port))
        assert serving.stopped() == 1
        serving.wait_for_words(f"Port {port} on 127.0.0.1 is taken by pid {os.getpid()}", 2)
    assert not (tmp_path / "log").exists()


def test_lost_guard_is_replaced(start: Start) -> None:
    serving = start("ordered")
    guard = serving.pid_of("sessions.py")
    os.kill(guard, signal.SIGKILL)
    serving.wait_for(lambda: any("sessions.py" in line for pid, line in serving.processes().items() if pid != guard))
    serving.signal(signal.SIGKILL)
    serving.wait_for(lambda: not serving.processes(), 10)
