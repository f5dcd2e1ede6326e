"""What waits for whom, in a number of queries that does not grow."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from hotfixdash.accounts.models import User
from releases.deploys.approving import approve, break_glass
from releases.deploys.binding import binding_of
from releases.deploys.inbox import follow_up_close, inbox, inbox_count
from releases.deploys.models import Environment, Run
from tests.factories import make_environment, make_shipment, make_step, make_user

from .asking import Shop, make_shop

pytestmark = pytest.mark.django_db
WHY = "Card payments are declined everywhere."


@pytest.fixture
def shop(tmp_path: Path, settings: Any) -> Shop:
    return make_shop(tmp_path, settings)


def kinds(person: Any) -> list[str]:
    fresh = User.objects.get(pk=person.pk) if person.pk else person
    return [item.kind for item in inbox(fresh)]


def test_an_approval_waits_for_those_who_may_give_it(shop: Shop) -> None:
    asker = shop.person()
    run = shop.request(asked_by=asker)
    manager, admin = shop.person(), shop.person("administrator")
    nobody = [
        asker, shop.person("viewer"), shop.person("engineer"), shop.person(username="mira"),
        shop.person(email="morgan@example.org"), make_user(role="release-manager"),
    ]  # fmt: skip
    assert (kinds(manager), kinds(admin)) == (["approve"], ["approve"])
    assert [kinds(person) for person in nobody] == [[]] * len(nobody)
    assert inbox(AnonymousUser()) == []
    (item,) = inbox(manager)
    assert (item.run, item.until, item.says) == (run, run.expires_at, "v1.0.1 to production waits for approval.")


def test_whoever_spoke_is_asked_no_more_and_after_the_last_nobody_is(tmp_path: Path, settings: Any) -> None:
    shop = make_shop(tmp_path, settings, 2)
    run, first, second = shop.request(), shop.person(), shop.person()
    approve(run, first, binding=binding_of(run))
    assert (kinds(first), kinds(second)) == ([], ["approve"])
    approve(run, second, binding=binding_of(run))
    assert (kinds(second), kinds(shop.person())) == ([], [])


def test_when_people_are_named_only_they_are_asked(shop: Shop) -> None:
    named, other = shop.person(), shop.person()
    shop.place.approvers.add(named)
    shop.request()
    assert (kinds(named), kinds(other)) == (["approve"], [])


def test_what_has_expired_waits_for_nobody(shop: Shop) -> None:
    run = shop.request()
    Run.objects.filter(pk=run.pk).update(expires_at=timezone.now())
    assert kinds(shop.person()) == []


def test_a_manual_step_waits_for_everybody_who_may_confirm_it(shop: Shop) -> None:
    run = make_shipment(shop.place, "v1.1.0", state="paused")
    step = make_step(run, "Split a payout", "manual", state="waiting")
    make_step(run, "Elsewhere", "deploy", state="waiting")
    (item,) = inbox(shop.person("engineer"))
    assert (item.kind, item.step, item.run) == ("confirm", step, run)
    assert kinds(shop.person("viewer")) == []


def test_a_lost_worker_waits_for_those_who_may_act(shop: Shop) -> None:
    make_shipment(shop.place, "v1.1.0", state="lost")
    assert (kinds(shop.person()), kinds(shop.person("engineer"))) == (["lost"], [])


def test_broken_glass_waits_for_a_second_person(shop: Shop) -> None:
    run, admin, second = shop.request(), shop.person("administrator"), shop.person()
    break_glass(run, admin, WHY)
    assert (kinds(admin), kinds(second), kinds(shop.person("engineer"))) == ([], ["look"], [])
    (item,) = inbox(second)
    assert item.follow_up is not None
    follow_up_close(item.follow_up, second, "Read it; all is well.")
    assert kinds(second) == []


def test_what_ends_soonest_stands_first(shop: Shop) -> None:
    person = shop.person()
    late, soon = (shop.request(place=make_environment(shop.project, name, approvals=1)) for name in ("late", "soon"))
    Run.objects.filter(pk=soon.pk).update(expires_at=timezone.now() + timedelta(minutes=5))
    lost = make_shipment(shop.place, "v1.1.0", state="lost")
    assert [item.run for item in inbox(person)] == [soon, late, lost]
    assert inbox_count(person) == 3


def test_the_queries_do_not_grow_with_what_waits(tmp_path: Path, settings: Any) -> None:
    shop = make_shop(tmp_path, settings, 1, probe={"kind": "http-text", "url": "http://127.0.0.1/"})
    person = shop.person()

    def asked() -> int:
        fresh = User.objects.get(pk=person.pk)
        with CaptureQueriesContext(connection) as queries:
            inbox_count(fresh)
        return len(queries)

    def more(first: int, last: int) -> None:
        for number in range(first, last):
            place = make_environment(
                shop.project, f"place-{number}", approvals=1, live=shop.place.live, seen=f"odd {number}",
                probe=shop.place.probe, seen_at=timezone.now(),
            )  # fmt: skip
            shop.request(place=place)
            paused = make_shipment(make_environment(shop.project, f"m-{number}"), "v1.1.0", state="paused")
            make_step(paused, "By hand", "manual", state="waiting")
            make_shipment(make_environment(shop.project, f"l-{number}"), "v1.1.0", state="lost")

    more(0, 1)
    few = asked()
    more(1, 9)
    assert inbox_count(User.objects.get(pk=person.pk)) == 27
    assert asked() == few
    assert few <= 12
    assert Environment.objects.count() > 20
