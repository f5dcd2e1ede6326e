"""Those who may approve and want to know are written to, once."""

from __future__ import annotations

import smtplib
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.core.cache import cache
from django.core.mail.backends.locmem import EmailBackend
from django.test import Client

from hotfixdash.accounts.models import User
from releases.deploys.mailing import approvers_mail, mails_due
from releases.deploys.models import Run
from releases.tasks.mail import mail_approvers
from tests.factories import make_user

from .asking import Shop, make_shop

pytestmark = pytest.mark.django_db
PAGE, ACCOUNT = "https://hotfixes.example.org/x", "https://hotfixes.example.org/accounts/"


@pytest.fixture
def shop(tmp_path: Path, settings: Any) -> Shop:
    settings.EMAIL_HOST = "mail.example.org"
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    cache.clear()
    return make_shop(tmp_path, settings)


def wants(shop: Shop, name: str, role: str = "release-manager", **fields: Any) -> User:
    return shop.person(role, username=name, email=f"{name}@example.net", mail_approvals=True, **fields)


def written_to() -> list[str]:
    return sorted(address for message in mail.outbox for address in message.to)


def test_those_who_may_approve_and_want_to_know_are_written_to(shop: Shop) -> None:
    wants(shop, "aiko")
    wants(shop, "tomas", "administrator")
    shop.person(username="quiet", email="quiet@example.net")
    wants(shop, "jonas", "engineer")
    wants(shop, "mira")
    wants(shop, "gone", is_active=False)
    make_user("stranger", "release-manager", email="stranger@example.net", mail_approvals=True)
    asker = wants(shop, "asker")
    shop.person(username="nowhere", mail_approvals=True)
    run = shop.request(asked_by=asker)
    assert mails_due() == [run.pk]
    assert approvers_mail(run.pk, PAGE, ACCOUNT) == 2
    assert written_to() == ["aiko@example.net", "tomas@example.net"]
    assert all(len(message.to) == 1 and not message.cc and not message.bcc for message in mail.outbox)


def test_it_says_what_would_ship_and_where_to_decide(shop: Shop, settings: Any) -> None:
    settings.PUBLIC_URL = "https://hotfixes.example.org"
    wants(shop, "aiko")
    run = shop.request()
    mail_approvers(run.pk)
    (message,) = mail.outbox
    assert message.subject == f"Waits for your approval: {shop.project.name} v1.0.1 to production"
    body = str(message.body)
    for said in (
        "What would change: 1 commit, 1 file, +1 −1", "v1.0.0 was brought there last", "TICKET-7", "Approvals: 0 of 1",
        f"https://hotfixes.example.org/projects/{shop.project.slug}/deploys/{run.pk}/approval/",
        "https://hotfixes.example.org/accounts/",
    ):  # fmt: skip
        assert said in body, said


def test_nobody_is_written_to_twice(shop: Shop) -> None:
    wants(shop, "aiko")
    run = shop.request()
    assert [approvers_mail(run.pk, PAGE, ACCOUNT) for _ in range(3)] == [1, 0, 0]
    assert mails_due() == []


def test_what_is_decided_already_is_not_written_about(shop: Shop) -> None:
    wants(shop, "aiko")
    run = shop.request()
    Run.objects.filter(pk=run.pk).update(state="rejected")
    assert (mails_due(), approvers_mail(run.pk, PAGE, ACCOUNT)) == ([], 0)


def test_a_server_that_is_away_is_tried_again_later(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    wants(shop, "aiko")
    run = shop.request()

    def away(self: EmailBackend) -> None:
        raise ConnectionRefusedError

    with monkeypatch.context() as patch:
        patch.setattr(EmailBackend, "open", away)
        assert approvers_mail(run.pk, PAGE, ACCOUNT) == 0
    assert mails_due() == []  # not at once
    cache.clear()
    assert mails_due() == [run.pk]
    assert approvers_mail(run.pk, PAGE, ACCOUNT) == 1


def test_one_address_that_is_refused_keeps_the_others_from_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("aiko", "bad", "tomas"):
        wants(shop, name)
    run, send = shop.request(), EmailBackend.send_messages

    def picky(self: EmailBackend, messages: Any) -> int:
        if messages[0].to == ["bad@example.net"]:
            raise smtplib.SMTPRecipientsRefused({"bad@example.net": (550, b"no")})
        return send(self, messages)

    monkeypatch.setattr(EmailBackend, "send_messages", picky)
    assert approvers_mail(run.pk, PAGE, ACCOUNT) == 2
    assert written_to() == ["aiko@example.net", "tomas@example.net"]


def test_without_a_mail_server_nothing_is_due(shop: Shop, settings: Any) -> None:
    wants(shop, "aiko")
    shop.request()
    settings.EMAIL_HOST = ""
    assert mails_due() == []


def test_a_hostile_name_writes_no_header_of_its_own(shop: Shop) -> None:
    wants(shop, "aiko")
    type(shop.project).objects.filter(pk=shop.project.pk).update(name="shop\nBcc: all@example.net")
    approvers_mail(shop.request().pk, PAGE, ACCOUNT)
    (message,) = mail.outbox
    assert "\n" not in message.subject
    assert message.recipients() == ["aiko@example.net"]


def test_people_choose_it_on_their_own_page(shop: Shop, settings: Any) -> None:
    person, client = shop.person(email="a@example.net"), Client()
    client.force_login(person)
    page = client.get("/accounts/").content.decode()
    assert "When a deployment waits for my approval" in page
    about = {"form": "name", "first_name": "", "email": "a@example.net"}
    client.post("/accounts/", about | {"mail_approvals": "True"})
    assert User.objects.get(pk=person.pk).mail_approvals
    client.post("/accounts/", about | {"mail_approvals": "False"})
    assert not User.objects.get(pk=person.pk).mail_approvals
    settings.EMAIL_HOST = ""
    assert "named no mail server" in client.get("/accounts/").content.decode()
