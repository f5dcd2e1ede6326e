"""Who changes a remote is decided by rows: one active per key, one running per project, fenced, told once."""

from __future__ import annotations

import os
import subprocess
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from releases.git.push import RefUpdate
from releases.ledger.models import Event
from releases.operations.models import Operation
from releases.operations.plan import Conflicted, Nothing, Plan
from releases.operations.selectors import (
    operations_active,
    operations_latest,
    operations_latest_by_kind,
    operations_of,
    operations_open,
)
from releases.operations.services import (
    MOST_ATTEMPTS,
    OperationLost,
    OperationRefused,
    author_of,
    operation_beat,
    operation_cancel,
    operation_claim,
    operation_conflict,
    operation_fail,
    operation_keep_plan,
    operation_next,
    operation_nudged,
    operation_plan_again,
    operation_pushed,
    operation_request,
    operation_retry,
    operation_settle,
    operation_wait,
    operations_found_done,
    operations_lost,
    operations_to_nudge,
)
from releases.projects.models import FetchRun, Project
from releases.projects.worker_names import worker_name
from tests.factories import make_operation, make_project, make_ref, make_user, sha

pytestmark = pytest.mark.django_db

BRANCH = "refs/heads/hotfix/TICKET-1"


def make_plan(name: str = BRANCH, old: str = "", new: str = sha("v1.0.0"), **fields: Any) -> Plan:
    return Plan((RefUpdate(name, old, new),), "The branch is cut from v1.0.0.", **fields)


def ask(project: Project, key: str = "cut:hotfix/TICKET-1", **fields: Any) -> tuple[Operation, bool]:
    params = {"branch": "hotfix/TICKET-1", "tag": "v1.0.0", "commit": sha("v1.0.0")}
    return operation_request(project, "cut", key, **({"subject": "hotfix:TICKET-1", "params": params} | fields))


def claimed(project: Project | None = None, **fields: Any) -> Operation:
    operation = operation_claim(make_operation(project or make_project(), **fields).pk, "one")
    assert operation is not None
    return operation


def again(operation: Operation) -> Operation:
    return Operation.objects.get(pk=operation.pk)


def silence(operation: Operation, seconds: int = 31) -> None:
    Operation.objects.filter(pk=operation.pk).update(heartbeat_at=timezone.now() - timedelta(seconds=seconds))


# --- asking ---------------------------------------------------------------------------------------------------------


def test_who_asks_for_the_same_gets_the_one_that_stands() -> None:
    project = make_project()
    first, made = ask(project, actor=make_user("mira", first_name="Mira", email="mira@example.com"))
    second, made_again = ask(project, actor=make_user())
    assert (made, made_again) == (True, False)
    assert first == second
    assert (second.actor_name, second.actor_email) == ("Mira", "mira@example.com")
    assert operation_claim(first.pk, "one") is not None
    assert ask(project) == (first, False)


def test_what_is_over_does_not_keep_others_from_asking() -> None:
    project = make_project()
    first, _ = ask(project)
    running = operation_claim(first.pk, "one")
    assert running is not None
    operation_settle(running, make_plan())
    second, made = ask(project)
    assert made
    assert second != first


def test_the_same_key_in_another_project_is_another_operation() -> None:
    assert ask(make_project())[1]
    assert ask(make_project())[1]


@pytest.mark.django_db(transaction=True)
def test_many_who_press_at_the_same_moment_make_one() -> None:
    project = make_project()
    ready = threading.Barrier(6)
    got: list[tuple[Operation, bool]] = []

    def press() -> None:
        try:
            ready.wait(10)
            got.append(ask(project))
        finally:
            connection.close()

    threads = [threading.Thread(target=press) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(got) == 6
    assert len({operation.pk for operation, _ in got}) == 1
    assert sum(made for _, made in got) == 1


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"username": "mira", "first_name": "Mira", "email": "m@example.com"}, ("Mira", "m@example.com")),
        ({"username": "mira"}, ("mira", "mira@hotfixdash.invalid")),
        ({"username": "x", "first_name": "A <b>\n c", "email": "a@b>\n<c"}, ("A b c", "a@bc")),
        ({"username": "x", "first_name": "<>"}, ("x", "x@hotfixdash.invalid")),
    ],
)
def test_authors_fit_into_commits(fields: dict[str, str], expected: tuple[str, str]) -> None:
    assert author_of(make_user(**fields)) == expected


def test_nobody_in_person_has_a_name_too() -> None:
    assert author_of(None) == ("Hotfixdash", "hotfixdash@hotfixdash.invalid")


# --- holding --------------------------------------------------------------------------------------------------------


