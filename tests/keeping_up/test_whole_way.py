"""push → webhook → worker → verdict → open page, with a real broker, worker and web server; and each of them killed."""

from __future__ import annotations

import hashlib
import hmac
import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from releases.ledger.models import Event
from releases.policies import keeping_up
from releases.policies.models import Verdict
from releases.projects.models import FetchRun, Project
from releases.projects.services import fetch_request, hook_secret, project_add
from releases.tasks import fetch_ask, fetch_nudge
from tests.events.streams import open_stream
from tests.factories import make_user
from tests.gitrepos import Repo, make_flow
from tests.plugins.real import Broker, Site, Worker

pytestmark = [pytest.mark.broker, pytest.mark.django_db(transaction=True)]


def until(true: Callable[[], object], seconds: float = 30.0, every: float = 0.02) -> float:
    """Wait until something is true; seconds it took."""
    started = time.monotonic()
    while not true():
        assert time.monotonic() - started < seconds, "it did not come true in time"
        time.sleep(every)
    return time.monotonic() - started


def hotfix(repo: Repo, version: str) -> str:
    text = repo.read("main", "app.py").replace("line 7", f"line 7 of {version}")
    sha = repo.commit({"app.py": text}, f"SHOP-7 fix rounding in {version}", branch="main")
    repo.tag(version, at=sha, message=f"Version {version}")
    return sha


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return make_flow(tmp_path)


@pytest.fixture
def project(repo: Repo) -> Project:
    """Tracked and judged once, with nothing owed."""
    project, run = project_add("shop", str(repo.path), operator=True, fetch_every=3600)
    assert keeping_up.project_refresh(run.pk, "test") is not None
    project.refresh_from_db()
    assert project.error_text == ""
    return project


