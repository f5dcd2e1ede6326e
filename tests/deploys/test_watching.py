"""Settling, watching, drift: against an application that really answers, and really changes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from releases.deploys.models import Environment, Run
from releases.deploys.probing import Seen
from releases.deploys.requesting import deploy_request
from releases.deploys.watching import (
    environment_probed,
    environments_probe,
    environments_to_probe,
    settle,
    watches_unasked,
)
from releases.ledger.models import Event
from releases.tasks import probes_sweep
from tests.factories import make_environment, make_project, make_shipment

from .servers import Served, served, text
from .shop import Shop, again, carried, make_shop

pytestmark = pytest.mark.django_db


@pytest.fixture
def app() -> Iterator[Served]:
    with served({"/": text("v1.0.0")}) as here:
        yield here


@pytest.fixture
def place(app: Served) -> Environment:
    """Production with v1.0.0 live, which is what answers."""
    place = make_environment(
        make_project(operator_path=True), probe={"kind": "http-text", "url": f"{app.url}/"}, settle_seconds=1
    )
    live(place, "v1.0.0")
    return place


def live(place: Environment, tag: str, **fields: Any) -> Run:
    run = make_shipment(place, tag, live_at=timezone.now(), **fields)
    Environment.objects.filter(pk=place.pk).update(live=run)
    place.refresh_from_db()
    return run


def look(place: Environment) -> Environment:
    assert environments_probe([place.pk]) == 1
    place.refresh_from_db()
    return place


def kinds(place: Environment) -> list[str]:
    rows = Event.objects.filter(subject=f"environment:{place.name}", project=place.project).order_by("pk")
    return list(rows.values_list("kind", flat=True))


# --- drift and health -------------------------------------------------------------------------------------------------


def test_what_agrees_is_seen_and_well(place: Environment) -> None:
    look(place)
    assert (place.seen, place.healthy, place.drift_since, place.probe_error) == ("v1.0.0", True, None, "")
    assert place.probed_at is not None
    assert kinds(place) == []


def test_something_else_there_is_drift_until_it_agrees_again(app: Served, place: Environment) -> None:
    app.answers["/"] = text("v0.9.0")
    first = look(place).drift_since
    assert first is not None
    assert look(place).drift_since == first
    assert place.seen == "v0.9.0"
    app.answers["/"] = text("v1.0.0")
    assert look(place).drift_since is None
    assert kinds(place) == ["environment.drift", "environment.agrees"]
    drifted = Event.objects.get(kind="environment.drift")
    assert (drifted.old, drifted.new) == ("v1.0.0", "v0.9.0")


def test_an_environment_where_nothing_was_deployed_does_not_drift(app: Served, place: Environment) -> None:
    Environment.objects.filter(pk=place.pk).update(live=None)
    place.refresh_from_db()
    assert look(place).drift_since is None
    assert place.seen == "v1.0.0"


def test_silence_is_told_once_and_is_no_drift(app: Served, place: Environment) -> None:
    look(place)
    app.answers["/"] = text("broken", 503)
    since = look(place).unwell_since
    assert since is not None
    assert (look(place).unwell_since, place.healthy, place.bad_probes) == (since, False, 2)
    assert place.seen == "broken"  # It named something, so that is what was seen.
    app.answers["/"] = text("v1.0.0")
    assert (look(place).unwell_since, place.bad_probes) == (None, 0)
    assert [kind for kind in kinds(place) if "well" in kind] == ["environment.unwell", "environment.well"]


def test_where_nothing_was_deployed_yet_nobody_is_told_that_it_is_away(app: Served, place: Environment) -> None:
    Environment.objects.filter(pk=place.pk).update(live=None)
    place.refresh_from_db()
    app.answers["/"] = text("", 503)
    look(place)
    live(place, "v1.0.0")
    app.answers["/"] = text("v1.0.0")
    assert look(place).healthy
    assert kinds(place) == []


def test_while_something_is_deployed_nothing_is_drift_or_told(app: Served, place: Environment) -> None:
    make_shipment(place, "v1.1.0", state="running")
    app.answers["/"] = text("v1.1.0")
    assert (look(place).drift_since, place.bad_probes) == (None, 0)
    app.answers["/"] = text("restarting", 503)
    assert (look(place).healthy, place.bad_probes) == (False, 0)
    assert kinds(place) == []
    Run.objects.filter(state="running").update(state="failed")
    look(place)
    assert kinds(place)[0] == "environment.unwell"


def test_an_answer_from_before_a_deployment_or_another_probe_says_nothing(place: Environment) -> None:
    before = Environment.objects.select_related("live").get(pk=place.pk)
    live(place, "v1.1.0")
    assert not environment_probed(before, Seen("v1.0.0", True))
    place.refresh_from_db()
    assert (place.seen, place.drift_since) == ("", None)
    now = Environment.objects.select_related("live").get(pk=place.pk)
    Environment.objects.filter(pk=place.pk).update(probe=place.probe | {"pattern": "v"})
    assert not environment_probed(now, Seen("v1.0.0", True))


# --- whose turn it is -------------------------------------------------------------------------------------------------


def test_each_is_asked_when_its_turn_comes_and_by_one_only(place: Environment) -> None:
    now = timezone.now()
    assert environments_to_probe(now) == [place.pk]
    assert environments_to_probe(now) == []
    assert environments_to_probe(now + timedelta(seconds=place.probe_every - 1)) == []
    assert environments_to_probe(now + timedelta(seconds=place.probe_every)) == [place.pk]


def test_without_a_probe_or_out_of_use_it_is_not_asked(place: Environment) -> None:
    make_environment(place.project, "staging")
    Environment.objects.filter(pk=place.pk).update(retired_at=timezone.now())
    assert environments_to_probe() == []


def test_many_are_asked_side_by_side(app: Served) -> None:
    import time

    def slow(request: Any) -> None:
        time.sleep(0.5)
        text("v1")(request)

    app.answers["/"] = slow
    project = make_project(operator_path=True)
    probe = {"kind": "http-text", "url": f"{app.url}/"}
    pks = [make_environment(project, f"place-{n}", probe=probe).pk for n in range(8)]
    begun = time.monotonic()
    assert environments_probe(pks) == 8
    assert time.monotonic() - begun < 3


# --- settling ---------------------------------------------------------------------------------------------------------


def test_it_settles_as_soon_as_the_new_version_answers(app: Served, place: Environment) -> None:
    run = make_shipment(place, "v1.1.0", state="running")
    said: list[bytes] = []

    def sink(line: bytes) -> None:
        said.append(line)
        app.answers["/"] = text("v1.1.0")

    ended = settle(run, lambda: "", sink)
    assert ended.good
    assert ended.facts == {"revision": "v1.1.0"}
    assert said == [b"The probe names v1.0.0 and not v1.1.0.\n", b"production runs v1.1.0 and is well.\n"]


@pytest.mark.parametrize(("answer", "why"), [("v1.0.0", "names v1.0.0 and not v1.1.0"), ("", "empty")])
def test_it_gives_up_after_its_time_and_says_what_answered(
    app: Served, place: Environment, answer: str, why: str
) -> None:
    app.answers["/"] = text(answer)
    ended = settle(make_shipment(place, "v1.1.0", state="running"), lambda: "")
    assert (ended.how, ended.good) == ("timeout", False)
    assert why in ended.why
    assert 1 <= ended.seconds < 4


def test_the_right_version_that_is_not_well_does_not_settle(app: Served, place: Environment) -> None:
    app.answers["/"] = text("v1.1.0", 500)
    ended = settle(make_shipment(place, "v1.1.0", state="running"), lambda: "")
    assert "status 500" in ended.why


@pytest.mark.parametrize("reason", ["aborted", "lost"])
def test_it_stops_when_it_is_no_longer_wanted(place: Environment, reason: str) -> None:
    place.settle_seconds = 60
    run = make_shipment(place, "v1.1.0", state="running")
    ended = settle(run, lambda: reason)
    assert (ended.how, ended.code) == (reason, None)
    assert ended.seconds < 3


def test_without_a_probe_there_is_nothing_to_wait_for() -> None:
    said: list[bytes] = []
    assert settle(make_shipment(make_environment(make_project())), lambda: "", said.append).good
    assert said == [b"No probe is set up here, so nobody asks what runs.\n"]


# --- a deployment that is watched -------------------------------------------------------------------------------------


@pytest.fixture
def shop(tmp_path: Path, app: Served) -> Shop:
    """Its steps answer through the app: what is deployed is what the app names from then on."""
    shop = make_shop(tmp_path, "production", settle_seconds=2, probe={"kind": "http-text", "url": f"{app.url}/"})

    def deployed(request: Any) -> None:
        text((tmp_path / "production" / "TAG").read_text())(request)

    app.answers["/"] = deployed
    return shop


def shipped(shop: Shop, tag: str, watch: int = 60) -> Run:
    """A release that was brought to production."""
    Environment.objects.update(watch_seconds=watch)
    build, _made = deploy_request(shop.place("production"), shop.release(tag), trigger="person")
    carried(build)
    return carried(Run.objects.get(environment=shop.place("production"), tag=tag, kind="deploy"))


def now_over(run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(watch_until=timezone.now() - timedelta(seconds=1))


def test_it_is_verified_when_it_stayed_well_to_the_end(shop: Shop) -> None:
    run = shipped(shop, "v1.0.1")
    assert (run.state, run.error_text) == ("watching", "")
    look(shop.place("production"))
    assert again(run).state == "watching"
    now_over(run)
    look(shop.place("production"))
    run = again(run)
    assert (run.state, run.verified_at is not None) == ("done", True)
    told = Event.objects.get(kind="run.verified")
    assert told.why == "v1.0.1 is live and verified in production."


def test_one_bad_answer_is_no_verdict_two_are(shop: Shop, app: Served) -> None:
    run = shipped(shop, "v1.0.1")
    good = app.answers["/"]
    app.answers["/"] = text("v1.0.1", 500)
    look(shop.place("production"))
    app.answers["/"] = good
    look(shop.place("production"))
    app.answers["/"] = text("v1.0.1", 500)
    look(shop.place("production"))
    assert again(run).state == "watching"
    look(shop.place("production"))
    run = again(run)
    assert (run.state, run.error_text) == ("failed", "It answers with status 500.")
    assert not Run.objects.filter(kind="rollback").exists()


def test_another_version_than_was_deployed_fails_the_watch(shop: Shop, app: Served) -> None:
    run = shipped(shop, "v1.0.1")
    app.answers["/"] = text("v0.9.0")
    look(shop.place("production"))
    look(shop.place("production"))
    assert again(run).error_text == "The probe names v0.9.0 and not v1.0.1."


def test_where_the_environment_says_so_the_one_before_comes_back_by_itself(shop: Shop, app: Served) -> None:
    Environment.objects.update(rolls_back=True)
    assert shipped(shop, "v1.0.0", watch=0).verified_at is not None
    run = shipped(shop, "v1.0.1")
    good = app.answers["/"]
    app.answers["/"] = text("v1.0.1", 500)
    for _ in range(2):
        Environment.objects.update(next_probe_at=None)
        assert probes_sweep() == 1
    rollback = Run.objects.get(kind="rollback")
    assert (again(run).state, rollback.tag, rollback.state) == ("failed", "v1.0.0", "queued")
    app.answers["/"] = good
    assert carried(rollback).state == "watching"
    assert (shop.folder / "production" / "TAG").read_text() == "v1.0.0\n"
    look(shop.place("production"))
    assert shop.place("production").drift_since is None


def test_a_version_that_never_answers_fails_its_verify_step(shop: Shop, app: Served) -> None:
    shipped(shop, "v1.0.0", watch=0)
    app.answers["/"] = text("v1.0.0")
    run = shipped(shop, "v1.0.1")
    assert run.state == "failed"
    assert "names v1.0.0 and not v1.0.1" in run.error_text


def test_a_watch_that_nobody_can_end_ends_unverified(shop: Shop) -> None:
    run = shipped(shop, "v1.0.1")
    Environment.objects.update(probe={})
    assert watches_unasked() == 0
    now_over(run)
    assert watches_unasked() == 1
    run = again(run)
    assert (run.state, run.verified_at) == ("done", None)
    assert "Nothing was there to watch" in Event.objects.get(kind="run.done", subject=f"run:{run.pk}").why


def test_an_environment_that_is_watched_is_asked_more_often(shop: Shop) -> None:
    Environment.objects.update(probe_every=600)
    shipped(shop, "v1.0.1")
    now = timezone.now()
    environment_probed(shop.place("production"), Seen("v1.0.1", True), now)
    due = shop.place("production").next_probe_at
    assert due is not None
    assert due - now <= timedelta(seconds=10)


def test_the_watch_of_another_ones_worker_is_written_once(shop: Shop) -> None:
    run = shipped(shop, "v1.0.1")
    now_over(run)
    for _ in range(2):
        look(shop.place("production"))
    assert Event.objects.filter(kind="run.verified", subject=f"run:{run.pk}").count() == 1


@pytest.mark.long
def test_what_was_unwell_before_does_not_count_against_what_follows(shop: Shop, app: Served) -> None:
    shipped(shop, "v1.0.0", watch=0)
    good = app.answers["/"]
    app.answers["/"] = text("v1.0.0", 500)
    for _ in range(3):
        look(shop.place("production"))
    app.answers["/"] = good
    run = shipped(shop, "v1.0.1")
    app.answers["/"] = text("v1.0.1", 500)
    look(shop.place("production"))
    assert again(run).state == "watching"
