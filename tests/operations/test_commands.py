"""`manage.py operation`: what an operator sees of a stuck operation, and does about it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from releases.ledger.models import Event
from releases.operations.carrying import operation_carry_out
from releases.operations.models import Operation
from releases.operations.plan import Conflicted
from releases.operations.services import operation_claim, operation_conflict, operation_fail
from releases.projects.models import FetchRun
from tests.factories import make_operation, make_project
from tests.gitrepos import Repo, make_flow

from .small import Planned, again, fixed, hook, merges, tracked

pytestmark = pytest.mark.django_db


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return make_flow(tmp_path)


@pytest.fixture
def operation(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> Operation:
    project = tracked(repo)
    Planned(monkeypatch)
    return make_operation(project, "merge-back", params={"branch": "develop", "head": fixed(repo)})


def run(*args: Any) -> str:
    out = io.StringIO()
    call_command("operation", *map(str, args), stdout=out)
    return out.getvalue()


def test_nothing_to_see() -> None:
    assert run("list").strip() == "Nothing waits, runs or needs a hand."
    assert run("list", "--all").strip() == "No operation yet."


def test_a_stuck_one_is_listed_shown_and_tried_again(operation: Operation, repo: Repo) -> None:
    script = hook(repo, "pre-receive", 'echo "closed\tuntil Monday" >&2; kill -9 $PPID')
    operation_carry_out(operation.pk, "one")
    assert run("list").split("\t")[:4] == [str(operation.pk), "shop", "merge-back", "hotfix:TICKET-1"]
    shown = run("show", operation.pk)
    assert f"refs/heads/develop: {repo.sha('develop')} → " in shown
    assert "not known" in shown
    with pytest.raises(CommandError, match="broke off"):
        run("retry", operation.pk, "--wait")
    script.unlink()
    assert run("retry", operation.pk, "--wait").strip() == "It is merged back."
    assert merges(repo) == 1
    assert Event.objects.filter(kind="operation.done").count() == 1
    assert "→" in run("show", operation.pk)
    assert run("list").strip() == "Nothing waits, runs or needs a hand."
    assert run("list", "--all", "--project", "shop").split("\t")[4:] == ["done", "It is merged back.\n"]


def test_what_would_end_the_same_way_again_says_how_it_ended(operation: Operation) -> None:
    Operation.objects.filter(pk=operation.pk).update(
        state="failed", retryable=False, error_code="tag-exists", error_text="The tag is there already."
    )
    with pytest.raises(CommandError, match=r"it would end the same way\. The tag is there already\."):
        run("retry", operation.pk)


def test_without_a_broker_a_retry_says_how_to_go_on(operation: Operation) -> None:
    taken = operation_claim(operation.pk, "one")
    assert taken is not None
    operation_fail(taken, "unreachable", "The server did not answer.")
    assert f"manage.py operation retry {operation.pk} --wait" in run("retry", operation.pk)
    assert again(operation).state == "queued"


def test_waiting_goes_on_with_what_a_dead_worker_left(operation: Operation, repo: Repo) -> None:
    taken = operation_claim(operation.pk, "gone")
    assert taken is not None
    Operation.objects.filter(pk=operation.pk).update(heartbeat_at=None)
    assert run("retry", operation.pk, "--wait").strip() == "It is merged back."
    assert merges(repo) == 1
    assert FetchRun.objects.filter(trigger="operation").count() == 1


def test_conflicts_show_their_files_and_commands() -> None:
    taken = operation_claim(make_operation(make_project()).pk, "one")
    assert taken is not None
    operation_conflict(taken, Conflicted("It conflicts.", ({"path": "a\x1b[2J.py"},), ("git merge x",)))
    shown = run("show", taken.pk)
    assert "conflict in a" in shown
    assert "$ git merge x" in shown
    assert "\x1b" not in shown


def test_what_waits_is_taken_back() -> None:
    operation = make_operation(make_project())
    assert "nothing happened" in run("cancel", operation.pk)
    assert again(operation).error_code == "cancelled"
    with pytest.raises(CommandError, match="Only what waits"):
        run("cancel", operation.pk)
    with pytest.raises(CommandError, match="There is no operation 99999"):
        run("show", 99999)
