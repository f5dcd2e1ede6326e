"""The board: what runs where, what is on its way, what keeps it, and what can be done about an environment."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone

from hotfixdash.accounts.models import User
from releases.deploys.errors import DeployRefused
from releases.deploys.models import BadRelease, Environment, Freeze, Run
from releases.deploys.requesting import rollback_request
from releases.ledger.models import Event
from tests.deploys.asking import Shop, make_shop
from tests.factories import make_environment, make_pipeline, make_project, make_shipment, make_step, make_user
from tests.pages.hotfix_scene import main_words

pytestmark = pytest.mark.django_db
NAMES = ("hotfix-staging", "staging", "production")


def as_(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def fill(projects: int) -> None:
    now = timezone.now()
    for number in range(projects):
        project = make_project(f"service-{number:03}")
        make_pipeline(project)
        for name in NAMES:
            place = make_environment(project, name)
            run = make_shipment(place, f"v1.0.{number}", live_at=now)
            Environment.objects.filter(pk=place.pk).update(live=run, live_since=now)
        make_shipment(place, "v2.0.0", state="queued", queued_at=now)
        make_shipment(place, "v2.0.1", state="asked")
        Freeze.objects.create(environment=place, why="Quarter end", starts_at=now, ends_at=now + timedelta(hours=4))


def manager() -> User:
    return make_user("mara", "release-manager", all_projects=True)


def test_it_says_what_runs_where_and_what_comes(db: None) -> None:
    fill(2)
    words = main_words(as_(manager()).get("/deploys/"))
    for part in (
        "service-000",
        "hotfix-staging",
        "v1.0.1",
        "To approve v2.0.1",
        "Quarter end",
        "2 for approval",
        "2 queued",
    ):
        assert part in words, part


def test_everything_that_holds_or_worries_is_said(db: None) -> None:
    project = make_project("shop")
    now = timezone.now()
    make_environment(
        project, locked_at=now, locked_by=manager(), lock_why="The <b>database</b> moves.", drift_since=now,
        seen="f" * 40, healthy=False, unwell_since=now, probe={"kind": "http-text"},
    )  # fmt: skip
    answer = as_(make_user("ada", "viewer", projects=[project])).get("/projects/shop/deploys/")
    words = main_words(answer)
    assert "Locked by mara until somebody unlocks it: The <b>database</b> moves." in words
    assert "<b>database" not in answer.content.decode()
    assert "Drift: ffffffffffff runs" in words
    assert "Not healthy since" in words


def test_until_when_it_is_held_is_said_in_the_zone_of_the_team(db: None) -> None:
    project, now = make_project("shop"), timezone.now()
    place = make_environment(
        project, time_zone="Asia/Tokyo", locked_at=now, lock_why="Moving", locked_until=now + timedelta(hours=30)
    )
    Freeze.objects.create(environment=place, why="Sale", starts_at=now, ends_at=now + timedelta(days=3))
    words = main_words(as_(make_user("ada", "viewer", projects=[project])).get("/projects/shop/deploys/"))
    for ahead, said in ((timedelta(hours=30), "Locked until {}: Moving"), (timedelta(days=3), "Frozen until {}: Sale")):
        at = (now + ahead).astimezone(ZoneInfo("Asia/Tokyo"))
        assert said.format(f"{at:%a} {at.day} {at:%b}, {at:%H:%M} (Asia/Tokyo)") in words


def test_one_sees_only_one_s_own_projects(db: None) -> None:
    fill(2)
    client = as_(make_user("ada", "viewer"))
    words = main_words(client.get("/deploys/"))
    assert "service-000" not in words
    assert "No project has an environment yet." in words
    assert client.get("/projects/service-000/deploys/").status_code == 404
    assert Client().get("/deploys/").status_code == 302


@pytest.mark.parametrize("projects", [2, 40])
def test_the_number_of_queries_does_not_grow(projects: int, django_assert_max_num_queries: Any) -> None:
    fill(projects)
    client = as_(manager())
    client.get("/deploys/")
    with django_assert_max_num_queries(22):
        client.get("/deploys/")


def test_projects_with_other_environments_stand_in_a_sheet_of_their_own(db: None) -> None:
    fill(1)
    odd = make_project("odd")
    for name in ("blue", "green"):
        make_environment(odd, name)
    body = as_(manager()).get("/deploys/").content.decode()
    assert body.count('role="table"') == 2
    many = make_project("many")
    for number in range(8):
        make_environment(many, f"place-{number}")
    assert "bd-l" in as_(manager_again()).get("/deploys/").content.decode()


def manager_again() -> User:
    return User.objects.get(username="mara")


# --- what is done to an environment ---------------------------------------------------------------------------------


@pytest.fixture
def shop(tmp_path: Path, settings: Any, db: None) -> Shop:
    return make_shop(tmp_path, settings, approvals=0)


def act(shop: Shop, verb: str) -> str:
    return f"/projects/{shop.project.slug}/environments/production/{verb}/"


@pytest.mark.parametrize("verb", ["lock", "unlock", "rollback"])
def test_what_managers_do_is_refused_to_others(shop: Shop, verb: str) -> None:
    assert as_(shop.person("engineer")).post(act(shop, verb), {"why": "x"}).status_code == 403
    assert as_(make_user("stranger", "administrator")).get(act(shop, verb)).status_code == 404
    assert Client().get(act(shop, verb)).status_code == 302


def test_a_lock_is_put_on_and_taken_off(shop: Shop) -> None:
    client = as_(shop.person())
    assert client.post(act(shop, "lock"), {"why": ""}).status_code == 422
    assert client.post(act(shop, "lock"), {"why": "Moving.", "until": "2020-01-01T10:00"}).status_code == 422
    assert client.post(act(shop, "lock"), {"why": "Moving."}).status_code == 302
    shop.place.refresh_from_db()
    assert shop.place.lock_why == "Moving."
    assert client.post(act(shop, "lock"), {"why": "Again."}).status_code == 409
    assert client.post(act(shop, "unlock")).status_code == 302
    shop.place.refresh_from_db()
    assert shop.place.locked_at is None


def test_a_release_is_asked_for(shop: Shop) -> None:
    shop.release("v1.0.1")
    engineer = as_(shop.person("engineer"))
    assert "v1.0.1" in engineer.get(f"{act(shop, 'deploy')}?tag=v1.0.1").content.decode()
    answer = engineer.post(act(shop, "deploy"), {"tag": "v1.0.1"})
    assert answer.status_code == 302
    made = Run.objects.filter(tag="v1.0.1").get()
    assert (made.kind, made.asked_by.username if made.asked_by else "") != ("", "")
    assert answer["Location"].endswith(f"/deploys/{made.pk}/")
    assert engineer.post(act(shop, "deploy"), {"tag": "v9"}).status_code == 422
    assert as_(shop.person("viewer")).post(act(shop, "deploy"), {"tag": "v1.0.1"}).status_code == 403


def test_a_release_that_was_taken_back_needs_a_reason(shop: Shop) -> None:
    release = shop.release("v1.0.1")
    BadRelease.objects.create(project=shop.project, tag="v1.0.1", commit=release.commit, why="It loses money.")
    client = as_(shop.person())
    answer = client.post(act(shop, "deploy"), {"tag": "v1.0.1"})
    assert answer.status_code == 422
    assert "It loses money." in main_words(answer)
    assert client.post(act(shop, "deploy"), {"tag": "v1.0.1", "why": "Only for the test."}).status_code == 302


def test_what_ran_before_is_brought_back_with_a_reason(shop: Shop) -> None:
    shop.runs("v1.0.1")
    client = as_(shop.person())
    assert "v1.0.1 runs there now." in main_words(client.get(act(shop, "rollback")))
    before = Run.objects.get(tag="v1.0.0", kind="deploy")
    assert client.post(act(shop, "rollback"), {"to": before.pk, "why": ""}).status_code == 422
    assert client.post(act(shop, "rollback"), {"to": before.pk, "why": "It loses money."}).status_code == 302
    back = Run.objects.get(kind="rollback")
    assert (back.tag, back.why) == ("v1.0.0", "It loses money.")
    assert BadRelease.objects.filter(tag="v1.0.1", lifted_at=None).exists()


def test_going_back_never_offers_what_was_taken_back(shop: Shop) -> None:
    """It needs no approval: pressed twice it must not bring the bad release out again."""
    bad = shop.runs("v1.0.1")
    BadRelease.objects.create(project=shop.project, tag="v1.0.1", commit=bad.commit, why="It loses money.")
    shop.runs("v1.0.0")
    client = as_(shop.person())
    answer = client.get(act(shop, "rollback"))
    assert (answer.status_code, "v1.0.1" in main_words(answer)) == (409, False)
    with pytest.raises(DeployRefused, match="was taken back itself: It loses money") as refused:
        rollback_request(shop.place, actor=None, why="Again.", to=bad)
    assert refused.value.code == "bad-release"


def test_after_a_deployment_that_broke_off_what_still_runs_is_brought_back(shop: Shop) -> None:
    broken = make_shipment(shop.place, "v1.0.1", state="failed", started_at=timezone.now())
    make_step(broken, attempts=1, state="failed")
    client = as_(shop.person())
    page = main_words(client.get(f"/projects/{shop.project.slug}/deploys/{broken.pk}/"))
    assert "Roll back to v1.0.0" in page
    words = main_words(client.get(act(shop, "rollback")))
    assert "v1.0.1 was begun there last. It is marked as bad" in words
    assert "v1.0.0, live" in words


def test_the_release_page_says_where_it_is_and_marks_it(shop: Shop) -> None:
    shop.runs("v1.0.1")
    client = as_(shop.person())
    page = f"/projects/{shop.project.slug}/releases/v1.0.1/"
    words = main_words(client.get(page))
    assert "production Runs here" in words
    assert "sha256:" in words
    mark = f"/projects/{shop.project.slug}/mark/v1.0.1/"
    assert client.post(mark, {"why": "It loses money."}).status_code == 302
    assert "It ships again only with a reason." in main_words(client.get(page))
    assert client.post(mark, {"why": "Found: it was the network."}).status_code == 302
    assert "It ships again only with a reason." not in main_words(client.get(page))
    assert as_(shop.person("engineer")).post(mark, {"why": "No."}).status_code == 403


def test_the_release_page_asks_what_mends_it_and_tells(shop: Shop) -> None:
    shop.runs("v1.0.1")
    mend = shop.repo.commit({"b.py": "b\n"}, "Mend it", author="jonas")
    client, project = as_(shop.person()), shop.project
    page, form = f"/projects/{project.slug}/releases/v1.0.1/", f"/projects/{project.slug}/mend/v1.0.1/"
    assert client.get(form).status_code == 404
    client.post(f"/projects/{project.slug}/mark/v1.0.1/", {"why": "It loses money."})
    assert f'href="{form}"' in client.get(page).content.decode()
    assert "What mends v1.0.1?" in main_words(client.get(form))
    for typed, says in (
        ({"commit": "v1.0.0", "why": "x"}, "v1.0.1 has"),
        ({"commit": "nope", "why": "x"}, "no such commit"),
    ):
        refused = client.post(form, typed)
        assert (refused.status_code, says in main_words(refused)) == (422, True)
    assert client.post(form, {"commit": mend[:8], "why": ""}).status_code == 422
    assert client.post(form, {"commit": mend[:8], "why": "The till test passes."}).status_code == 302
    assert f"Mended by {mend[:7]}" in main_words(client.get(page))
    told = Event.objects.get(kind="release.mended")
    assert told.why == f"{mend[:7]} mends what v1.0.1 was taken back for. The till test passes."
    engineer = as_(shop.person("engineer"))
    assert engineer.post(form, {"commit": mend, "why": "No."}).status_code == 403
    assert form not in engineer.get(page).content.decode()
    assert as_(make_user("stranger", "administrator")).get(form).status_code == 404
