"""What the page of a decided request shows: what was known at each decision, and who decided."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from hotfixdash.accounts.models import User
from releases.deploys.models import Approval, Environment, Run
from tests.deploys.asking import Shop, make_shop
from tests.factories import make_step
from tests.pages.hotfix_scene import main_words
from tests.pages.test_approval import as_, form, url

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(tmp_path: Path, settings: Any, db: None) -> Shop:
    return make_shop(tmp_path, settings, approvals=2)


def test_the_checks_stay_as_they_stood_at_each_decision(shop: Shop) -> None:
    run = shop.request()
    assert run.build is not None
    tests = make_step(run.build, "critical tests", "check", state="done", facts={"passed": "186"})
    nora, tomas = as_(shop.person(username="nora")), as_(shop.person(username="tomas"))
    nora.post(url(run), form(run))
    tests.facts = {"passed": "187"}
    tests.save()
    assert "passed 187" in main_words(tomas.get(url(run)))
    tomas.post(url(run), form(run, "reject", "Not on a Friday."))
    tests.state, tests.facts = "failed", {"passed": "3"}
    tests.save()
    words = main_words(nora.get(url(run)))
    assert "This is what was to be seen when tomas said no," in words
    assert "As they stood at " in words
    assert "passed 187" in words
    assert "1 of 1 passed" in words
    assert "What would have changed in production" in words
    assert "Runs like it take" not in words
    first, last = run.shown.order_by("pk")
    words = main_words(nora.get(f"{url(run)}?then={first.pk}"))
    assert "This is what was to be seen when nora approved it," in words
    assert "passed 186" in words
    assert f'href="{url(run)}?then={last.pk}"' in nora.get(f"{url(run)}?then={first.pk}").content.decode()
    assert "passed 187" in main_words(nora.get(f"{url(run)}?then=none"))


def test_what_was_kept_before_checks_were_says_so(shop: Shop) -> None:
    run, nora = shop.request(), as_(shop.person(username="nora"))
    assert run.build is not None
    make_step(run.build, "critical tests", "check", state="done", facts={"passed": "186"})
    nora.post(url(run), form(run, "reject", "No."))
    (kept,) = run.shown.all()
    run.shown.update(data={name: value for name, value in kept.data.items() if name not in ("proofs", "ran", "needed")})
    words = main_words(nora.get(url(run)))
    assert "What the checks said then was not kept; this is what they say now." in words
    assert "passed 186" in words


def test_who_approved_is_named_long_after(shop: Shop) -> None:
    """A voice counts for a day and while its person works here; that it was given stays true."""
    run = shop.request()
    for name in ("nora", "tomas"):
        as_(shop.person(username=name)).post(url(run), form(run))
    Run.objects.filter(pk=run.pk).update(state="done")
    Approval.objects.filter(run=run).update(at=timezone.now() - timedelta(days=40))
    User.objects.filter(username="tomas").update(is_active=False)
    Environment.objects.filter(pk=shop.place.pk).update(approvals=1)
    words = main_words(as_(shop.person(username="rob")).get(url(run)))
    assert "2 of 2 approvals" in words
    assert "nora approved" in words
    assert "tomas approved" in words
