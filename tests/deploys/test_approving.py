"""Yes and no to a deployment: who, to what exactly, until when."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from releases.deploys.approving import approve, break_glass, reject, runs_enough, runs_expire, runs_void_stale, withdraw
from releases.deploys.bad_releases import release_lift, release_mark_bad
from releases.deploys.binding import binding_key, binding_of
from releases.deploys.errors import DeployRefused
from releases.deploys.gates import holds
from releases.deploys.models import Approval, FollowUp, Run
from releases.deploys.voices import quorum
from releases.ledger.models import Event
from tests.factories import make_build, make_pipeline, make_project, sha

from .asking import Shop, make_shop

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(tmp_path: Path, settings: Any) -> Shop:
    return make_shop(tmp_path, settings)


def state(run: Run) -> str:
    return Run.objects.get(pk=run.pk).state


def told(run: Run) -> list[str]:
    return list(Event.objects.filter(subject=f"run:{run.pk}").order_by("pk").values_list("kind", flat=True))


def test_the_last_approval_queues_it_and_says_who_gave_it(tmp_path: Path, settings: Any) -> None:
    shop = make_shop(tmp_path, settings, 2)
    run = shop.request()
    approve(run, shop.person(username="aiko"), binding=binding_of(run))
    assert state(run) == Run.State.ASKED
    approve(run, shop.person(username="tomas"), "Looked at it.", binding=binding_key(binding_of(run)))
    run.refresh_from_db()
    assert (run.state, run.approved_at is not None, run.queued_at is not None) == (Run.State.QUEUED, True, True)
    assert holds(run) == []
    assert told(run)[-3:] == ["approval.given", "approval.given", "run.approved"]
    assert Event.objects.get(subject=f"run:{run.pk}", kind="run.approved").why == "Approved by aiko, tomas."


def test_one_person_counts_once(tmp_path: Path, settings: Any) -> None:
    shop = make_shop(tmp_path, settings, 2)
    run, person = shop.request(), shop.person()
    approve(run, person, binding=binding_of(run))
    with pytest.raises(DeployRefused, match="spoken"):
        approve(run, person, binding=binding_of(run))
    assert state(run) == Run.State.ASKED


def test_a_no_needs_a_reason_and_ends_it(shop: Shop) -> None:
    run, person = shop.request(), shop.person(username="aiko")
    with pytest.raises(DeployRefused) as refused:
        reject(run, person, "  ", binding=binding_of(run))
    assert refused.value.code == "comment"
    reject(run, person, "The rounding is still wrong.", binding=binding_of(run))
    run.refresh_from_db()
    assert (run.state, run.error_text) == (Run.State.REJECTED, "aiko said no: The rounding is still wrong.")
    with pytest.raises(DeployRefused, match="nobody is asked any more"):
        approve(run, shop.person(), binding=binding_of(run))


def test_an_approval_is_taken_back_until_it_starts(shop: Shop) -> None:
    run, person = shop.request(), shop.person()
    approve(run, person, binding=binding_of(run))
    withdraw(run, person)
    run.refresh_from_db()
    assert (run.state, run.approved_at, run.queued_at) == (Run.State.ASKED, None, None)
    approve(run, person, binding=binding_of(run))
    assert state(run) == Run.State.QUEUED
    Run.objects.filter(pk=run.pk).update(state="running", fence=1)
    with pytest.raises(DeployRefused, match="Too late"):
        withdraw(run, person)
    assert state(run) == Run.State.RUNNING


def test_only_an_approval_that_was_given_is_taken_back(shop: Shop) -> None:
    run = shop.request()
    with pytest.raises(DeployRefused, match="no approval of yours"):
        withdraw(run, shop.person())


# --- bound to facts -------------------------------------------------------------------------------------------------


def test_what_the_page_showed_must_be_what_is_asked(shop: Shop) -> None:
    run, person = shop.request(), shop.person()
    for fact in ("tag", "tag_object", "commit", "digest", "pipeline", "environment"):
        with pytest.raises(DeployRefused) as refused:
            approve(run, person, binding=binding_of(run) | {fact: "other"})
        assert refused.value.code == "stale"
    with pytest.raises(DeployRefused):
        approve(run, person, binding="0" * 64)
    assert state(run) == Run.State.ASKED
    assert not Approval.objects.exists()


def changes(shop: Shop) -> dict[str, Any]:
    """Each way in which the facts change under a request, and a word of what is said then."""
    release = shop.project.releases.get(tag="v1.0.1")

    def update(row: Any, **fields: Any) -> None:
        type(row).objects.filter(pk=row.pk).update(**fields)

    return {
        "moved": lambda: update(release, commit=sha("elsewhere"), moved_at=timezone.now()),
        "made again": lambda: update(release, tag_object=sha("another")),
        "deleted": lambda: update(release, deleted_at=timezone.now()),
        "artifact": lambda: make_build(
            shop.project, "v1.0.1", commit=release.commit, digest=f"sha256:{'f' * 64}", release=release
        ),
        "version 1 was asked for, version 2": lambda: make_pipeline(shop.project),
        "out of use": lambda: update(shop.place, retired_at=timezone.now()),
    }


@pytest.mark.parametrize(
    "what", ["moved", "made again", "deleted", "artifact", "version 1 was asked for, version 2", "out of use"]
)
def test_any_change_voids_it_before_and_after_the_approval(shop: Shop, what: str) -> None:
    approved = shop.request()
    approve(approved, shop.person(), binding=binding_of(approved))
    shown = binding_of(approved)
    changes(shop)[what]()
    approved = Run.objects.get(pk=approved.pk)
    assert [hold.code for hold in holds(approved)] == ["stale"]
    assert runs_void_stale(shop.project) == [approved]
    approved.refresh_from_db()
    assert approved.state == Run.State.VOID
    assert what in approved.error_text
    with pytest.raises(DeployRefused):
        approve(approved, shop.person(), binding=shown)


def test_a_change_is_seen_by_the_very_approval(shop: Shop) -> None:
    run, person = shop.request(), shop.person()
    shown = binding_of(run)
    changes(shop)["moved"]()
    with pytest.raises(DeployRefused, match="was moved") as refused:
        approve(run, person, binding=shown)
    assert refused.value.code == "stale"
    assert not Approval.objects.exists()


def test_what_nobody_has_to_approve_outlives_a_new_pipeline_but_no_moved_tag(tmp_path: Path, settings: Any) -> None:
    shop = make_shop(tmp_path, settings, 0)
    run = shop.request()
    assert run.state == Run.State.QUEUED
    make_pipeline(shop.project)
    assert runs_void_stale(shop.project) == runs_void_stale() == []
    changes(shop)["moved"]()
    assert runs_void_stale(make_project()) == []
    assert runs_void_stale() == [run]


# --- carried over ---------------------------------------------------------------------------------------------------


def ended(run: Run, how: str = "cancelled") -> None:
    Run.objects.filter(pk=run.pk).update(state=how)


def test_exactly_the_same_needs_no_second_word(shop: Shop) -> None:
    first, person = shop.request(), shop.person()
    approve(first, person, "Go.", binding=binding_of(first))
    ended(first)
    again = shop.request()
    assert again.state == Run.State.QUEUED
    carried = quorum(again).given[0]
    assert (carried.person, carried.comment, carried.carried_from) == (person, "Go.", first.approvals.get())
    assert "approval.carried" in told(again)


def test_an_approval_does_not_grow_younger_by_being_carried(shop: Shop) -> None:
    first = shop.request()
    approve(first, shop.person(), binding=binding_of(first))
    given = timezone.now() - timedelta(hours=20)
    Approval.objects.update(at=given)
    ended(first)
    again = shop.request()
    assert again.expires_at == given + timedelta(hours=24)
    ended(again)
    Approval.objects.update(at=timezone.now() - timedelta(hours=25))
    assert shop.request().state == Run.State.ASKED


@pytest.mark.parametrize("what", ["made again", "artifact", "version 1 was asked for, version 2"])
def test_nothing_is_carried_over_when_a_fact_changed(shop: Shop, what: str) -> None:
    first = shop.request()
    approve(first, shop.person(), binding=binding_of(first))
    changes(shop)[what]()
    runs_void_stale(shop.project)
    again = shop.request(pipeline=shop.project.pipelines.first())
    assert again.state == Run.State.ASKED
    assert quorum(again).given == ()


def test_a_word_that_was_taken_back_is_not_carried_over(shop: Shop) -> None:
    first, person, other = shop.request(), shop.person(), shop.person()
    approve(first, person, binding=binding_of(first))
    withdraw(first, person)
    reject(first, other, "Not today.", binding=binding_of(first))
    assert shop.request().state == Run.State.ASKED


def test_a_no_to_exactly_the_same_is_not_outlived_by_an_older_yes(tmp_path: Path, settings: Any) -> None:
    shop = make_shop(tmp_path, settings, 2)
    first, yes, no = shop.request(), shop.person(), shop.person()
    approve(first, yes, binding=binding_of(first))
    reject(first, no, "It loses orders.", binding=binding_of(first))
    again = shop.request()
    assert (again.state, quorum(again).given) == (Run.State.ASKED, ())
    approve(again, yes, binding=binding_of(again))
    approve(again, no, "Looked again: it was something else.", binding=binding_of(again))
    ended(again)
    assert shop.request().state == Run.State.QUEUED  # their last words were yes


def test_what_was_said_before_it_was_taken_back_does_not_count_afterwards(shop: Shop) -> None:
    first = shop.request()
    approve(first, shop.person(), binding=binding_of(first))
    ended(first, "failed")
    mark = release_mark_bad(shop.project, "v1.0.1", first.commit, "It loses orders.")
    again = shop.request(why="The orders were lost by the queue.")
    assert again.state == Run.State.ASKED
    ended(again)
    release_lift(mark, shop.person(), "It was the queue.")
    assert shop.request().state == Run.State.ASKED


def test_who_asks_again_does_not_count_for_it(shop: Shop) -> None:
    first, person = shop.request(), shop.person()
    approve(first, person, binding=binding_of(first))
    ended(first)
    assert shop.request(asked_by=person).state == Run.State.ASKED


# --- in time --------------------------------------------------------------------------------------------------------


def test_what_nobody_approves_expires(shop: Shop) -> None:
    run = shop.request()
    assert run.expires_at is not None
    assert runs_expire(run.expires_at - timedelta(seconds=1)) == []
    assert runs_expire(run.expires_at) == [run]
    run.refresh_from_db()
    assert (run.state, run.error_text) == (Run.State.EXPIRED, "Nobody approved it in time.")


def test_an_approval_that_is_not_used_expires(shop: Shop) -> None:
    run = shop.request()
    approve(run, shop.person(), binding=binding_of(run))
    run.refresh_from_db()
    assert run.expires_at is not None
    assert run.expires_at > timezone.now() + timedelta(hours=23)
    runs_expire(run.expires_at)
    assert state(run) == Run.State.EXPIRED


def test_too_late_is_too_late_even_before_the_sweep(shop: Shop) -> None:
    run = shop.request()
    Run.objects.filter(pk=run.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(DeployRefused, match="expired"):
        approve(run, shop.person(), binding=binding_of(run))


def test_more_voices_asked_for_since_hold_what_is_queued(shop: Shop) -> None:
    run = shop.request()
    approve(run, shop.person(), binding=binding_of(run))
    shop.place.approvals = 2
    shop.place.save()
    run = Run.objects.get(pk=run.pk)
    assert [hold.code for hold in holds(run)] == ["approval"]
    approve(run, shop.person(), binding=binding_of(run))
    assert holds(Run.objects.get(pk=run.pk)) == []


@pytest.mark.parametrize(("fewer", "said"), [(1, "Approved by aiko."), (0, "Nobody has to approve it any more.")])
def test_fewer_voices_asked_for_since_queue_what_has_enough(
    tmp_path: Path, settings: Any, fewer: int, said: str
) -> None:
    shop = make_shop(tmp_path, settings, 2)
    run = shop.request()
    if fewer:
        approve(run, shop.person(username="aiko"), binding=binding_of(run))
    assert runs_enough() == []
    shop.place.approvals = fewer
    shop.place.save()
    assert runs_enough() == [run]
    assert runs_enough() == []
    assert (state(run), holds(Run.objects.get(pk=run.pk))) == (Run.State.QUEUED, [])
    assert Event.objects.get(subject=f"run:{run.pk}", kind="run.approved").why == said


def test_who_was_switched_off_since_counts_no_more(shop: Shop) -> None:
    run, person = shop.request(), shop.person()
    approve(run, person, binding=binding_of(run))
    person.is_active = False
    person.save()
    assert [hold.code for hold in holds(Run.objects.get(pk=run.pk))] == ["approval"]


# --- the glass ------------------------------------------------------------------------------------------------------


def test_broken_glass_overrides_the_quorum_and_opens_a_follow_up(tmp_path: Path, settings: Any) -> None:
    shop = make_shop(tmp_path, settings, 2)
    run, admin = shop.request(), shop.person("administrator")
    with pytest.raises(DeployRefused, match="emergency"):
        break_glass(run, admin, "now!")
    break_glass(run, admin, "Card payments are down, and nobody else is awake.")
    run = Run.objects.get(pk=run.pk)
    assert (run.state, run.glass_by, run.expires_at) == (Run.State.QUEUED, admin, None)
    assert holds(run) == []
    assert FollowUp.objects.get(run=run).closed_at is None
    assert told(run)[-1] == "run.glass-broken"
    with pytest.raises(DeployRefused, match="already"):
        break_glass(run, admin, "Card payments are still down.")


def test_broken_glass_ships_nothing_else_than_was_asked_for(shop: Shop) -> None:
    run = shop.request()
    changes(shop)["moved"]()
    with pytest.raises(DeployRefused, match="was moved"):
        break_glass(run, shop.person("administrator"), "Card payments are down everywhere.")
    assert not FollowUp.objects.exists()
