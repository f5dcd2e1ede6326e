"""kill -9 in the middle of a run: what is done stays done and happens once, nothing is left behind, one press goes on.

Workers are processes of their own that stop at one exact point (tests/deploys/halting.py), or carry out a command that
waits, and are killed there: alone, with their guardian, with the broker, or all together.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from releases.deploys.acting import run_confirm, run_retry
from releases.deploys.models import Run, Step
from releases.deploys.requesting import build_request, deploy_request, rollback_request
from releases.deploys.runner.marks import marked
from releases.deploys.spec import StepKind, StepSpec
from releases.tasks import run_nudge, sweep_now
from tests.factories import make_user
from tests.plugins.real import Broker, Site, Worker, program_environment

from .halting import AT_ENDS, AT_STEPS
from .shop import Shop, again, carried, events_of, make_shop, states, until

pytestmark = pytest.mark.django_db(transaction=True)

KINDS = ("check", "prove", "build", "deploy", "verify", "rollback")
STEPS = {
    "check": "tests",
    "prove": "prove",
    "build": "build",
    "deploy": "switch",
    "verify": "smoke",
    "rollback": "back",
}


@dataclass
class Story:
    """A shop, and the run that is about to be carried out."""

    shop: Shop
    run: Run
    before: list[str]
    """What the journal held before."""

    def did(self) -> list[str]:
        """What steps of this run wrote, in order: the first word of each line."""
        return [line.split()[0] for line in self.shop.did()[len(self.before) :]]


def make_story(folder: Path, kind: str, slow: str = "") -> Story:
    """A shop whose run has a step of this kind; its command waits for the file `go` when it is the `slow` one."""
    shop = make_shop(folder, "staging")
    fixed(shop, "v1.0.2")
    shop.pipeline(*_steps(shop, slow))
    build, _made = build_request(shop.project, shop.release("v1.0.2"), trigger="person")
    if kind in ("check", "prove", "build"):
        return Story(shop, build, [])
    _let_go(shop)
    assert carried(build).error_text == ""
    run = Run.objects.get(environment__name="staging")
    if kind == "rollback":
        run = _second(shop, run)
    _hold(shop)
    return Story(shop, run, shop.did())


def fixed(shop: Shop, tag: str) -> None:
    """A version whose own test fails on the one before."""
    files = {"app.py": f"shop {tag}\n", "test_app.sh": f"grep -q {tag} app.py\n"}
    shop.repo.tag(tag, at=shop.repo.commit(files, f"Version {tag}", branch="main"), message=tag)
    shop.look()


def _second(shop: Shop, first: Run) -> Run:
    """The rollback to the first, after another version was deployed."""
    assert carried(first).error_text == ""
    fixed(shop, "v1.0.3")
    build, _made = deploy_request(shop.place("staging"), shop.release("v1.0.3"), trigger="person")
    assert carried(build).error_text == ""
    assert carried(Run.objects.get(environment__name="staging", tag="v1.0.3")).error_text == ""
    return rollback_request(shop.place("staging"), actor=make_user(), why="The till rounds wrongly.")


def _steps(shop: Shop, slow: str) -> list[StepSpec]:
    wait = (
        f'echo $$ > "{shop.folder}/there.draft"; mv "{shop.folder}/there.draft" "{shop.folder}/there"\n'
        f'(trap "" TERM; while [ ! -e "{shop.folder}/go" ]; do sleep 0.05; done) &\n'
        f'while [ ! -e "{shop.folder}/go" ]; do sleep 0.05; done'
    )

    def says(word: str, then: str = "") -> str:
        return "\n".join(filter(None, [shop.says(word), wait if word == slow else "", then]))

    return [
        StepSpec("tests", StepKind.CHECK, says("tests")),
        StepSpec("prove", StepKind.PROVE, says("prove", "sh test_app.sh"), tests=("test_*.sh",)),
        StepSpec("build", StepKind.BUILD, says("build"), artifact="app.py"),
        StepSpec("switch", StepKind.DEPLOY, says("switch")),
        StepSpec("smoke", StepKind.VERIFY, says("smoke")),
        StepSpec("back", StepKind.ROLLBACK, says("back")),
    ]


def _let_go(shop: Shop) -> None:
    (shop.folder / "go").touch()


def _hold(shop: Shop) -> None:
    for name in ("go", "there"):
        (shop.folder / name).unlink(missing_ok=True)


def words(kind: str, *, prove: int = 2) -> list[str]:
    """What an undisturbed run with a step of this kind writes."""
    return {
        "deploy": ["switch", "smoke"], "verify": ["switch", "smoke"], "rollback": ["back", "smoke"],
    }.get(kind, ["tests", *["prove"] * prove, "build"])  # fmt: skip


def started(story: Story, folder: Path, point: str, step: str = "") -> subprocess.Popen[bytes]:
    """A process of its own that carries out the run and stops at the point."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.deploys.halting", point, step, str(folder / "reached")]
    with open(folder / "log", "ab") as log:
        return subprocess.Popen(
            [*command, "task", str(story.run.pk)], env=program_environment(), stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip


def killed_at(story: Story, folder: Path, point: str, step: str) -> None:
    process = started(story, folder, point, step)
    flag = folder / "reached"
    try:
        until(lambda: flag.exists() or process.poll() is not None)
        assert flag.exists(), (folder / "log").read_text()
    finally:
        process.kill()
        process.wait()
    flag.unlink()


def nothing_left() -> bool:
    """Whether no process of any run is there any more."""
    return not marked()


def pressed(story: Story) -> Run:
    """One press to go on, and a worker that does."""
    run_retry(story.run, make_user())
    return carried(story.run)


@pytest.fixture(autouse=True)
def _ends(tmp_path: Path) -> Iterator[None]:
    """Whatever a failed test leaves waiting ends."""
    yield
    (tmp_path / "go").touch()


# --- at one exact point ---------------------------------------------------------------------------------------------

QUICK = [
    ("check", "after the claim"), ("build", "after the command"), ("deploy", "after the end"),
    ("deploy", "after the success"),
]  # fmt: skip


def check_point(kind: str, point: str, folder: Path) -> None:
    """Killed at the point: honest afterwards, and one press brings it to its end with nothing done twice."""
    story = make_story(folder, kind)
    killed_at(story, folder, point, STEPS[kind])
    sweep_now()
    assert nothing_left()
    over = point in ("after the success", "after the follow-up")
    now = again(story.run)
    assert now.state == ("done" if over else "lost"), now.error_text
    if over:
        assert carried(story.run).state == "done"
        assert story.did() == words(kind)
        return
    assert now.error_text.startswith("The worker stopped ")
    cut = point in ("after the begin", "after the command")
    assert ("failed" in states(story.run)) is cut
    assert carried(story.run).state == "lost"  # nothing goes on by itself
    did = story.did()
    assert pressed(story).state == "done"
    # What was cut off is done again, at a person's word; everything else once.
    whole = words(kind)
    again_from = whole[whole.index(did[-1]) :] if point == "after the command" else whole[len(did) :]
    assert story.did() == [*did, *again_from]
    assert events_of(story.run).count("run.lost") == 1
    assert events_of(story.run).count("run.live") == (kind in ("deploy", "verify", "rollback"))


@pytest.mark.sample(1)
@pytest.mark.parametrize(("kind", "point"), QUICK)
def test_killed_at_a_point(kind: str, point: str, tmp_path: Path) -> None:
    check_point(kind, point, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize(
    ("kind", "point"), [(kind, p) for kind in KINDS for p in (*AT_STEPS, *AT_ENDS) if (kind, p) not in QUICK]
)
def test_killed_at_any_point(kind: str, point: str, tmp_path: Path) -> None:
    check_point(kind, point, tmp_path)


# --- in the middle of a command -------------------------------------------------------------------------------------


def in_the_middle(kind: str, whom: str, folder: Path) -> None:
    """Its command runs, with a child that ignores requests to end; then the worker, the guardian or both are killed."""
    step = STEPS[kind]
    story = make_story(folder, kind, slow=step)
    process = started(story, folder, "nowhere")
    there = folder / "there"
    try:
        until(lambda: there.exists() or process.poll() is not None)
        assert there.exists(), (folder / "log").read_text()
        (stats,) = marked().values()
        guardian = min(stat.pid for stat in stats if stat.parent == process.pid)
        if whom == "command":
            os.kill(int(there.read_text()), signal.SIGKILL)
        if whom in ("guardian", "both"):
            os.kill(guardian, signal.SIGKILL)
        if whom in ("worker", "both"):
            process.kill()
        process.wait(60)
    finally:
        process.kill()
        process.wait()
    if whom == "worker":
        until(nothing_left, 15)  # the guardian ends everything by itself
    sweep_now()
    assert nothing_left()
    alive = whom in ("worker", "both")
    assert again(story.run).state == ("lost" if alive else "failed")
    did = story.did()
    there.unlink()
    _let_go(story.shop)
    assert pressed(story).state == "done"
    assert story.did() == [*did, *words(kind)[words(kind).index(did[-1]) :]]
    for word in set(words(kind)) - {did[-1]}:
        assert story.did().count(word) == words(kind).count(word)


def test_worker_and_guardian_killed_in_the_middle_of_a_deployment(tmp_path: Path) -> None:
    in_the_middle("deploy", "both", tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("whom", ["worker", "guardian", "both", "command"])
@pytest.mark.parametrize("kind", KINDS)
def test_killed_in_the_middle_of_any_command(kind: str, whom: str, tmp_path: Path) -> None:
    in_the_middle(kind, whom, tmp_path)


@pytest.mark.long
def test_killed_when_it_has_just_paused_loses_nothing(tmp_path: Path) -> None:
    shop = make_shop(tmp_path, "staging")
    shop.pipeline(StepSpec("look", StepKind.MANUAL, text="Look."), StepSpec("b", StepKind.BUILD, shop.says("build")))
    run, _made = build_request(shop.project, shop.release("v1.0.1"), trigger="person")
    story = Story(shop, run, [])
    killed_at(story, tmp_path, "after the pause", "look")
    sweep_now()
    assert again(run).state == "paused"
    run_confirm(again(run), Step.objects.get(name="look"), "It is fine.", make_user())
    assert carried(run).state == "done"
    assert story.did() == ["build"]


@pytest.mark.long
def test_a_worker_that_wakes_up_after_it_was_given_up_does_no_more(tmp_path: Path) -> None:
    """Frozen in a command, named lost, awake again: what it began is ended before the next attempt begins."""
    story = make_story(tmp_path, "deploy", slow="switch")
    process = started(story, tmp_path, "nowhere")
    try:
        until((tmp_path / "there").exists)
        process.send_signal(signal.SIGSTOP)
        Run.objects.filter(pk=story.run.pk).update(heartbeat_at="2026-01-01T00:00:00Z")
        sweep_now()
        assert again(story.run).state == "lost"
        assert nothing_left()
        _let_go(story.shop)
        assert pressed(story).state == "done"
        process.send_signal(signal.SIGCONT)
        process.wait(60)
    finally:
        process.kill()
        process.wait()
    assert again(story.run).state == "done"
    assert story.did() == ["switch", "switch", "smoke"]
    assert events_of(story.run).count("run.verified") == 1


# --- with a whole Celery worker, the broker and the web ---------------------------------------------------------------


@pytest.mark.long
@pytest.mark.broker
def test_everything_killed_at_once_in_the_middle_of_a_deployment(
    worker: Worker, broker: Broker, site: Site, tmp_path: Path
) -> None:
    """Worker, guardian, command, broker and web together, as when the machine goes; then all of it comes back."""
    story = make_story(tmp_path, "deploy", slow="switch")
    for _ in range(3):
        assert run_nudge(story.run.pk)  # the same task is delivered three times
    until((tmp_path / "there").exists)
    (stats,) = marked().values()
    for process in (worker, broker, site):
        process.kill()
    for stat in stats:
        _killed(stat.pid)
    broker.start()
    site.start()
    worker.start()
    sweep_now()
    assert nothing_left()
    assert again(story.run).state == "lost"
    assert story.did() == ["switch"]
    _let_go(story.shop)
    run_retry(story.run, make_user())
    assert run_nudge(story.run.pk)
    until(lambda: again(story.run).state == "done")
    assert story.did() == ["switch", "switch", "smoke"]


def _killed(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


@pytest.mark.broker
@pytest.mark.long
def test_the_process_of_the_task_killed_under_a_celery_worker(worker: Worker, broker: Broker, tmp_path: Path) -> None:
    """Celery starts another process and delivers the task again; the run is lost all the same, and named soon."""
    story = make_story(tmp_path, "deploy", slow="switch")
    began = time.monotonic()
    assert run_nudge(story.run.pk)
    until((tmp_path / "there").exists)
    os.kill(int(again(story.run).worker.rpartition("/")[0].rpartition(":")[2]), signal.SIGKILL)

    def lost() -> bool:
        sweep_now()
        return again(story.run).state == "lost"

    until(lost)
    assert time.monotonic() - began < 60
    until(nothing_left, 15)
    time.sleep(0.5)
    assert story.did() == ["switch"]
    _let_go(story.shop)
    run_retry(story.run, make_user())
    assert run_nudge(story.run.pk)
    until(lambda: again(story.run).state == "done")
    assert story.did() == ["switch", "switch", "smoke"]


@pytest.mark.broker
def test_a_broker_that_dies_loses_nothing(worker: Worker, broker: Broker, tmp_path: Path) -> None:
    story = make_story(tmp_path, "deploy", slow="switch")
    assert run_nudge(story.run.pk)
    until((tmp_path / "there").exists)
    broker.kill()
    _let_go(story.shop)
    until(lambda: again(story.run).state == "done")
    assert story.did() == ["switch", "smoke"]
    second, _made = deploy_request(story.shop.place("staging"), story.shop.release("v1.0.2"), trigger="person")
    assert not run_nudge(second.pk)
    broker.start()
    Run.objects.update(nudged_at=None)

    def over() -> bool:
        sweep_now()
        return again(second).state == "done"

    until(over, 90)
    assert story.did() == ["switch", "smoke"] * 2