def test_it_is_taken_once() -> None:
    operation = make_operation(make_project())
    taken = operation_claim(operation.pk, "one")
    assert taken is not None
    assert (taken.state, taken.fence, taken.attempts, taken.worker) == ("running", 1, 1, "one")
    assert operation_claim(operation.pk, "two") is None
    assert operation_claim(999_999, "two") is None


def test_one_at_a_time_per_project_and_the_next_one_is_known() -> None:
    project = make_project()
    running = claimed(project)
    waiting = make_operation(project, "clean-up")
    assert operation_claim(waiting.pk, "two") is None
    assert claimed().is_active  # another project's does not wait
    assert operations_to_nudge() == []
    operation_settle(running, make_plan())
    assert operation_next(project.pk) == waiting.pk
    assert operation_claim(waiting.pk, "two") is not None


def test_settling_tells_the_ledger_once_and_asks_for_a_look() -> None:
    user = make_user("mira")
    operation = claimed(actor=user)
    plan = make_plan(notes=("Nothing else comes along.",), facts={"tag": "v1.0.1"})
    operation_keep_plan(operation, plan)
    assert Plan.from_data(again(operation).plan or {}) == plan
    operation_pushed(operation)
    operation_settle(operation, plan)
    ended = again(operation)
    assert (ended.state, ended.step, ended.retryable) == ("done", "pushed", False)
    assert ended.outcome == {
        "tag": "v1.0.1", "says": "The branch is cut from v1.0.0.", "notes": ["Nothing else comes along."],
        "refs": [{"name": BRANCH, "old": "", "new": sha("v1.0.0")}],
    }  # fmt: skip
    event = Event.objects.get(kind="operation.done")
    assert (event.key, event.actor, event.subject) == (f"operation:{operation.pk}", user, "hotfix:TICKET-1")
    assert (event.target, event.actor_name) == ("hotfix/TICKET-1", "mira")
    assert event.evidence["refs"] == ended.outcome["refs"]
    assert (event.old, event.new) == ("", sha("v1.0.0"))
    run = FetchRun.objects.get(project=operation.project)
    assert (run.trigger, run.state, run.asked_by) == ("operation", "queued", user)


def test_a_worker_believed_dead_writes_nothing_more() -> None:
    stale = claimed()
    silence(stale)
    assert [operation.pk for operation in operations_lost()] == [stale.pk]
    fresh = operation_claim(stale.pk, "two")
    assert fresh is not None
    assert fresh.fence == 2
    writes = [
        lambda: operation_keep_plan(stale, make_plan()),
        lambda: operation_plan_again(stale, "It moved."),
        lambda: operation_pushed(stale),
        lambda: operation_settle(stale, make_plan()),
        lambda: operation_conflict(stale, Conflicted("It conflicts.", ())),
        lambda: operation_fail(stale, "unreachable", "No answer."),
        lambda: operation_wait(stale, "Busy."),
    ]
    for write in writes:
        with pytest.raises(OperationLost):
            write()
    assert not operation_beat(stale)
    assert operation_beat(fresh)
    now = again(fresh)
    assert (now.state, now.step, now.plan, now.worker) == ("running", "", None, "two")
    assert not Event.objects.exclude(kind="operation.lost").exists()
    assert not FetchRun.objects.exists()


def test_what_a_dead_worker_left_goes_on_with_its_journal() -> None:
    operation = claimed()
    operation_keep_plan(operation, make_plan())
    silence(operation)
    operations_lost()
    assert operations_lost() == []
    left = again(operation)
    assert (left.state, left.step, left.worker) == ("queued", "planned", "")
    assert left.plan is not None
    assert Event.objects.get(kind="operation.lost").evidence["step"] == "planned"
    assert operations_to_nudge() == [operation.pk]
    assert operations_to_nudge() == []


def test_a_sign_of_life_keeps_it() -> None:
    operation = claimed()
    silence(operation)
    assert operation_beat(operation)
    assert operations_lost() == []


def test_a_worker_of_this_machine_that_ended_is_found_at_once() -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    operation = operation_claim(
        make_operation(make_project()).pk, worker_name().replace(str(os.getpid()), str(gone.pid))
    )
    assert operation is not None
    assert [lost.pk for lost in operations_lost()] == [operation.pk]


def test_what_kills_its_workers_again_and_again_is_given_up_and_can_be_retried() -> None:
    operation = make_operation(make_project())
    for number in range(MOST_ATTEMPTS):
        taken = operation_claim(operation.pk, f"worker {number}")
        assert taken is not None
        if not number:
            operation_keep_plan(taken, make_plan())
        silence(taken)
        assert len(operations_lost()) == 1
    left = again(operation)
    assert (left.state, left.error_code, left.retryable, left.step) == ("failed", "worker-lost", True, "planned")
    assert operation_claim(operation.pk, "another") is None
    assert operation_retry(left).state == "queued"
    assert again(operation).step == "planned"


