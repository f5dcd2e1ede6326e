"""The list of hotfixes: filters in the address, pages, what has no ticket, and a constant number of queries."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from releases.hotfixes.models import Hotfix, Untracked
from releases.hotfixes.observing import hotfixes_observe
from releases.hotfixes.services import hotfix_open
from releases.projects.models import Project
from tests.factories import make_project, make_user
from tests.hotfixes.playing import look
from tests.pages.hotfix_scene import BRANCH, make_scene, ok, words_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project("shop")


@pytest.fixture
def client() -> Client:
    client = Client()
    client.force_login(make_user("jo", "engineer", all_projects=True))
    return client


def many(project: Project, count: int, **fields: Any) -> None:
    for number in range(count):
        hotfix_open(project, f"{project.name.upper()[:4]}-{number + 1}", f"Number {number + 1}", **fields)


def test_nothing_yet_says_what_to_do(client: Client, project: Project) -> None:
    said = words_of(client.get("/projects/shop/hotfixes/"))
    assert "No hotfix is in progress." in said
    assert "a ticket and a title are enough" in said


def test_filters_live_in_the_address(client: Client, project: Project) -> None:
    hotfix_open(project, "SHOP-1", "Cards fail", severity=1)
    hotfix_open(project, "SHOP-2", "Search is slow", severity=3)

    def shown(query: str) -> str:
        return words_of(client.get(f"/projects/shop/hotfixes/?{query}"))

    assert "Cards fail" in shown("severity=1")
    assert "Search is slow" not in shown("severity=1")
    assert "Search is slow" in shown("q=slow")
    assert "Cards fail" not in shown("q=slow")
    assert "Cards fail" in shown("stage=triage&owner=nobody")
    assert "No hotfix fits these filters." in shown("stage=review")
    html = client.get("/projects/shop/hotfixes/?severity=1&sort=key&q=cards").content.decode()
    assert 'href="?show=all&amp;severity=1&amp;q=cards&amp;sort=key"' in html


def test_odd_filters_are_left_out(client: Client, project: Project) -> None:
    for query in ("show=x&stage=%00&severity=9&page=-1", "page=99999999999", "owner=%00%00", "sort=drop+table"):
        assert client.get(f"/projects/shop/hotfixes/?{query}").status_code == 200


def test_long_lists_have_pages(client: Client, project: Project) -> None:
    many(project, 27)
    first = words_of(client.get("/projects/shop/hotfixes/"))
    assert "Page 1 of 2, 27 hotfixes" in first
    second = words_of(client.get("/projects/shop/hotfixes/?page=2"))
    assert "SHOP-1 " in second
    assert "SHOP-27" not in second


@pytest.mark.parametrize("count", [2, 20])
def test_the_number_of_queries_is_constant(
    client: Client, project: Project, count: int, django_assert_max_num_queries: Any
) -> None:
    many(project, count)
    other = make_project("other")
    many(other, count)
    with django_assert_max_num_queries(13):
        assert client.get("/hotfixes/").status_code == 200


def test_a_branch_without_ticket_is_adopted_with_one_click(tmp_path: Path, settings: Any) -> None:
    settings.MIRROR_DIR, settings.EVIDENCE_DIR = tmp_path / "mirrors", tmp_path / "evidence"
    scene = make_scene(tmp_path)
    scene.repo.branch(BRANCH, "v1.0.1")
    scene.fix()
    look(scene.project)
    client = scene.as_(scene.engineer)
    page = client.get(scene.list_url())
    assert "Adopt as TICKET-7" in words_of(page)
    assert "untracked" in words_of(client.get(f"/projects/{scene.project.slug}/"))
    ok(client.post(f"/projects/{scene.project.slug}/hotfix/adopt/", {"name": BRANCH, "key": "TICKET-7"}))
    assert scene.hotfix.branch == BRANCH
    assert scene.hotfix.stage == "triage"
    hotfixes_observe(scene.project)
    assert not Untracked.objects.filter(name=BRANCH).exists()
    again = client.post(f"/projects/{scene.project.slug}/hotfix/adopt/", {"name": BRANCH, "key": "TICKET-7"})
    assert again.status_code == 409
    assert "belongs to TICKET-7 already" in words_of(again)


def test_only_engineers_adopt_and_nothing_is_adopted_that_is_not_there(client: Client, project: Project) -> None:
    missing = client.post("/projects/shop/hotfix/adopt/", {"name": "--upload-pack=x"})
    assert missing.status_code == 409
    reader = Client()
    reader.force_login(make_user("reader", "viewer", all_projects=True))
    assert reader.post("/projects/shop/hotfix/adopt/", {"name": "main"}).status_code == 403
    assert not Hotfix.objects.exists()


def test_a_new_one_is_refused_with_its_reason(client: Client, project: Project) -> None:
    hotfix_open(project, "SHOP-1", "Cards fail")
    for key, why in (
        ("SHOP-1", "is a hotfix already"),
        ("--force", "cannot be a key"),
        ("no ticket", "cannot be a key"),
    ):
        answer = client.post("/projects/shop/hotfix/new/", {"key": key, "title": "Again", "severity": 2})
        assert answer.status_code == 422
        assert why in words_of(answer)
        assert "Again" in answer.content.decode()


def test_the_project_can_be_chosen_where_there_are_several(client: Client, project: Project) -> None:
    make_project("hidden")
    html = client.get("/hotfixes/new/").content.decode()
    assert '<option value="shop">' in html
    ok(client.post("/hotfixes/new/", {"project": "shop", "key": "SHOP-9", "title": "Cards fail", "severity": 2}))
    assert Hotfix.objects.get().project == project
    unknown = client.post("/hotfixes/new/", {"project": "nope", "key": "SHOP-9", "title": "x", "severity": 2})
    assert unknown.status_code == 422