def hook(site: Site, project: Project, body: bytes = b"{}") -> int:
    signature = hmac.new(hook_secret(project).encode(), body, hashlib.sha256).hexdigest()
    request = urllib.request.Request(
        f"{site.url}/hooks/{project.slug}", body, {"X-Hub-Signature-256": f"sha256={signature}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def owed() -> bool:
    return Verdict.objects.filter(owed=True).exists()


def settled_down(project: Project) -> bool:
    """Nothing is queued or under way."""
    return not FetchRun.objects.filter(project=project, state__in=["queued", "running"]).exists()


def converged(project: Project, code: str) -> None:
    """One verdict, one ledger row about it, one answer that stands on what the remote has now."""
    assert list(Verdict.objects.values_list("code", flat=True)) == [code]
    assert Event.objects.filter(kind="fix.owed").count() == 1
    project.refresh_from_db()
    assert (project.error_text, project.failures) == ("", 0)


def test_from_push_to_an_open_page_in_two_seconds(worker: Worker, site: Site, project: Project, repo: Repo) -> None:
    page = open_stream(site.port, f"project:{project.pk}@0", make_user(projects=[project]))
    fetch_ask(project, "person")
    until(lambda: settled_down(project))  # the worker has everything loaded now
    while page.wait_for(f"project:{project.pk}", 0.5) is not None:
        pass
    hotfix(repo, "v1.0.1")
    started = time.monotonic()
    assert hook(site, project) == 202
    told = None
    while not owed():
        told = page.wait_for(f"project:{project.pk}", 10)
        assert told is not None
    took = time.monotonic() - started
    page.close()
    until(lambda: settled_down(project))
    converged(project, "missing")
    # Two seconds on a machine of its own; here other tests run beside it.
    assert took < 6.0


def test_a_task_that_is_delivered_three_times_does_its_work_once(
    worker: Worker, broker: Broker, project: Project, repo: Repo
) -> None:
    hotfix(repo, "v1.0.1")
    run = fetch_request(project, "webhook")
    for _ in range(3):
        assert fetch_nudge(run.pk)
    until(lambda: settled_down(project) and broker.client.llen("git") == 0)
    run.refresh_from_db()
    assert (run.state, run.fence) == ("done", 1)
    assert FetchRun.objects.filter(project=project).count() == 2
    converged(project, "missing")


def test_ten_pushes_during_one_fetch_make_one_more(worker: Worker, site: Site, project: Project, repo: Repo) -> None:
    hotfix(repo, "v1.0.1")
    assert {hook(site, project) for _ in range(10)} == {202}
    until(lambda: settled_down(project))
    converged(project, "missing")
    assert FetchRun.objects.filter(project=project, trigger="webhook").count() <= 4


def test_a_worker_killed_in_the_middle_is_named_and_another_goes_on(
    worker: Worker, broker: Broker, project: Project, repo: Repo
) -> None:
    hotfix(repo, "v1.0.1")
    blocked = hold(repo)
    run = fetch_ask(project, "webhook")
    until(lambda: FetchRun.objects.filter(pk=run.pk, state="running").exists())
    worker.kill()
    release(repo, blocked)
    expire(run)
    worker.start()
    for run_pk in keeping_up.sweep():
        fetch_nudge(run_pk)
    until(lambda: settled_down(project))
    assert FetchRun.objects.get(pk=run.pk).state == "lost"
    converged(project, "missing")
    assert Event.objects.filter(kind="fetch.lost").count() == 1


def test_the_broker_killed_with_everything_it_had_is_made_up_for(
    worker: Worker, broker: Broker, site: Site, project: Project, repo: Repo
) -> None:
    hotfix(repo, "v1.0.1")
    broker.kill()
    assert hook(site, project) == 202
    broker.start()
    broker.client.flushall()
    FetchRun.objects.filter(state="queued").update(nudged_at=None)  # as if half a minute had passed
    for run_pk in keeping_up.sweep():
        assert fetch_nudge(run_pk)
    until(lambda: settled_down(project), 60)
    converged(project, "missing")


def test_a_remote_that_hangs_does_not_hold_up_the_others(
    worker: Worker, project: Project, repo: Repo, tmp_path: Path
) -> None:
    other = make_flow(tmp_path / "other")
    well, run = project_add("well", str(other.path), operator=True)
    blocked = hold(repo)
    try:
        stuck = fetch_ask(project, "webhook")
        until(lambda: FetchRun.objects.filter(pk=stuck.pk, state="running").exists())
        assert fetch_nudge(run.pk)
        until(lambda: FetchRun.objects.filter(pk=run.pk, state="done").exists())
        assert FetchRun.objects.get(pk=stuck.pk).state == "running"
    finally:
        release(repo, blocked)
    until(lambda: settled_down(project))
    well.refresh_from_db()
    assert well.judged_at is not None


STAGES = ["Starting", "Fetching", "Reading refs", "Judging", "Counting releases", "Trying merges"]


@pytest.mark.long
@pytest.mark.parametrize("round_", range(3))
@pytest.mark.parametrize("stage", STAGES)
def test_a_worker_killed_at_any_stage(
    worker: Worker, broker: Broker, project: Project, repo: Repo, stage: str, round_: int
) -> None:
    """The worker is stopped as soon as the stage shows, and killed; what follows must not depend on the instant."""
    hotfix(repo, "v1.0.1")
    run = fetch_ask(project, "webhook")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        now = FetchRun.objects.get(pk=run.pk)
        if now.stage == stage or now.finished_at is not None:
            break
        time.sleep(0.001)
    time.sleep(0.01 * round_)
    worker.kill()
    expire(run)
    worker.start()
    for run_pk in keeping_up.sweep():
        fetch_nudge(run_pk)
    until(lambda: settled_down(project), 60)
    converged(project, "missing")
    check_mirror(project, repo)


@pytest.mark.long
def test_the_web_server_killed_while_hooks_come_in(worker: Worker, site: Site, project: Project, repo: Repo) -> None:
    hotfix(repo, "v1.0.1")
    assert hook(site, project) == 202
    os.kill(site.pid, signal.SIGKILL)
    site.kill()
    site.start()
    assert hook(site, project) == 202
    until(lambda: settled_down(project))
    converged(project, "missing")


def expire(run: FetchRun) -> None:
    """As if half a minute had passed since the last sign of life."""
    from datetime import timedelta

    from django.utils import timezone

    FetchRun.objects.filter(pk=run.pk, state="running").update(heartbeat_at=timezone.now() - timedelta(seconds=40))


def check_mirror(project: Project, repo: Repo) -> None:
    """The mirror holds what the remote holds, and git finds nothing wrong with it."""
    import subprocess

    from releases.projects.services.mirrors import mirror_folder

    folder = str(mirror_folder(project))
    done = subprocess.run(["git", "-C", folder, "fsck", "--no-dangling"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    form = "--format=%(objectname) %(refname)"
    ours = subprocess.check_output(["git", "-C", folder, "for-each-ref", form, "refs/heads", "refs/tags"], text=True)
    assert ours.strip() == repo.git("for-each-ref", form, "refs/heads", "refs/tags")


def hold(repo: Repo) -> Path:
    """Make the remote hang: its list of refs is a pipe that nobody writes to."""
    packed = repo.git_dir / "packed-refs"
    repo.git("pack-refs", "--all")
    aside = packed.with_name("packed-refs.aside")
    packed.rename(aside)
    os.mkfifo(packed)
    return aside


def release(repo: Repo, aside: Path) -> None:
    """Let it go on: what waits at the pipe is let through, and the list is back."""
    pipe = repo.git_dir / "packed-refs"
    waiting = pipe.with_name("packed-refs.pipe")
    pipe.rename(waiting)
    aside.rename(pipe)
    try:
        os.close(os.open(waiting, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        pass  # nobody waits any more
    waiting.unlink()
