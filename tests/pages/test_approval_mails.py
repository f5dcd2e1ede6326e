"""Whom no mail reached: said on the page on which people decide, and tried again from there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from releases.deploys.models import ApprovalMail, Run
from releases.ledger.models import Event
from tests.deploys.asking import Shop, make_shop
from tests.factories import make_user
from tests.pages.hotfix_scene import main_words
from tests.pages.test_approval import as_, url

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(tmp_path: Path, settings: Any, db: None) -> Shop:
    return make_shop(tmp_path, settings, approvals=2)


def mailed(run: Run, **errors: str) -> None:
    """Everybody named here was to be written to: empty text, it was sent; `550 …`, given up; else it waits."""
    for name, error in errors.items():
        person = make_user(name, "release-manager", email=f"{name}@example.net")
        state = "sent" if not error else "failed" if error.startswith("5") else "due"
        ApprovalMail.objects.create(run=run, person=person, state=state, error=error, attempts=3)


def test_whom_no_mail_reached_is_said_to_who_can_do_something_about_it(shop: Shop) -> None:
    run = shop.request()
    mailed(run, aiko="", bo="550 no such user", cleo="550 <b>full</b>", dora="", ed="")
    lead = as_(shop.person(username="nora"))
    words = main_words(lead.get(url(run)))
    assert "The mail to 2 of 5 approvers was refused." in words
    assert "bo <bo@example.net> 550 no such user" in words
    assert "<b>full" not in lead.get(url(run)).content.decode()
    assert "550" not in main_words(as_(shop.person("engineer", username="eng")).get(url(run)))
    Run.objects.filter(pk=run.pk).update(state="queued")
    assert "550" not in main_words(lead.get(url(run)))


def test_mail_that_waits_says_when_it_is_tried_again(shop: Shop) -> None:
    run = shop.request()
    mailed(run, aiko="The mail server cannot be used: refused", bo="")
    words = main_words(as_(shop.person()).get(url(run)))
    assert "The mail to 1 of 2 approvers was not taken so far. It is tried again at " in words


def test_it_is_tried_again_by_a_release_manager(shop: Shop) -> None:
    run = shop.request()
    mailed(run, aiko="", bo="550 no such user", cleo="452 full")
    assert as_(shop.person("engineer", username="eng")).get(url(run, "mail-again")).status_code == 403
    lead = as_(shop.person(username="nora"))
    asked = main_words(lead.get(url(run, "mail-again")))
    assert "550 no such user" in asked
    assert "452 full" in asked
    assert lead.post(url(run, "mail-again")).status_code == 302
    assert sorted(ApprovalMail.objects.values_list("person__username", "state", "attempts")) == [
        ("aiko", "sent", 3), ("bo", "due", 0), ("cleo", "due", 0),
    ]  # fmt: skip
    row = Event.objects.get(kind="run.mailed-again")
    assert (row.actor_name, row.why) == ("nora", "The mail to 2 approvers is tried again.")
    assert lead.get(url(run, "mail-again")).status_code == 409
    assert "was refused" not in main_words(lead.get(url(run)))


def test_of_what_is_decided_no_mail_is_tried_again(shop: Shop) -> None:
    run = shop.request()
    mailed(run, bo="550 no such user")
    Run.objects.filter(pk=run.pk).update(state="rejected")
    assert as_(shop.person()).post(url(run, "mail-again")).status_code == 409
    assert ApprovalMail.objects.get().state == "failed"
