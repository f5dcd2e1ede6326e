"""The part of a run's page, asked of a real server by many at once: one answer for those who only watch."""

from __future__ import annotations

import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import settings

from releases.deploys.models import Run
from tests.events.test_tails import NoRedirect, cpu_of
from tests.factories import make_environment, make_project, make_shipment, make_user
from tests.plugins.real import Broker, Site, session_of

pytestmark = [pytest.mark.broker, pytest.mark.django_db(transaction=True)]


def look(site: Site, run: Run, session: str = "", slug: str = "shop") -> tuple[int, str]:
    """Status and body of the part around the log."""
    request = urllib.request.Request(f"{site.url}/projects/{slug}/deploys/{run.pk}/")
    request.add_header("HX-Request", "true")
    request.add_header("HX-Target", "run")
    if session:
        request.add_header("Cookie", f"{settings.SESSION_COOKIE_NAME}={session}")
    try:
        with urllib.request.build_opener(NoRedirect).open(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, ""


@pytest.fixture
def run(broker: Broker) -> Run:
    return make_shipment(make_environment(make_project("shop")), state="running")


def test_whoever_asks_sees_what_was_true_when_they_asked(site: Site, run: Run) -> None:
    sessions = [session_of(make_user(name, "viewer", projects=[run.project])) for name in ("ada", "ben", "cleo")]
    for state, word in (("running", "Running"), ("failed", "Failed"), ("running", "Running"), ("watching", "watched")):
        Run.objects.filter(pk=run.pk).update(state=state)
        with ThreadPoolExecutor(3) as pool:
            answers = list(pool.map(lambda session: look(site, run, session), sessions))
        assert {status for status, _ in answers} == {200}
        assert all(word in body for _, body in answers), state


def test_it_is_for_those_who_see_the_project(site: Site, run: Run) -> None:
    member = session_of(make_user("ada", "viewer", projects=[run.project]))
    assert look(site, run, member)[0] == 200
    assert look(site, run, session_of(make_user("stranger", "viewer")))[0] == 404
    assert look(site, run)[0] == 302
    assert look(site, run, "no-such-session")[0] == 302
    make_project("other")
    assert look(site, run, member, slug="other")[0] == 404
    assert look(site, run, member)[0] == 200


def test_whoever_may_act_sees_their_own_buttons(site: Site, run: Run) -> None:
    watcher = session_of(make_user("ada", "viewer", projects=[run.project]))
    manager = session_of(make_user("mona", "release-manager", projects=[run.project]))
    with ThreadPoolExecutor(2) as pool:
        seen, theirs = pool.map(lambda session: look(site, run, session)[1], (watcher, manager))
    address = f"/projects/shop/deploys/{run.pk}/abort/"
    assert address not in seen
    assert address in theirs


@pytest.mark.long
def test_a_crowd_costs_little(site: Site, run: Run) -> None:
    def spent(role: str) -> float:
        sessions = [session_of(make_user(f"{role}-{n}", role, projects=[run.project])) for n in range(24)]
        with ThreadPoolExecutor(24) as pool:
            list(pool.map(lambda session: look(site, run, session), sessions))
            before = cpu_of(site.pid)
            answers = list(pool.map(lambda number: look(site, run, sessions[number % 24])[0], range(120)))
        assert set(answers) == {200}
        return cpu_of(site.pid) - before

    watching, acting = spent("viewer"), spent("release-manager")
    assert watching < acting / 2, f"{watching:.2f} s for those who watch, {acting:.2f} s for those who may act"
