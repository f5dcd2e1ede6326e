"""Status pages: what they say, in which forms, to whom, and what they do when everything else is down."""

from __future__ import annotations

import json
import re
import time
import xml.etree.ElementTree as ET
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError
from django.test import Client
from django.utils import timezone

from incidents.response.components import maintenance_plan
from incidents.response.errors import IncidentError
from incidents.response.models import Health, Impact, Incident, Update
from incidents.response.services import incident_declare, incident_link, incident_say, update_correct
from incidents.status import copies as room
from incidents.status.content import content_of
from incidents.status.copies import Copies, copies
from incidents.status.models import StatusPage
from incidents.status.rendering import as_atom, as_badge, as_json, forms_of
from incidents.status.services import page_remove, page_save
from releases.projects.models import Project
from tests.factories import make_project, make_user
from tests.incidents.making import make_component, make_hotfix, reached

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.DATA_DIR = tmp_path
    # In tests there is one connection and one thread: looks happen at once.
    monkeypatch.setattr(Copies, "_look_soon", lambda self, slug, copy: self._look(slug, copy))
    monkeypatch.setattr(room, "connection", type("Open", (), {"close": staticmethod(lambda: None)}))
    monkeypatch.setattr(room, "LOOK_EVERY", -1.0)


@pytest.fixture
def project() -> Project:
    return make_project("shop")


@pytest.fixture
def page(project: Project, django_capture_on_commit_callbacks: Any) -> StatusPage:
    make_component(project)
    make_component(project, "Payouts", order=1)
    with django_capture_on_commit_callbacks(execute=True):
        return page_save("shop", "Shop", "public", [project])


def cards(project: Project) -> Any:
    return project.components.get(name="Card payments")


def test_a_calm_day_says_so(page: StatusPage) -> None:
    content = content_of(page)
    assert (content.headline, content.open, len(content.parts)) == ("Everything is working.", (), 2)
    assert all(len(part.days) == 90 and part.good_days == part.known_days == 1 for part in content.parts)


def test_days_before_it_was_watched_are_not_known(page: StatusPage, project: Project) -> None:
    html = forms_of(content_of(page))["page.html"].body.decode()
    assert "1 of 1 day without trouble" in html
    assert "not watched yet" in html
    assert "90 days without trouble" not in html
    project.components.update(watched_since=timezone.now() - timedelta(days=200))
    html = forms_of(content_of(page))["page.html"].body.decode()
    assert "90 of the last 90 days without trouble" in html
    assert "not watched yet" not in html


def test_the_headline_follows_the_incident(page: StatusPage, project: Project) -> None:
    incident = incident_declare(project, "Some card payments are declined", hurt={cards(project): Health.PARTIAL})
    assert content_of(page).headline == "Some card payments are declined."
    incident_say(incident, "The fix is live.", state="monitoring")
    assert content_of(page).headline == "It works again. We are watching it."
    incident_declare(project, "Payouts are late")
    incident_declare(project, "So is mail")
    assert content_of(page).headline == "2 things are not working as they should."
    Incident.objects.update(state="resolved")
    assert content_of(page).open == ()


def test_progress_comes_from_the_facts_of_the_fix(page: StatusPage, project: Project) -> None:
    incident = incident_declare(project, "Cards fail")
    assert content_of(page).open[0].steps == ()
    hotfix = make_hotfix(project, stages=reached(fix="done"))
    incident_link(incident, hotfix)

    def steps() -> list[tuple[str, str]]:
        return [(step.label, step.state) for step in content_of(page).open[0].steps]

    assert steps()[:2] == [("Cause found", "done"), ("Testing the fix", "run")]
    hotfix.stages = reached(fix="done", tests="done", staging="skipped")
    hotfix.save()
    assert steps()[1] == ("Testing the fix", "run")
    hotfix.stages = reached(fix="done", tests="done", staging="done", production="done")
    hotfix.save()
    assert steps()[1:] == [("Fix tested", "done"), ("Deployed to production", "done"), ("Being verified", "run")]
    hotfix.stages = reached(fix="done", tests="skipped", staging="skipped", production="done", verify="done")
    hotfix.save()
    assert [state for _, state in steps()] == ["done"] * 4


