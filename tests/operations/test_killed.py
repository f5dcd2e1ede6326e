"""kill -9 in the middle: wherever a worker dies, the next one ends in exactly the refs that were meant, once.

The worker is a process of its own that stops at one exact point (tests/operations/halting.py) and is killed there.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from releases.ledger.models import Event
from releases.operations import carrying
from releases.operations.models import Operation
from releases.projects.models import FetchRun
from releases.tasks import fetch_carry_out, operation_carry_out_here, operation_nudge, sweep_now
from tests.plugins.real import Broker, Worker, program_environment

from .halting import POINTS
from .small import hook, merges, remote_refs
from .stories import KINDS, Story, make_story, undisturbed

pytestmark = pytest.mark.django_db(transaction=True)


def until(true: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


def killed_at(point: str, story: Story, folder: Path) -> None:
    """Carry out the operation in a process of its own, which is killed when it reaches the point."""
    flag = folder / "reached"
    command = [sys.executable, "-W", "ignore", "-m", "tests.operations.halting", point, str(flag)]
    with open(folder / "log", "ab") as log:
        process = subprocess.Popen(
            [*command, "task", str(story.operation.pk)], env=program_environment(), stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    try:
        until(lambda: flag.exists() or process.poll() is not None)
        assert flag.exists(), (folder / "log").read_text()
    finally:
        process.kill()
        process.wait()
    flag.unlink()


def check(story: Story, intended: dict[str, str]) -> Operation:
    """Exactly the intended refs; each merge, tag and row of the ledger once; and a look at the remote asked for."""
    now = Operation.objects.get(pk=story.operation.pk)
    assert (now.state, now.error_text, now.step) == ("done", "", "pushed")
    assert remote_refs(story.repo) == intended
    assert merges(story.repo, "--branches") == story.merges
    assert len(story.repo.git("tag").split()) == story.tags
    about = Event.objects.filter(project=story.project, subject=story.operation.subject)
    assert about.filter(kind="operation.done").count() == 1
    assert not about.filter(kind="operation.failed").exists()
    assert FetchRun.objects.filter(project=story.project, trigger="operation").exists()
    return now


QUICK = [
    *((kind, "after the push") for kind in KINDS if kind != "finish"),
    *(("finish", point) for point in POINTS),
    ("merge-back", "after the journal"),
]  # fmt: skip


@pytest.mark.sample(3)
@pytest.mark.parametrize(("kind", "point"), QUICK)
def test_killed_once(kind: str, point: str, tmp_path: Path) -> None:
    story = make_story(tmp_path, kind)
    intended = undisturbed(story, tmp_path)
    killed_at(point, story, tmp_path)
    swept = sweep_now()
    assert swept.operations == (point != "after the settle")
    operation_carry_out_here(story.operation.pk)
    now = check(story, intended)
    lost = Event.objects.filter(kind="operation.lost", subject=story.operation.subject, project=story.project)
    assert lost.count() == (point != "after the settle")
    assert now.fence == (2 if point != "after the settle" else 1)
    assert operation_carry_out_here(story.operation.pk) is None


@pytest.mark.long
def test_killed_at_one_point_after_the_other(tmp_path: Path) -> None:
    story = make_story(tmp_path, "finish")
    intended = undisturbed(story, tmp_path)
    for point in ("before the plan", "after the journal", "after the push", "before the settle"):
        killed_at(point, story, tmp_path)
        assert sweep_now().operations == 1
    operation_carry_out_here(story.operation.pk)
    check(story, intended)


@pytest.mark.sample(1)
@pytest.mark.parametrize("moment", ["pre-receive", "post-receive"])
def test_killed_while_the_remote_takes_the_push(moment: str, tmp_path: Path) -> None:
    """The remote's own hook says that the push is there, and waits: before the refs moved, or after."""
    story = make_story(tmp_path, "finish")
    intended = undisturbed(story, tmp_path)
    there, go = tmp_path / "there", tmp_path / "go"
    script = hook(
        story.repo,
        moment,
        f"echo $$ > '{there}.draft'; mv '{there}.draft' '{there}'; while [ ! -e '{go}' ]; do sleep 0.05; done",
    )
    flag = tmp_path / "reached"
    command = [sys.executable, "-W", "ignore", "-m", "tests.operations.halting", "nowhere", str(flag), "task"]
    process = subprocess.Popen(
        [*command, str(story.operation.pk)], env=program_environment(), stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        until(lambda: there.exists() or process.poll() is not None)
    finally:
        process.kill()
        process.wait()
    assert Operation.objects.get(pk=story.operation.pk).step == "planned"
    sweep_now()
    go.touch()
    script.unlink()
    until(lambda: not alive(int(there.read_text())))
    operation_carry_out_here(story.operation.pk)
    check(story, intended)


def test_a_worker_that_wakes_up_after_it_was_given_up_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frozen in its push, believed dead, awake again when another has the operation: one merge, one tag, told once."""
    story = make_story(tmp_path, "finish")
    intended = undisturbed(story, tmp_path)
    there, go = tmp_path / "there", tmp_path / "go"
    script = hook(story.repo, "pre-receive", f"touch '{there}'; while [ ! -e '{go}' ]; do sleep 0.05; done")
    command = [sys.executable, "-W", "ignore", "-m", "tests.operations.halting", "nowhere", "-", "task"]
    process = subprocess.Popen(
        [*command, str(story.operation.pk)], env=program_environment(), stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        until(there.exists)
        process.send_signal(signal.SIGSTOP)
        Operation.objects.filter(pk=story.operation.pk).update(heartbeat_at=timezone.now() - timedelta(minutes=1))
        assert sweep_now().operations == 1
        monkeypatch.setattr(carrying, "MIRROR_WAIT", 0.2)
        operation_carry_out_here(story.operation.pk)
        waiting = Operation.objects.get(pk=story.operation.pk)
        assert (waiting.state, waiting.error_code) == ("queued", "busy")  # the frozen one still has the mirror
        go.touch()
        script.unlink()
        process.send_signal(signal.SIGCONT)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
    assert Operation.objects.get(pk=story.operation.pk).state == "queued"
    assert remote_refs(story.repo) == intended
    operation_carry_out_here(story.operation.pk)
    assert check(story, intended).fence == 3


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_what_was_settled_is_seen_by_the_look_that_follows(tmp_path: Path) -> None:
    story = make_story(tmp_path, "merge-back")
    killed_at("after the settle", story, tmp_path)
    run = FetchRun.objects.get(trigger="operation")
    ended = fetch_carry_out(run.pk)
    assert ended is not None
    assert (ended.state, ended.refs_changed) == ("done", 1)
    assert not story.project.verdicts.filter(owed=True).exists()


# --- the same with a whole Celery worker and a broker ---------------------------------------------------------------


class Halting(Worker):
    """A Celery worker whose process for tasks stops dead at a point."""

    def __init__(self, broker: Broker, point: str, flag: Path) -> None:
        super().__init__(broker)
        self.name, self.point, self.flag = "halting-worker", point, flag
        self.log = self.log.with_name("halting-worker.log")

    def command(self) -> list[str]:
        program = [sys.executable, "-W", "ignore", "-m", "tests.operations.halting"]
        return [*program, self.point, str(self.flag), "celery"]


@pytest.mark.broker
@pytest.mark.long
@pytest.mark.parametrize(
    ("kind", "point", "whole"),
    [
        *((kind, point, True) for kind in KINDS for point in POINTS),
        *(("finish", point, False) for point in POINTS),
    ],
)
def test_a_celery_worker_killed(
    worker_process: Worker, broker: Broker, kind: str, point: str, whole: bool, tmp_path: Path
) -> None:
    """Everything of the worker is killed, or only the process that carries out its task."""
    worker_process.stop()
    story = make_story(tmp_path, kind)
    intended = undisturbed(story, tmp_path)
    flag = tmp_path / "reached"
    halting = Halting(broker, point, flag)
    halting.start()
    try:
        for _ in range(3):
            assert operation_nudge(story.operation.pk)  # the same task is delivered three times
        until(flag.exists)
        if whole:
            halting.kill()
        else:
            os.kill(int(flag.read_text()), signal.SIGKILL)
    finally:
        halting.kill()
    worker_process.start()
    sweep_now()

    def over() -> bool:
        sweep_now()
        return not (
            Operation.objects.filter(state__in=["queued", "running"]).exists()
            or FetchRun.objects.filter(project=story.project, state__in=["queued", "running"]).exists()
        )

    until(over, 90)
    check(story, intended)
