"""Those who may approve and want to know are written to, once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from hotfixdash.accounts.models import User
from releases.deploys.approving import approve
from releases.deploys.binding import binding_of
from releases.deploys.mailing import approvers_mail, mails_due, mails_lost
from releases.deploys.models import ApprovalMail, Environment, Run
from releases.projects.services.mirrors import mirror_folder
from releases.tasks.mail import mail_approvers
from tests.factories import make_user
from tests.incidents.receivers import Mailbox, smtp_server

from .asking import Shop, make_shop

pytestmark = pytest.mark.django_db
PAGE, ACCOUNT = "https://hotfixes.example.org/x", "https://hotfixes.example.org/accounts/"


@pytest.fixture
def shop(tmp_path: Path, settings: Any) -> Shop:
    settings.EMAIL_HOST = "mail.example.org"
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


def state(run: Run) -> dict[str, str]:
    return {mail.person.username: mail.state for mail in ApprovalMail.objects.filter(run=run).select_related("person")}


@pytest.fixture
def server(settings: Any) -> Iterator[Mailbox]:
    """A mail server that really listens."""
    with smtp_server() as box:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", box.port, False
        yield box


def got(box: Mailbox) -> list[str]:
    return sorted(str(message["To"]) for message in box.mails)


def test_a_server_that_is_away_is_tried_again_ever_more_seldom(shop: Shop, server: Mailbox) -> None:
    wants(shop, "aiko")
    run, now, tries = shop.request(), timezone.now(), []
    server.down = True
    for second in range(0, 200, 5):
        if mails_due(now + timedelta(seconds=second)) == [run.pk]:
            assert approvers_mail(run.pk, PAGE, ACCOUNT, now + timedelta(seconds=second)) == 0
            tries.append(second)
    assert tries == [0, 10, 40, 160]
    server.down = False
    assert "cannot be used" in ApprovalMail.objects.get().error
    later = now + timedelta(hours=1)
    assert (mails_due(later), approvers_mail(run.pk, PAGE, ACCOUNT, later)) == ([run.pk], 1)
    assert (got(server), mails_due(later), state(run)) == (["aiko@example.net"], [], {"aiko": "sent"})


def test_one_address_that_is_refused_keeps_the_others_from_nothing(shop: Shop, server: Mailbox) -> None:
    for name in ("aiko", "gone", "full", "tomas"):
        wants(shop, name)
    run, now = shop.request(), timezone.now()
    server.refuse = {"gone@example.net": 550, "full@example.net": 452}
    assert approvers_mail(run.pk, PAGE, ACCOUNT, now) == 2
    assert got(server) == ["aiko@example.net", "tomas@example.net"]
    assert state(run) == {"aiko": "sent", "gone": "failed", "full": "due", "tomas": "sent"}
    server.refuse = {}
    assert approvers_mail(run.pk, PAGE, ACCOUNT, now + timedelta(seconds=20)) == 1
    assert got(server) == ["aiko@example.net", "full@example.net", "tomas@example.net"]
    assert mails_due(now + timedelta(days=1)) == []


def test_who_has_spoken_meanwhile_is_not_written_to(shop: Shop, server: Mailbox) -> None:
    aiko = wants(shop, "aiko")
    wants(shop, "tomas")
    Environment.objects.filter(pk=shop.place.pk).update(approvals=2)
    shop.place.refresh_from_db()
    run, now = shop.request(), timezone.now()
    server.down = True
    approvers_mail(run.pk, PAGE, ACCOUNT, now)
    server.down = False
    approve(run, aiko, binding=binding_of(run))
    assert approvers_mail(run.pk, PAGE, ACCOUNT, now + timedelta(minutes=1)) == 1
    assert (got(server), state(run)) == (["tomas@example.net"], {"aiko": "dropped", "tomas": "sent"})


def test_what_is_decided_before_the_next_try_is_let_go(shop: Shop, server: Mailbox) -> None:
    wants(shop, "aiko")
    run, now = shop.request(), timezone.now()
    server.down = True
    approvers_mail(run.pk, PAGE, ACCOUNT, now)
    Run.objects.filter(pk=run.pk).update(state="rejected")
    assert mails_due(now + timedelta(hours=1)) == []
    mails_lost()
    assert state(run) == {"aiko": "dropped"}


def test_while_git_cannot_say_who_wrote_it_the_mail_waits(shop: Shop, server: Mailbox, tmp_path: Path) -> None:
    wants(shop, "aiko")
    wants(shop, "mira")
    run, now = shop.request(), timezone.now()
    mirror = mirror_folder(shop.project)
    mirror.rename(tmp_path / "away")
    assert approvers_mail(run.pk, PAGE, ACCOUNT, now) == 0
    assert state(run) == {"aiko": "due", "mira": "due"}
    (tmp_path / "away").rename(mirror)
    assert approvers_mail(run.pk, PAGE, ACCOUNT, now + timedelta(minutes=1)) == 1
    assert (got(server), state(run)) == (["aiko@example.net"], {"aiko": "sent", "mira": "dropped"})


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
