"""From an incident one press opens its hotfix, from a hotfix its incident; overviews show what is open."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from incidents.response.models import Incident
from incidents.response.services import incident_declare, incident_link, incident_say
from incidents.status.services import page_save
from incidents.views.strips import on_overview, on_tab
from releases.hotfixes.models import Hotfix
from releases.projects.models import Project
from tests.factories import make_project, make_user
from tests.incidents.making import make_hotfix

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_kept() -> None:
    cache.clear()


@pytest.fixture
def project() -> Project:
    return make_project("shop")


@pytest.fixture
def page(client: Client, project: Project) -> Client:
    client.force_login(make_user("mira", "engineer", projects=[project]))
    return client


def get(page: Client, path: str) -> str:
    answer = page.get(path)
    assert answer.status_code == 200, path
    return answer.content.decode()


def test_from_an_incident_one_press_opens_a_hotfix_tied_to_it(page: Client, project: Project) -> None:
    incident = incident_declare(project, "Cards fail", severity=1, impact="1 in 9 payments.")
    url = f"/incidents/{incident.key}/fix/"
    assert f'href="{url}"' in get(page, f"/incidents/{incident.key}/")
    form = get(page, url)
    assert 'value="Cards fail"' in form
    assert "1 in 9 payments." in form
    answer = page.post(url, {"key": "TICKET-9", "title": "Cards fail", "severity": "1", "impact": "1 in 9."})
    assert answer.headers["Location"] == "/projects/shop/hotfixes/TICKET-9/"
    assert list(incident.hotfixes.all()) == [Hotfix.objects.get(key="TICKET-9")]
    assert 'href="/projects/shop/hotfixes/TICKET-9/"' in get(page, f"/incidents/{incident.key}/")


def test_a_ticket_that_cannot_be_leaves_nothing_behind(page: Client, project: Project) -> None:
    make_hotfix(project, "TICKET-9")
    incident = incident_declare(project, "Cards fail")
    answer = page.post(f"/incidents/{incident.key}/fix/", {"key": "TICKET-9", "title": "x", "severity": "1"})
    assert answer.status_code == 422
    assert Hotfix.objects.count() == 1
    assert not incident.hotfixes.exists()


def test_from_a_hotfix_one_press_opens_its_incident_or_declares_one(page: Client, project: Project) -> None:
    hotfix = make_hotfix(project)
    html = get(page, "/projects/shop/hotfixes/TICKET-7/")
    assert "/projects/shop/incidents/new/?hotfix=TICKET-7" in html
    incident = incident_declare(project, "Cards fail")
    incident_link(incident, hotfix)
    html = get(page, "/projects/shop/hotfixes/TICKET-7/")
    assert f'href="/incidents/{incident.key}/"' in html
    assert "/incidents/new/" not in html


def test_viewers_open_the_incident_and_declare_none(client: Client, project: Project) -> None:
    hotfix = make_hotfix(project)
    client.force_login(make_user("ada", "viewer", projects=[project]))
    assert "Declare an incident" not in get(client, "/projects/shop/hotfixes/TICKET-7/")
    incident = incident_declare(project, "Cards fail")
    incident_link(incident, hotfix)
    assert f'href="/incidents/{incident.key}/"' in get(client, "/projects/shop/hotfixes/TICKET-7/")
    assert client.get(f"/incidents/{incident.key}/fix/").status_code == 403


def test_the_overview_shows_what_is_open_and_since_when_a_word_is_due(page: Client, project: Project) -> None:
    page_save("shop", "Shop", "public", [project])
    incident = incident_declare(project, "Cards <b>fail</b>", severity=1, started_at=timezone.now())
    incident_link(incident, make_hotfix(project))
    for path in ("/", "/projects/shop/"):
        html = get(page, path)
        assert "Cards &lt;b&gt;fail&lt;/b&gt;" in html
        assert "Public word due" not in html
        assert 'href="/projects/shop/hotfixes/TICKET-7/"' in html
        assert 'href="/status/shop/"' in html
    Incident.objects.update(declared_at=timezone.now() - timedelta(minutes=31))
    assert "Public word due since" in on_overview([project.pk], None)
    incident_say(incident, "We look into it.")
    assert "Public word due" not in on_overview([project.pk], None)
    incident_say(incident, "Over.", state="resolved")
    assert on_overview([project.pk], None) == ""


def test_an_internal_incident_waits_for_no_public_word(project: Project) -> None:
    incident_declare(project, "Build farm is slow", public=False)
    Incident.objects.update(declared_at=timezone.now() - timedelta(days=3))
    strip = on_overview([project.pk], project)
    assert "Build farm is slow" in strip
    assert "Public" not in strip


def test_the_worst_three_stand_there_and_the_others_are_counted(
    project: Project, django_assert_num_queries: Any
) -> None:
    for number in range(5):
        incident_declare(project, f"Trouble {number}", severity=4 - number % 4)
    with django_assert_num_queries(2):
        strip = on_overview([project.pk], project)
    assert [strip.index(f"Trouble {number}") for number in (3, 2, 1)] == sorted(
        strip.index(f"Trouble {number}") for number in (3, 2, 1)
    )
    assert "2 more open incidents" in strip
    with django_assert_num_queries(1):
        assert on_overview([project.pk], project) == strip


def test_nothing_of_other_projects_is_shown_or_counted(page: Client, project: Project) -> None:
    other = make_project("other")
    incident_declare(other, "Secret trouble")
    mira = make_user("ben", "engineer", projects=[project])
    assert "Secret trouble" not in get(page, "/")
    assert (on_tab(mira, None, True), on_tab(mira, project, True)) == (0, 0)
    everything = make_user("eve", "engineer", all_projects=True)
    assert (on_tab(everything, None, True), on_tab(everything, other, True)) == (1, 1)


def test_the_tab_counts_at_once_what_was_declared(page: Client, project: Project) -> None:
    assert 'Incidents <span class="count' not in get(page, "/projects/")
    incident = incident_declare(project, "Cards fail")
    assert 'Incidents <span class="count' in get(page, "/projects/")
    incident_say(incident, "Over.", state="resolved")
    assert 'Incidents <span class="count' not in get(page, "/projects/")
