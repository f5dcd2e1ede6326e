"""Whose turn it is in an environment, and races for it: of everything that happens at once, one thing counts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from releases.deploys.acting import run_abort, run_cancel, run_confirm, run_retry
from releases.deploys.errors import DeployRefused, RunLost
from releases.deploys.gates import environment_lock, environment_unlock
from releases.deploys.models import Environment, Run, Step
from releases.deploys.models.runs import HOLDING
from releases.deploys.moving import (
    run_aborted,
    run_beat,
    run_claim,
    run_fail,
    run_next,
    run_nudged,
    run_succeed,
    runs_to_nudge,
    step_begin,
    step_end,
)
from releases.deploys.requesting import build_request, deploy_request, rollback_request
from releases.ledger.models import Event
from tests.factories import (
    make_build,
    make_environment,
    make_pipeline,
    make_project,
    make_release,
    make_shipment,
    make_step,
    make_user,
)

pytestmark = pytest.mark.django_db


def make_place(*tags: str, **fields: Any) -> Environment:
    """An environment of a project with these releases, built."""
    place = make_environment(make_project(), "staging", watch_seconds=0, **fields)
    pipeline = make_pipeline(place.project)
    for tag in tags or ("v1.0.1", "v1.0.2"):
        release = make_release(place.project, tag)
        build = make_build(place.project, tag, commit=release.commit, tag_object="", release=release, pipeline=pipeline)
        for n, name in enumerate(("critical tests", "build")):
            make_step(build, name, "check" if n == 0 else "build", state="done", spec=pipeline.spec["steps"][n])
    return place


def ask(place: Environment, tag: str = "v1.0.1", **how: Any) -> Run:
    release = place.project.releases.get(tag=tag)
    run, made = deploy_request(place, release, **({"trigger": "person"} | how))
    assert (made, run.kind) == (True, "deploy")
    return run


def claimed(run: Run, worker: str = "one") -> Run:
    found = run_claim(run.pk, worker)
    assert found is not None
    return found


def again(run: Run) -> Run:
    return Run.objects.select_related("environment", "project").get(pk=run.pk)


def finished(run: Run) -> None:
    run.steps.update(state="done")
    run_succeed(run)


# --- turns ----------------------------------------------------------------------------------------------------------


def test_one_at_a_time_and_the_next_one_is_known() -> None:
    place = make_place()
    first, second = ask(place), ask(place, "v1.0.2")
    assert run_next(place) == first.pk
    assert run_claim(second.pk, "two") is None
    running = claimed(first)
    assert run_claim(first.pk, "two") is None
    assert run_next(place) is None
    finished(running)
    assert run_next(place) == second.pk
    assert claimed(second).replaces is None


def test_other_environments_do_not_wait() -> None:
    claimed(ask(make_place()))
    claimed(ask(make_place()))


def test_a_hotfix_goes_first_and_a_rollback_before_it() -> None:
    place = make_place("v1.0.0", "v1.0.1", "v1.0.2")
    good = make_shipment(place, "v1.0.0", live_at=timezone.now(), verified_at=timezone.now(), started_at=timezone.now())
    usual = ask(place, "v1.0.1")
    hotfix = ask(place, "v1.0.2", lane="hotfix")
    assert run_claim(usual.pk, "one") is None
    back = rollback_request(place, actor=make_user(), why="Bad.", to=good)
    assert run_claim(hotfix.pk, "one") is None
    finished(claimed(back))
    finished(claimed(hotfix))
    claimed(usual)


def test_a_lock_and_a_freeze_hold_everything_but_what_they_must_not() -> None:
    place, mira = make_place(), make_user("mira")
    run = ask(place)
    environment_lock(place, mira, "The auditors are here.")
    assert run_claim(run.pk, "one") is None
    assert runs_to_nudge() == []
    environment_unlock(place, mira)
    now = timezone.now()
    freeze = place.freezes.create(why="Christmas", starts_at=now - timedelta(days=1), ends_at=now + timedelta(days=1))
    assert run_claim(run.pk, "one") is None
    freeze.delete()
    claimed(run)


def test_who_waits_behind_something_stale_is_not_held_up() -> None:
    place = make_place()
    first, second = ask(place), ask(place, "v1.0.2")
    place.project.releases.filter(tag="v1.0.1").update(commit="f" * 40)
    assert run_next(place) == second.pk
    assert run_claim(first.pk, "one") is None
    assert again(first).state == "void"
    claimed(second)


def test_a_paused_run_is_taken_only_when_it_was_answered() -> None:
    run = claimed(ask(make_place()))
    Run.objects.filter(pk=run.pk).update(state="paused")
    step = make_step(run, "look", "manual", state="waiting")
    assert run_claim(run.pk, "two") is None
    assert runs_to_nudge() == []
    run_confirm(again(run), step, "Fine.", make_user())
    assert runs_to_nudge() == [run.pk]
    assert claimed(run).fence == 2


def test_tasks_are_sent_now_and_then_and_not_for_what_cannot_begin() -> None:
    place = make_place()
    first, second = ask(place), ask(place, "v1.0.2")
    now = timezone.now()
    assert runs_to_nudge(now) == [first.pk]
    assert runs_to_nudge(now + timedelta(seconds=20)) == []
    assert runs_to_nudge(now + timedelta(seconds=31)) == [first.pk]
    run_nudged(second.pk)
    assert again(second).nudged_at is not None
    running = claimed(first)
    assert runs_to_nudge(now + timedelta(minutes=5)) == []
    finished(running)
    assert runs_to_nudge(now + timedelta(minutes=5)) == [second.pk]


# --- the fence ------------------------------------------------------------------------------------------------------


def test_a_worker_believed_dead_writes_nothing_more() -> None:
    stale = claimed(ask(make_place()))
    step = stale.steps.get()
    step_begin(stale, step)
    Run.objects.filter(pk=stale.pk).update(state="lost")
    run_retry(again(stale))
    Step.objects.filter(run=stale).update(state="todo")
    fresh = claimed(stale, "two")
    assert (fresh.fence, run_beat(stale), run_beat(fresh)) == (2, False, True)
    writes: list[Callable[[], object]] = [
        lambda: step_begin(stale, step), lambda: step_end(stale, step, "done"), lambda: run_succeed(stale),
        lambda: run_fail(stale, "step", "No."), lambda: run_aborted(stale),
    ]  # fmt: skip
    for write in writes:
        with pytest.raises(RunLost):
            write()
    assert (again(stale).state, again(stale).worker) == ("running", "two")
    step_begin(fresh, step)
    step_end(fresh, step, "done")
    with pytest.raises(RunLost):
        step_begin(fresh, step)  # what is done is never begun again


# --- at the same moment ---------------------------------------------------------------------------------------------


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Call them all at the same moment, each on a connection of its own; results and exceptions, in their order."""
    ready = threading.Barrier(len(calls))
    got: list[Any] = [None] * len(calls)

    def one(n: int, call: Callable[[], Any]) -> None:
        try:
            ready.wait(10)
            got[n] = call()
        except Exception as error:
            got[n] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=one, args=(n, call)) for n, call in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    unexpected = [e for e in got if isinstance(e, Exception) and not isinstance(e, DeployRefused | RunLost)]
    assert not unexpected, unexpected
    return got


