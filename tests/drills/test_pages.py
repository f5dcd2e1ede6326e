"""The pages of drills: what each role may do, what they say in every state, and the banner on a copy's pages."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from incidents.drills.errors import DrillError
from incidents.drills.models import Drill, DrillPlan
from incidents.drills.selectors import clone_url, dues
from incidents.drills.services import drill_end, drill_hint, drill_start, interval_set
from releases.deploys.models import Run
from releases.ledger.models import Event
from releases.projects.models import Project
from tests.drills.playing import Player, Real, make_drill, make_real, prepare
from tests.factories import make_environment, make_project, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def real(tmp_path: Path) -> Real:
    return make_real(tmp_path)


@pytest.fixture
def lead() -> Any:
    return make_user("lea", "release-manager", all_projects=True, email="lea@example.org")


def signed_in(role: str, **fields: Any) -> Client:
    client = Client()
    client.force_login(make_user(role=role, **({"all_projects": True} | fields)))
    return client


def text(response: Any) -> str:
    return " ".join(response.content.decode().split())


# --- who may what ---------------------------------------------------------------------------------------------------


def test_a_release_manager_starts_one_in_one_form(real: Real, lead: Any) -> None:
    client = Client()
    client.force_login(lead)
    page = text(client.get("/projects/shop/drills/"))
    assert "shop was never drilled" in page
    assert "No drill yet." in page
    form = text(client.get("/projects/shop/drills/new/"))
    assert "TICKET-1" in form
    assert "(v1.0.1)" in form
    sent = {"scenario": "conflict", "fix": str(real.fix.pk)}
    response = client.post("/projects/shop/drills/new/", sent)
    drill = Drill.objects.get()
    assert response["Location"] == f"/drills/{drill.pk}/"
    assert (drill.scenario, drill.fix, drill.started_by) == ("conflict", real.fix, lead)
    waiting = text(client.get(f"/drills/{drill.pk}/"))
    assert "A worker takes it next." in waiting
    assert "/projects/shop/drills/new/" not in text(client.get("/projects/shop/drills/"))
    again = client.post("/projects/shop/drills/new/", sent)
    assert again.status_code == 422
    assert "under way already" in text(again)


@pytest.mark.sample(2)
@pytest.mark.parametrize(
    ("role", "allowed"), [("viewer", 403), ("engineer", 403), ("release-manager", 200), ("administrator", 200)]
)
def test_who_may_lead_a_drill(real: Real, role: str, allowed: int) -> None:
    drill = make_drill(real)
    client = signed_in(role)
    for path in (
        "/projects/shop/drills/new/",
        "/projects/shop/drills/interval/",
        f"/drills/{drill.pk}/end/",
        f"/drills/{drill.pk}/cancel/",
    ):
        assert client.get(path).status_code == allowed, path
    hint = 403 if role == "viewer" else 200
    assert client.get(f"/drills/{drill.pk}/hint/").status_code == hint
    page = text(client.get(f"/drills/{drill.pk}/"))
    assert ("End the drill" in page) == (allowed == 200)
    assert ("Show it" in page) == (hint == 200)


def test_visitors_see_nothing_of_drills_not_even_of_a_public_project(real: Real) -> None:
    Project.objects.update(visibility=Project.Visibility.PUBLIC)
    drill = make_drill(real)
    Project.objects.update(visibility=Project.Visibility.PUBLIC)
    assert drill.copy is not None
    visitor = Client()
    assert visitor.get("/projects/shop/").status_code == 200
    assert "drill" not in text(visitor.get("/projects/shop/")).replace("/drills/", "").replace("Drills", "").lower()
    for path in ("/drills/", "/projects/shop/drills/", f"/drills/{drill.pk}/", f"/projects/{drill.copy.slug}/",
                 f"/projects/{drill.copy.slug}/hotfixes/", f"/drills/of/{drill.copy.slug}/"):  # fmt: skip
        response = visitor.get(path)
        assert response.status_code == 302, path
        assert "/accounts/login/" in response["Location"]


def test_strangers_find_nothing(real: Real) -> None:
    drill = make_drill(real)
    assert drill.copy is not None
    stranger = signed_in("administrator", all_projects=False)
    for path in (
        f"/drills/{drill.pk}/",
        f"/drills/{drill.pk}/end/",
        "/projects/shop/drills/",
        f"/projects/{drill.copy.slug}/",
    ):
        assert stranger.get(path).status_code == 404, path
    assert "shop" not in text(stranger.get("/drills/"))


@pytest.mark.parametrize("path", ["/drills/999/", "/drills/of/shop/", "/projects/none/drills/"])
def test_what_is_not_there_is_not_found(real: Real, path: str) -> None:
    assert signed_in("administrator").get(path).status_code == 404


@pytest.mark.long
def test_unknown_verbs_are_not_found(real: Real) -> None:
    drill = make_drill(real)
    assert signed_in("administrator").get(f"/drills/{drill.pk}/explode/").status_code == 404


# --- what they show -------------------------------------------------------------------------------------------------


def test_the_running_drill_tells_what_to_do_and_what_was_seen(tmp_path: Path, real: Real, lead: Any) -> None:
    make_environment(real.project, "staging")
    make_environment(real.project, "production", kind="production", approvals=1)
    drill = make_drill(real, actor=lead)
    assert drill.copy is not None
    client = signed_in("engineer")
    page = text(client.get(f"/drills/{drill.pk}/"))
    assert f"git clone {clone_url(drill)} {drill.copy.slug}" in page
    assert "0 of 14" in page
    assert "round(price" not in page
    assert f"/projects/{drill.copy.slug}/hotfix/new/" in page
    player = Player(drill, tmp_path / "ela", lead, make_user("rob", "release-manager", all_projects=True))
    player.write_fix()
    page = text(client.get(f"/drills/{drill.pk}/"))
    assert "4 of 14" in page
    assert "tests/test_shop.py" in page
    assert "TICKET-9" in page
    player.review()
    player.finish()
    while not Run.objects.filter(project=player.copy, state="asked").exists():
        player.ship(1)
    page = text(client.get(f"/drills/{drill.pk}/"))
    assert "waits for approval to production" in page
    part = client.get(f"/drills/{drill.pk}/", headers={"HX-Request": "true", "HX-Target": "drill"})
    assert part.content.decode().strip().startswith('<div id="drill"')


@pytest.mark.long
def test_the_hint_is_hidden_until_somebody_opens_it(real: Real, lead: Any) -> None:
    drill = make_drill(real, actor=lead)
    client = signed_in("engineer")
    assert "round(price" not in text(client.get(f"/drills/{drill.pk}/"))
    assert "part of the result" in text(client.get(f"/drills/{drill.pk}/hint/"))
    assert "round(price" not in text(client.get(f"/drills/{drill.pk}/hint/"))
    client.post(f"/drills/{drill.pk}/hint/")
    page = text(client.get(f"/drills/{drill.pk}/"))
    assert "round(price" in page
    assert "Opened after" in page


def test_the_result_stands_beside_the_drills_before(real: Real, lead: Any) -> None:
    client = Client()
    client.force_login(lead)
    first = make_drill(real, actor=lead)
    response = client.post(f"/drills/{first.pk}/end/", {"notes": "<b>Nobody</b> knew."})
    assert response.status_code == 302
    page = text(client.get(f"/drills/{first.pk}/"))
    assert "0 of 14" not in page
    assert "<b>1 of 14</b> steps were done" in page  # The notes.
    assert "It is the first drill of shop" in page
    assert "&lt;b&gt;Nobody&lt;/b&gt; knew." in page
    assert "PM-1" in page
    Drill.objects.filter(pk=first.pk).update(score=first_score(first, verify=600.0))
    second = make_drill(real, actor=lead)
    assert "10 min" in text(client.get(f"/drills/{second.pk}/"))
    drill_end(second, "", lead)
    Drill.objects.filter(pk=second.pk).update(score=first_score(second, verify=900.0))
    page = text(client.get(f"/drills/{second.pk}/"))
    assert "15 min" in page
    assert "5 min longer" in page
    listed = text(client.get("/projects/shop/drills/"))
    assert listed.index(f"/drills/{second.pk}/") < listed.index(f"/drills/{first.pk}/")


def first_score(drill: Drill, **times: float) -> dict[str, Any]:
    drill.refresh_from_db()
    return drill.score | {"times": times}


def test_a_drill_that_could_not_be_prepared_says_why(real: Real, lead: Any) -> None:
    drill = drill_start(real.project, "replay", real.fix, lead)
    Drill.objects.filter(pk=drill.pk).update(state="failed", error="The copy could not be read.")
    page = text(signed_in("viewer").get(f"/drills/{drill.pk}/"))
    assert "The copy could not be read." in page
    assert "Could not be prepared" in page


def test_where_nothing_is_offered_the_page_says_why(lead: Any) -> None:
    make_project("young")
    client = Client()
    client.force_login(lead)
    assert "No hotfix of the past" in text(client.get("/projects/young/drills/"))
    refused = client.get("/projects/young/drills/new/")
    assert refused.status_code == 409
    assert "No hotfix of the past" in text(refused)


# --- the copy's pages -----------------------------------------------------------------------------------------------


OF_A_COPY = (
    "", "merge-back/", "hotfixes/", "hotfix/new/", "deploys/", "releases/", "incidents/", "incidents/new/",
    "postmortems/", "health/", "deploys/history/",
)  # fmt: skip


def test_every_page_of_a_copy_carries_the_banner_and_the_title(real: Real, lead: Any) -> None:
    drill = make_drill(real, actor=lead)
    assert drill.copy is not None
    slug = drill.copy.slug
    client = signed_in("administrator")
    incident = drill.incidents.get()
    paths = [f"/projects/{slug}/{rest}" for rest in OF_A_COPY]
    run = Run.objects.filter(project=drill.copy, environment__isnull=False).first()
    assert run is not None
    for path in [
        *paths,
        f"/incidents/{incident.key}/",
        f"/projects/{slug}/deploys/{run.pk}/",
        f"/projects/{slug}/releases/v1.0.0/",
    ]:
        response = client.get(path)
        assert response.status_code == 200, path
        page = text(response)
        assert "<b>This is a drill.</b>" in page, path
        assert "<title>Drill: " in page, path
        assert f"/drills/of/{slug}/" in page, path
    assert "This is a drill" not in text(client.get("/projects/shop/"))
    assert client.get(f"/drills/of/{slug}/")["Location"] == f"/drills/{drill.pk}/"
    assert client.get(f"/projects/{slug}/drills/")["Location"] == f"/drills/{drill.pk}/"


def test_a_copy_has_no_settings(real: Real) -> None:
    drill = make_drill(real)
    assert drill.copy is not None
    client = signed_in("administrator")
    for rest in ("settings/", "settings/shipping/", "settings/shipping/pipeline/", "settings/shipping/file/"):
        response = client.get(f"/projects/{drill.copy.slug}/{rest}")
        assert response.status_code == 403
        assert "This is a drill" in text(response)
        assert client.post(f"/projects/{drill.copy.slug}/{rest}", {"form": "remove"}).status_code == 403


@pytest.mark.long
def test_its_incidents_stand_on_its_own_list_only(real: Real) -> None:
    drill = make_drill(real)
    assert drill.copy is not None
    client = signed_in("administrator")
    assert "DRILL-1" in text(client.get(f"/projects/{drill.copy.slug}/incidents/"))
    assert "DRILL-1" not in text(client.get("/incidents/"))
    assert "DRILL-1" not in text(client.get("/projects/shop/incidents/"))


# --- when the next is due -------------------------------------------------------------------------------------------


def test_when_the_next_drill_is_due(real: Real, lead: Any, settings: Any) -> None:
    settings.DRILL_EVERY_DAYS = 90
    (due,) = dues([real.project])
    assert (due.last, due.overdue) == (None, False)
    Project.objects.filter(pk=real.project.pk).update(created_at=timezone.now() - timedelta(days=100))
    real.project.refresh_from_db()
    assert dues([real.project])[0].overdue
    client = signed_in("release-manager")
    assert "overdue" in text(client.get("/drills/"))
    assert "overdue" in text(client.get("/projects/shop/"))
    cache.clear()  # Pages that are kept are drawn anew when the project's topic moves, which takes the broker.
    drill = make_drill(real, actor=lead)
    assert not dues([real.project])[0].overdue  # It is under way.
    assert "A drill is under way" in text(client.get("/projects/shop/"))
    drill_end(drill, "", lead)
    cache.clear()
    (due,) = dues([real.project])
    assert due.next_at is not None
    assert due.last is not None
    assert (due.next_at - due.last).days == 90
    assert "Next due" in text(client.get("/projects/shop/"))
    settings.DRILL_EVERY_DAYS = 0
    assert dues([real.project])[0].next_at is None


def test_a_project_has_its_own_interval(real: Real, lead: Any) -> None:
    client = Client()
    client.force_login(lead)
    assert client.post("/projects/shop/drills/interval/", {"every_days": "30"}).status_code == 302
    assert dues([real.project])[0].every_days == 30
    assert client.post("/projects/shop/drills/interval/", {"every_days": "4000"}).status_code == 422
    assert client.post("/projects/shop/drills/interval/", {"every_days": "-1"}).status_code == 422
    client.post("/projects/shop/drills/interval/", {"every_days": "30"})
    assert Event.objects.filter(kind="drill.interval").count() == 1
    client.post("/projects/shop/drills/interval/", {"every_days": "0"})
    assert dues([real.project])[0].next_at is None
    client.post("/projects/shop/drills/interval/", {"every_days": ""})
    assert not DrillPlan.objects.exists()
    with pytest.raises(DrillError):
        interval_set(real.project, 5000)


def test_dues_take_one_query(django_assert_num_queries: Any, lead: Any) -> None:
    projects = [make_project(f"p{number}") for number in range(5)]
    with django_assert_num_queries(1):
        dues(projects)


def test_hostile_names_do_no_harm(real: Real, lead: Any) -> None:
    evil = "<script>alert(1)</script>\u202e"
    Project.objects.filter(pk=real.project.pk).update(name=evil)
    real.fix.__class__.objects.filter(pk=real.fix.pk).update(subject=evil, ticket=evil)
    real.project.refresh_from_db()
    client = Client()
    client.force_login(lead)
    drill = prepare(drill_start(real.project, "replay", real.fix, lead))
    assert drill.state == Drill.State.RUNNING, drill.error
    assert drill.copy is not None
    drill_end(drill, evil.replace("\u202e", ""), lead)
    for path in (
        "/drills/",
        "/projects/shop/drills/",
        "/projects/shop/drills/new/",
        f"/drills/{drill.pk}/",
        f"/projects/{drill.copy.slug}/",
    ):
        assert "<script>alert" not in client.get(path).content.decode(), path


# --- the house rules ------------------------------------------------------------------------------------------------


def test_the_pages_keep_the_rules_of_every_page(real: Real, lead: Any) -> None:
    """No inline script or style, one heading, ids once, labels that point at something: in every state of a drill."""
    client = Client()
    client.force_login(lead)
    ended = make_drill(real, actor=lead)
    drill_end(ended, "Something.", lead)
    running = make_drill(real, "conflict", lead)
    drill_hint(running, lead)
    assert running.copy is not None
    paths = ["/drills/", "/projects/shop/drills/", "/projects/shop/drills/interval/", f"/drills/{ended.pk}/",
             f"/drills/{running.pk}/", f"/drills/{running.pk}/end/", f"/projects/{running.copy.slug}/"]  # fmt: skip
    for path in paths:
        body = client.get(path).content.decode()
        assert not re.search(r"<script(?![^>]*\bsrc=)|<[^>]+\sstyle=|<[^>]+\son[a-z]+=", body), path
        assert len(re.findall(r"<h1\b", body)) == 1, path
        ids = re.findall(r'\sid="([^"]+)"', body)
        assert len(ids) == len(set(ids)), path
        pointed = " ".join(re.findall(r'\s(?:for|aria-labelledby|aria-describedby)="([^"]+)"', body)).split()
        assert set(pointed) <= set(ids), path
