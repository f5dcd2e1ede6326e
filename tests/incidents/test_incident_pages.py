"""The pages of incidents: who may do what, live parts, forms that work without script, hostile text."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from incidents.response.models import Health, Incident, Update
from incidents.response.services import incident_declare, incident_link, incident_say
from releases.projects.models import Project
from tests.factories import make_project, make_release, make_user
from tests.incidents.making import make_component, make_hotfix, reached

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project("shop")


@pytest.fixture
def mira(project: Project) -> Any:
    return make_user("mira", "engineer", projects=[project])


@pytest.fixture
def page(client: Client, mira: Any) -> Client:
    client.force_login(mira)
    return client


def test_declaring_by_one_short_form(page: Client, project: Project, mira: Any) -> None:
    cards = make_component(project)
    assert page.get("/incidents/new/").headers["Location"] == "/projects/shop/incidents/new/"
    html = page.get("/projects/shop/incidents/new/").content.decode()
    assert "Card payments" in html
    answer = page.post(
        "/projects/shop/incidents/new/",
        {"title": "Cards fail", "severity": "1", "text": "We look into it.", "public": "on", "lead": mira.pk,
         f"component-{cards.pk}": "3"},
    )  # fmt: skip
    incident = Incident.objects.get()
    assert answer.headers["Location"] == f"/incidents/{incident.key}/"
    assert (incident.severity, incident.impacts.get().health, incident.lead) == (1, Health.PARTIAL, mira)
    html = page.get(f"/incidents/{incident.key}/").content.decode()
    assert "We look into it." in html
    assert "duration not known" in html
    assert html.count("not known") >= 3


def test_a_bad_form_says_so_beside_its_field(page: Client, project: Project) -> None:
    answer = page.post("/projects/shop/incidents/new/", {"title": "a\u202eb", "severity": "2"})
    assert answer.status_code == 422
    assert "direction of text" in answer.content.decode()
    assert not Incident.objects.exists()


def test_from_a_hotfix_one_press_opens_the_incident_tied_to_it(page: Client, project: Project) -> None:
    hotfix = make_hotfix(project, title="Cards fail", severity=3)
    html = page.get("/projects/shop/incidents/new/?hotfix=TICKET-7").content.decode()
    assert 'value="Cards fail"' in html
    page.post("/projects/shop/incidents/new/?hotfix=TICKET-7", {"title": "Cards fail", "severity": "3"})
    assert list(Incident.objects.get().hotfixes.all()) == [hotfix]


def test_saying_something_with_a_warning_before_the_end(page: Client, project: Project) -> None:
    incident = incident_declare(project, "Cards fail")
    incident_link(incident, make_hotfix(project, stages=reached(production="done"), owed_count=1))
    url = f"/incidents/{incident.key}/say/"
    assert "still missing from a branch" in page.get(f"{url}?state=resolved").content.decode()
    page.post(url, {"text": "We found the cause.", "state": "identified", "public": "on"})
    update = Update.objects.get()
    assert (update.public, update.state) == (True, "identified")
    page.post(url, {"text": "Over.", "state": "resolved"})
    page.post(url, {"text": "Back.", "state": "investigating"})
    incident.refresh_from_db()
    assert incident.state == "resolved"
    answer = page.post(url, {"text": "Back.", "state": "investigating", "why": "Declines rise."})
    incident.refresh_from_db()
    assert (answer.status_code, incident.state) == (302, "investigating")


def test_the_facts_suggest_what_comes_next(page: Client, project: Project) -> None:
    incident = incident_declare(project, "Cards fail")
    incident_link(incident, make_hotfix(project, stages=reached(production="done", verify="done")))
    html = page.get(f"/incidents/{incident.key}/").content.decode()
    assert "The fix is live and verified: move to Monitoring?" in html
    assert f"/incidents/{incident.key}/say/?state=monitoring" in html


def test_every_other_act(page: Client, project: Project, mira: Any) -> None:
    cards, hotfix = make_component(project), make_hotfix(project)
    incident = incident_declare(project, "Cards fail")
    base = f"/incidents/{incident.key}"
    for verb in ("say", "edit", "times", "hurts", "link"):
        assert page.get(f"{base}/{verb}/").status_code == 200
        assert page.get(f"{base}/{verb}/", headers={"HX-Request": "true", "HX-Target": "dialog"}).status_code == 200
    page.post(f"{base}/hurts/", {f"component-{cards.pk}": "4"})
    assert incident.impacts.get(until=None).health == Health.DOWN
    page.post(f"{base}/link/", {"hotfix": hotfix.pk})
    assert list(incident.hotfixes.all()) == [hotfix]
    page.post(f"{base}/unlink/?hotfix=TICKET-7", {"why": "Another bug."})
    assert not incident.hotfixes.exists()
    page.post(f"{base}/times/", {"field": "started_at", "at": "2026-03-01T10:00", "note": "The graph bends then."})
    page.post(f"{base}/edit/", {"title": "Cards are declined", "severity": "3", "lead": mira.pk, "public": "on"})
    incident.refresh_from_db()
    assert (incident.title, incident.severity, incident.lead) == ("Cards are declined", 3, mira)
    assert incident.started_at is not None
    first = incident_say(incident, "1 in 5")
    page.post(f"{base}/correct/?update={first.pk}", {"text": "1 in 9"})
    assert first.corrected_by.text == "1 in 9"
    assert page.get(f"{base}/nonsense/").status_code == 404
    assert page.get(f"{base}/correct/?update=x").status_code == 404


def test_viewers_look_and_others_see_nothing(client: Client, project: Project) -> None:
    incident = incident_declare(project, "Cards fail")
    client.force_login(make_user("ada", "viewer", projects=[project]))
    html = client.get(f"/incidents/{incident.key}/").content.decode()
    assert "Cards fail" in html
    assert "/say/" not in html
    assert client.post(f"/incidents/{incident.key}/say/", {"text": "x", "state": "resolved"}).status_code == 403
    assert client.post("/projects/shop/incidents/new/", {"title": "x"}).status_code == 403
    client.force_login(make_user("jonas", "engineer"))
    for path in (f"/incidents/{incident.key}/", f"/incidents/{incident.key}/say/", "/projects/shop/incidents/"):
        assert client.get(path).status_code == 404
    assert "Cards fail" not in client.get("/incidents/").content.decode()
    client.logout()
    assert client.get(f"/incidents/{incident.key}/").status_code == 302


@pytest.mark.parametrize("key", ["INC-0", "INC-999999999", "INC-x", "inc-1", "INC-１", "x", "INC-12345678901234567890"])
def test_odd_keys_do_not_exist(page: Client, key: str) -> None:
    assert page.get(f"/incidents/{key}/").status_code == 404


def test_forged_forms_are_refused(project: Project, mira: Any) -> None:
    incident = incident_declare(project, "Cards fail")
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(mira)
    assert strict.post(f"/incidents/{incident.key}/say/", {"text": "x", "state": "resolved"}).status_code == 403


def test_hostile_words_stay_words(page: Client, project: Project) -> None:
    evil = "<script>alert(1)</script>"
    incident = incident_declare(project, f"T{evil}", impact=evil)
    incident_say(incident, f"{evil} javascript:alert(1)")
    for path in (f"/incidents/{incident.key}/", "/incidents/", f"/incidents/{incident.key}/say/"):
        assert "<script>alert" not in page.get(path).content.decode()


def test_lists_show_open_ones_first_and_cost_the_same_for_many(
    page: Client, project: Project, django_assert_max_num_queries: Any
) -> None:
    assert "Nothing hurts anybody right now" in page.get("/incidents/").content.decode()
    for number in range(30):
        incident = incident_declare(project, f"Trouble {number}")
        if number % 2:
            incident_say(incident, "Over.", state="resolved")
    with django_assert_max_num_queries(16):
        html = page.get("/projects/shop/incidents/").content.decode()
    assert html.count('class="ow-s"') == 15
    part = page.get("/incidents/?show=over", headers={"HX-Request": "true", "HX-Target": "incidents"}).content.decode()
    assert part.lstrip().startswith('<div id="incidents"')
    assert part.count("Resolved") == 15


def test_the_release_that_brought_it_can_be_chosen(page: Client, project: Project, mira: Any) -> None:
    incident = incident_declare(project, "Cards fail")
    bad = make_release(project, "v1.2.0")
    url = f"/incidents/{incident.key}/edit/"
    html = page.get(url).content.decode()
    assert "v1.2.0" in html
    assert "it stands on the status page, too" in html
    answer = page.post(url, {"title": "Cards fail", "severity": "2", "public": "on", "introduced_by": bad.pk})
    incident.refresh_from_db()
    assert (answer.status_code, incident.introduced_by) == (302, bad)


def test_the_timeline_has_room_for_the_day_when_it_is_not_of_today(page: Client, project: Project) -> None:
    now = timezone.now()
    before = incident_declare(project, "Cards failed", at=now - timedelta(days=3))
    fresh = incident_declare(project, "Cards fail")
    assert "inc-tl--days" in page.get(f"/incidents/{before.key}/").content.decode()
    assert "inc-tl--days" not in page.get(f"/incidents/{fresh.key}/").content.decode()
