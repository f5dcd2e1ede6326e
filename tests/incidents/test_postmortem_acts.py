"""Everything that people do to a post-mortem besides writing its parts; who may, and what is refused in a sentence."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from incidents.postmortems.actions import action_add
from incidents.postmortems.editing import factor_save
from incidents.postmortems.errors import PostMortemError
from incidents.postmortems.models import ActionItem, Factor, Line, Measure, PostMortem, Reading
from incidents.postmortems.opening import postmortem_open
from incidents.postmortems.outline import PARTS
from incidents.postmortems.writing import section_write
from incidents.response.services import incident_declare, incident_say
from releases.hotfixes.models import Hotfix
from releases.hotfixes.stages import Stage
from releases.ledger.models import Event
from releases.projects.models import Project
from tests.factories import make_project, make_user
from tests.incidents.making import make_hotfix

pytestmark = pytest.mark.django_db
DIALOG = {"HX-Request": "true", "HX-Target": "dialog"}
VERBS = ("edit", "line", "number", "factor", "action", "ask", "review", "publish", "withdraw")


@pytest.fixture
def project() -> Project:
    return make_project("shop")


@pytest.fixture
def mira(project: Project) -> Any:
    return make_user("mira", "engineer", projects=[project], email="mira@example.com")


@pytest.fixture
def jonas(project: Project) -> Any:
    return make_user("jonas", "release-manager", projects=[project])


@pytest.fixture
def document(project: Project, mira: Any) -> PostMortem:
    return postmortem_open(project, "Cards failed", severity=2, owner=mira)


@pytest.fixture
def page(client: Client, mira: Any) -> Client:
    client.force_login(mira)
    return client


def url(document: PostMortem, verb: str = "") -> str:
    return f"/postmortems/{document.key}/" + (
        f"{verb}/" if verb and not verb.endswith("/") and "?" not in verb else verb
    )


def write_all(document: PostMortem, author: Any) -> None:
    for part in PARTS:
        if part.needed:
            section_write(document, part.key, "The unit of the timeout was not written down.", 0, author)
    action_add(document, "Refuse a timeout without a unit", "prevent", owner=author, due_on=date(2026, 12, 1))


def test_every_act_asks_as_a_page_and_as_a_dialog(page: Client, document: PostMortem) -> None:
    html = page.get(url(document)).content.decode()
    for verb in VERBS:
        assert page.get(url(document, verb)).status_code == 200, verb
        assert page.get(url(document, verb), headers=DIALOG).status_code == 200, verb
    for verb in ("edit", "line", "number", "factor", "action"):
        assert f'href="{url(document, verb)}"' in html
    assert page.get(url(document, "nonsense")).status_code == 404
    assert page.get(url(document, "line-remove/?line=x")).status_code == 404
    assert page.get(url(document, "settle/?item=7")).status_code == 404


def test_it_always_has_an_owner(page: Client, document: PostMortem, jonas: Any) -> None:
    data = {"title": "Cards were declined", "severity": "1", "due_on": "2026-12-24"}
    answer = page.post(url(document, "edit"), data)
    assert answer.status_code == 422
    page.post(url(document, "edit"), data | {"owner": jonas.pk, "names_people": "on"})
    document.refresh_from_db()
    assert (document.title, document.severity, document.owner, document.names_people) == (
        "Cards were declined", 1, jonas, True,
    )  # fmt: skip
    assert timezone.localtime(document.due_at).date() == date(2026, 12, 24)
    assert "the due date" in Event.objects.get(kind="postmortem.edited").why


def test_lines_are_added_and_facts_left_out_and_brought_back(page: Client, project: Project, mira: Any) -> None:
    incident = incident_declare(project, "Cards fail", lead=mira, actor=mira)
    incident_say(incident, "We look into it.", actor=mira)
    document = postmortem_open(project, "Cards fail", severity=2, owner=mira, incident=incident)
    html = page.get(url(document)).content.decode()
    assert "We look into it." in html
    assert "incident lead" in html
    said = Event.objects.get(kind="incident.updated")
    assert f"/hide/?event={said.pk}" in html
    page.post(url(document, f"hide/?event={said.pk}"))
    html = page.get(url(document)).content.decode()
    assert "1 line is left out" in html
    assert "We look into it." not in page.get(url(document, "read")).content.decode()
    page.post(url(document, f"hide/?event={said.pk}&back=1"))
    assert "left out" not in page.get(url(document)).content.decode()
    page.post(
        url(document, "line"),
        {"at": "2026-03-01T10:00", "text": "A customer calls", "link": "https://tickets.example.org/7"},
    )
    line = Line.objects.get(event=None)
    html = page.get(url(document)).content.decode()
    assert 'href="https://tickets.example.org/7" rel="nofollow noopener"' in html
    future = (timezone.localtime() + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M")
    answer = page.post(url(document, "line"), {"at": future, "text": "Not yet"})
    assert (answer.status_code, "in the future" in answer.content.decode()) == (422, True)
    page.post(url(document, f"line-remove/?line={line.pk}"))
    assert not Line.objects.filter(event=None).exists()
    other = Event.objects.create(kind="fix.found", project=project, actor_name="git", why="Elsewhere")
    assert page.post(url(document, f"hide/?event={other.pk}")).status_code == 409


def test_numbers_and_chains_of_factors(page: Client, document: PostMortem) -> None:
    page.post(url(document, "number"), {"name": "Orders", "value": "1,204"})
    measure = Measure.objects.get()
    page.post(url(document, f"number/?number={measure.pk}"), {"name": "Orders", "value": "1,205"})
    page.post(url(document, "factor"), {"text": "Three places round"})
    first = Factor.objects.get()
    page.post(url(document, f"factor/?under={first.pk}"), {"text": "Refunds were copied"})
    html = page.get(url(document)).content.decode()
    assert "1,205" in html
    assert html.index("Three places round") < html.index("Refunds were copied")
    assert Factor.objects.get(text="Refunds were copied").parent == first
    page.post(url(document, f"factor/?factor={first.pk}"), {"text": "x", "remove": "on"})
    page.post(url(document, f"number/?number={measure.pk}"), {"name": "x", "value": "x", "remove": "on"})
    assert not Factor.objects.exists()
    assert not Measure.objects.exists()


def test_a_chain_ends_somewhere(document: PostMortem) -> None:
    above = None
    for number in range(8):
        above = factor_save(document, f"Because {number}", parent=above)
    with pytest.raises(PostMortemError, match="Begin another"):
        factor_save(document, "Because", parent=above)


def test_action_items_with_owner_date_link_and_the_trailer_to_paste(
    page: Client, document: PostMortem, mira: Any
) -> None:
    data = {
        "title": "Refuse a timeout without a unit", "kind": "prevent", "owner": mira.pk, "due_on": "2026-12-01",
        "link": "https://tickets.example.org/1",
    }  # fmt: skip
    page.post(url(document, "action"), data)
    html = page.get(url(document)).content.decode()
    assert 'data-copy="Action: PM-1-1"' in html
    assert "<code>Action: PM-1-1</code>" in html
    page.post(url(document, "action/?item=1"), data | {"title": "Refuse it", "kind": "detect"})
    item = ActionItem.objects.get()
    assert (item.title, item.kind, item.owner, item.due_on) == ("Refuse it", "detect", mira, date(2026, 12, 1))
    answer = page.post(url(document, "settle/?item=1"), {"how": "done"})
    assert answer.status_code == 422
    page.post(url(document, "settle/?item=1"), {"how": "dropped", "why": "The service is gone."})
    assert "The service is gone." in page.get(url(document)).content.decode()
    page.post(url(document, "settle/?item=1"), {"why": "It is back."})
    item.refresh_from_db()
    assert (item.state, item.why) == ("open", "It is back.")
    answer = page.post(url(document, "action"), data | {"link": "javascript:alert(1)"})
    assert answer.status_code == 422


def test_the_commit_that_closed_and_the_one_that_reopened_are_shown(page: Client, document: PostMortem) -> None:
    item = action_add(document, "Refuse a timeout without a unit", "prevent")
    ActionItem.objects.update(state="done", done_by="4f1d0b8" + "a" * 33, done_at=timezone.now())
    assert "4f1d0b8</span> in production" in page.get(url(document)).content.decode()
    ActionItem.objects.update(state="open", done_by="", undone_by="9e2c001" + "b" * 33)
    html = page.get(url(document)).content.decode()
    assert "Open again" in html
    assert "9e2c001</span> took it back" in html
    assert item.key in html


def test_from_draft_to_acted_upon_and_back(client: Client, project: Project, mira: Any, jonas: Any) -> None:
    hotfix = make_hotfix(project)
    incident = incident_declare(project, "Cards fail", lead=mira, hotfix=hotfix)
    document = postmortem_open(project, "Cards fail", severity=2, owner=mira, incident=incident)
    client.force_login(mira)
    answer = client.post(url(document, "ask"))
    assert answer.status_code == 409
    assert "Not ready yet" in answer.content.decode()
    assert 'aria-disabled="true"' in client.get(url(document)).content.decode()
    write_all(document, mira)
    client.post(url(document, "ask"))
    document.refresh_from_db()
    assert document.state == "review"
    assert "turns on when they find it ready" in client.get(url(document)).content.decode()
    assert f'href="{url(document)}"' in client.get(f"/incidents/{incident.key}/").content.decode()
    everything = {"checks": ["facts", "tone", "causes", "actions"], "says": "ready"}
    answer = client.post(url(document, "review"), everything)
    assert "somebody else has to read it" in answer.content.decode()
    client.force_login(jonas)
    answer = client.post(url(document, "review"), everything | {"checks": ["facts"]})
    assert (answer.status_code, "All four hold" in answer.content.decode()) == (422, True)
    client.post(url(document, "review"), {"says": "changes", "text": "The alert is missing."})
    document.refresh_from_db()
    assert document.state == "draft"
    html = client.get(url(document)).content.decode()
    assert "The alert is missing." in html
    client.post(url(document, "ask"))
    client.post(url(document, "review"), everything)
    client.force_login(mira)
    section_write(document, "summary", "Changed after it was read.", 1, mira)
    assert "Changed since it was found ready: Summary" in client.get(url(document, "publish")).content.decode()
    client.post(url(document, "publish"), {"summary": "Cards work again, and a check keeps it so."})
    document.refresh_from_db()
    incident.refresh_from_db()
    assert (document.state, incident.afterword) == ("published", "Cards work again, and a check keeps it so.")
    assert step_of(hotfix) == ("done", "PM-1 is published")
    client.post(url(document, "settle/?item=1"), {"how": "done", "why": "Shipped."})
    document.refresh_from_db()
    assert document.state == "acted"
    client.post(url(document, "withdraw"), {"why": "The numbers were wrong."})
    document.refresh_from_db()
    incident.refresh_from_db()
    assert (document.state, document.published_at, incident.afterword) == ("draft", None, "")
    assert step_of(hotfix) == ("skipped", "PM-1 is a draft again")
    assert Event.objects.get(kind="postmortem.withdrawn").why == "The numbers were wrong."
    assert Reading.objects.count() == 2
    assert client.post(url(document, "withdraw"), {"why": "Again."}).status_code == 422


def step_of(hotfix: Hotfix) -> tuple[str, str]:
    """How the last step of a hotfix stands."""
    hotfix.refresh_from_db()
    stage = next(Stage.from_data(data) for data in hotfix.stages if data["key"] == "post-mortem")
    return stage.state.value, stage.detail


def test_viewers_read_what_is_published_and_others_nothing(
    client: Client, project: Project, document: PostMortem, mira: Any
) -> None:
    section_write(document, "summary", "What happened.", 0, mira)
    client.force_login(make_user("ada", "viewer", projects=[project]))
    for path in ("", "read", "export.md", "edit", "parts/summary/history"):
        address = url(document, path).replace("export.md/", "export.md")
        assert client.get(address).status_code in (403, 404), path
    assert "Cards failed" not in client.get("/postmortems/").content.decode()
    PostMortem.objects.update(state="published")
    html = client.get(url(document)).content.decode()
    assert "What happened." in html
    assert "/edit/" not in html
    for verb in VERBS:
        assert client.post(url(document, verb), {"why": "x"}).status_code == 403, verb
    assert client.post(url(document, "parts/summary/"), {"text": "x"}).status_code == 403
    assert client.post(url(document, "here")).status_code == 403
    client.force_login(make_user("tom", "engineer"))
    for path in ("", "edit", "read"):
        assert client.get(url(document, path)).status_code == 404
    assert client.get("/projects/shop/postmortems/").status_code == 404
    client.logout()
    incident = incident_declare(project, "Cards fail")
    PostMortem.objects.update(incident=incident)
    project.visibility = Project.Visibility.PUBLIC
    project.save()
    for path in (url(document), "/postmortems/", "/projects/shop/postmortems/", "/postmortems/actions/"):
        assert client.get(path).status_code == 302, path
    assert document.key not in client.get(f"/incidents/{incident.key}/").content.decode()


def test_forged_forms_are_refused(document: PostMortem, mira: Any) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(mira)
    for path in ("parts/summary/", "edit", "here", "render"):
        assert strict.post(url(document, path), {"text": "x"}).status_code == 403


def test_one_is_opened_by_hand_once(page: Client, project: Project, mira: Any) -> None:
    hotfix = make_hotfix(project, title="Cards fail", severity=1)
    address = "/projects/shop/postmortems/new/?hotfix=TICKET-7"
    assert 'value="Cards fail"' in page.get(address).content.decode()
    data = {"title": "Cards fail", "severity": "1", "owner": mira.pk, "hotfix": hotfix.pk}
    answer = page.post(address, data)
    document = PostMortem.objects.get()
    assert answer.headers["Location"] == url(document)
    assert (document.hotfix, document.owner) == (hotfix, mira)
    assert page.get(address).headers["Location"] == url(document)
    answer = page.post("/projects/shop/postmortems/new/", {"title": "a\u202eb", "severity": "1", "owner": mira.pk})
    assert answer.status_code == 422
    html = page.get("/projects/shop/hotfixes/TICKET-7/").content.decode()
    assert f'href="{url(document)}"' in html


def test_presence_is_told_to_others_and_forgotten(
    page: Client, document: PostMortem, jonas: Any, settings: Any
) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    page.post(url(document, "here"), {"part": "summary"})
    other = Client()
    other.force_login(jonas)
    html = other.post(url(document, "here"), {"part": "<b>"}).content.decode()
    assert "mira" in html
    assert "writing" in html
    assert "jonas" in page.get(url(document)).content.decode()
    other.post(url(document, "here"), {"gone": "1"})
    assert "Also here" not in page.get(url(document)).content.decode()
