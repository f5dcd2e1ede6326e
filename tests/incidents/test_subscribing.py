"""Asking for updates by mail: confirmed first, for what was chosen, ended with one press."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from incidents.announcements.delivering import channel_deliver
from incidents.announcements.models import Message
from incidents.response.services import incident_declare, incident_say
from incidents.status.models import StatusPage, Subscriber
from incidents.status.services import leave_link, page_save, subscribers_forget
from incidents.tasks import sweep_now
from releases.projects.models import Project
from tests.factories import make_project
from tests.incidents.making import make_component
from tests.incidents.receivers import Mailbox, smtp_server

pytestmark = pytest.mark.django_db


@pytest.fixture
def mailbox(settings: Any, tmp_path: Path) -> Iterator[Mailbox]:
    settings.DATA_DIR, settings.REDIS_URL = tmp_path, f"unix://{tmp_path}/nobody.sock"
    with smtp_server() as box:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", box.port, False
        yield box


@pytest.fixture
def project() -> Project:
    return make_project("shop")


@pytest.fixture
def page(project: Project, mailbox: Mailbox) -> StatusPage:
    sweep_now()
    make_component(project)
    make_component(project, "Payouts")
    return page_save("shop", "Shop", "public", [project])


def deliver(page: StatusPage) -> None:
    sweep_now()
    channel_deliver(page.channels.get().pk, "worker:1/test")


def link_in(mail: Any) -> str:
    found = re.search(r"https?://[^/\s]+(/status/\S+)", mail.get_content())
    assert found
    return found[1]


def subscribe(
    client: Client, page: StatusPage, mailbox: Mailbox, email: str = "ada@example.com", **fields: Any
) -> None:
    """The whole way: ask, follow the link, press."""
    assert client.post("/status/shop/subscribe/", {"email": email, **fields}).status_code == 200
    deliver(page)
    link = link_in(mailbox.mails[-1])
    assert client.get(link).status_code == 200
    assert client.post(link).status_code == 200


def test_nobody_is_written_to_before_they_confirm(
    client: Client, page: StatusPage, project: Project, mailbox: Mailbox
) -> None:
    client.post("/status/shop/subscribe/", {"email": "ada@example.com"})
    incident_declare(project, "Cards fail")
    deliver(page)
    assert [mail["Subject"] for mail in mailbox.mails] == ["Confirm: updates of Shop"]
    client.get(link_in(mailbox.mails[0]))
    assert Subscriber.objects.get().confirmed_at is None
    client.post(link_in(mailbox.mails[0]))
    assert Subscriber.objects.get().confirmed_at is not None


def test_subscribers_get_public_words_with_a_way_to_leave(
    client: Client, page: StatusPage, project: Project, mailbox: Mailbox
) -> None:
    subscribe(client, page, mailbox)
    incident = incident_declare(project, "Cards fail")
    incident_say(incident, "Among ourselves.", public=False)
    incident_say(incident, "We found it.", state="identified")
    deliver(page)
    assert [mail["Subject"] for mail in mailbox.mails[1:]] == ["SEV2 incident: Cards fail", "Identified: Cards fail"]
    mail = mailbox.mails[-1]
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    leave = mail["List-Unsubscribe"].strip("<>").partition("/status/")[2]
    assert client.post(f"/status/{leave}", {"List-Unsubscribe": "One-Click"}).status_code == 200
    incident_say(incident, "Over.", state="resolved")
    deliver(page)
    assert len(mailbox.mails) == 3


def test_only_what_was_chosen(client: Client, page: StatusPage, project: Project, mailbox: Mailbox) -> None:
    cards, payouts = project.components.order_by("name")
    subscribe(client, page, mailbox, component=str(cards.pk))
    incident_declare(project, "Payouts late", hurt={payouts: 3})
    incident_declare(project, "Cards fail", hurt={cards: 3})
    deliver(page)
    assert [mail["Subject"] for mail in mailbox.mails[1:]] == ["SEV2 incident: Cards fail"]


def test_for_one_incident_only(client: Client, page: StatusPage, project: Project, mailbox: Mailbox) -> None:
    one = incident_declare(project, "Cards fail")
    subscribe(client, page, mailbox, incident=one.key)
    incident_declare(project, "Payouts late")
    incident_say(one, "We found it.")
    deliver(page)
    assert [mail["Subject"] for mail in mailbox.mails[1:]] == ["Investigating: Cards fail"]


def test_asking_twice_writes_once_and_tells_nothing(client: Client, page: StatusPage, mailbox: Mailbox) -> None:
    subscribe(client, page, mailbox)
    first = client.post("/status/shop/subscribe/", {"email": "ADA@example.com"})
    other = client.post("/status/shop/subscribe/", {"email": "new@example.com"})
    again = client.post("/status/shop/subscribe/", {"email": "new@example.com"})
    assert first.content == other.content == again.content
    assert Message.objects.filter(recipient="new@example.com").count() == 1
    assert Message.objects.filter(recipient__iexact="ada@example.com").count() == 1


@pytest.mark.parametrize("email", ["", "x", "a@b\r\nBcc: c@d.example", "a" * 300 + "@example.com", "<script>@x"])
def test_what_is_no_address_is_refused(client: Client, page: StatusPage, email: str) -> None:
    assert client.post("/status/shop/subscribe/", {"email": email}).status_code == 422
    assert not Subscriber.objects.exists()


def test_links_cannot_be_made_up_swapped_or_kept_for_ever(
    client: Client, page: StatusPage, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.post("/status/shop/subscribe/", {"email": "ada@example.com"})
    row = Subscriber.objects.get()
    leave = leave_link(row).partition("/leave/")[2]
    assert client.post(f"/status/shop/confirm/{leave}").status_code == 410
    assert client.post("/status/shop/confirm/made-up/").status_code == 410
    assert client.get("/status/shop/confirm/made-up/").status_code == 410
    assert client.post("/status/shop/leave/made-up/").status_code == 410
    deliver(page)
    link = link_in(mailbox.mails[0])
    import django.core.signing

    later = django.core.signing.time.time() + 8 * 86_400
    monkeypatch.setattr(django.core.signing.time, "time", lambda: later)
    assert client.post(link).status_code == 410
    assert Subscriber.objects.get().confirmed_at is None


def test_addresses_that_never_confirmed_or_left_are_not_kept(page: StatusPage) -> None:
    now = timezone.now()
    Subscriber.objects.create(page=page, email="a@example.com", asked_at=now - timedelta(days=8))
    Subscriber.objects.create(page=page, email="b@example.com", asked_at=now - timedelta(days=1))
    Subscriber.objects.create(
        page=page, email="c@example.com", confirmed_at=now - timedelta(days=60), left_at=now - timedelta(days=31)
    )
    assert subscribers_forget(now) == 2
    assert Subscriber.objects.get().email == "b@example.com"


def test_hidden_pages_take_no_subscriptions(client: Client, page: StatusPage, project: Project) -> None:
    page_save("shop", "Shop", "hidden", [project], page=page)
    assert client.post("/status/shop/subscribe/", {"email": "ada@example.com"}).status_code == 404


def test_subscribers_go_on_to_their_page_and_hear_of_an_end_once(
    client: Client, page: StatusPage, project: Project, mailbox: Mailbox
) -> None:
    subscribe(client, page, mailbox)
    incident = incident_declare(project, "Cards fail")
    incident_say(incident, "Over.", state="resolved")
    incident_say(incident, "It is back.", state="investigating", why="Mira saw it in the log.")
    incident_say(incident, "Among ourselves.", state="resolved", public=False)
    incident_say(incident, "Still among ourselves.", state="investigating", public=False, why="Mira saw it again.")
    deliver(page)
    mails = mailbox.mails[1:]
    assert [mail["Subject"] for mail in mails] == [
        "SEV2 incident: Cards fail", "Resolved: Cards fail", "Investigating: Cards fail", "Resolved: Cards fail",
        "Open again: Cards fail",
    ]  # fmt: skip
    for mail in mails:
        text = mail.get_content()
        assert f"/status/shop/#{incident.key}" in text
        assert f"/incidents/{incident.key}/" not in text
        assert "Mira" not in text


def test_nobody_hears_of_parts_that_are_not_on_their_page(
    client: Client, page: StatusPage, project: Project, mailbox: Mailbox
) -> None:
    cards, payouts = project.components.order_by("name")
    page.components.set([cards])
    subscribe(client, page, mailbox)
    incident_declare(project, "Payouts late", hurt={payouts: 3})
    incident_declare(project, "Cards fail", hurt={cards: 3})
    deliver(page)
    assert [mail["Subject"] for mail in mailbox.mails[1:]] == ["SEV2 incident: Cards fail"]
