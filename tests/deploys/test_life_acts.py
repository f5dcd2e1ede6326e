"""What people do with a run: end it, give it up, go on, take it back, roll back, order the queue."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from releases.deploys.acting import (
    UNHEARD_AFTER,
    queue_move,
    run_abandon,
    run_abort,
    run_cancel,
    run_confirm,
    run_retry,
)
from releases.deploys.errors import DeployRefused
from releases.deploys.gates import queue_of
from releases.deploys.models import BadRelease, Environment, Run, Step
from releases.deploys.moving import run_claim, run_lost, run_unwell, run_verified, runs_lost
from releases.deploys.promoting import run_follow_up
from releases.deploys.requesting import build_request, deploy_request, rollback_request
from releases.deploys.runner.marks import marked
from releases.deploys.spec import StepKind, StepSpec
from releases.ledger.models import Event
from tests.factories import make_environment, make_project, make_shipment, make_step, make_user

from .shop import Shop, again, carried, events_of, make_shop, states, until

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return make_shop(tmp_path, "staging")


def place_with(**fields: object) -> Environment:
    return make_environment(make_project(), "staging", **fields)


def waiting(place: Environment, tag: str = "v1.0.1", state: str = "queued", **fields: object) -> Run:
    """A deployment with one step to do, whatever it deploys."""
    times = {"queued_at": timezone.now()} if state == "queued" else {}
    run = make_shipment(place, tag, state=state, **(times | fields))
    make_step(run)
    return run


def taken(place: Environment, tag: str = "v1.0.1") -> Run:
    run = waiting(place, tag)
    Run.objects.filter(pk=run.pk).update(kind="rollback")  # needs nobody's word and no tag
    claimed = run_claim(run.pk, "one")
    assert claimed is not None
    return claimed


def lost(place: Environment) -> Run:
    run = taken(place)
    make_step(run, "smoke", "verify")
    run.steps.filter(index=0).update(state="running", fence=run.fence)
    Run.objects.filter(pk=run.pk).update(heartbeat_at=timezone.now() - timedelta(minutes=1))
    assert [found.pk for found in runs_lost()] == [run.pk]
    return again(run)


# --- abort ----------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_abort_kills_for_real_within_seconds(tmp_path: Path) -> None:
    shop = make_shop(tmp_path, "staging")
    stubborn = f'trap "" TERM; (trap "" TERM; sleep 600) & echo on > "{tmp_path}/there"; sleep 600; sleep 600'
    shop.pipeline(StepSpec("long", StepKind.CHECK, stubborn))
    run, _made = build_request(shop.project, shop.release("v1.0.1"), trigger="person")

    def carry() -> None:
        try:
            carried(run)
        finally:
            connection.close()

    worker = threading.Thread(target=carry)
    worker.start()
    until((tmp_path / "there").exists)
    assert marked()
    began = time.monotonic()
    assert run_abort(run, make_user("mira")).state == "running"
    assert run_abort(run).state == "running"  # once more changes nothing
    worker.join(30)
    # Half a second until it is asked, one and a half for what ignores the request to end.
    assert time.monotonic() - began < 20
    assert not marked()
    ended = again(run)
    assert (ended.state, ended.error_code) == ("aborted", "aborted")
    assert ended.error_text == "Aborted by mira while it ran; its commands were ended."
    assert Step.objects.get(run=run).ended == "aborted"
    assert events_of(run) == ["run.queued", "run.started", "run.abort-asked", "run.aborted"]


def test_what_waits_for_an_answer_is_aborted_at_once(shop: Shop) -> None:
    shop.pipeline(StepSpec("look", StepKind.MANUAL, text="Look."))
    run, _made = build_request(shop.project, shop.release("v1.0.1"), trigger="person")
    assert carried(run).state == "paused"
    ended = run_abort(run, make_user("mira"))
    assert (ended.state, ended.error_text) == ("aborted", "Aborted by mira while it waited for an answer.")
    assert states(run) == ["failed"]
    with pytest.raises(DeployRefused):
        run_confirm(run, Step.objects.get(run=run), "Late.", make_user())


def test_only_what_runs_can_be_aborted() -> None:
    place = place_with()
    for state in ("queued", "done", "lost", "failed"):
        run = waiting(place, f"v1.0.{len(state)}", state)
        with pytest.raises(DeployRefused, match="Only what runs can be aborted") as refused:
            run_abort(run)
        assert refused.value.code == "state"
        run.delete()


def test_what_was_aborted_and_lost_its_worker_is_aborted() -> None:
    run = taken(place_with())
    run_abort(run)
    Run.objects.filter(pk=run.pk).update(heartbeat_at=timezone.now() - timedelta(minutes=1))
    runs_lost()
    assert again(run).state == "aborted"


# --- lost, given up, going on ---------------------------------------------------------------------------------------


def test_a_lost_run_keeps_its_environment_and_says_where_it_was() -> None:
    run = lost(place_with())
    assert (run.state, run.error_code) == ("lost", "worker-lost")
    assert run.error_text == "The worker stopped in the middle of “switch”. How far it came is not known here."
    assert states(run) == ["failed", "todo"]
    assert run.environment is not None
    other = waiting(run.environment, "v1.0.2")
    assert run_claim(other.pk, "two") is None
    assert Event.objects.get(kind="run.lost").evidence["step"] == "switch"
    assert runs_lost() == []


def test_a_sign_of_life_at_the_last_moment_counts() -> None:
    run = taken(place_with())
    stale = again(run)
    Run.objects.filter(pk=run.pk).update(heartbeat_at=timezone.now() + timedelta(seconds=1))
    assert not run_lost(stale)
    assert again(run).state == "running"


def test_a_lost_run_goes_on_at_one_press_before_anybody_else() -> None:
    run = lost(place_with())
    assert run.environment is not None
    waits = waiting(run.environment, "v1.0.2")
    run_retry(run, make_user())
    assert run_claim(waits.pk, "two") is None
    claimed = run_claim(run.pk, "two")
    assert claimed is not None
    assert (claimed.fence, states(run)) == (2, ["todo", "todo"])
    assert run_claim(run.pk, "three") is None


def test_a_lost_run_is_given_up_at_one_press() -> None:
    run = lost(place_with())
    assert run_abandon(run, make_user("mira"), "The host is gone.").error_text == "Given up by mira: The host is gone."
    assert again(run).state == "abandoned"
    with pytest.raises(DeployRefused):
        run_retry(run)
    with pytest.raises(DeployRefused):
        run_abandon(run)


def test_a_worker_that_does_not_heed_an_abort_can_be_given_up() -> None:
    run = taken(place_with())
    run_abort(run)
    with pytest.raises(DeployRefused):
        run_abandon(run)
    Run.objects.filter(pk=run.pk).update(abort_asked_at=timezone.now() - UNHEARD_AFTER - timedelta(seconds=1))
    assert run_abandon(run).state == "abandoned"


def test_what_failed_goes_on_until_something_else_was_begun_there() -> None:
    place = place_with()
    run = waiting(place, state="failed", started_at=timezone.now() - timedelta(hours=1))
    assert run_retry(run).state == "queued"
    Run.objects.filter(pk=run.pk).update(state="failed", started_at=timezone.now() - timedelta(hours=1))
    waiting(place, "v1.0.2", "done", started_at=timezone.now())
    with pytest.raises(DeployRefused, match="Something else was begun there since"):
        run_retry(run)


def test_what_is_done_or_waits_cannot_be_tried_again() -> None:
    place = place_with()
    for state in ("done", "queued", "abandoned"):
        with pytest.raises(DeployRefused, match="cannot be tried again"):
            run_retry(waiting(place, f"v1.0.{len(state)}", state))


def test_what_was_asked_for_anew_is_not_tried_again() -> None:
    place = place_with()
    run = waiting(place, state="failed")
    waiting(place)
    with pytest.raises(DeployRefused, match="was asked for anew"):
        run_retry(run)


def test_what_waits_can_be_taken_back() -> None:
    place = place_with()
    run = waiting(place)
    assert run_cancel(run, make_user("mira")).error_text == "Taken back by mira."
    assert again(run).state == "cancelled"
    with pytest.raises(DeployRefused, match="Only what waits can be taken back"):
        run_cancel(run)


# --- the watch ------------------------------------------------------------------------------------------------------


def watched(place: Environment, tag: str = "v1.0.1", **fields: object) -> Run:
    run = waiting(place, tag, "watching", live_at=timezone.now(), started_at=timezone.now(), **fields)
    run.steps.update(state="done", attempts=1)
    Environment.objects.filter(pk=place.pk).update(live=run)
    return Run.objects.select_related("environment", "project").get(pk=run.pk)


def test_a_watch_ends_once() -> None:
    run = watched(place_with())
    assert run_verified(run)
    assert not run_verified(run)
    assert not run_unwell(run, "Too late.")
    assert again(run).verified_at is not None
    assert events_of(run) == ["run.verified"]


def test_a_watch_says_nothing_while_something_else_is_on_its_way() -> None:
    place = place_with()
    run = watched(place)
    waiting(place, "v1.0.2", "running")
    assert not run_unwell(run, "It answers 502.")


# --- rollback -------------------------------------------------------------------------------------------------------


def shipped(shop: Shop, tag: str) -> Run:
    build, _made = deploy_request(shop.place("staging"), shop.release(tag), trigger="person")
    carried(build)
    return carried(Run.objects.get(environment__name="staging", tag=tag, kind="deploy"))


def test_rolling_back_brings_the_last_good_one_and_marks_the_bad_one(shop: Shop) -> None:
    first, second = shipped(shop, "v1.0.0"), shipped(shop, "v1.0.1")
    assert (first.state, second.state) == ("done", "done")
    waits = waiting(shop.place("staging"), "v1.0.9", rank=-5000, pipeline=second.pipeline)
    run = rollback_request(shop.place("staging"), actor=make_user("mira"), why="The till rounds wrongly.")
    facts = (run.kind, run.state, run.tag, run.digest, run.replaces, run.artifact)
    assert facts == ("rollback", "queued", "v1.0.0", first.digest, second, first.artifact)
    assert rollback_request(shop.place("staging"), actor=None, why="Pressed twice.") == run
    assert queue_of(shop.place("staging")) == [run, waits]
    assert carried(run).state == "done"
    assert (shop.folder / "staging" / "TAG").read_text() == "v1.0.0\n"
    assert shop.place("staging").live == run
    bad = BadRelease.objects.get()
    assert (bad.tag, bad.why, bad.run) == ("v1.0.1", "The till rounds wrongly.", run)
    told = Event.objects.get(kind="stage.staging", subject="release:v1.0.1", new="failed")
    assert told.why == "rolled back to v1.0.0"
    with pytest.raises(DeployRefused) as refused:
        deploy_request(shop.place("staging"), shop.release("v1.0.1"), trigger="person")
    assert refused.value.code == "bad-release"
    again_asked, made = deploy_request(
        shop.place("staging"), shop.release("v1.0.1"), trigger="person", why="It was the database."
    )
    assert (again_asked.why, made) == ("It was the database.", True)


def test_rolling_back_has_steps_of_its_own_where_the_pipeline_has_them(shop: Shop) -> None:
    back = StepSpec("back", StepKind.ROLLBACK, shop.says("back", 'echo "from $HOTFIXDASH_PREVIOUS_TAG"'))
    shop.pipeline(*shop.steps(), back)
    shipped(shop, "v1.0.0"), shipped(shop, "v1.0.1")
    run = rollback_request(shop.place("staging"), actor=None, why="Bad.")
    assert [step.name for step in run.steps.all()] == ["back", "smoke"]
    assert carried(run).state == "done"
    assert shop.did()[-2:] == ["back staging v1.0.0", "verify staging v1.0.0"]


def test_rolling_back_ends_what_stands_in_its_way(shop: Shop) -> None:
    shipped(shop, "v1.0.0")
    place = shop.place("staging")
    stuck = waiting(place, "v1.0.1", "lost", started_at=timezone.now())
    stuck.steps.update(state="failed", attempts=1)
    run = rollback_request(place, actor=make_user("mira"), why="It hangs.")
    assert again(stuck).state == "abandoned"
    assert again(stuck).error_text == "Given up by mira: v1.0.0 is brought back."
    assert run.tag == "v1.0.0"
    assert carried(run).state == "done"


def test_without_something_that_ran_well_there_is_nothing_to_go_back_to(shop: Shop) -> None:
    shipped(shop, "v1.0.1")
    with pytest.raises(DeployRefused, match="Nothing that ran well in staging before is known"):
        rollback_request(shop.place("staging"), actor=None, why="Bad.")
    with pytest.raises(DeployRefused, match="Say why"):
        rollback_request(shop.place("staging"), actor=None, why=" ")


@pytest.mark.parametrize("policy", [True, False])
def test_a_failed_verification_rolls_back_where_the_environment_says_so(shop: Shop, policy: bool) -> None:
    shipped(shop, "v1.0.0")
    Environment.objects.update(rolls_back=policy)
    steps = shop.steps()
    shop.pipeline(*steps[:3], StepSpec("smoke", StepKind.VERIFY, '[ "$HOTFIXDASH_TAG" != v1.0.1 ]'))
    run = shipped(shop, "v1.0.1")
    assert (run.state, run.error_text) == ("failed", "“smoke” failed: It ended with status 1.")
    back = Run.objects.filter(kind="rollback")
    assert back.exists() is policy
    if policy:
        asked = back.get()
        assert asked.why == "v1.0.1 failed its verification. “smoke” failed: It ended with status 1."
        assert (asked.trigger, carried(asked).state) == ("verify", "done")
        assert run_follow_up(run) == []


def test_a_rollback_that_fails_is_not_rolled_back(shop: Shop) -> None:
    shipped(shop, "v1.0.0"), shipped(shop, "v1.0.1")
    Environment.objects.update(rolls_back=True)
    shop.pipeline(*shop.steps()[:3], StepSpec("smoke", StepKind.VERIFY, "false"))
    run = rollback_request(shop.place("staging"), actor=None, why="Bad.")
    assert carried(run).state == "failed"
    assert Run.objects.filter(kind="rollback").count() == 1


# --- the queue ------------------------------------------------------------------------------------------------------


def test_the_queue_is_ordered_by_hand() -> None:
    place = place_with()
    one, two, three = (waiting(place, f"v1.0.{n}") for n in (1, 2, 3))
    assert queue_of(place) == [one, two, three]
    assert queue_move(three, one, make_user("mira")) == [three, one, two]
    assert queue_move(three, None) == [one, two, three]
    assert queue_move(two, one) == [two, one, three]
    moved = Event.objects.filter(kind="run.moved").order_by("pk")
    assert moved[0].why == "Moved before v1.0.1 of the queue of staging."
    newest = waiting(place, "v1.0.4")
    assert queue_of(place) == [two, one, three, newest]
    Run.objects.filter(pk=one.pk).update(state="running")
    with pytest.raises(DeployRefused, match="Only what is queued can be moved"):
        queue_move(one, None)
