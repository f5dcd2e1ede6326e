"""An operation over a real remote: done once, gone on with after a crash, planned again when the remote moves."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from releases.git.push import RefUpdate
from releases.ledger.models import Event
from releases.operations import carrying
from releases.operations.carrying import MOST_REPLANS, operation_carry_out
from releases.operations.models import Operation
from releases.operations.plan import Conflicted, Plan, PlanRefused
from releases.operations.plans.planning import Planning
from releases.operations.services import (
    operation_claim,
    operation_keep_plan,
    operation_lost,
    operation_pushed,
    operation_retry,
    operations_lost,
)
from releases.projects.models import FetchRun, Project
from releases.projects.services.mirrors import mirror_of
from tests.factories import make_operation
from tests.gitrepos import Repo, make_flow

from .small import Planned, again, cut, fixed, hook, merge, merges, remote_refs, tracked

pytestmark = pytest.mark.django_db


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return make_flow(tmp_path)


@pytest.fixture
def project(repo: Repo) -> Project:
    return tracked(repo)


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> Planned:
    return Planned(monkeypatch)


def cutting(project: Project, repo: Repo) -> Operation:
    return make_operation(project, params={"branch": "hotfix/TICKET-1", "commit": repo.sha("v1.0.0")})


def merging(project: Project, repo: Repo) -> Operation:
    return make_operation(project, "merge-back", params={"branch": "develop", "head": fixed(repo)})


def done_once(operation: Operation) -> Operation:
    """It ended well, with one row in the ledger, and a look at the remote is asked for."""
    now = again(operation)
    assert (now.state, now.error_text) == ("done", "")
    assert Event.objects.filter(kind="operation.done").count() == 1
    assert FetchRun.objects.filter(project=operation.project, state="queued", trigger="operation").count() == 1
    return now


def died(operation: Operation, plan: Plan | None = None, *, pushed: bool = False) -> None:
    """As a worker leaves it that was killed after writing down its plan, or after its push."""
    taken = operation_claim(operation.pk, "killed")
    assert taken is not None
    if plan is not None:
        operation_keep_plan(taken, plan)
    if pushed:
        operation_pushed(taken)
    Operation.objects.filter(pk=operation.pk).update(heartbeat_at=timezone.now() - timedelta(minutes=1))
    assert operations_lost()


def plan_of(operation: Operation, planner: Callable[[Planning], object]) -> Plan:
    """What the worker that was killed had planned, with its objects in the mirror."""
    with mirror_of(operation.project).changing() as session:
        made = planner(carrying._planning(operation, session))
    assert isinstance(made, Plan)
    return made


# --- the straight way -----------------------------------------------------------------------------------------------


def test_a_branch_is_cut(planned: Planned, project: Project, repo: Repo) -> None:
    operation = cutting(project, repo)
    ended = operation_carry_out(operation.pk, "one")
    assert ended == operation
    assert repo.sha("hotfix/TICKET-1") == repo.sha("v1.0.0")
    now = done_once(operation)
    assert now.step == "pushed"
    assert now.outcome["refs"] == [{"name": "refs/heads/hotfix/TICKET-1", "old": "", "new": repo.sha("v1.0.0")}]


def test_a_merge_is_written_by_who_asked_at_the_time_they_asked(planned: Planned, project: Project, repo: Repo) -> None:
    operation = merging(project, repo)
    operation_carry_out(operation.pk, "one")
    assert merges(repo) == 1
    who = repo.git("log", "-1", "--format=%an %ae %cn %ct", "develop")
    assert who == f"Mira mira@example.com Mira {int(operation.asked_at.timestamp())}"
    assert done_once(operation).outcome["merge"] == repo.sha("develop")


def test_what_is_there_already_is_done_without_a_push(planned: Planned, project: Project, repo: Repo) -> None:
    repo.branch("hotfix/TICKET-1", at="v1.0.0")
    hook(repo, "pre-receive", "exit 1")
    operation = cutting(project, repo)
    operation_carry_out(operation.pk, "one")
    assert done_once(operation).outcome["says"] == "The branch is there already."


def test_a_task_delivered_twice_does_it_once(planned: Planned, project: Project, repo: Repo) -> None:
    operation = merging(project, repo)
    assert operation_carry_out(operation.pk, "one") is not None
    assert operation_carry_out(operation.pk, "one") is None
    assert operation_carry_out(999_999, "one") is None
    assert (merges(repo), planned.asked, again(operation).fence) == (1, 1, 1)
    done_once(operation)


@pytest.mark.django_db(transaction=True)
def test_four_workers_on_the_same_operation_do_it_once(planned: Planned, project: Project, repo: Repo) -> None:
    operation = merging(project, repo)
    ready = threading.Barrier(4)
    ended: list[Operation | None] = []

    def work(name: str) -> None:
        try:
            ready.wait(10)
            ended.append(operation_carry_out(operation.pk, name))
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(str(number),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(result is None for result in ended) == [False, True, True, True]
    assert (merges(repo), planned.asked) == (1, 1)
    done_once(operation)


# --- the remote moves -----------------------------------------------------------------------------------------------


def test_a_branch_that_moves_between_plan_and_push_is_planned_again(
    planned: Planned, project: Project, repo: Repo
) -> None:
    operation = merging(project, repo)

    def move(planning: Planning) -> None:
        if planned.asked == 1:
            repo.commit({"other.py": "1\n"}, "TICKET-11 somebody pushed", branch="develop")

    planned.after = move
    operation_carry_out(operation.pk, "one")
    now = done_once(operation)
    assert (planned.asked, now.replans, merges(repo)) == (2, 1, 1)
    assert now.outcome["notes"] == ["Planned again: develop moved in between."]
    assert "TICKET-11 somebody pushed" in repo.git("log", "--format=%s", "develop")


def test_a_remote_that_never_rests_is_given_up_and_can_be_tried_again(
    planned: Planned, project: Project, repo: Repo
) -> None:
    operation = merging(project, repo)
    planned.after = lambda planning: repo.commit({f"{planned.asked}.py": "1\n"}, "TICKET-11 push", branch="develop")
    operation_carry_out(operation.pk, "one")
    now = again(operation)
    assert (now.state, now.error_code, now.retryable, now.step) == ("failed", "moved", True, "")
    assert planned.asked == MOST_REPLANS + 1
    assert merges(repo) == 0
    planned.after = lambda planning: None
    operation_retry(now)
    operation_carry_out(operation.pk, "two")
    assert merges(repo) == 1
    done_once(operation)


def test_a_rewritten_branch_is_not_forced_back(planned: Planned, project: Project, repo: Repo) -> None:
    operation = merging(project, repo)
    died(operation, plan_of(operation, merge))
    repo.delete("develop")
    repo.branch("develop", at="main")
    rewritten = repo.commit({"new.py": "1\n"}, "TICKET-12 begin anew", branch="develop")
    operation_carry_out(operation.pk, "two")
    assert repo.git("rev-parse", "develop^1") == rewritten
    assert done_once(operation).replans == 1


# --- after a crash --------------------------------------------------------------------------------------------------


def test_killed_before_the_plan(planned: Planned, project: Project, repo: Repo) -> None:
    operation = merging(project, repo)
    died(operation)
    operation_carry_out(operation.pk, "two")
    assert (merges(repo), planned.asked) == (1, 1)
    done_once(operation)


def test_killed_after_the_journal_pushes_what_was_journalled(planned: Planned, project: Project, repo: Repo) -> None:
    operation = merging(project, repo)
    plan = plan_of(operation, merge)
    died(operation, plan)
    operation_carry_out(operation.pk, "two")
    assert planned.asked == 0
    assert repo.sha("develop") == plan.updates[0].new
    assert done_once(operation).attempts == 2


def test_killed_after_the_push_only_settles(planned: Planned, project: Project, repo: Repo) -> None:
    operation = merging(project, repo)
    plan = plan_of(operation, merge)
    with mirror_of(project).changing() as session:
        session.push(plan.updates)
    died(operation, plan)
    hook(repo, "pre-receive", "exit 1")
    operation_carry_out(operation.pk, "two")
    assert (merges(repo), planned.asked) == (1, 0)
    assert done_once(operation).outcome["merge"] == plan.updates[0].new


def test_killed_after_the_push_and_others_went_on_from_it(planned: Planned, project: Project, repo: Repo) -> None:
    operation = merging(project, repo)
    plan = plan_of(operation, merge)
    with mirror_of(project).changing() as session:
        session.push(plan.updates)
    died(operation, plan)
    later = repo.commit({"later.py": "1\n"}, "TICKET-13 go on", branch="develop")
    operation_carry_out(operation.pk, "two")
    assert (repo.sha("develop"), merges(repo), planned.asked) == (later, 1, 0)
    done_once(operation)


def test_killed_before_the_settle_needs_no_remote(planned: Planned, project: Project, repo: Repo) -> None:
    operation = cutting(project, repo)
    died(operation, plan_of(operation, cut), pushed=True)
    repo.path.rename(repo.path.with_name("away.git"))
    operation_carry_out(operation.pk, "two")
    done_once(operation)


def test_a_deleted_branch_counts_as_deleted(planned: Planned, project: Project, repo: Repo) -> None:
    head = fixed(repo)
    operation = make_operation(project, "clean-up")
    name = "refs/heads/hotfix/TICKET-1"
    died(operation, Plan((RefUpdate(name, head, ""),), "The branch is deleted."))
    repo.delete("hotfix/TICKET-1")
    operation_carry_out(operation.pk, "two")
    assert name not in remote_refs(repo)
    done_once(operation)


def test_half_of_a_plan_on_the_remote_is_planned_again(planned: Planned, project: Project, repo: Repo) -> None:
    operation = merging(project, repo)
    plan = plan_of(operation, merge)
    tag = RefUpdate("refs/tags/v1.0.1", "", repo.sha("v1.0.0"))
    died(operation, replace(plan, updates=(*plan.updates, tag)))
    repo.tag("v1.0.1", at="v1.0.0")  # by somebody else: the branch is where it was
    operation_carry_out(operation.pk, "two")
    assert planned.asked == 1
    assert done_once(operation).outcome["notes"] == ["Planned again: v1.0.1 moved in between."]


def test_a_worker_on_another_machine_prepares_the_same_objects_again(
    planned: Planned, project: Project, repo: Repo
) -> None:
    operation = merging(project, repo)
    plan = plan_of(operation, merge)
    died(operation, plan)
    mirror_of(project).remove()
    operation_carry_out(operation.pk, "two")
    assert planned.asked == 1
    assert repo.sha("develop") == plan.updates[0].new
    done_once(operation)


def test_a_worker_that_lost_its_operation_while_planning_pushes_nothing(
    planned: Planned, project: Project, repo: Repo
) -> None:
    operation = merging(project, repo)
    before = remote_refs(repo)
    planned.after = lambda planning: operation_lost(again(operation))
    operation_carry_out(operation.pk, "one")
    assert remote_refs(repo) == before
    assert (again(operation).state, again(operation).step) == ("queued", "")
    planned.after = lambda planning: None
    operation_carry_out(operation.pk, "two")
    assert merges(repo) == 1
    done_once(operation)


# --- it cannot be done ----------------------------------------------------------------------------------------------


def test_conflicts_and_refusals_leave_the_remote_alone(
    planned: Planned, project: Project, repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = merging(project, repo)
    before = remote_refs(repo)

    def conflicts(planning: Planning) -> Conflicted:
        return Conflicted("It conflicts in app.py.", ({"path": "app.py", "kind": "content", "hunks": []},), ("git …",))

    def refuses(planning: Planning) -> Plan:
        raise PlanRefused("tag-exists", "The tag v1.0.1 exists already.", retryable=False)

    def breaks(planning: Planning) -> Plan:
        raise RuntimeError("a defect")

    monkeypatch.setitem(carrying.PLANNERS, "merge-back", conflicts)  # type: ignore[arg-type]
    operation_carry_out(operation.pk, "one")
    assert (again(operation).state, again(operation).outcome["commands"]) == ("conflict", ["git …"])

    monkeypatch.setitem(carrying.PLANNERS, "merge-back", refuses)  # type: ignore[arg-type]
    operation_carry_out(operation_retry(operation).pk, "one")
    assert (again(operation).state, again(operation).error_code) == ("failed", "tag-exists")
    assert not again(operation).retryable

    other = make_operation(project, "merge-back", key="other")
    monkeypatch.setitem(carrying.PLANNERS, "merge-back", breaks)  # type: ignore[arg-type]
    operation_carry_out(other.pk, "one")
    assert (again(other).error_code, again(other).retryable) == ("failed", True)
    assert "worker's log" in again(other).error_text
    assert remote_refs(repo) == before
    assert not Event.objects.filter(kind="operation.done").exists()


def test_a_kind_that_nobody_plans_is_said(planned: Planned, project: Project) -> None:
    operation = make_operation(project, "revert")
    operation_carry_out(operation.pk, "one")
    assert (again(operation).state, again(operation).error_code) == ("failed", "unknown-kind")


def test_while_a_fetch_holds_the_mirror_it_goes_back_to_the_queue(
    planned: Planned, project: Project, repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = cutting(project, repo)
    monkeypatch.setattr(carrying, "MIRROR_WAIT", 0.2)
    with mirror_of(project)._locked():
        operation_carry_out(operation.pk, "one")
    now = again(operation)
    assert (now.state, now.error_code, now.attempts, now.step) == ("queued", "busy", 0, "")
    operation_carry_out(operation.pk, "one")
    done_once(operation)
