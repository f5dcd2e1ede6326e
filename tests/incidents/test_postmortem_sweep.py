"""What happens to post-mortems by itself: they open, owners get mails once a day, commits close items, pages follow."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import timezone

from hotfixdash.permissions import seen_by
from incidents.announcements.models import Channel, Message
from incidents.postmortems.actions import action_add, actions_stamp, projects_with_actions
from incidents.postmortems.mailing import NAME
from incidents.postmortems.models import ActionItem, PostMortem
from incidents.postmortems.opening import postmortem_open
from incidents.response.services import incident_declare, incident_say
from incidents.tasks import check_actions, sweep_now
from releases.ledger.services import event_write
from releases.projects.models import Project
from releases.projects.services import fetch_request
from releases.tasks import fetch_carry_out
from tests.factories import make_project, make_user
from tests.gitrepos import make_flow
from tests.hotfixes.playing import folder
from tests.incidents.making import make_hotfix
from tests.plugins.real import session_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _mail(settings: Any) -> None:
    settings.EMAIL_HOST = "127.0.0.1"
    cache.clear()


@pytest.fixture
def project() -> Project:
    return make_project("shop")


@pytest.fixture
def mira(project: Project) -> Any:
    return make_user("mira", "engineer", projects=[project], email="mira@example.com")


def swept() -> None:
    cache.clear()
    sweep_now()


def mails() -> list[tuple[str, str]]:
    return [(row.recipient, row.subject) for row in Message.objects.order_by("pk")]


def test_an_incident_that_is_over_opens_one_and_tells_its_owner_once(project: Project, mira: Any) -> None:
    swept()
    incident = incident_declare(project, "Cards fail", severity=1, lead=mira)
    swept()
    assert not PostMortem.objects.exists()
    incident_say(incident, "Over.", state="resolved")
    swept()
    swept()
    assert PostMortem.objects.get().owner == mira
    assert len(mails()) == 1
    message = Message.objects.get()
    assert message.recipient == "mira@example.com"
    assert message.channel == Channel.objects.get(name=NAME)
    assert "/postmortems/PM-1/" in message.body


def test_owners_are_mailed_once_a_day_while_something_is_overdue(project: Project, mira: Any) -> None:
    swept()
    document = postmortem_open(project, "Cards failed", severity=2, owner=mira)
    action_add(document, "Refuse a timeout without a unit", "prevent", owner=mira, due_on=date(2020, 1, 1))
    action_add(document, "Nobody's", "prevent", due_on=date(2020, 1, 1))
    PostMortem.objects.update(due_at=timezone.now() - timedelta(hours=1))
    swept()
    swept()
    topics = [row.data["topic"] for row in Message.objects.order_by("pk")]
    assert topics == ["postmortem-opened", "postmortem-due", "action-overdue"]
    assert {recipient for recipient, _ in mails()} == {"mira@example.com"}
    PostMortem.objects.update(state="published", reminded_at=None)
    ActionItem.objects.update(state="done", reminded_at=None)
    swept()
    assert len(mails()) == 3


def test_nobody_is_mailed_who_is_gone_or_has_no_address_or_without_a_server(
    project: Project, mira: Any, settings: Any
) -> None:
    swept()
    postmortem_open(project, "One", severity=2, owner=make_user("quiet", "engineer", projects=[project]))
    gone = make_user("gone", "engineer", projects=[project], email="gone@example.com", is_active=False)
    postmortem_open(project, "Two", severity=2, owner=gone)
    swept()
    settings.EMAIL_HOST = ""
    postmortem_open(project, "Three", severity=2, owner=mira)
    swept()
    assert mails() == []


def test_what_is_found_late_is_not_overdue_when_it_opens(project: Project, mira: Any) -> None:
    make_hotfix(project, "T-1", owner=mira, severity=1)
    event_write(
        "hotfix.stage", project_id=project.pk, subject="hotfix:T-1", target="production", new="done",
        at=timezone.now() - timedelta(days=20),
    )  # fmt: skip
    swept()
    assert PostMortem.objects.get().due_at > timezone.now() + timedelta(days=2)


def test_a_commit_in_production_closes_an_item_and_its_document_and_a_revert_opens_both(
    tmp_path: Path, settings: Any
) -> None:
    folder(tmp_path, settings)
    repo = make_flow(tmp_path)
    project = make_project("shop", remote_url=str(repo.path), operator_path=True)
    document = postmortem_open(project, "Cards failed", severity=2, owner=make_user("mira"))
    item = action_add(document, "Refuse a timeout without a unit", "prevent")
    PostMortem.objects.update(state="published")

    def look() -> tuple[str, str, str, str]:
        fetch_carry_out(fetch_request(project, "command").pk)
        check_actions(project.pk)
        item.refresh_from_db()
        document.refresh_from_db()
        return item.state, item.done_by, item.undone_by, document.state

    closing = repo.commit({"unit.py": "1\n"}, f"Refuse it\n\nAction: {item.key}", branch="main")
    before = actions_stamp(project)
    assert look() == ("done", closing, "", "acted")
    assert actions_stamp(project) != before
    undoing = repo.revert(closing, "main")
    assert look() == ("open", "", undoing, "published")
    assert list(projects_with_actions()) == [project]
    check_actions(0)


@pytest.mark.django_db(transaction=True)
def test_open_pages_follow_incidents_and_documents_that_their_reader_may_see(project: Project, mira: Any) -> None:
    incident = incident_declare(project, "Cards fail")
    document = postmortem_open(project, "Cards failed", severity=2, owner=mira)
    hidden = postmortem_open(make_project("secret"), "Mails", severity=2, owner=mira)
    asked = (f"incident:{incident.pk}", f"postmortem:{document.pk}", f"postmortem:{hidden.pk}", "postmortem:9999")
    assert seen_by(session_of(mira), asked).topics == {f"incident:{incident.pk}", f"postmortem:{document.pk}"}
    assert seen_by("", asked).topics == set()
    Project.objects.update(visibility=Project.Visibility.PUBLIC)
    assert seen_by("", asked).topics == {f"incident:{incident.pk}"}
