"""Who fetches what is decided by rows: one at a time per project, joined when asked for again, named when lost."""

from __future__ import annotations

import os
import subprocess
import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from releases.ledger.models import Event
from releases.projects.models import FetchRun
from releases.projects.services import (
    FetchLost,
    Heartbeat,
    fetch_beat,
    fetch_claim,
    fetch_fail,
    fetch_finish,
    fetch_held,
    fetch_nudged,
    fetch_request,
    fetches_due,
    fetches_lost,
    fetches_to_nudge,
)
from releases.projects.services.fetches import SLOWEST_RETRY, retry_pause
from releases.projects.worker_names import worker_gone, worker_name
from tests.factories import make_project, make_run

pytestmark = pytest.mark.django_db


def silent(run: FetchRun, seconds: int = 31) -> None:
    FetchRun.objects.filter(pk=run.pk).update(heartbeat_at=timezone.now() - timedelta(seconds=seconds))


def test_asking_again_joins_the_run_that_waits() -> None:
    project = make_project()
    assert fetch_request(project, "timer").pk == fetch_request(project, "webhook").pk
    assert FetchRun.objects.get().trigger == "webhook"


def test_the_timer_does_not_take_over_what_a_person_asked_for() -> None:
    project = make_project()
    fetch_request(project, "person")
    assert fetch_request(project, "timer").trigger == "person"


def test_a_push_during_a_fetch_is_looked_at_after_it() -> None:
    project = make_project()
    first = fetch_claim(fetch_request(project, "webhook").pk, "one")
    assert first is not None
    second = fetch_request(project, "webhook")
    assert second.pk != first.pk
    assert fetch_claim(second.pk, "two") is None
    fetch_finish(first)
    assert fetch_claim(second.pk, "two") is not None


def test_a_task_delivered_twice_finds_the_run_taken() -> None:
    run = fetch_request(make_project(), "timer")
    assert fetch_claim(run.pk, "one") is not None
    assert fetch_claim(run.pk, "two") is None
    assert FetchRun.objects.get(pk=run.pk).worker == "one"


def test_a_run_that_is_over_or_gone_is_not_taken() -> None:
    run = fetch_claim(fetch_request(make_project(), "timer").pk, "one")
    assert run is not None
    fetch_finish(run)
    assert fetch_claim(run.pk, "two") is None
    assert fetch_claim(999_999, "two") is None


def test_success_clears_the_error_and_says_so_once() -> None:
    project = make_project(failures=3, error_code="unreachable", error_text="No answer.", error_since=timezone.now())
    run = fetch_claim(fetch_request(project, "person").pk, "one")
    assert run is not None
    fetch_finish(run, refs_changed=2, verdicts_changed=5)
    project.refresh_from_db()
    assert (project.failures, project.error_code, project.error_text, project.error_since) == (0, "", "", None)
    assert project.next_fetch_at is not None
    assert 50 <= (project.next_fetch_at - timezone.now()).total_seconds() <= 60
    run.refresh_from_db()
    assert (run.state, run.refs_changed, run.verdicts_changed) == ("done", 2, 5)
    assert Event.objects.filter(kind="fetch.recovered").count() == 1


def test_the_same_failure_again_is_told_once_and_tried_later_and_later() -> None:
    project = make_project(fetch_every=60)
    pauses = []
    for _ in range(6):
        run = fetch_claim(fetch_request(project, "person").pk, "one")
        assert run is not None
        fetch_fail(run, "unreachable", "The server did not answer.")
        project.refresh_from_db()
        assert project.next_fetch_at is not None
        pauses.append((project.next_fetch_at - timezone.now()).total_seconds())
    assert project.failures == 6
    assert project.error_text == "The server did not answer."
    assert pauses[0] < pauses[2] < pauses[4]
    assert max(pauses) <= SLOWEST_RETRY
    assert Event.objects.filter(kind="fetch.failed").count() == 1


def test_a_policy_that_does_not_fit_is_no_reason_to_look_less_often() -> None:
    project = make_project(fetch_every=60)
    run = fetch_claim(fetch_request(project, "timer").pk, "one")
    assert run is not None
    fetch_fail(run, "no-such-branch", "There is no branch called develop; edit the flow policy.", back_off=False)
    project.refresh_from_db()
    assert project.failures == 0
    assert project.error_code == "no-such-branch"
    assert project.next_fetch_at is not None
    assert (project.next_fetch_at - timezone.now()).total_seconds() <= 60


@pytest.mark.parametrize(("every", "failures", "most"), [(60, 1, 120), (60, 4, 900), (60, 400, 900), (3600, 9, 3600)])
def test_the_pause_stays_within_its_bounds(every: int, failures: int, most: float) -> None:
    assert every <= retry_pause(every, failures) <= most


def test_a_silent_worker_is_named_as_lost_and_the_fetch_is_queued_again() -> None:
    run = fetch_claim(fetch_request(make_project(), "timer").pk, "one")
    assert run is not None
    silent(run)
    assert [lost.pk for lost in fetches_lost()] == [run.pk]
    assert fetches_lost() == []
    assert list(FetchRun.objects.order_by("pk").values_list("state", "trigger")) == [
        ("lost", "timer"),
        ("queued", "retry"),
    ]
    assert fetches_to_nudge() == [FetchRun.objects.get(state="queued").pk]
    assert Event.objects.filter(kind="fetch.lost").count() == 1


