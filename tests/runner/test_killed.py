"""Whatever is killed without a warning (the worker, the guardian, the command, all of them), nothing runs on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from releases.deploys.runner import orphans_end
from releases.deploys.runner.marks import MARK, end_marked, mark_value, marked
from tests.git.processes import command_line, pids_with, wait_for
from tests.plugins.real import program_environment

TREE = (
    "trap '' TERM; setsid sh -c 'trap \"\" TERM; sleep {mark}; sleep {mark}' & "
    "(env -i setsid /bin/sleep {mark} &) ; touch begun; while :; do sleep {mark}; done"
)
"""Ignores being asked; has a session of its own below it, and a process that wiped its environment."""


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


class Shipped:
    """A worker of its own process that carries out a command."""

    def __init__(self, folder: Path, command: str, marker: str) -> None:
        self.marker = marker
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.runner.shipper", str(folder), marker, command],
            env=program_environment(), stdout=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        assert wait_for(lambda: (folder / "begun").exists(), 60)

    @property
    def guardian(self) -> int:
        return next(stat.pid for stat in marked()[self.marker] if "guardian.main" in command_line(stat.pid))

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def ship(tmp_path) -> Iterator[Callable[..., Shipped]]:
    made: list[Shipped] = []

    def start(command: str, number: int) -> Shipped:
        made.append(Shipped(tmp_path, command, f"{os.getpid()}{number}:1"))
        return made[-1]

    yield start
    for shipped in made:
        shipped.kill()
        shipped.process.stdout.close()
        end_marked(shipped.marker)


def test_a_killed_worker_takes_everything_with_it(ship):
    mark = f"51{os.getpid()}.5"
    shipped = ship(TREE.format(mark=mark), 1)
    guardian = shipped.guardian
    assert len(pids_with(f"sleep {mark}")) >= 3
    began = time.monotonic()
    shipped.kill()
    assert wait_for(lambda: not lives(guardian))
    assert not pids_with(f"sleep {mark}")
    assert shipped.marker not in marked()
    assert time.monotonic() - began < 30


def test_a_worker_killed_in_a_flood_of_output_takes_everything_with_it(ship):
    shipped = ship("touch begun; yes & yes", 2)
    guardian = shipped.guardian
    shipped.kill()
    assert wait_for(lambda: not lives(guardian))
    assert shipped.marker not in marked()


def test_a_killed_guardian_is_noticed_and_what_it_guarded_is_ended(ship):
    mark = f"52{os.getpid()}.5"
    shipped = ship(TREE.format(mark=mark), 3)
    os.kill(shipped.guardian, signal.SIGKILL)
    out, _ = shipped.process.communicate(timeout=30)
    assert out.decode().split() == ["signal", "9"]
    assert shipped.marker not in marked()
    wiped = [pid for pid in pids_with(f"sleep {mark}") if lives(pid)]
    # Nothing names the one that wiped its environment and left the session, once its guardian is gone.
    assert len(wiped) <= 1
    for pid in wiped:
        os.kill(pid, signal.SIGKILL)


def test_what_survives_worker_and_guardian_is_swept_by_its_mark(ship):
    mark = f"53{os.getpid()}.5"
    shipped = ship(f"trap '' TERM; setsid sleep {mark} & setsid sleep {mark} & touch begun; wait", 4)
    guardian = shipped.guardian
    for pid in (guardian, shipped.process.pid):
        os.kill(pid, signal.SIGSTOP)
    for pid in (guardian, shipped.process.pid):
        os.kill(pid, signal.SIGKILL)
    shipped.process.wait()
    assert wait_for(lambda: not lives(guardian))
    # The command itself goes with its guardian, a moment after it.
    assert wait_for(lambda: len(pids_with(f"sleep {mark}")) <= 2)
    assert len(pids_with(f"sleep {mark}")) == 2

    asked: list[str] = []
    assert orphans_end(lambda marker: asked.append(marker) or True) == 0
    assert shipped.marker in asked
    assert len(pids_with(f"sleep {mark}")) == 2

    assert orphans_end(lambda marker: marker != shipped.marker) == 2
    assert not [pid for pid in pids_with(f"sleep {mark}") if lives(pid)]
    assert orphans_end(lambda marker: marker != shipped.marker) == 0


def test_the_sweep_finds_what_stands_below_a_marked_process(tmp_path):
    mark = f"54{os.getpid()}.5"
    marker = f"{os.getpid()}5:1"
    root = subprocess.Popen(
        ["/bin/sh", "-c", f"env -i setsid /bin/sleep {mark} & trap '' TERM; wait; sleep {mark}"],
        env={MARK: mark_value(marker), "PATH": os.environ["PATH"]}, start_new_session=True,
    )  # fmt: skip
    try:
        assert wait_for(lambda: [pid for pid in pids_with(mark) if command_line(pid).startswith("/bin/sleep")])
        assert orphans_end(lambda other: other != marker) >= 2
        assert not [pid for pid in pids_with(f"/bin/sleep {mark}") if lives(pid)]
    finally:
        root.kill()
        root.wait()


def test_the_sweep_leaves_other_installations_alone():
    other = subprocess.Popen(["sleep", "60"], env={MARK: "1:1@0123456789ab"}, start_new_session=True)
    nobody = subprocess.Popen(["sleep", "60"], env={MARK: "1:1"}, start_new_session=True)
    try:
        orphans_end(lambda marker: marker != "1:1")
        assert other.poll() is None
        assert nobody.poll() is None
    finally:
        for process in (other, nobody):
            process.kill()
            process.wait()


def test_the_command_itself_killed_from_outside_is_told_and_the_rest_ended(ship, tmp_path):
    mark = f"55{os.getpid()}.5"
    shipped = ship(f"echo $$ > pid; setsid sleep {mark} & touch begun; sleep {mark}", 6)
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    out, _ = shipped.process.communicate(timeout=30)
    assert out.decode().split() == ["signal", "9"]
    assert not pids_with(f"sleep {mark}")
