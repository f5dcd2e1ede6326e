"""Finding fixes, releases and projects among what one may see."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from releases.evidence.verdicts import Code
from releases.projects.models import Project
from tests.factories import make_fix, make_project, make_release, make_target, make_user, make_verdict, sha

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(client: Client) -> Project:
    project = make_project("shop")
    client.force_login(make_user("vic", projects=[project]))
    return project


def found(client: Client, text: str) -> str:
    answer = client.get("/search/", {"q": text})
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize("text", ["TICKET-1207", "ticket-12", "round VAT", sha("vat")[:8], sha("inner")[:10], "v1.2.2"])
def test_a_fix_is_found_by_ticket_subject_sha_of_any_commit_and_tag(client: Client, shop: Project, text: str) -> None:
    commits = [{"sha": sha("inner"), "subject": "One step"}]
    make_fix(shop, "Round VAT per line", key=sha("vat"), ticket="TICKET-1207", shipped_in="v1.2.2", commits=commits)
    make_fix(shop, "Something else")
    body = found(client, text)
    assert "Round VAT per line" in body
    assert f"/projects/shop/fixes/{sha('vat')}/" in body
    assert "Something else" not in body


@pytest.mark.parametrize("text", ["v1.2.3", "1.2.3", sha("release")[:7]])
def test_a_release_is_found_by_tag_version_and_sha(client: Client, shop: Project, text: str) -> None:
    make_release(shop, "v1.2.3", commit=sha("release"))
    assert "/projects/shop/releases/v1.2.3/" in found(client, text)


def test_the_exact_ticket_stands_first(client: Client, shop: Project) -> None:
    make_fix(shop, "Follow-up of T-12 and more", ticket="T-123")
    make_fix(shop, "The one", ticket="T-12")
    body = found(client, "t-12")
    assert body.index("The one") < body.index("Follow-up")


def test_a_fix_that_is_owed_says_so(client: Client, shop: Project) -> None:
    make_verdict(make_fix(shop, "Round VAT"), make_target(shop), Code.MISSING)
    assert "owed to 1 branch" in found(client, "VAT")


def test_projects_are_found_by_name(client: Client, shop: Project) -> None:
    assert 'href="/projects/shop/"' in found(client, "sho")


def test_nothing_of_other_people_s_projects_is_found(client: Client, shop: Project) -> None:
    other = make_project("secret-shop")
    make_fix(other, "Hidden fix", ticket="T-9", key=sha("hidden"))
    make_release(other, "v9.9.9")
    for text in ("Hidden", "T-9", sha("hidden")[:9], "v9.9", "secret"):
        body = found(client, text)
        assert "Nothing found" in body
        assert "secret-shop" not in body


@pytest.mark.parametrize(
    "text", ["%", "_", "' OR 1=1 --", "\\", "a" * 500, "\0x", "<script>alert(1)</script>", "[", "é"]
)
def test_odd_input_finds_nothing_and_breaks_nothing(client: Client, shop: Project, text: str) -> None:
    make_fix(shop, "Round VAT")
    body = found(client, text)
    assert "Round VAT" not in body
    assert "<script>alert" not in body


def test_an_empty_search_explains_itself(client: Client, shop: Project) -> None:
    assert "Finds fixes, releases and projects" in found(client, "")
    assert "Two characters at least" in found(client, "x")


def test_long_lists_are_cut_and_say_so(client: Client, shop: Project, django_assert_max_num_queries: Any) -> None:
    for number in range(30):
        make_fix(shop, f"Repair {number}")
    with django_assert_max_num_queries(11):
        body = found(client, "Repair")
    assert ">25+<" in body