def test_only_public_words_and_no_names(page: StatusPage, project: Project) -> None:
    mira = make_user("mirabelle")
    incident = incident_declare(project, "Cards fail", actor=mira, hurt={cards(project): Health.DOWN})
    incident_say(incident, "Internally we suspect the bank.", public=False, actor=mira)
    first = incident_say(incident, "1 in 5 fails.", actor=mira)
    update_correct(first, "1 in 9 fails.", mira)
    incident_declare(project, "Secret trouble", public=False, hurt={cards(project): Health.DOWN})
    drill = incident_declare(project, "Pretended trouble")
    from incidents.drills.models import Drill

    Incident.objects.filter(pk=drill.pk).update(drill=Drill.objects.create(project=project, scenario="x"))
    for form in forms_of(content_of(page)).values():
        text = form.body.decode()
        assert "mirabelle" not in text
        assert "suspect" not in text
        assert "Secret trouble" not in text
        assert "Pretended" not in text
    html = forms_of(content_of(page))["page.html"].body.decode()
    assert "1 in 9 fails." in html
    assert "<s>1 in 5 fails.</s>" in html


def test_ninety_days_count_what_overlaps_once(page: StatusPage, project: Project) -> None:
    one = incident_declare(project, "One", hurt={cards(project): Health.PARTIAL})
    two = incident_declare(project, "Two", hurt={cards(project): Health.DEGRADED})
    project.components.update(watched_since=timezone.now() - timedelta(days=200))
    noon = (timezone.now() - timedelta(days=3)).replace(hour=12, minute=0, second=0, microsecond=0)
    Impact.objects.filter(incident=one).update(since=noon, until=noon + timedelta(minutes=60))
    Impact.objects.filter(incident=two).update(since=noon + timedelta(minutes=30), until=noon + timedelta(minutes=90))
    Incident.objects.update(state="resolved", declared_at=noon)
    part = content_of(page).parts[0]
    day = part.days[-4]
    assert (day.health, day.minutes, part.good_days) == (Health.PARTIAL, 90, 89)
    assert day.text.endswith(": partly down, 90 min")


def test_planned_work_is_announced_and_told_while_it_lasts(page: StatusPage, project: Project) -> None:
    now = timezone.now()
    maintenance_plan(
        project, "New disks", now + timedelta(hours=1), now + timedelta(hours=2), components=[cards(project)]
    )
    [plan] = content_of(page).planned
    assert (plan.title, plan.running) == ("New disks", False)
    later = content_of(page, now + timedelta(minutes=90))
    assert (later.planned[0].running, later.headline) == (True, "We are doing planned work.")
    assert content_of(page, now + timedelta(hours=3)).planned == ()


def test_planned_work_that_touches_nothing_with_a_name_is_announced_too(page: StatusPage, project: Project) -> None:
    soon = timezone.now() + timedelta(hours=1)
    maintenance_plan(project, "New certificates", soon, soon + timedelta(hours=1))
    maintenance_plan(make_project("other"), "Theirs", soon, soon + timedelta(hours=1))
    assert [plan.title for plan in content_of(page).planned] == ["New certificates"]


def test_json_feed_and_badge(page: StatusPage, project: Project) -> None:
    incident = incident_declare(project, "Cards <fail> & more", hurt={cards(project): Health.DOWN})
    update = incident_say(incident, "We look into it.", state="identified")
    Update.objects.filter(pk=update.pk).update(text="We look into it.\x08\x1b \u202eabc")
    content = content_of(page)
    data = json.loads(as_json(content))
    assert (data["state"], data["incidents"][0]["id"]) == ("down", incident.key)
    feed = ET.fromstring(as_atom(content))
    space = {"a": "http://www.w3.org/2005/Atom"}
    assert feed.findtext("a:entry/a:title", "", space) == "Identified: Cards <fail> & more"
    badge = ET.fromstring(as_badge(content))
    assert badge.attrib["aria-label"] == "Shop: down"


def test_the_same_content_gives_the_same_bytes(page: StatusPage, project: Project) -> None:
    incident_say(incident_declare(project, "Cards fail"), "We look into it.")
    now = timezone.now()
    first, second = forms_of(content_of(page, now)), forms_of(content_of(page, now + timedelta(seconds=50)))
    assert {name: form.etag for name, form in first.items()} == {name: form.etag for name, form in second.items()}


