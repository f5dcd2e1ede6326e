"""What holds a run back: locks, freezes, other runs, the queue, bad releases."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from releases.deploys.approving import approve, break_glass
from releases.deploys.bad_releases import release_lift, release_mark_bad
from releases.deploys.binding import binding_of
from releases.deploys.errors import DeployRefused
from releases.deploys.freezing import freeze_add
from releases.deploys.gates import environment_lock, environment_unlock, holds, holds_of, lock_says, locks_end, queue_of
from releases.deploys.models import Environment, Run
from releases.ledger.models import Event
from tests.factories import make_environment, make_shipment

from .asking import Shop, make_shop

pytestmark = pytest.mark.django_db
WHY = "Card payments are declined everywhere."


@pytest.fixture
def shop(tmp_path: Path, settings: Any) -> Shop:
    return make_shop(tmp_path, settings, 0)


def more(shop: Shop, *tags: str) -> list[Run]:
    """Further releases, each queued for production."""
    for tag in tags:
        shop.repo.commit({f"{tag}.py": "new\n"}, f"Change for {tag}", author="jonas")
        shop.repo.tag(tag, message=f"Version {tag}")
    return [shop.request(tag) for tag in tags]


def codes(run: Run) -> list[str]:
    return [hold.code for hold in holds(Run.objects.get(pk=run.pk))]


def test_a_lock_says_who_why_and_until_when(shop: Shop) -> None:
    run, person = shop.request(), shop.person(username="tomas")
    until = timezone.now() + timedelta(hours=2)
    shop.place.time_zone = "Asia/Tokyo"
    shop.place.save()
    said = until.astimezone(ZoneInfo("Asia/Tokyo")).strftime("%a %-d %b, %H:%M (Asia/Tokyo)")
    environment_lock(shop.place, person, "Looking at the database.", until)
    (hold,) = holds(Run.objects.get(pk=run.pk))
    assert (hold.code, hold.until) == ("lock", until)
    assert hold.sentence == f"production is locked by tomas until {said}: Looking at the database."
    with pytest.raises(DeployRefused, match="locked by tomas"):
        environment_lock(shop.place, shop.person(), "Me too.")
    assert environment_unlock(shop.place, person)
    assert codes(run) == []
    assert not environment_unlock(shop.place, person)
    told = Event.objects.filter(subject="environment:production", kind__startswith="environment.").order_by("pk")
    assert [event.kind for event in told] == ["environment.locked", "environment.unlocked"]


def test_a_lock_ends_by_itself_even_before_it_is_tidied_away(shop: Shop) -> None:
    run, now = shop.request(), timezone.now()
    environment_lock(shop.place, shop.person(), "For a moment.", now + timedelta(minutes=5), now)
    later = now + timedelta(minutes=5)
    run = Run.objects.get(pk=run.pk)
    assert [hold.code for hold in holds(run, later - timedelta(seconds=1))] == ["lock"]
    assert holds(run, later) == []
    assert locks_end(later) == [shop.place]
    assert locks_end(later) == []
    shop.place.refresh_from_db()
    assert (shop.place.locked_at, shop.place.lock_why) == (None, "")


def test_a_lock_needs_a_reason_and_an_end_in_the_future(shop: Shop) -> None:
    for why, until in ((" ", None), ("Because.", timezone.now() - timedelta(minutes=1))):
        with pytest.raises(DeployRefused):
            environment_lock(shop.place, shop.person(), why, until)
    assert Environment.objects.get(pk=shop.place.pk).locked_at is None


def test_a_lock_by_the_operator_is_named_so(shop: Shop) -> None:
    environment_lock(shop.place, None, "Moving house.")
    assert lock_says(shop.place) == "production is locked by the operator until somebody unlocks it: Moving house."


def test_a_freeze_holds_deployments_but_lets_what_ran_well_come_back(shop: Shop) -> None:
    run, now = shop.request(), timezone.now()
    ends = now + timedelta(days=1)
    freeze_add(shop.place, "Sale", starts_at=now, ends_at=ends)
    (hold,) = holds(Run.objects.get(pk=run.pk))
    assert (hold.code, hold.until) == ("freeze", ends)
    back = make_shipment(shop.place, "v1.0.0", kind="rollback", state="queued", why="It is broken.")
    assert codes(back) == []


def test_another_run_holds_its_environment_and_no_other(shop: Shop) -> None:
    run = shop.request()
    staging = make_environment(shop.project, "staging")
    elsewhere = shop.request(place=staging)
    for state in ("running", "paused", "lost"):
        other = make_shipment(shop.place, "v0.9.0", state=state)
        assert (codes(run), codes(elsewhere)) == (["active"], [])
        other.delete()
    make_shipment(shop.place, "v0.9.0", state="watching")
    assert codes(run) == []


def test_the_queue_goes_by_rank_then_by_age(shop: Shop) -> None:
    first = shop.request()
    second, third = more(shop, "v1.1.0", "v1.2.0")
    assert [codes(run) for run in (first, second, third)] == [[], ["queue"], ["queue"]]
    Run.objects.filter(pk=third.pk).update(rank=-1000)  # a hotfix
    assert queue_of(shop.place) == [third, first, second]
    assert [codes(run) for run in (first, second, third)] == [["queue"], ["queue"], []]
    assert "v1.2.0 and 1 more" in holds(Run.objects.get(pk=second.pk))[0].sentence


def test_what_brings_the_old_back_goes_first(shop: Shop) -> None:
    run = shop.request(rank=-5000)
    back = make_shipment(shop.place, "v1.0.0", kind="rollback", state="queued", queued_at=timezone.now(), why="x")
    assert queue_of(shop.place) == [back, run]
    assert (codes(back), codes(run)) == ([], ["queue"])


def test_whom_their_own_state_holds_stops_nobody_behind_them(shop: Shop) -> None:
    first = shop.request()
    (second,) = more(shop, "v1.1.0")
    release_mark_bad(shop.project, "v1.0.1", first.commit, "It loses orders.")
    assert (codes(first), codes(second)) == (["bad"], [])


def test_broken_glass_overtakes_what_the_freeze_holds(tmp_path: Path, settings: Any) -> None:
    shop = make_shop(tmp_path, settings)
    first = shop.request()
    approve(first, shop.person(), binding=binding_of(first))
    (second,) = more(shop, "v1.1.0")
    now = timezone.now()
    freeze_add(shop.place, "Sale", starts_at=now - timedelta(hours=1), ends_at=now + timedelta(days=1))
    environment_lock(shop.place, shop.person(), "Nobody touches it.")
    break_glass(second, shop.person("administrator"), WHY)
    assert (codes(first), codes(second)) == (["lock", "freeze", "queue"], [])
    make_shipment(shop.place, "v0.9.0", state="running")
    assert codes(second) == ["active"]


def test_a_bad_release_ships_again_only_with_a_reason(shop: Shop) -> None:
    run, person = shop.request(), shop.person()
    mark = release_mark_bad(shop.project, "v1.0.1", run.commit, "It loses orders.", actor=person)
    assert codes(run) == ["bad"]
    Run.objects.filter(pk=run.pk).update(why="The orders were lost by the queue, not by this.")
    assert codes(run) == []
    Run.objects.filter(pk=run.pk).update(why="")
    release_lift(mark, person, "It was the queue.")
    assert codes(run) == []
    with pytest.raises(DeployRefused, match="not marked"):
        release_lift(mark, person, "Again.")


def test_marking_twice_keeps_the_first_mark(shop: Shop) -> None:
    first = release_mark_bad(shop.project, "v1.0.1", "a" * 40, "It loses orders.")
    assert release_mark_bad(shop.project, "v1.0.1", "a" * 40, "Me too.") == first
    with pytest.raises(DeployRefused):
        release_mark_bad(shop.project, "v1.0.0", "b" * 40, " ")
    assert Event.objects.filter(kind="release.bad", subject="release:v1.0.1").count() == 1


def test_the_queries_do_not_grow_with_the_queue(shop: Shop) -> None:
    def asked(runs: list[Run]) -> int:
        fresh = list(Run.objects.filter(pk__in=[run.pk for run in runs]).select_related("environment", "pipeline"))
        with CaptureQueriesContext(
            connection,
        ) as queries:
            holds_of(fresh)
        return len(queries)

    few = asked([shop.request()])
    many = asked(more(shop, *(f"v1.{number}.0" for number in range(1, 9))))
    assert many <= few
