"""What is in production is said once: the same by the steps, the graph, the headline, the buttons and the overview."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import Client

from releases.deploys.following import hotfixes_follow
from releases.deploys.models import Run
from releases.deploys.requesting import build_request
from releases.hotfixes.models import Hotfix
from releases.hotfixes.observing import hotfixes_observe
from releases.hotfixes.requests import Standing, cut_ask
from releases.hotfixes.services import hotfix_open, hotfix_triage
from tests.deploys.shop import Shop, carried, make_shop
from tests.factories import make_user
from tests.hotfixes.playing import YES, stage, states

from .hotfix_scene import main_words

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """v1.0.1 runs in production, brought there by the pipeline."""
    made = make_shop(tmp_path)
    ship(made, "v1.0.1")
    return made


@pytest.fixture
def reader() -> Client:
    client = Client()
    client.force_login(make_user("ada", "release-manager", all_projects=True))
    return client


def ship(shop: Shop, tag: str) -> Run:
    """Build it, then deploy it to every environment."""
    shop.project.refresh_from_db()
    carried(build_request(shop.project, shop.release(tag), trigger="person")[0])
    for name in ("staging", "production"):
        run = carried(Run.objects.get(environment__name=name, tag=tag, project=shop.project))
        assert run.state == Run.State.DONE, run.error_text
    hotfixes_follow()
    return run


def look(shop: Shop) -> None:
    shop.look()
    hotfixes_observe(shop.project)


def merged_back(shop: Shop) -> Hotfix:
    """A fix on main and in a tag, merged back into develop, and not deployed."""
    ticket = shop.hotfix("v1.0.2")
    shop.repo.merge("hotfix/TICKET-7", "develop")
    look(shop)
    ticket.refresh_from_db()
    return ticket


def page(reader: Client, ticket: Hotfix) -> str:
    return main_words(reader.get(f"/projects/{ticket.project.slug}/hotfixes/{ticket.key}/"))


@pytest.mark.long
def test_what_was_only_tagged_is_in_production_nowhere(shop: Shop, reader: Client) -> None:
    ticket = merged_back(shop)
    assert states(ticket)["production"] == "todo"
    assert states(ticket)["merge-back"] == "done"
    assert states(ticket)["clean-up"] == "todo"
    words = page(reader, ticket)
    assert "n production since" not in words
    assert "not in production yet" in words
    overview = main_words(reader.get(f"/projects/{shop.project.slug}/"))
    now = overview.partition("In production now")[2][:120]
    assert "v1.0.1 for" in now
    assert "v1.0.2" not in now


def test_what_the_pipeline_brought_there_is_in_production_everywhere(shop: Shop, reader: Client) -> None:
    ticket = merged_back(shop)
    ship(shop, "v1.0.2")
    assert states(ticket)["production"] == "done"
    assert states(ticket)["clean-up"] == "waiting"
    words = page(reader, ticket)
    assert "in production since" in words
    assert "Delete the branch" in words
    now = main_words(reader.get(f"/projects/{shop.project.slug}/")).partition("In production now")[2]
    assert "v1.0.2 for" in now[:120]


@pytest.mark.long
def test_a_later_release_brings_it_too(shop: Shop, reader: Client) -> None:
    ticket = merged_back(shop)
    shop.tag("v1.0.3")
    look(shop)
    ship(shop, "v1.0.3")
    assert stage(ticket, "production").state == "done"
    assert stage(ticket, "production").detail == "with v1.0.3"
    assert stage(ticket, "build").detail == "went out with v1.0.3"
    assert states(ticket)["clean-up"] == "waiting"
    assert "in production since" in page(reader, ticket)


@pytest.mark.long
def test_a_release_without_it_takes_it_out_again(shop: Shop, reader: Client) -> None:
    ticket = merged_back(shop)
    ship(shop, "v1.0.2")
    shop.repo.branch("aside", at="v1.0.1")
    commit = shop.repo.commit({"aside.py": "shop aside\n"}, "Another line", branch="aside")
    shop.repo.merge("aside", "main")
    shop.repo.tag("v1.2.0", at=commit, message="1.2")
    look(shop)
    ship(shop, "v1.2.0")
    assert stage(ticket, "production").state == "failed"
    assert "v1.2.0 runs there without it" in stage(ticket, "production").detail
    assert "in production since" not in page(reader, ticket)


def test_a_new_branch_is_cut_from_what_runs(shop: Shop) -> None:
    shop.tag("v1.1.0")
    look(shop)
    assert shop.release("v1.1.0").on_production
    ticket = hotfix_triage(hotfix_open(shop.project, "TICKET-8", "The till rounds wrongly"), YES)
    ask = cut_ask(Standing(Hotfix.objects.get(pk=ticket.pk)))
    assert ask.params["tag"] == "v1.0.1"