def test_waiting_for_the_mirror_costs_no_attempt() -> None:
    operation = claimed()
    operation_wait(operation, "A fetch holds the mirror.")
    left = again(operation)
    assert (left.state, left.attempts, left.error_code, left.worker) == ("queued", 0, "busy", "")
    taken = operation_claim(operation.pk, "two")
    assert taken is not None
    assert (taken.error_code, taken.error_text) == ("", "")


def test_planning_again_is_told_in_the_outcome() -> None:
    operation = claimed()
    operation_keep_plan(operation, make_plan())
    operation_plan_again(operation, "Planned again: develop moved in between.")
    assert (again(operation).plan, again(operation).step, again(operation).replans) == (None, "", 1)
    operation_settle(operation, make_plan(notes=("One more.",)))
    assert again(operation).outcome["notes"] == ["Planned again: develop moved in between.", "One more."]


def test_nothing_to_do_is_done() -> None:
    operation = claimed()
    operation_settle(operation, Nothing("The branch is there already.", {"head": sha(1)}))
    assert again(operation).outcome == {
        "says": "The branch is there already.", "refs": [], "notes": [], "head": sha(1),
    }  # fmt: skip
    assert Event.objects.get(kind="operation.done").why == "The branch is there already."


# --- what people do with it -----------------------------------------------------------------------------------------


def test_conflicts_end_it_and_it_can_be_tried_again() -> None:
    operation = claimed()
    operation_keep_plan(operation, make_plan())
    operation_conflict(operation, Conflicted("It conflicts.", ({"path": "app.py"},), ("git merge x",)))
    left = again(operation)
    assert (left.state, left.plan, left.step, left.retryable) == ("conflict", None, "", True)
    assert left.outcome["commands"] == ["git merge x"]
    assert Event.objects.get(kind="operation.conflict").evidence["paths"] == ["app.py"]
    assert operation_retry(left, make_user()).pk == left.pk
    assert (again(left).state, again(left).outcome) == ("queued", {})


def test_a_failure_before_anything_was_sent_is_planned_from_scratch() -> None:
    operation = claimed()
    operation_fail(operation, "unreachable", "The server did not answer.")
    left = again(operation)
    assert (left.state, left.error_text, left.retryable) == ("failed", "The server did not answer.", True)
    assert not FetchRun.objects.exists()
    user = make_user("robin")
    operation_retry(left, user)
    now = again(operation)
    assert (now.state, now.attempts, now.error_code, now.retryable) == ("queued", 0, "", False)
    assert now.asked_at > left.asked_at
    assert Event.objects.get(kind="operation.retried").actor == user


def test_a_failure_after_the_journal_keeps_it_says_so_and_is_looked_up() -> None:
    operation = claimed()
    operation_keep_plan(operation, make_plan())
    operation_fail(operation, "timed-out", "Git took too long.", detail="remote: hm")
    left = again(operation)
    assert left.error_text.startswith("Git took too long. Whether it happened there is not known")
    assert left.outcome["remote"] == "remote: hm"
    assert FetchRun.objects.get().trigger == "operation"
    operation_retry(left)
    assert again(operation).step == "planned"
    assert again(operation).asked_at == left.asked_at


def test_a_refusal_leaves_nothing_behind() -> None:
    operation = claimed()
    operation_keep_plan(operation, make_plan())
    operation_fail(operation, "protected", "The server refuses.", untouched=True)
    left = again(operation)
    assert (left.plan, left.step, left.error_text) == (None, "", "The server refuses.")
    assert Event.objects.get(kind="operation.failed").new == "protected"


def test_what_failed_unconfirmed_is_named_done_when_it_is_seen_on_the_remote() -> None:
    operation = claimed()
    operation_keep_plan(operation, make_plan())
    operation_fail(operation, "timed-out", "Git took too long.")
    assert operations_found_done(operation.project) == []
    make_ref(operation.project, BRANCH, sha=sha("v1.0.0"))
    assert [found.pk for found in operations_found_done(operation.project)] == [operation.pk]
    assert operations_found_done(operation.project) == []
    left = again(operation)
    assert (left.state, left.error_text, left.retryable) == ("done", "", False)
    assert Event.objects.filter(key=f"operation:{operation.pk}").count() == 1


def test_a_refused_one_is_not_named_done_because_somebody_did_the_same() -> None:
    operation = claimed()
    operation_keep_plan(operation, make_plan())
    operation_fail(operation, "protected", "The server refuses.", untouched=True)
    make_ref(operation.project, BRANCH, sha=sha("v1.0.0"))
    assert operations_found_done(operation.project) == []


