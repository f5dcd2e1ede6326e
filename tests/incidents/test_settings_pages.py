"""Status pages, components, planned work and channels, set up in the browser by administrators alone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from incidents.announcements.models import Channel, Message
from incidents.response.models import Component, Maintenance
from incidents.response.services import incident_declare
from incidents.status.models import StatusPage
from releases.ledger.models import Event
from releases.projects.models import Project
from tests.factories import make_project, make_user
from tests.incidents.making import make_component

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project("shop")


@pytest.fixture
def page(client: Client, project: Project) -> Client:
    client.force_login(make_user("admin", "administrator", all_projects=True))
    return client


def test_a_status_page_from_nothing(page: Client, project: Project) -> None:
    assert "No status page yet" in page.get("/status-pages/").content.decode()
    page.post("/incident-settings/component/shop/", {"name": "Cards", "order": "1", "baseline": "0"})
    cards = Component.objects.get()
    page.post(
        "/incident-settings/page/",
        {"title": "Shop", "slug": "shop", "visibility": "hidden", "projects": [project.pk], "components": [cards.pk]},
    )
    row = StatusPage.objects.get()
    assert list(row.components.all()) == [cards]
    html = page.get("/incident-settings/page/shop/").content.decode()
    assert 'value="Shop"' in html
    page.post(
        "/incident-settings/page/shop/",
        {"title": "The shop", "slug": "shop", "visibility": "signed-in", "projects": [project.pk]},
    )
    row.refresh_from_db()
    assert (row.title, row.visibility) == ("The shop", "signed-in")
    page.post(f"/incident-settings/component/{cards.pk}/", {"name": "Card payments", "order": "1", "baseline": "2"})
    page.post(f"/incident-settings/component-retire/{cards.pk}/")
    cards.refresh_from_db()
    assert (cards.name, cards.retired_at is None) == ("Card payments", False)
    page.post("/incident-settings/page-remove/shop/")
    assert not StatusPage.objects.exists()


def test_planned_work(page: Client, project: Project) -> None:
    later = timezone.localtime() + timedelta(hours=2)
    told = {"title": "New disks", "starts_at": f"{later:%Y-%m-%dT%H:%M}", "ends_at": f"{later:%Y-%m-%dT%H:%M}"}
    answer = page.post("/incident-settings/planned/shop/", told)
    assert answer.status_code == 422
    assert "ends before it begins" in answer.content.decode()
    told["ends_at"] = f"{later + timedelta(hours=1):%Y-%m-%dT%H:%M}"
    page.post("/incident-settings/planned/shop/", told)
    row = Maintenance.objects.get()
    page.post(f"/incident-settings/planned-cancel/{row.pk}/")
    row.refresh_from_db()
    assert row.cancelled_at is not None


def test_a_channel_its_secret_shown_once_and_its_messages(page: Client, project: Project) -> None:
    told = {
        "name": "hook", "kind": "webhook", "target": "https://192.0.32.10/very-secret", "topics": ["incident-declared"],
        "worst": "4", "internal": "on",
    }  # fmt: skip
    page.post("/incident-settings/channel/", told)
    channel = Channel.objects.get()
    assert "shown this once" in page.get("/announcements/").content.decode()
    html = page.get("/announcements/").content.decode()
    assert "shown this once" not in html
    assert "very-secret" not in html
    assert "very-secret" not in page.get(f"/incident-settings/channel/{channel.pk}/").content.decode()
    incident_declare(project, "Cards fail")
    event = Event.objects.get(kind="incident.declared")
    message = Message.objects.create(
        event=event, channel=channel, subject="Cards fail", body="x", state="failed", attempts=30, error="It is down."
    )
    assert "Given up after 30 tries" in page.get("/announcements/").content.decode()
    page.post(f"/announcements/{message.pk}/again/")
    message.refresh_from_db()
    assert message.state == "waiting"
    page.post(f"/incident-settings/channel-pause/{channel.pk}/")
    channel.refresh_from_db()
    assert channel.paused_at is not None
    page.post(f"/incident-settings/channel-remove/{channel.pk}/")
    assert not Channel.objects.exists()


def test_a_private_address_is_refused_beside_its_field(page: Client) -> None:
    told = {"name": "x", "kind": "slack", "target": "http://127.0.0.1/x", "topics": ["incident-declared"], "worst": "4"}
    answer = page.post("/incident-settings/channel/", told)
    assert answer.status_code == 422
    assert not Channel.objects.exists()


@pytest.mark.parametrize("role", ["viewer", "engineer", "release-manager"])
def test_administrators_alone(client: Client, project: Project, role: str) -> None:
    client.force_login(make_user("person", role, projects=[project]))
    for path in ("/status-pages/", "/announcements/", "/incident-settings/page/", "/incident-settings/channel/"):
        assert client.get(path).status_code == 403
    assert client.post("/incident-settings/component/shop/", {"name": "x"}).status_code == 403


@pytest.mark.parametrize(
    "path",
    ["nonsense/", "page/nix/", "component/nix/", "channel/99/", "channel/x/", "planned-cancel/x/", "page-remove/nix/"],
)
def test_odd_addresses_do_not_exist(page: Client, path: str) -> None:
    assert page.get(f"/incident-settings/{path}").status_code == 404


def test_the_channel_of_a_page_belongs_to_the_page(page: Client, project: Project) -> None:
    page.post(
        "/incident-settings/page/", {"title": "Shop", "slug": "shop", "visibility": "hidden", "projects": [project.pk]}
    )
    assert page.get(f"/incident-settings/channel-remove/{Channel.objects.get().pk}/").status_code == 404


def test_what_is_typed_wrong_is_said_and_nothing_made(page: Client, project: Project) -> None:
    answer = page.post(
        "/incident-settings/page/", {"title": "Shop", "slug": "../x", "visibility": "public", "projects": [project.pk]}
    )
    assert answer.status_code == 422
    assert not StatusPage.objects.exists()


def test_parts_of_projects_that_are_not_on_the_page_are_refused(page: Client, project: Project) -> None:
    other = make_component(make_project("ledger"), "Payouts")
    told = {"title": "Shop", "slug": "shop", "visibility": "public", "projects": [project.pk]}
    assert "None: all of these projects." in page.get("/incident-settings/page/").content.decode()
    answer = page.post("/incident-settings/page/", told | {"components": [other.pk]})
    assert answer.status_code == 422
    assert "Payouts belongs to ledger: choose that project, too." in answer.content.decode()
