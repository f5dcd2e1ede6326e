"""A remote that hangs, refuses, disappears or breaks off: nothing half done, a sentence, and another try that works."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from releases.ledger.models import Event
from releases.operations.carrying import operation_carry_out
from releases.operations.models import Operation
from releases.operations.services import operation_retry
from releases.projects.models import FetchRun, Project
from releases.tasks import fetch_carry_out
from tests.factories import make_operation
from tests.git.servers import GitServer, free_port, git_server
from tests.gitrepos import Repo, make_flow

from .small import Planned, again, fixed, hook, merges, remote_refs, tracked

pytestmark = pytest.mark.django_db


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return make_flow(tmp_path)


@pytest.fixture
def project(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> Project:
    project = tracked(repo)
    Planned(monkeypatch)
    return project


@pytest.fixture
def operation(project: Project, repo: Repo) -> Operation:
    return make_operation(project, "merge-back", params={"branch": "develop", "head": fixed(repo)})


def failed(operation: Operation, code: str) -> Operation:
    """It ended with this code, a sentence and the offer of another try, and told so once."""
    now = again(operation)
    assert (now.state, now.error_code, now.retryable) == ("failed", code, True)
    assert now.error_text.endswith(".")
    assert Event.objects.filter(kind="operation.failed", subject=operation.subject).count() == 1
    assert not Event.objects.filter(kind="operation.done").exists()
    return now


def works_now(operation: Operation, repo: Repo) -> None:
    """The very same operation is tried again, with one merge and one row in the ledger to show for it."""
    operation_carry_out(operation_retry(again(operation)).pk, "two")
    now = again(operation)
    assert (now.state, now.error_code, now.error_text) == ("done", "", "")
    assert merges(repo) == 1
    assert Event.objects.filter(kind="operation.done").count() == 1


def test_a_remote_that_is_gone(operation: Operation, repo: Repo) -> None:
    away = repo.path.with_name("away.git")
    repo.path.rename(away)
    operation_carry_out(operation.pk, "one")
    now = failed(operation, "not-a-repository")
    assert now.step == ""
    away.rename(repo.path)
    works_now(operation, repo)


def test_a_remote_that_refuses_says_so_in_its_own_words(operation: Operation, repo: Repo) -> None:
    before = remote_refs(repo)
    script = hook(repo, "pre-receive", 'echo "develop is closed until Monday" >&2; exit 1')
    operation_carry_out(operation.pk, "one")
    now = failed(operation, "hook")
    assert "develop is closed until Monday" in now.outcome["remote"]
    assert (now.plan, now.step) == (None, "")
    assert remote_refs(repo) == before
    assert not FetchRun.objects.filter(trigger="operation").exists()
    script.unlink()
    works_now(operation, repo)


def test_a_remote_that_takes_nothing_from_anybody(operation: Operation, repo: Repo) -> None:
    repo.git("config", "receive.denyNonFastForwards", "true")
    hook(repo, "update", '[ "$1" != refs/heads/develop ]')
    operation_carry_out(operation.pk, "one")
    failed(operation, "hook")


def test_a_remote_that_breaks_off_before_it_took_anything(operation: Operation, repo: Repo) -> None:
    before = remote_refs(repo)
    script = hook(repo, "pre-receive", "kill -9 $PPID")
    operation_carry_out(operation.pk, "one")
    now = failed(operation, "half-answered")
    assert "Whether it happened there is not known" in now.error_text
    assert now.step == "planned"
    assert remote_refs(repo) == before
    assert FetchRun.objects.filter(trigger="operation").exists()
    script.unlink()
    works_now(operation, repo)


def test_a_remote_that_breaks_off_after_it_took_everything(operation: Operation, repo: Repo) -> None:
    hook(repo, "post-receive", "kill -9 $PPID")
    operation_carry_out(operation.pk, "one")
    assert again(operation).state == "done"
    assert merges(repo) == 1
    assert Event.objects.filter(kind="operation.done").count() == 1


def test_a_remote_that_takes_it_breaks_off_and_goes_away_is_found_out_when_it_is_back(
    operation: Operation, repo: Repo
) -> None:
    away = repo.path.with_name("away.git")
    hook(repo, "post-receive", f"mv '{repo.path}' '{away}'; kill -9 $PPID")
    operation_carry_out(operation.pk, "one")
    now = failed(operation, "half-answered")
    assert now.step == "planned"
    away.rename(repo.path)
    assert merges(repo) == 1
    fetch_carry_out(FetchRun.objects.get(trigger="operation").pk)
    now = again(operation)
    assert (now.state, now.error_text, now.retryable) == ("done", "", False)
    assert now.outcome["notes"] == ["The remote did not confirm it; a later look found it there."]
    assert Event.objects.filter(kind="operation.done").count() == 1


def test_a_remote_that_hangs_in_its_hook(operation: Operation, repo: Repo, settings: Any, tmp_path: Path) -> None:
    settings.GIT_TIMEOUT = 2
    before = remote_refs(repo)
    script = hook(repo, "pre-receive", "exec sleep 30")
    started = time.monotonic()
    operation_carry_out(operation.pk, "one")
    assert time.monotonic() - started < 15
    now = failed(operation, "timed-out")
    assert "Whether it happened there is not known" in now.error_text
    assert remote_refs(repo) == before
    script.unlink()
    works_now(operation, repo)


def test_a_remote_that_hangs_before_it_lists_its_refs(operation: Operation, repo: Repo, settings: Any) -> None:
    settings.GIT_TIMEOUT = 2
    repo.git("pack-refs", "--all")
    packed = repo.git_dir / "packed-refs"
    aside = packed.with_name("aside")
    packed.rename(aside)
    os.mkfifo(packed)
    operation_carry_out(operation.pk, "one")
    now = failed(operation, "timed-out")
    assert now.step == ""
    packed.unlink()
    aside.rename(packed)
    works_now(operation, repo)


def test_a_locked_branch_is_tried_a_few_times_and_then_left(operation: Operation, repo: Repo) -> None:
    lock = repo.git_dir / "refs/heads/develop.lock"
    lock.touch()
    before = remote_refs(repo)
    operation_carry_out(operation.pk, "one")
    assert again(operation).retryable
    assert remote_refs(repo) == before
    lock.unlink()
    works_now(operation, repo)


# --- over the network -------------------------------------------------------------------------------------------------


@pytest.fixture
def server(operation: Operation, repo: Repo, tmp_path: Path) -> Iterator[GitServer]:
    """The same remote, reached by http."""
    repo.git("config", "http.receivepack", "true")
    with git_server(tmp_path) as running:
        Project.objects.update(remote_url=f"{running.url}/{repo.path.name}")
        yield running


def test_over_http_it_is_done_as_well(operation: Operation, repo: Repo, server: GitServer) -> None:
    operation_carry_out(operation.pk, "one")
    assert (again(operation).state, again(operation).error_text) == ("done", "")
    assert merges(repo) == 1


def test_a_connection_cut_before_the_push_was_taken(operation: Operation, repo: Repo, server: GitServer) -> None:
    server.cut_push = "before"
    operation_carry_out(operation.pk, "one")
    now = again(operation)
    assert (now.state, now.retryable, now.step) == ("failed", True, "planned")
    assert "not known" in now.error_text
    assert merges(repo) == 0
    server.cut_push = ""
    works_now(operation, repo)


def test_a_connection_cut_after_the_push_was_taken(operation: Operation, repo: Repo, server: GitServer) -> None:
    """The answer is lost, and looked up at once."""
    server.cut_push = "after"
    operation_carry_out(operation.pk, "one")
    assert (again(operation).state, again(operation).error_text) == ("done", "")
    assert merges(repo) == 1
    assert Event.objects.filter(kind="operation.done").count() == 1


@pytest.mark.parametrize(("status", "code"), [(403, "protected"), (401, "auth"), (500, "unreachable")])
def test_a_server_that_answers_with_an_error(
    operation: Operation, repo: Repo, server: GitServer, status: int, code: str
) -> None:
    server.refuse_push = status
    operation_carry_out(operation.pk, "one")
    failed(operation, code)
    assert merges(repo) == 0
    server.refuse_push = None
    works_now(operation, repo)


def test_a_server_that_never_answers_a_push(operation: Operation, repo: Repo, server: GitServer, settings: Any) -> None:
    settings.GIT_TIMEOUT = 3
    server.hold_push = threading.Event()
    operation_carry_out(operation.pk, "one")
    failed(operation, "timed-out")
    server.hold_push.set()
    server.hold_push = None
    operation_carry_out(operation_retry(again(operation)).pk, "two")
    assert again(operation).state == "done"
    assert merges(repo) == 1


def test_a_server_that_is_switched_off(operation: Operation, repo: Repo) -> None:
    Project.objects.update(remote_url=f"http://127.0.0.1:{free_port()}/{repo.path.name}")
    operation_carry_out(operation.pk, "one")
    assert failed(operation, "unreachable").step == ""
    Project.objects.update(remote_url=str(repo.path))
    works_now(operation, repo)
