"""What was shipped: filters in the address, pages, and two runs beside each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from hotfixdash.accounts.models import User
from releases.deploys.models import Environment
from tests.deploys.asking import make_shop
from tests.factories import make_build, make_environment, make_project, make_shipment, make_step, make_user
from tests.pages.hotfix_scene import main_words

pytestmark = pytest.mark.django_db


@pytest.fixture
def places(db: None) -> tuple[Environment, Environment]:
    project = make_project("shop")
    return make_environment(project, "staging"), make_environment(project)


@pytest.fixture
def reader(places: tuple[Environment, Environment]) -> Client:
    client = Client()
    client.force_login(make_user("ada", "viewer", projects=[places[0].project]))
    return client


def fill(places: tuple[Environment, Environment]) -> None:
    staging, production = places
    mira = make_user("mira", "engineer")
    make_build(staging.project, "v1.0.0")
    make_shipment(staging, "v1.0.0", asked_by=mira)
    make_shipment(production, "v1.0.0", state="failed", lane="hotfix")
    make_shipment(production, "v1.0.1", state="asked")


@pytest.mark.parametrize(
    ("query", "shown", "hidden"),
    [
        ("", ["Build v1.0.0", "Deploy v1.0.1 to production"], []),
        ("q=v1.0.1", ["Deploy v1.0.1 to production"], ["Build v1.0.0"]),
        ("environment=staging", ["Deploy v1.0.0 to staging"], ["to production", "Build"]),
        ("state=failed", ["Deploy v1.0.0 to production"], ["Deploy v1.0.1", "to staging"]),
        ("kind=build", ["Build v1.0.0"], ["Deploy v1"]),
        ("lane=hotfix", ["Deploy v1.0.0 to production"], ["Deploy v1.0.1"]),
        ("by=mira", ["Deploy v1.0.0 to staging"], ["Build v1"]),
        ("state=nonsense&kind=x&lane=y", ["Build v1.0.0"], []),
        ("q=%00&page=nonsense", ["No run fits"], ["Build v1.0.0"]),
        ("page=nonsense", ["Build v1.0.0"], []),
    ],
)
def test_filters_stand_in_the_address(
    reader: Client, places: tuple[Environment, Environment], query: str, shown: list[str], hidden: list[str]
) -> None:
    fill(places)
    for path in ("/projects/shop/deploys/history/", "/deploys/history/"):
        words = main_words(reader.get(f"{path}?{query}"))
        rows = words.partition("Clear")[2] or words
        assert all(part in rows for part in shown), rows
        assert not any(part in rows for part in hidden), rows


def test_nothing_fits_and_nothing_yet(reader: Client, places: tuple[Environment, Environment]) -> None:
    assert "Nothing was shipped yet." in main_words(reader.get("/projects/shop/deploys/history/"))
    assert "No run fits." in main_words(reader.get("/projects/shop/deploys/history/?q=v9"))


@pytest.mark.parametrize("runs", [5, 120])
def test_the_number_of_queries_does_not_grow(
    reader: Client, places: tuple[Environment, Environment], runs: int, django_assert_max_num_queries: Any
) -> None:
    for number in range(runs):
        make_shipment(places[1], f"v1.0.{number}")
    reader.get("/projects/shop/deploys/history/")
    with django_assert_max_num_queries(14):
        body = reader.get("/projects/shop/deploys/history/").content.decode()
    assert body.count('<th scope="row">') == min(runs, 50)


def test_two_runs_stand_beside_each_other(tmp_path: Path, settings: Any) -> None:
    shop = make_shop(tmp_path, settings)
    first = shop.runs("v1.0.0")
    second = shop.runs("v1.0.1")
    make_step(first, "switch", state="done", started_at=timezone.now(), finished_at=timezone.now())
    make_step(second, "restart <b>", state="failed")
    client = _as(shop.person("viewer"))
    path = f"/projects/{shop.project.slug}/deploys/compare/"
    answer = client.get(f"{path}?a={first.pk}&b={second.pk}")
    words = main_words(answer)
    for part in ("v1.0.0 and v1.0.1", "Mend it", "app.py", "switch", "not there", "restart <b>"):
        assert part in words, part
    assert "<b>" not in answer.content.decode().partition("<main")[2]
    assert client.get(path).status_code == 200
    assert client.get(f"{path}?a={first.pk}&b=999999").status_code == 404
    assert client.get(f"{path}?a=x&b=").status_code == 200


def test_runs_of_another_project_are_not_compared(places: tuple[Environment, Environment], reader: Client) -> None:
    mine = make_shipment(places[0])
    other = make_shipment(make_environment(make_project("other")), "v7.7.7")
    answer = reader.get(f"/projects/shop/deploys/compare/?a={mine.pk}&b={other.pk}")
    assert answer.status_code == 404
    assert "v7.7.7" not in answer.content.decode()


def _as(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client
