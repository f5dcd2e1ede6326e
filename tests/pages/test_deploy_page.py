"""The page of one run, state by state: what it says, what it offers and to whom, and what happens on a press."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from hotfixdash.accounts.models import User
from releases import live
from releases.deploys.models import Environment, Run, Step
from tests.factories import (
    make_build,
    make_environment,
    make_lines,
    make_pipeline,
    make_project,
    make_shipment,
    make_step,
    make_user,
)
from tests.pages.hotfix_scene import main_words

pytestmark = pytest.mark.django_db
HOSTILE = "v1.0.1-<img src=x onerror=alert(1)>\u202e"


@pytest.fixture
def place(db: None) -> Environment:
    project = make_project("shop")
    make_pipeline(project)
    return make_environment(project, url="https://shop.example.com/")


def person(place: Environment, role: str, name: str = "") -> User:
    return make_user(name or role, role, projects=[place.project])


def as_(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def url(run: Run, verb: str = "") -> str:
    return f"/projects/shop/deploys/{run.pk}/{verb}"


def shipped(place: Environment, tag: str = "v1.0.0") -> Run:
    """What ran well there before."""
    now = timezone.now()
    return make_shipment(
        place, tag, started_at=now - timedelta(minutes=9), finished_at=now - timedelta(minutes=8),
        live_at=now - timedelta(minutes=8), verified_at=now - timedelta(minutes=3),
    )  # fmt: skip


def test_a_running_one_has_an_estimate_from_past_runs(place: Environment) -> None:
    shipped(place)
    run = make_shipment(place, state="running", started_at=timezone.now() - timedelta(seconds=20))
    make_step(run, "unpack", state="done", started_at=timezone.now(), finished_at=timezone.now())
    make_step(run, "switch", state="running", started_at=timezone.now())
    said = main_words(as_(person(place, "viewer")).get(url(run)))
    assert re.search(r"About (40|[23]\d) s left", said)
    assert "runs like it take 1 m 00 s" in said
    assert "1 of 2 steps" in said


def test_without_past_runs_it_says_that_there_is_no_estimate(place: Environment) -> None:
    run = make_shipment(place, state="running", started_at=timezone.now())
    assert "so no estimate" in main_words(as_(person(place, "viewer")).get(url(run)))


@pytest.mark.parametrize(
    ("state", "fields", "said"),
    [
        ("queued", {}, "It starts as soon as a worker is free."),
        ("lost", {"error_text": "No sign of life since 14:03."}, "The worker went away at “switch”"),
        ("failed", {"error_text": "“switch” ended with exit status 2."}, "It failed at “switch”"),
        ("void", {"error_text": "The tag v1.0.1 was moved."}, "The tag v1.0.1 was moved."),
        ("rejected", {"error_text": "mira said no: not today"}, "mira said no: not today"),
        ("expired", {"error_text": "Nobody spoke in time."}, "Nobody spoke in time."),
        ("aborted", {"error_text": "morgan ended it."}, "morgan ended it."),
    ],
)
def test_each_state_says_what_it_means(place: Environment, state: str, fields: dict[str, Any], said: str) -> None:
    run = make_shipment(place, state=state, started_at=timezone.now(), **fields)
    make_step(run, "switch", state="failed" if state == "failed" else "todo")
    if state == "queued":
        Run.objects.filter(pk=run.pk).update(started_at=None, queued_at=timezone.now(), release=None)
    words = main_words(as_(person(place, "viewer")).get(url(run)))
    assert said in words or (state == "queued" and "was deleted" in words)


def test_a_failed_one_offers_managers_what_engineers_see_with_the_reason(place: Environment) -> None:
    shipped(place)
    run = make_shipment(place, state="failed", started_at=timezone.now(), error_text="Exit status 2.")
    make_step(run, "switch", state="failed", ended="exited", exit_code=2)
    body = as_(person(place, "release-manager")).get(url(run)).content.decode()
    assert f'href="{url(run, "retry/")}"' in body
    assert "/environments/production/rollback/" in body
    assert "exit status 2" in body
    body = as_(person(place, "engineer")).get(url(run)).content.decode()
    assert f'href="{url(run, "retry/")}"' not in body
    assert "It takes a release manager." in body


@pytest.mark.parametrize("verb", ["abort", "abandon", "retry", "move"])
def test_what_managers_do_is_refused_to_others(place: Environment, verb: str) -> None:
    run = make_shipment(place, state="running")
    assert as_(person(place, "engineer")).post(url(run, f"{verb}/")).status_code == 403
    assert as_(person(place, "viewer")).get(url(run, f"{verb}/")).status_code == 403
    assert as_(make_user("stranger", "administrator")).post(url(run, f"{verb}/")).status_code == 404
    assert Client().post(url(run, f"{verb}/")).status_code == 302
    run.refresh_from_db()
    assert (run.state, run.abort_asked_at) == ("running", None)


def test_a_forged_form_is_refused(place: Environment) -> None:
    run = make_shipment(place, state="running")
    client = Client(enforce_csrf_checks=True)
    client.force_login(person(place, "release-manager"))
    assert client.post(url(run, "abort/")).status_code == 403
    run.refresh_from_db()
    assert run.abort_asked_at is None


def test_abort_is_asked_first_and_then_done(place: Environment) -> None:
    run = make_shipment(place, state="running", started_at=timezone.now())
    client = as_(person(place, "release-manager"))
    assert "ended at once" in main_words(client.get(url(run, "abort/")))
    run.refresh_from_db()
    assert run.abort_asked_at is None
    assert client.post(url(run, "abort/")).status_code == 302
    run.refresh_from_db()
    assert run.abort_asked_at is not None
    assert "asked for it to be aborted" in main_words(client.get(url(run)))


def test_what_cannot_be_done_now_is_a_conflict_with_the_reason(place: Environment) -> None:
    run = make_shipment(place, state="done")
    answer = as_(person(place, "release-manager")).post(url(run, "abort/"))
    assert answer.status_code == 409
    assert "This cannot be" in main_words(answer)


def test_a_lost_one_goes_on_with_one_press(place: Environment) -> None:
    run = make_shipment(place, state="lost", started_at=timezone.now(), fence=1)
    make_step(run, "switch", state="running", started_at=timezone.now(), fence=1)
    client = as_(person(place, "release-manager"))
    body = client.get(url(run)).content.decode()
    assert "Go on from “switch”" in body
    assert "cut off" in body
    assert client.post(url(run, "retry/")).status_code == 302
    run.refresh_from_db()
    assert run.state in ("queued", "paused", "running")


def test_a_manual_step_is_confirmed_with_a_note(place: Environment) -> None:
    run = make_shipment(place, state="paused", started_at=timezone.now())
    step = make_step(run, "try it", "manual", state="waiting", text="Pay with a card.", started_at=timezone.now())
    engineer = as_(person(place, "engineer"))
    page = engineer.get(url(run))
    assert "Pay with a card." in main_words(page)
    assert f'action="{url(run, "confirm/")}?step=0"' in page.content.decode()
    assert engineer.post(f"{url(run, 'confirm/')}?step=0", {"note": " "}).status_code == 422
    step.refresh_from_db()
    assert step.state == Step.State.WAITING
    assert engineer.post(f"{url(run, 'confirm/')}?step=0", {"note": "Paid 1 EUR."}).status_code == 302
    step.refresh_from_db()
    assert (step.state, step.why) == (Step.State.DONE, "Paid 1 EUR.")
    assert engineer.post(f"{url(run, 'confirm/')}?step=0", {"note": "Again."}).status_code == 409


def test_a_manual_step_that_did_not_pass_ends_the_run(place: Environment) -> None:
    run = make_shipment(place, state="paused", started_at=timezone.now())
    make_step(run, "try it", "manual", state="waiting", started_at=timezone.now())
    as_(person(place, "engineer")).post(f"{url(run, 'confirm/')}?step=0", {"note": "Declined.", "passed": "no"})
    run.refresh_from_db()
    assert run.state == Run.State.FAILED


def test_viewers_are_told_who_confirms(place: Environment) -> None:
    run = make_shipment(place, state="paused", started_at=timezone.now())
    make_step(run, "try it", "manual", state="waiting", started_at=timezone.now())
    viewer = as_(person(place, "viewer"))
    assert "It waits for an engineer" in main_words(viewer.get(url(run)))
    assert viewer.post(f"{url(run, 'confirm/')}?step=0", {"note": "x"}).status_code == 403


def test_one_s_own_request_is_taken_back_by_oneself(place: Environment) -> None:
    mira, jo = person(place, "engineer", "mira"), person(place, "engineer", "jo")
    run = make_shipment(place, state="queued", asked_by=mira, queued_at=timezone.now())
    assert as_(jo).post(url(run, "cancel/")).status_code == 403
    assert as_(mira).post(url(run, "cancel/")).status_code == 302
    run.refresh_from_db()
    assert run.state == Run.State.CANCELLED


def test_the_queue_is_put_in_another_order(place: Environment) -> None:
    now = timezone.now()
    first = make_shipment(place, "v1.0.1", state="queued", queued_at=now)
    last = make_shipment(place, "v1.0.2", state="queued", queued_at=now + timedelta(seconds=1))
    client = as_(person(place, "release-manager"))
    assert "Before v1.0.1" in main_words(client.get(url(last, "move/")))
    assert client.post(url(last, "move/"), {"before": first.pk}).status_code == 302
    first.refresh_from_db()
    last.refresh_from_db()
    assert (last.rank, last.queued_at) < (first.rank, first.queued_at)
    assert client.post(url(last, "move/"), {"before": 999_999}).status_code == 422


def test_hostile_names_facts_and_reasons_stay_text(place: Environment) -> None:
    run = make_shipment(
        place, HOSTILE, state="failed", error_text="<script>bad()</script>", facts={"<b>": "javascript:alert(1)"},
        artifact="javascript:alert(1)", worker="<i>", glass_why="<u>",
    )  # fmt: skip
    make_step(run, "<script>step</script>", state="failed", why="<em>", facts={"x": "<b>"})
    make_lines(run, "</ol><script>alert(1)</script>")
    body = as_(person(place, "release-manager")).get(url(run)).content.decode()
    assert not [part for part in ("<script>", "<img src=x", "<b>", "<i>") if part in body.partition("<main")[2]]
    assert "\u202e" not in body
    assert 'href="javascript:' not in body


def test_an_address_that_is_no_address_is_no_link(place: Environment) -> None:
    Environment.objects.filter(pk=place.pk).update(url="javascript:alert(1)")
    run = make_shipment(place, state="done")
    assert "javascript:alert" not in as_(person(place, "viewer")).get(url(run)).content.decode()


def test_builds_have_a_page_too(place: Environment) -> None:
    build = make_build(place.project, state="running", started_at=timezone.now())
    body = main_words(as_(person(place, "viewer")).get(url(build)))
    assert "Build v1.0.1" in body
    assert as_(person(place, "release-manager")).get(url(build, "approval/")).status_code == 404


@pytest.mark.parametrize("steps", [1, 25])
def test_the_number_of_queries_does_not_grow(
    place: Environment, steps: int, django_assert_max_num_queries: Any
) -> None:
    run = make_shipment(place, state="running", started_at=timezone.now())
    for number in range(steps):
        make_step(run, f"step {number}", state="done", started_at=timezone.now(), finished_at=timezone.now())
    client = as_(person(place, "release-manager"))
    client.get(url(run))
    with django_assert_max_num_queries(24):
        client.get(url(run))


def test_what_never_began_can_be_asked_for_again(place: Environment) -> None:
    run = make_shipment(place, state="void", error_text="The tag v1.0.1 was moved.")
    again = 'href="/projects/shop/environments/production/deploy/?tag=v1.0.1"'
    assert again in as_(person(place, "engineer")).get(url(run)).content.decode()
    assert again not in as_(person(place, "viewer")).get(url(run)).content.decode()


@pytest.mark.broker
def test_many_who_look_at_the_same_part_share_it(
    place: Environment, broker: Any, django_assert_max_num_queries: Any
) -> None:
    run = make_shipment(place, state="paused", started_at=timezone.now())
    make_step(run, "try it", "manual", state="waiting", started_at=timezone.now())
    live.publish_now(live.project_topic(run.project_id))
    clients = [as_(person(place, "engineer", name)) for name in ("ada", "jo")]
    viewer = as_(person(place, "viewer"))

    def part(client: Client) -> str:
        return client.get(url(run), HTTP_HX_TARGET="run").content.decode()

    first = part(clients[0])
    assert "Confirm and go on" in first
    with django_assert_max_num_queries(8):
        second = part(clients[1])
    tokens = [re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', body) for body in (first, second)]
    assert tokens[0]
    assert tokens[0] != tokens[1], "each has a token of their own"
    assert "Confirm and go on" not in part(viewer), "who may do something else sees something else"
    Run.objects.filter(pk=run.pk).update(error_text="news")
    live.publish_now(live.project_topic(run.project_id))
    Run.objects.filter(pk=run.pk).update(state="failed")
    assert "news" in part(clients[1])