def test_only_what_waits_and_has_not_begun_can_be_cancelled() -> None:
    user = make_user("mira")
    operation = make_operation(make_project())
    operation_cancel(operation, user)
    assert (again(operation).state, again(operation).error_code) == ("failed", "cancelled")
    assert "mira" in again(operation).error_text
    assert operation_claim(operation.pk, "one") is None
    assert Event.objects.get(kind="operation.cancelled").actor == user
    with pytest.raises(OperationRefused, match="not done"):
        operation_cancel(operation, user)
    running = claimed()
    with pytest.raises(OperationRefused, match="running"):
        operation_cancel(running, user)
    operation_keep_plan(running, make_plan())
    silence(running)
    operations_lost()
    with pytest.raises(OperationRefused, match="seen through"):
        operation_cancel(running, user)


def test_what_is_done_or_cannot_work_is_not_tried_again() -> None:
    done = claimed()
    operation_settle(done, make_plan())
    with pytest.raises(OperationRefused, match="done"):
        operation_retry(done)
    hopeless = claimed()
    operation_fail(hopeless, "bad-name", "This is no name for a branch.", retryable=False)
    with pytest.raises(OperationRefused):
        operation_retry(again(hopeless))


def test_trying_again_joins_what_was_asked_for_anew() -> None:
    project = make_project()
    operation = claimed(project)
    operation_fail(operation, "unreachable", "No answer.")
    newer, made = ask(project, key=operation.key)
    assert made
    assert operation_retry(again(operation)) == newer
    assert again(operation).state == "failed"


def test_what_was_asked_for_anew_leaves_the_older_one_alone() -> None:
    project = make_project()
    older = claimed(project)
    operation_keep_plan(older, make_plan())
    operation_fail(older, "timed-out", "Git took too long.")
    newer, _made = ask(project, key=older.key)
    running = operation_claim(newer.pk, "two")
    assert running is not None
    operation_settle(running, make_plan())
    make_ref(project, BRANCH, sha=sha("v1.0.0"))
    assert operations_found_done(project) == []
    with pytest.raises(OperationRefused, match="anew"):
        operation_retry(again(older))
    assert again(older).state == "failed"
    assert Event.objects.filter(kind="operation.done").count() == 1


def test_a_task_is_sent_again_after_a_while() -> None:
    operation = make_operation(make_project())
    operation_nudged(operation.pk)
    assert operations_to_nudge() == []
    assert operations_to_nudge(timezone.now() + timedelta(seconds=31)) == [operation.pk]


def test_what_git_says_is_kept_whatever_it_holds() -> None:
    project = make_project()
    conflict = Conflicted("It conflicts in a\udcff\x00.", ({"path": "a\udcff\x00.py", "hunks": ["\x00"]},))
    operation_conflict(claimed(project), conflict)
    left = Operation.objects.get()
    assert left.outcome["conflicts"] == [{"path": "a?\ufffd.py", "hunks": ["\ufffd"]}]
    operation_retry(left)
    taken = operation_claim(left.pk, "two")
    assert taken is not None
    operation_fail(taken, "hook", "It said \udcff\x00.", detail="\x00\udcff")
    assert again(left).error_text == "It said ?\ufffd."


def test_the_longest_names_fit() -> None:
    branch = "x" * 250
    operation, made = ask(
        make_project(), key=f"merge-back:{sha(1)}:{branch}", params={"target": branch}, subject=f"fix:{sha(1)}"
    )
    assert made
    assert Operation.objects.get().key.endswith(branch)
    running = operation_claim(operation.pk, "one")
    assert running is not None
    operation_settle(running, make_plan())
    assert Event.objects.get().target == branch


# --- what pages ask -------------------------------------------------------------------------------------------------


def test_selectors_know_what_is_active_newest_and_open() -> None:
    project, user = make_project(), make_user()
    first = claimed(project, key="merge-back:x:develop", kind="merge-back")
    operation_fail(first, "protected", "The server refuses.", untouched=True)
    second = claimed(project, key="merge-back:x:develop", kind="merge-back", actor=user)
    operation_settle(second, make_plan())
    third = claimed(project, key="merge-back:x:main", kind="merge-back")
    operation_conflict(third, Conflicted("It conflicts.", ()))
    fourth = make_operation(project, subject="fix:1")
    assert list(operations_of(project)) == [fourth, third, second, first]
    assert list(operations_of(project, "hotfix:TICKET-1")) == [third, second, first]
    assert operations_active(project) == [fourth]
    assert operations_active(project, "hotfix:TICKET-1") == []
    assert operations_latest(project, "hotfix:TICKET-1") == {second.key: second, third.key: third}
    assert operations_latest_by_kind(project) == {"merge-back": third, "cut": fourth}
    assert list(operations_open()) == [fourth, third]
    assert list(operations_open([make_project().pk])) == []
