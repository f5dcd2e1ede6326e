"""What git and deployments say about an incident."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from incidents.response.facts import exposure, suggestion, timeline, warnings
from incidents.response.models import Incident, Update
from incidents.response.reminders import incidents_remind, incidents_silent
from incidents.response.services import incident_link, incident_say, incident_time, incident_unlink
from releases.hotfixes.models import Hotfix
from releases.ledger.models import Event
from releases.ledger.services import event_write
from releases.projects.models import Project
from tests.factories import make_environment, make_project, make_release, make_shipment
from tests.incidents.making import make_hotfix, make_incident, reached

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project("shop")


def linked(project: Project, incident: Incident, **fields: Any) -> Hotfix:
    hotfix = make_hotfix(project, **fields)
    incident_link(incident, hotfix)
    return hotfix


def test_stages_of_a_hotfix_come_onto_the_timeline_when_they_happened(project: Project) -> None:
    incident = make_incident(project)
    hotfix = linked(project, incident)
    live = datetime(2026, 3, 2, 12, 7, tzinfo=UTC)
    for stage, new in [("production", "done"), ("merge-back", "owed"), ("post-mortem", "done"), ("verify", "failed")]:
        event_write(
            "hotfix.stage", project_id=project.pk, subject=f"hotfix:{hotfix.key}", target=stage, new=new,
            why="Verify: failed, health is bad.", evidence={"at": live.timestamp(), "tag": "v1.2.3"},
        )  # fmt: skip
    facts = [fact for fact in timeline(incident) if fact.kind == "deploy"]
    assert [(fact.text, fact.at == live) for fact in facts] == [
        ("Verify: failed, health is bad.", False),
        ("TICKET-7: live in production (v1.2.3).", True),
    ]


@pytest.mark.parametrize(
    ("state", "stages", "suggested"),
    [
        ("investigating", {}, ""),
        ("investigating", {"fix": "done"}, "identified"),
        ("identified", {"fix": "done"}, ""),
        ("identified", {"production": "done", "verify": "running"}, ""),
        ("identified", {"production": "done", "verify": "done"}, "monitoring"),
        ("investigating", {"production": "done", "verify": "skipped"}, "monitoring"),
        ("monitoring", {"production": "done", "verify": "done", "merge_back": "owed"}, ""),
        ("monitoring", {"production": "done", "verify": "done", "merge_back": "done"}, "resolved"),
        ("resolved", {"production": "done", "verify": "done"}, ""),
    ],
)
def test_facts_speak_for_the_next_state(project: Project, state: str, stages: dict[str, str], suggested: str) -> None:
    incident = make_incident(project)
    Incident.objects.filter(pk=incident.pk).update(state=state)
    incident.refresh_from_db()
    found = suggestion(incident, [linked(project, incident, stages=reached(**stages))])
    assert (found.state if found else "") == suggested


def test_what_speaks_against_an_end(project: Project) -> None:
    incident = make_incident(project)
    assert warnings(incident, [make_hotfix(project, "TICKET-1")]) == ["TICKET-1 is not live in production."]
    live = make_hotfix(project, "TICKET-2", stages=reached(production="done"), owed_count=1, tag="v1.0.1")
    assert warnings(incident, [live]) == [
        "TICKET-2 is still missing from a branch: the next release would bring the bug back."
    ]
    live.owed_count = 0
    assert warnings(incident, [live]) == []


def test_production_that_went_back_past_the_fix_is_told(project: Project) -> None:
    incident, place = make_incident(project), make_environment(project)
    old, new = make_release(project, "v1.0.0"), make_release(project, "v1.0.1")
    hotfix = make_hotfix(project, stages=reached(production="done"), tag="v1.0.1")
    place.live = make_shipment(place, "v1.0.1", release=new)
    place.save()
    assert warnings(incident, [hotfix]) == []
    place.live = make_shipment(place, "v1.0.0", release=old)
    place.save()
    assert warnings(incident, [hotfix]) == ["production runs v1.0.0, which lacks TICKET-7."]


def test_exposure_lasts_from_the_bad_release_to_the_fix_in_each_environment(project: Project) -> None:
    now = timezone.now()
    incident = make_incident(project)
    hotfix = linked(project, incident, tag="v1.0.1")
    assert exposure(incident, [hotfix]) == []
    incident.introduced_by = make_release(project, "v1.0.0")
    staging, production = make_environment(project, "staging"), make_environment(project)
    for place in (staging, production):
        make_shipment(place, "v1.0.0", live_at=now - timedelta(hours=5))
        make_shipment(place, "v1.0.0", live_at=now - timedelta(hours=3))
    make_shipment(staging, "v1.0.1", live_at=now - timedelta(hours=1))
    found = {row.environment: row for row in exposure(incident, [hotfix])}
    assert found["production"].lasted(now) == timedelta(hours=5)
    assert found["production"].until is None
    assert found["staging"].lasted(now) == timedelta(hours=4)


def test_without_environments_exposure_goes_by_tags(project: Project) -> None:
    incident = make_incident(project)
    incident.introduced_by = make_release(project, "v1.0.0")
    [row] = exposure(incident, [make_hotfix(project, stages=reached(production="done"), tag="v1.0.1")])
    assert (row.environment, row.since) == ("production", incident.introduced_by.tagged_at)
    assert row.until == datetime.fromtimestamp(1_000_000, UTC)


def test_silence_is_noticed_whatever_the_state_and_once_for_each_limit(project: Project) -> None:
    incident = make_incident(project, severity=1, text="We look into it.")
    now = timezone.now()
    assert incidents_silent(now) == []
    late = now + timedelta(minutes=31)
    incident_say(incident, "Found it.", state="identified", public=False)
    assert incidents_silent(late) == [incident]
    assert (incidents_remind(late), incidents_remind(late + timedelta(minutes=1))) == (1, 0)
    assert incidents_remind(late + timedelta(minutes=31)) == 1
    assert Event.objects.filter(kind="incident.silent").count() == 2
    update = incident_say(incident, "A fix is on its way.", public=True)
    Update.objects.filter(pk=update.pk).update(at=late)
    assert incidents_silent(late + timedelta(minutes=29)) == []
    incident_say(incident, "Over.", state="resolved")
    assert incidents_silent(late + timedelta(days=1)) == []


def test_the_minutes_of_silence_depend_on_severity_and_internal_ones_owe_no_word(project: Project) -> None:
    for severity in (1, 2, 3, 4):
        make_incident(project, f"SEV{severity}", severity=severity)
    make_incident(project, "Internal", severity=1, public=False)
    now = timezone.now()
    after = {
        minutes: len(incidents_silent(now + timedelta(minutes=minutes))) for minutes in (1, 31, 61, 241, 24 * 60 + 1)
    }
    assert after == {1: 0, 31: 1, 61: 2, 241: 3, 1441: 4}


def test_what_people_set_stands_on_the_timeline_in_whole_sentences(project: Project) -> None:
    incident = make_incident(project)
    hotfix = linked(project, incident)
    began = timezone.now() - timedelta(days=2)
    incident_time(incident, "started_at", began - timedelta(hours=1), "A guess.")
    incident_time(incident, "started_at", began, "The graph bends then.")
    incident_time(incident, "detected_at", None, "Nobody wrote it down.")
    incident_unlink(incident, hotfix, "Another bug.")
    incident_say(incident, "Over.", state="resolved")
    incident_time(incident, "ended_at", timezone.now(), "The last decline.")
    incident_say(incident, "Back.", state="investigating", why="Declines rise.")
    facts = timeline(incident)
    texts = [fact.text for fact in facts]
    assert facts[-1].text == "It started: The graph bends then."
    assert facts[-1].at == began
    assert any(text.startswith("When it started was set to ") and text.endswith(": A guess.") for text in texts)
    assert "When it was detected is not known: Nobody wrote it down." in texts
    assert f"{hotfix.key} is no part of it any more: Another bug." in texts
    assert f"{incident.key} is open again: Declines rise." in texts
    incident.refresh_from_db()
    # How its end was known went with that end.
    assert "ended_at" not in incident.times_why