@pytest.mark.django_db(transaction=True)
def test_two_deployments_started_at_the_same_moment_one_runs_one_queues() -> None:
    for _ in range(3):
        place = make_place()
        runs = [ask(place), ask(place, "v1.0.2")]
        got = at_once(*(lambda run=run, n=n: run_claim(run.pk, f"w{n}") for n in range(2) for run in runs))
        taken = [run for run in got if run is not None]
        assert len(taken) == 1
        states = sorted(Run.objects.filter(environment=place).values_list("state", flat=True))
        assert states == ["queued", "running"]


@pytest.mark.django_db(transaction=True)
def test_the_same_asked_for_by_many_at_the_same_moment_is_one_run() -> None:
    place = make_place()
    release = place.project.releases.get(tag="v1.0.1")
    got = at_once(*(lambda: deploy_request(place, release, trigger="person") for _ in range(6)))
    assert len({run.pk for run, _made in got}) == 1
    assert sum(made for _run, made in got) == 1
    unbuilt = make_release(place.project, "v2.0.0")
    got = at_once(*(lambda: build_request(place.project, unbuilt, trigger="tag") for _ in range(6)))
    assert len({run.pk for run, _made in got}) == 1
    assert sum(made for _run, made in got) == 1


@pytest.mark.django_db(transaction=True)
def test_a_task_delivered_many_times_at_the_same_moment_runs_once() -> None:
    run = ask(make_place())
    got = at_once(*(lambda n=n: run_claim(run.pk, f"w{n}") for n in range(6)))
    assert sum(found is not None for found in got) == 1
    assert (again(run).fence, again(run).attempts) == (1, 1)
    assert Event.objects.filter(kind="run.started").count() == 1


