"""`manage.py incident`: what people type at night, and what scripts rely on."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from incidents.response.models import Health, Incident
from incidents.response.services import incident_link, incident_say
from releases.ledger.models import Event
from releases.projects.models import Project
from tests.factories import make_project, make_user
from tests.incidents.making import make_component, make_hotfix, make_incident, reached

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project("shop")


def run(*args: str) -> str:
    out = io.StringIO()
    call_command("incident", *args, stdout=out)
    return out.getvalue()


def test_one_short_command_declares_one(project: Project) -> None:
    out = run("declare", "shop", "Card payments are declined")
    incident = Incident.objects.get()
    assert re.fullmatch(rf"{incident.key} is declared: https?://\S+/incidents/{incident.key}/\n", out)
    assert (incident.severity, incident.state, incident.public) == (2, "investigating", True)
    assert (incident.started_at, incident.detected_at, incident.told_at) == (None, None, None)
    assert Event.objects.get(kind="incident.declared").actor_name == "operator"


def test_everything_can_be_said_at_once(project: Project) -> None:
    mira, cards, hotfix = make_user("mira"), make_component(project), make_hotfix(project)
    run(
        "declare", "shop", "Cards fail", "--severity", "1", "--say", "We look into it.", "--impact", "1 in 9.",
        "--hurts", "card payments=down", "--started", "2026-03-01T10:00", "--detected", "2026-03-01T10:05+00:00",
        "--lead", "mira", "--by", "mira", "--chat", "https://chat.example.com/inc", "--hotfix", "ticket-7",
    )  # fmt: skip
    incident = Incident.objects.get()
    assert (incident.severity, incident.impact, incident.lead, incident.declared_by) == (1, "1 in 9.", mira, mira)
    assert (incident.impacts.get().component, incident.impacts.get().health) == (cards, Health.DOWN)
    assert list(incident.hotfixes.all()) == [hotfix]
    assert incident.updates.get().text == "We look into it."
    local = incident.started_at and timezone.localtime(incident.started_at, timezone.get_default_timezone())
    assert f"{local:%Y-%m-%d %H:%M}" == "2026-03-01 10:00"


def test_a_clock_time_is_of_today(project: Project) -> None:
    today = timezone.localtime(timezone=timezone.get_default_timezone())
    run("declare", "shop", "Cards fail", "--started", "00:00")
    assert Incident.objects.get().started_at == today.replace(hour=0, minute=0, second=0, microsecond=0)


def test_saying_something_and_resolving(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    incident = make_incident(project)
    incident_link(incident, make_hotfix(project, stages=reached(production="done"), owed_count=1))
    assert run("update", incident.key, "We found it.", "--state", "identified") == f"{incident.key} is identified.\n"
    assert run("update", str(incident.number), "The bank it is.", "--internal") == f"{incident.key} is identified.\n"
    assert [row.public for row in incident.updates.all()] == [False, True]
    assert run("resolve", incident.key.lower(), "It is over.") == f"{incident.key} is resolved.\n"
    assert "still missing from a branch" in capsys.readouterr().err
    with pytest.raises(CommandError, match="why: It was resolved"):
        run("update", incident.key, "It is back.", "--state", "investigating")
    run("update", incident.key, "It is back.", "--state", "investigating", "--why", "Declines rise.")
    incident.refresh_from_db()
    assert incident.state == "investigating"


def test_of_an_internal_incident_nothing_is_public(project: Project) -> None:
    run("declare", "shop", "The build farm is slow", "--internal")
    incident = Incident.objects.get()
    run("update", incident.key, "Disk is full.")
    assert not incident.updates.get().public


def test_listing_those_that_are_open(project: Project) -> None:
    assert run("list") == "No open incident.\n"
    first, second = make_incident(project, "Cards fail"), make_incident(make_project("other"), "Payouts")
    Incident.objects.filter(pk=second.pk).update(title="Payouts\x1b[31m")
    incident_say(first, "Over.", state="resolved")
    assert run("list") == f"{second.key}\tother\tSEV2\tinvestigating\tnobody\tPayouts␛[31m\n"
    assert run("list", "--project", "shop") == "No open incident.\n"
    assert run("list", "--project", "shop", "--all").startswith(f"{first.key}\tshop\tSEV2\tresolved")


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("declare", "nowhere", "T"), "There is no project called nowhere"),
        (("declare", "shop", " "), "title:"),
        (("declare", "shop", "T" * 201), "title:"),
        (("declare", "shop", "T", "--severity", "5"), "invalid choice: 5"),
        (("declare", "shop", "T", "--hurts", "Mail=down"), "has no component 'Mail'. It has: Card payments."),
        (("declare", "shop", "T", "--hurts", "Card payments=broken"), "'broken' is none of maintenance"),
        (("declare", "shop", "T", "--hurts", "Card payments"), "has no component ''"),
        (("declare", "shop", "T", "--started", "soon"), "'soon' is no time"),
        (("declare", "shop", "T", "--started", "2126-01-01T00:00"), "started_at: That is in the future"),
        (("declare", "shop", "T", "--lead", "nobody"), "Nobody has the user name nobody"),
        (("declare", "shop", "T", "--chat", "javascript:alert(1)"), "chat_url:"),
        (("declare", "shop", "T", "--hotfix", "TICKET-404"), "has no hotfix TICKET-404"),
        (("update", "INC-404", "T"), "There is no incident INC-404"),
        (("update", "x", "T"), "There is no incident x"),
        (("resolve", "INC-99999999999", "T"), "There is no incident"),
    ],
)
def test_what_cannot_be_is_said_clearly_and_changes_nothing(project: Project, args: tuple[str, ...], says: str) -> None:
    make_component(project)
    with pytest.raises(CommandError) as refused:
        run(*args)
    assert says in str(refused.value)
    assert not Incident.objects.exists()


def test_a_drill_is_not_listed(project: Project) -> None:
    from incidents.drills.models import Drill

    drill: Any = Drill.objects.create(project=project, scenario="x")
    make_incident(project, drill=drill, started_at=timezone.now() - timedelta(minutes=1))
    assert run("list") == "No open incident.\n"