def test_a_worker_of_this_machine_that_is_gone_is_found_at_once() -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    name = worker_name().replace(f":{os.getpid()}/", f":{gone.pid}/")
    assert worker_gone(name)
    run = fetch_claim(fetch_request(make_project(), "timer").pk, name)
    assert run is not None
    assert [lost.pk for lost in fetches_lost()] == [run.pk]


def test_of_a_worker_elsewhere_only_its_silence_tells() -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    mine = worker_name()
    assert not worker_gone(mine)
    machine = mine.rpartition("/")[2]
    for name in (f"other:{gone.pid}/{machine}", f"{mine.rpartition(':')[0]}:{gone.pid}/0123", f"{gone.pid}", "", "one"):
        assert not worker_gone(name)


def test_a_living_worker_is_left_alone() -> None:
    run = fetch_claim(fetch_request(make_project(), "timer").pk, "one")
    assert run is not None
    silent(run, seconds=20)
    assert fetches_lost() == []


def test_a_worker_that_was_believed_dead_may_write_nothing() -> None:
    run = fetch_claim(fetch_request(make_project(), "timer").pk, "one")
    assert run is not None
    silent(run)
    fetches_lost()
    assert not fetch_beat(run)
    with pytest.raises(FetchLost), fetch_held(run):
        pytest.fail("the run is not held")
    with pytest.raises(FetchLost):
        fetch_finish(run)
    with pytest.raises(FetchLost):
        fetch_fail(run, "unreachable", "late")
    assert FetchRun.objects.get(pk=run.pk).state == "lost"


def test_a_fetch_that_keeps_killing_its_worker_is_not_tried_again_at_once() -> None:
    project = make_project()
    for _ in range(3):
        queued = FetchRun.objects.filter(project=project, state="queued").first() or fetch_request(project, "timer")
        run = fetch_claim(queued.pk, "one")
        assert run is not None
        silent(run)
        fetches_lost()
    project.refresh_from_db()
    assert project.error_code == "worker-lost"
    assert not FetchRun.objects.filter(project=project, state="queued").exists()
    assert project.next_fetch_at is not None
    assert project.next_fetch_at > timezone.now() + timedelta(seconds=60)


def test_the_timer_queues_what_is_due_and_nothing_else() -> None:
    now = timezone.now()
    due = make_project(next_fetch_at=now - timedelta(seconds=1))
    never = make_project(next_fetch_at=None)
    make_project(next_fetch_at=now + timedelta(seconds=30))
    make_run(make_project(next_fetch_at=now - timedelta(hours=1)), state="running", heartbeat_at=now)
    assert fetches_due(now) == 2
    assert fetches_due(now) == 0
    assert set(FetchRun.objects.filter(state="queued").values_list("project_id", flat=True)) == {due.pk, never.pk}


def test_what_nobody_took_is_nudged_again_but_not_all_the_time() -> None:
    run = fetch_request(make_project(), "timer")
    now = timezone.now()
    assert fetches_to_nudge(now) == [run.pk]
    assert fetches_to_nudge(now) == []
    fetch_nudged(run.pk)
    assert fetches_to_nudge(now + timedelta(seconds=40)) == [run.pk]
    assert fetches_to_nudge(now + timedelta(seconds=50)) == []
    assert fetches_to_nudge(now + timedelta(seconds=80)) == [run.pk]


def test_remotes_in_trouble_share_one_slot_and_people_go_first() -> None:
    trouble = {"failures": 4, "error_code": "unreachable"}
    one, two, well = make_project(**trouble), make_project(**trouble), make_project()
    assert fetch_claim(fetch_request(one, "timer").pk, "a") is not None
    waits = fetch_request(two, "timer")
    assert fetch_claim(waits.pk, "b") is None
    assert fetch_claim(fetch_request(well, "timer").pk, "b") is not None
    fetch_request(two, "person")
    assert fetch_claim(waits.pk, "b") is not None


@pytest.mark.django_db(transaction=True)
def test_two_workers_racing_for_one_run_get_it_once() -> None:
    for _ in range(5):
        run = fetch_request(make_project(), "timer")
        start, got = threading.Barrier(4), []

        def claim(name: str, pk: int = run.pk, start: threading.Barrier = start, got: list[str] = got) -> None:
            try:
                start.wait()
                if fetch_claim(pk, name) is not None:
                    got.append(name)
            finally:
                connection.close()

        threads = [threading.Thread(target=claim, args=(f"worker{n}",)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(got) == 1


@pytest.mark.django_db(transaction=True)
def test_ten_pushes_at_once_make_one_fetch() -> None:
    project = make_project()
    start = threading.Barrier(10)

    def push() -> None:
        try:
            start.wait()
            fetch_request(project, "webhook")
        finally:
            connection.close()

    threads = [threading.Thread(target=push) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert FetchRun.objects.filter(project=project).count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_heartbeat_beats_and_notices_that_the_run_was_taken_away() -> None:
    run = fetch_claim(fetch_request(make_project(), "timer").pk, "one")
    assert run is not None
    silent(run, seconds=25)
    with Heartbeat(run, every=0.05) as heart:
        heart.stage("Fetching")
        for _ in range(100):
            run.refresh_from_db()
            if run.heartbeat_at and run.heartbeat_at > timezone.now() - timedelta(seconds=2):
                break
        assert run.stage == "Fetching"
        FetchRun.objects.filter(pk=run.pk).update(state="lost")
        assert heart.lost.wait(5)
        with pytest.raises(FetchLost):
            heart.stage("Judging")