@pytest.mark.django_db(transaction=True)
def test_abort_against_finish_has_one_outcome_and_nobody_is_told_otherwise() -> None:
    outcomes = set()
    for turn in range(6):
        run = claimed(ask(make_place()))
        run.steps.update(state="done")
        calls: list[Callable[[], Any]] = [lambda run=run: run_abort(run), lambda run=run: run_succeed(run)]
        aborted, _finish = at_once(*(calls if turn % 2 else reversed(calls)))[:: 1 if turn % 2 else -1]
        now = again(run)
        outcomes.add(now.state)
        if isinstance(aborted, DeployRefused):
            assert now.state == "done"
        else:
            assert now.state == "aborted"
        told = set(Event.objects.filter(subject=f"run:{run.pk}").values_list("kind", flat=True))
        assert len(told & {"run.done", "run.verified", "run.aborted"}) == 1
        assert not Run.objects.filter(environment=run.environment, state__in=HOLDING).exists()
    assert outcomes <= {"done", "aborted"}


@pytest.mark.django_db(transaction=True)
def test_taking_back_against_beginning_has_one_outcome() -> None:
    for _ in range(4):
        run = ask(make_place())
        cancelled, begun = at_once(lambda run=run: run_cancel(run), lambda run=run: run_claim(run.pk, "one"))
        if isinstance(cancelled, DeployRefused):
            assert (begun.pk, again(run).state) == (run.pk, "running")
        else:
            assert (begun, again(run).state) == (None, "cancelled")


@pytest.mark.django_db(transaction=True)
def test_a_lock_at_the_same_moment_comes_before_or_after_the_beginning() -> None:
    for _ in range(4):
        place, mira = make_place(), make_user()
        run = ask(place)
        _locked, begun = at_once(
            lambda place=place, mira=mira: environment_lock(place, mira, "Audit."),
            lambda run=run: run_claim(run.pk, "one"),
        )
        assert again(run).state == ("running" if begun else "queued")


@pytest.mark.django_db(transaction=True)
def test_going_on_pressed_twice_goes_on_once() -> None:
    run = claimed(ask(make_place()))
    Run.objects.filter(pk=run.pk).update(state="lost")
    got = at_once(*(lambda: run_retry(run) for _ in range(4)))
    assert sum(isinstance(found, Run) for found in got) == 1
    assert Event.objects.filter(kind="run.retried").count() == 1


@pytest.mark.django_db(transaction=True)
def test_rolling_back_pressed_by_two_is_one_rollback() -> None:
    place = make_place("v1.0.0", "v1.0.1")
    for minutes, tag in ((60, "v1.0.0"), (30, "v1.0.1")):
        at = timezone.now() - timedelta(minutes=minutes)
        make_shipment(place, tag, live_at=at, verified_at=at, started_at=at)
    got = at_once(*(lambda: rollback_request(place, actor=None, why="Bad.") for _ in range(4)))
    assert len({run.pk for run in got}) == 1
    assert Run.objects.filter(kind="rollback").count() == 1
