"""What waits for a person: the page, the number on the bell, and the number in the part that open pages ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from hotfixdash.accounts.models import User
from releases.deploys.binding import binding_key, binding_of
from releases.deploys.models import Run
from tests.deploys.asking import Shop, make_shop
from tests.factories import make_step, make_user
from tests.pages.hotfix_scene import main_words

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(tmp_path: Path, settings: Any, db: None) -> Shop:
    cache.clear()
    return make_shop(tmp_path, settings)


def as_(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def bell(client: Client, path: str = "/projects/") -> str:
    body = client.get(path).content.decode()
    return body.partition('id="bell"')[2].partition("</div>")[0]


def test_the_bell_counts_and_leads_to_the_page(shop: Shop) -> None:
    run, client = shop.request(), as_(shop.person())
    assert "1 thing waits for you" in bell(client)
    assert 'href="/waiting/"' in bell(client)
    words = main_words(client.get("/waiting/"))
    assert "Approve a deployment" in words
    assert "v1.0.1 to production waits for approval." in words
    assert (
        f'href="/projects/{shop.project.slug}/deploys/{run.pk}/approval/"' in client.get("/waiting/").content.decode()
    )


def test_after_a_decision_nothing_waits(shop: Shop) -> None:
    run, client = shop.request(), as_(shop.person())
    assert "1 thing" in bell(client)
    data = {"says": "approve", "binding": binding_key(binding_of(run))}
    client.post(f"/projects/{shop.project.slug}/deploys/{run.pk}/approval/", data)
    assert "Nothing waits for you" in bell(client)
    assert "Nothing waits for you." in main_words(client.get("/waiting/"))


def test_open_pages_are_told_at_once(shop: Shop) -> None:
    client = as_(shop.person())
    assert "Nothing waits" in bell(client)
    shop.request()
    part = client.get("/tabs/").content.decode()
    assert '<div id="bell"' in part
    assert 'hx-swap-oob="morph"' in part
    assert "1 thing waits for you" in part


@pytest.mark.parametrize(("role", "number"), [("viewer", 0), ("engineer", 1), ("release-manager", 2)])
def test_it_counts_what_the_role_allows(shop: Shop, role: str, number: int) -> None:
    shop.request()
    paused = shop.request(place=shop.place, state="paused")
    make_step(paused, "try it", "manual", state="waiting")
    client = as_(shop.person(role))
    assert client.get("/waiting/").content.decode().count('class="ib-k"') == number
    assert ("Nothing waits" in bell(client)) == (number == 0)


def test_a_lost_worker_waits_for_a_manager(shop: Shop) -> None:
    run = shop.request(state="lost")
    words = main_words(as_(shop.person()).get("/waiting/"))
    assert "A worker was lost" in words
    assert Run.objects.get(pk=run.pk).state == "lost"


def test_what_is_not_theirs_is_not_counted(shop: Shop) -> None:
    shop.request()
    assert "Nothing waits" in bell(as_(make_user("stranger", "administrator")))
    assert Client().get("/waiting/").status_code == 302


def test_the_bell_costs_one_query_while_nothing_waits(shop: Shop, django_assert_max_num_queries: Any) -> None:
    client = as_(shop.person())
    client.get("/search/")
    with django_assert_max_num_queries(8):
        client.get("/search/")
