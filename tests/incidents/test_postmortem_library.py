"""Finding post-mortems and action items: filters, words, "seen before?", what is overdue."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from incidents.postmortems.actions import action_add, action_set
from incidents.postmortems.editing import factor_save
from incidents.postmortems.library import excerpt, postmortems_of, searched, seen_before, terms_of
from incidents.postmortems.models import PostMortem
from incidents.postmortems.opening import postmortem_open
from incidents.postmortems.writing import section_write
from incidents.response.services import incident_declare, incident_link
from releases.projects.models import Project
from tests.factories import make_project, make_user
from tests.incidents.making import make_hotfix

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project("shop")


@pytest.fixture
def mira(project: Project) -> Any:
    return make_user("mira", "engineer", projects=[project])


@pytest.fixture
def page(client: Client, mira: Any) -> Client:
    client.force_login(mira)
    return client


def make_document(project: Project, owner: Any, title: str, text: str = "", **fields: Any) -> PostMortem:
    row = postmortem_open(project, title, severity=fields.pop("severity", 2), owner=owner)
    if text:
        section_write(row, "summary", text, 0, owner)
    if fields:
        PostMortem.objects.filter(pk=row.pk).update(**fields)
    return row


def titles(page: Client, path: str) -> list[str]:
    html = page.get(path).content.decode()
    return [row for row in ("Cards failed", "Slow search", "Lost mails") if f">{row}</a>" in html]


def test_filters_by_state_severity_and_project(page: Client, project: Project, mira: Any) -> None:
    late = timezone.now() - timedelta(days=1)
    make_document(project, mira, "Cards failed", severity=1, due_at=late)
    make_document(project, mira, "Slow search", severity=3, state="published", published_at=late)
    make_document(make_project("secret"), mira, "Lost mails")
    assert titles(page, "/postmortems/") == ["Cards failed", "Slow search"]
    assert titles(page, "/projects/shop/postmortems/?show=writing") == ["Cards failed"]
    assert titles(page, "/postmortems/?show=published") == ["Slow search"]
    assert titles(page, "/postmortems/?show=overdue") == ["Cards failed"]
    assert titles(page, "/postmortems/?severity=3") == ["Slow search"]
    assert titles(page, "/postmortems/?severity=nonsense&show=nonsense&page=x") == ["Cards failed", "Slow search"]
    part = page.get("/postmortems/", headers={"HX-Request": "true", "HX-Target": "postmortems"}).content.decode()
    assert part.lstrip().startswith('<div id="postmortems"')


def test_words_are_found_wherever_they_stand(page: Client, project: Project, mira: Any) -> None:
    cards = make_document(project, mira, "Cards failed", "The bank's timeout was given in seconds.")
    make_document(project, mira, "Slow search", "An index was missing; the bank was fine.")
    factor_save(cards, "Nobody could see the unit")
    action_add(cards, "Refuse a gateway without a unit", "prevent")
    assert titles(page, "/postmortems/?q=bank") == ["Cards failed", "Slow search"]
    assert titles(page, "/postmortems/?q=timeouts+bank") == ["Cards failed"]
    assert titles(page, "/postmortems/?q=gateway+unit") == ["Cards failed"]
    assert titles(page, '/postmortems/?q="index was missing"') == ["Slow search"]
    assert titles(page, '/postmortems/?q="missing index"') == []
    assert titles(page, "/postmortems/?q=PM-2") == ["Slow search"]
    assert titles(page, "/postmortems/?q=cards") == ["Cards failed"]
    html = page.get("/postmortems/?q=timeout").content.decode()
    assert "<mark>timeout</mark> was given in seconds." in html
    for odd in ("%25", "_", "'", '"', "\\", "a%00b", "(", "&|!:*", "x" * 900):
        assert page.get("/postmortems/", {"q": odd}).status_code == 200
    assert "Nothing holds all of these words" in page.get("/postmortems/?q=zebra").content.decode()


def test_titles_come_first(project: Project, mira: Any) -> None:
    named = make_document(project, mira, "Slow search")
    told = make_document(project, mira, "Cards failed", "As with the search in May.")
    rows = postmortems_of(mira)
    assert list(searched(rows, "search")) == [named, told]
    assert list(searched(rows, "  ")) == [told, named]


def test_terms_and_excerpts() -> None:
    assert terms_of('bank, "slow bank" (x).') == ["bank", "slow bank", "x"]
    assert excerpt("a " * 100 + "The timeout was wrong " + "b " * 100, ["timeouts"]) is not None
    assert excerpt("nothing here", ["timeout"]) is None


def test_seen_before_tells_of_fixes_of_the_same_files_with_their_open_actions(
    page: Client, project: Project, mira: Any
) -> None:
    before = make_hotfix(project, "T-1", title="Round up", change={"paths": ["pay/round.py", "pay/tax.py"]})
    other = make_hotfix(project, "T-2", title="Elsewhere", change={"paths": ["mail/send.py"]})
    now = make_hotfix(project, "T-3", title="Round down", change={"paths": ["pay/round.py"]})
    far = make_hotfix(make_project("other"), "T-4", change={"paths": ["pay/round.py"]})
    old = incident_declare(project, "Wrong sums")
    incident_link(old, before)
    learned = postmortem_open(project, "Wrong sums", severity=2, owner=mira, incident=old)
    left = action_add(learned, "One rounding function", "prevent")
    done = action_add(learned, "Test refunds", "detect")
    action_set(done, "done", "Shipped.")
    document = postmortem_open(project, "Wrong again", severity=2, owner=mira, hotfix=now)
    found = seen_before(document)
    assert [(row.hotfix, row.incident, row.postmortem, row.files) for row in found] == [
        (before, old, learned, ("pay/round.py",))
    ]
    assert found[0].actions == (left,)
    assert {other.key, far.key}.isdisjoint({row.hotfix.key for row in found})
    html = page.get(f"/postmortems/{document.key}/").content.decode()
    assert "Still open: One rounding function" in html
    assert f"/postmortems/{learned.key}/" in html
    assert f"/incidents/{old.key}/" in html


def test_action_items_mine_overdue_open_and_closed(page: Client, project: Project, mira: Any) -> None:
    document = make_document(project, mira, "Cards failed")
    action_add(document, "Mine and late", "prevent", owner=mira, due_on=date(2020, 1, 1))
    action_add(document, "Nobody's", "detect")
    action_set(action_add(document, "Rewrite it", "process"), "done", "Shipped.")
    hidden = make_document(make_project("secret"), mira, "Lost mails")
    action_add(hidden, "Not for these eyes", "prevent", owner=mira)

    def shown(show: str) -> set[str]:
        html = page.get(f"/postmortems/actions/?show={show}").content.decode()
        return {title for title in ("Mine and late", "Nobody&#x27;s", "Rewrite it", "Not for") if title in html}

    assert shown("mine") == shown("overdue") == shown("") == {"Mine and late"}
    assert shown("open") == {"Mine and late", "Nobody&#x27;s"}
    assert "late" in page.get("/postmortems/actions/?show=overdue").content.decode()
    assert shown("closed") == {"Rewrite it"}


def test_the_overview_shows_what_is_overdue_to_those_who_work_on_it(
    page: Client, client: Client, project: Project, mira: Any
) -> None:
    document = make_document(project, mira, "Cards failed", due_at=timezone.now() - timedelta(days=1))
    action_add(document, "Refuse a timeout without a unit", "prevent", owner=mira, due_on=date(2020, 1, 1))
    cache.clear()
    for path in ("/", "/projects/shop/"):
        html = page.get(path).content.decode()
        assert "Post-mortem overdue" in html
        assert "Refuse a timeout without a unit" in html
        assert f'href="/postmortems/{document.key}/#s-actions"' in html
    cache.clear()
    client.force_login(make_user("ada", "viewer", projects=[project]))
    assert "Refuse a timeout" not in client.get("/").content.decode()
    client.logout()
    Project.objects.update(visibility=Project.Visibility.PUBLIC)
    assert "Refuse a timeout" not in client.get("/projects/shop/").content.decode()


def test_nothing_of_drills_stands_in_the_library(page: Client, project: Project, mira: Any) -> None:
    from incidents.drills.models import Drill

    document = make_document(project, mira, "Cards failed")
    PostMortem.objects.update(drill=Drill.objects.create(project=project, scenario="replay", started_by=mira))
    assert titles(page, "/postmortems/") == []
    assert "This is of a drill" in page.get(f"/postmortems/{document.key}/").content.decode()


def test_lists_cost_the_same_for_many(
    page: Client, project: Project, mira: Any, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        row = make_document(project, mira, f"Trouble {number}", "The bank was slow.")
        action_add(row, f"Do {number}", "prevent", owner=mira, due_on=date(2020, 1, 1))
    with django_assert_max_num_queries(24):
        html = page.get("/postmortems/").content.decode()
    assert html.count('class="ow-s"') == 25
    with django_assert_max_num_queries(22):
        page.get("/postmortems/actions/")
    assert page.get("/postmortems/?page=2").content.decode().count('class="ow-s"') == 5