@pytest.mark.parametrize("path", ["/", ".json", "/feed.atom", "/badge.svg"])
def test_public_forms_need_no_session_no_query_and_say_304(
    page: StatusPage, client: Client, path: str, django_assert_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = client.get(f"/status/shop{path}")
    assert first.status_code == 200
    assert first.headers["Cache-Control"].startswith("public, max-age=2, stale-while-revalidate")
    assert "Set-Cookie" not in first.headers
    assert "Cookie" not in first.headers["Vary"]
    assert "'unsafe" not in first.headers["Content-Security-Policy"]
    monkeypatch.setattr(room, "LOOK_EVERY", 60.0)
    with django_assert_num_queries(0):
        again = client.get(f"/status/shop{path}", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.head(f"/status/shop{path}").status_code == 200


def test_what_changes_is_served_after_the_next_look(page: StatusPage, project: Project, client: Client) -> None:
    before = client.get("/status/shop/")
    incident_declare(project, "Cards fail")
    client.get("/status/shop/")
    after = client.get("/status/shop/", headers={"If-None-Match": before.headers["ETag"]})
    assert after.status_code == 200
    assert b"Cards fail" in after.content


def test_nothing_is_drawn_while_nothing_happens(
    page: StatusPage, client: Client, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    client.get("/status/shop/")
    monkeypatch.setattr(room, "forms_of", lambda content: pytest.fail("drawn again"))
    with django_assert_num_queries(2):
        client.get("/status/shop/")


def test_freshness_is_bounded_by_time_too(page: StatusPage, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    client.get("/status/shop/")
    drawn = []
    monkeypatch.setattr(room, "forms_of", lambda content: drawn.append(1) or forms_of(content))
    really = time.time
    monkeypatch.setattr(room.time, "time", lambda: really() + 61)
    client.get("/status/shop/")
    assert drawn == [1]


def test_without_a_database_the_last_copy_is_served_even_by_a_new_process(
    page: StatusPage, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = client.get("/status/shop/")

    def away(*args: Any, **options: Any) -> Any:
        raise DatabaseError("it is away")

    monkeypatch.setattr(StatusPage.objects, "filter", away)
    assert client.get("/status/shop/").content == first.content
    room._copies.clear()
    fresh = client.get("/status/shop/")
    assert (fresh.status_code, fresh.content) == (200, first.content)


def test_a_folder_that_cannot_be_written_costs_no_drawing_for_each_visitor(
    page: StatusPage, client: Client, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    def full(*args: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(room, "_write", full)
    assert client.get("/status/shop/").status_code == 200
    monkeypatch.setattr(room, "LOOK_EVERY", 60.0)
    with django_assert_num_queries(0):
        assert client.get("/status/shop/").status_code == 200


def test_a_half_written_copy_is_not_served(page: StatusPage, client: Client) -> None:
    client.get("/status/shop/")
    room._copies.clear()
    for path in (copies().folder / "shop").glob("*-page.html"):
        path.unlink()
    assert client.get("/status/shop/").status_code == 200
    (copies().folder / "shop" / "about.json").write_text("{")
    room._copies.clear()
    assert client.get("/status/shop/").status_code == 200


@pytest.mark.parametrize("visibility", ["hidden", "signed-in"])
def test_a_page_that_is_taken_back_is_gone_at_once_for_every_process(
    page: StatusPage, project: Project, client: Client, visibility: str, monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Any,
) -> None:  # fmt: skip
    monkeypatch.setattr(room, "LOOK_EVERY", 60.0)
    other = Copies(copies().folder)
    assert client.get("/status/shop/").status_code == 200
    assert other.form("shop", "page.html") is not None
    with django_capture_on_commit_callbacks(execute=True):
        page_save("shop", "Shop", visibility, [project], page=page)
    assert other.form("shop", "page.html") is None
    for path in ("/", ".json", "/feed.atom", "/badge.svg"):
        answer = client.get(f"/status/shop{path}")
        assert answer.status_code == 404
        assert "public" not in answer.headers["Cache-Control"]


def test_a_page_for_signed_in_people_is_theirs_alone_and_never_cached(project: Project, client: Client) -> None:
    page_save("inside", "Inside", "signed-in", [project])
    assert client.get("/status/inside/").status_code == 404
    mira = make_user("mira", projects=[project])
    client.force_login(mira)
    answer = client.get("/status/inside/")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "private, no-store")
    client.force_login(make_user("jonas"))
    assert client.get("/status/inside/").status_code == 404
    assert not (copies().folder / "inside").exists()


def test_who_is_not_signed_in_is_shown_the_way_and_not_which_pages_there_are(project: Project, client: Client) -> None:
    page_save("inside", "Inside", "signed-in", [project])
    inside, nowhere = (client.get(f"/status/{slug}/").content.decode() for slug in ("inside", "nowhere"))
    assert "/accounts/login/?next=%2Fstatus%2Finside%2F" in inside
    strip = re.compile(r'name="csrfmiddlewaretoken" value="\w+"')
    assert strip.sub("", inside) == strip.sub("", nowhere).replace("nowhere", "inside")


def test_the_last_change_is_told_and_stays_while_the_text_does(
    page: StatusPage, project: Project, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "LOOK_EVERY", 0.0)
    monkeypatch.setattr(room, "DRAW_EVERY", 0.0)
    first = client.get("/status/shop.json").headers["Last-Modified"]
    room._copies.clear()
    answer = client.head("/status/shop.json")
    assert answer.headers["Last-Modified"] == first
    assert client.get("/status/shop.json", headers={"If-Modified-Since": first}).status_code == 304
    assert (
        client.get("/status/shop.json", headers={"If-Modified-Since": first, "If-None-Match": '"x"'}).status_code == 200
    )
    incident_declare(project, "Cards fail")
    room._copies.clear()
    changed = client.get("/status/shop.json", headers={"If-Modified-Since": first})
    assert changed.status_code == 200
    assert parsedate_to_datetime(changed.headers["Last-Modified"]) > parsedate_to_datetime(first)


def test_a_page_that_is_removed_is_gone(
    page: StatusPage, client: Client, django_capture_on_commit_callbacks: Any
) -> None:
    assert client.get("/status/shop/").status_code == 200
    with django_capture_on_commit_callbacks(execute=True):
        page_remove(page)
    assert client.get("/status/shop/").status_code == 404


@pytest.mark.parametrize(
    "path", ["/status/../x/", "/status/a.b/", "/status/%2e%2e/", "/status/shop/feed.rss", "/status/nix/"]
)
def test_odd_addresses_do_not_exist(page: StatusPage, client: Client, path: str) -> None:
    assert client.get(path).status_code == 404


def test_hostile_words_stay_words(page: StatusPage, project: Project, client: Client) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'"
    incident = incident_declare(project, evil, impact=evil, hurt={cards(project): Health.DOWN})
    incident_say(incident, f"[x](javascript:alert(1)) {evil}")
    make_component(project, evil[:60])
    html = client.get("/status/shop/").content.decode()
    assert "<script>alert" not in html
    assert "<img src=x" not in html
    ET.fromstring(client.get("/status/shop/feed.atom").content)
    assert "<script>alert" not in client.get("/status/shop/badge.svg").content.decode()


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"slug": "A b"}, "slug"), ({"slug": "../x"}, "slug"), ({"title": " "}, "title"), ({"projects": []}, "projects")],
)
def test_a_page_that_cannot_be_is_refused_beside_its_field(
    project: Project, fields: dict[str, Any], field: str
) -> None:
    told = {"slug": "shop", "title": "Shop", "visibility": "public", "projects": [project]} | fields
    with pytest.raises(IncidentError) as refused:
        page_save(**told)
    assert refused.value.field == field


def test_many_incidents_cost_no_more_queries(
    page: StatusPage, project: Project, django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        incident = incident_declare(project, f"Trouble {number}", hurt={cards(project): Health.PARTIAL})
        incident_say(incident, "Over.", state="resolved")
    incident_link(incident_declare(project, "Now"), make_hotfix(project))
    with django_assert_max_num_queries(18):
        content_of(page)
