"""What people do to an incident: declare, speak, correct, move, set back times; each with one ledger row."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from incidents.response.components import component_retire, health_of, maintenance_cancel, maintenance_plan
from incidents.response.errors import IncidentError
from incidents.response.facts import timeline
from incidents.response.models import Health, Incident, Update
from incidents.response.selectors import incident_page, incidents_of, open_count
from incidents.response.services import (
    incident_declare,
    incident_edit,
    incident_hurts,
    incident_link,
    incident_say,
    incident_time,
    incident_unlink,
    update_correct,
)
from releases.ledger.models import Event
from releases.projects.models import Project
from tests.factories import make_project, make_user
from tests.incidents.making import make_component, make_hotfix, make_incident

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project("shop")


@pytest.fixture
def mira() -> Any:
    return make_user("mira", "engineer")


def told() -> list[str]:
    rows = Event.objects.exclude(kind__startswith="component.").order_by("pk")
    return list(rows.values_list("kind", flat=True))


def test_declaring_takes_a_title_and_says_what_is_not_known(project: Project, mira: Any) -> None:
    incident = incident_declare(project, "  Card payments   fail ", actor=mira)
    assert (incident.key, incident.title, incident.state) == ("INC-1", "Card payments fail", "investigating")
    assert (incident.lead, incident.started_at, incident.told_at) == (mira, None, None)
    event = Event.objects.get()
    assert (event.kind, event.subject, event.actor) == ("incident.declared", "incident:INC-1", mira)
    assert incident_page(incident).lasted is None


def test_a_first_public_word_is_dated_and_numbers_go_on(project: Project) -> None:
    first = incident_declare(project, "One", text="Some cards are declined.", hurt={make_component(project): 3})
    assert first.told_at == first.updates.get().at
    assert incident_declare(project, "Two").number == first.number + 1
    assert told()[:2] == ["incident.declared", "incident.updated"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"title": "  "}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"severity": 9}, "severity"),
        ({"impact": "x" * 10_001}, "impact"),
        ({"started_at": timezone.now() + timedelta(hours=1)}, "started_at"),
        ({"started_at": timezone.now(), "detected_at": timezone.now() - timedelta(hours=1)}, "detected_at"),
    ],
)
def test_what_cannot_be_is_refused_beside_its_field(project: Project, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(IncidentError) as refused:
        incident_declare(project, **({"title": "Payments fail"} | fields))
    assert refused.value.field == field
    assert not Incident.objects.exists()


def test_updates_lead_from_state_to_state_and_reopening_needs_a_reason(project: Project, mira: Any) -> None:
    incident = make_incident(project)
    incident_say(incident, "We found the cause.", state="identified", actor=mira)
    incident_say(incident, "It is over.", state="resolved", actor=mira)
    assert incident.state == "resolved"
    assert incident.ended_at is not None
    with pytest.raises(IncidentError, match="Say why it is open again"):
        incident_say(incident, "It is back.", state="investigating", actor=mira)
    incident_say(incident, "It is back.", state="investigating", why="Declines rise again.", actor=mira)
    assert (incident.state, incident.ended_at, incident.resolved_at) == ("investigating", None, None)
    assert told() == [
        "incident.declared", "incident.updated", "incident.moved", "incident.updated", "incident.moved",
        "incident.updated", "incident.reopened",
    ]  # fmt: skip
    assert [update.state for update in incident.updates.order_by("pk")] == ["identified", "resolved", "investigating"]


def test_a_correction_stands_beside_what_it_corrects(project: Project, mira: Any) -> None:
    incident = make_incident(project)
    said = incident_say(incident, "1 in 5 payments fails.", actor=mira)
    better = update_correct(said, "1 in 9 payments fails.", mira)
    assert Update.objects.count() == 2
    assert (better.corrects, better.at, said.corrected_by) == (said, said.at, better)
    with pytest.raises(IncidentError, match="corrected this update already"):
        update_correct(said, "1 in 10 payments fails.", mira)
    update_correct(better, "1 in 10 payments fails.", mira)


def test_nothing_public_is_said_of_an_internal_incident(project: Project) -> None:
    incident = make_incident(project, public=False)
    with pytest.raises(IncidentError) as refused:
        incident_say(incident, "Hello outside.", public=True)
    assert refused.value.code == "internal"
    incident_say(incident, "Among ourselves.", public=False)
    assert incident.told_at is None


def test_times_are_set_back_with_a_note_and_taken_back_to_unknown(project: Project, mira: Any) -> None:
    incident = make_incident(project, detected_at=timezone.now() - timedelta(minutes=5))
    hour_ago = timezone.now() - timedelta(hours=1)
    incident_time(incident, "started_at", hour_ago, "The graph bends then.", mira)
    assert incident.started_at == hour_ago
    assert incident.times_why == {"started_at": "The graph bends then."}
    with pytest.raises(IncidentError, match="one of the two is not right"):
        incident_time(incident, "started_at", timezone.now(), "A guess.", mira)
    with pytest.raises(IncidentError, match="future"):
        incident_time(incident, "ended_at", timezone.now() + timedelta(days=1), "A guess.", mira)
    with pytest.raises(IncidentError):
        incident_time(incident, "started_at", None, " ", mira)
    incident_time(incident, "started_at", None, "The graph was of another service.", mira)
    event = Event.objects.latest("pk")
    assert (incident.started_at, event.target, event.new) == (None, "started", "not known")


def test_a_component_is_as_bad_as_the_worst_that_hurts_it(project: Project, mira: Any) -> None:
    cards, api = make_component(project), make_component(project, "API", baseline=Health.DEGRADED)
    one, two = make_incident(project, hurt={cards: Health.PARTIAL}), make_incident(project, "Another")
    incident_hurts(two, cards, Health.DOWN, mira)
    incident_hurts(two, api, Health.DEGRADED, mira)
    assert health_of([cards, api]) == {cards.pk: Health.DOWN, api.pk: Health.DEGRADED}
    incident_say(two, "Over.", state="resolved")
    assert health_of([cards, api]) == {cards.pk: Health.PARTIAL, api.pk: Health.DEGRADED}
    incident_hurts(one, cards, Health.WORKING, mira)
    cards.refresh_from_db()
    assert (health_of([cards])[cards.pk], cards.baseline) == (Health.WORKING, Health.WORKING)
    with pytest.raises(IncidentError, match="Say first that it goes on"):
        incident_hurts(two, cards, Health.DOWN, mira)


def test_what_is_monitored_works_and_is_hurt_again_when_it_goes_on(project: Project) -> None:
    cards = make_component(project)
    incident = make_incident(project, hurt={cards: Health.PARTIAL})
    incident_say(incident, "The fix is live.", state="monitoring")
    assert health_of([cards])[cards.pk] == Health.WORKING
    incident_say(incident, "It is back.", state="identified")
    assert health_of([cards])[cards.pk] == Health.PARTIAL
    incident_say(incident, "Over.", state="resolved")
    incident_say(incident, "It is back.", state="investigating", why="Declines rise again.")
    assert health_of([cards])[cards.pk] == Health.PARTIAL
    assert incident.impacts.filter(until=None).count() == 1


def test_maintenance_shows_while_it_lasts(project: Project) -> None:
    cards, now = make_component(project), timezone.now()
    row = maintenance_plan(
        project, "New database", now + timedelta(hours=1), now + timedelta(hours=2), components=[cards]
    )
    assert health_of([cards], now)[cards.pk] == Health.WORKING
    assert health_of([cards], now + timedelta(minutes=90))[cards.pk] == Health.MAINTENANCE
    assert health_of([cards], now + timedelta(hours=2))[cards.pk] == Health.WORKING
    maintenance_cancel(row)
    assert health_of([cards], now + timedelta(minutes=90))[cards.pk] == Health.WORKING
    with pytest.raises(IncidentError, match="ends before it begins"):
        maintenance_plan(project, "Backwards", now, now - timedelta(hours=1))


def test_components_have_one_name_each_and_retire(project: Project) -> None:
    cards = make_component(project)
    with pytest.raises(IncidentError, match="There is a component Card payments already"):
        make_component(project)
    make_component(make_project(), "Card payments")
    component_retire(cards)
    cards.refresh_from_db()
    assert cards.retired_at is not None


def test_a_component_of_another_project_is_refused(project: Project) -> None:
    elsewhere = make_component(make_project())
    with pytest.raises(IncidentError, match="belongs to another project"):
        make_incident(project, hurt={elsewhere: 3})
    with pytest.raises(IncidentError, match="belongs to another project"):
        incident_link(make_incident(project), make_hotfix(make_project()))
    assert Incident.objects.count() == 1


def test_hotfixes_are_tied_once_and_untied_with_a_reason(project: Project, mira: Any) -> None:
    incident, hotfix = make_incident(project), make_hotfix(project)
    incident_link(incident, hotfix, mira)
    incident_link(incident, hotfix, mira)
    assert told().count("incident.linked") == 1
    with pytest.raises(IncidentError):
        incident_unlink(incident, hotfix, "", mira)
    incident_unlink(incident, hotfix, "Another bug.", mira)
    assert not incident.hotfixes.exists()


def test_one_row_tells_all_that_was_edited(project: Project, mira: Any) -> None:
    incident = make_incident(project)
    incident_edit(incident, mira, severity=1, communications=mira, title="Card payments fail")
    event = Event.objects.latest("pk")
    assert event.why == "Changed: severity: SEV2 → SEV1; communications: nobody → mira."
    incident_edit(incident, mira, severity=1)
    assert Event.objects.filter(kind="incident.edited").count() == 1
    with pytest.raises(TypeError):
        incident_edit(incident, mira, state="resolved")


def test_people_see_the_incidents_of_their_projects(project: Project) -> None:
    make_incident(project)
    make_incident(make_project(), "Elsewhere")
    person = make_user(projects=[project])
    assert [row.title for row in incidents_of(person)] == ["Card payments fail"]
    assert (open_count(person), open_count(person, project)) == (1, 1)


@pytest.mark.parametrize("text", ["a\u202eb", "x" * 10_001, "a\x00b"])
def test_a_first_public_word_is_checked_like_every_other(project: Project, text: str) -> None:
    with pytest.raises(IncidentError) as refused:
        make_incident(project, text=text)
    assert refused.value.field == "text"
    assert not Incident.objects.exists()


def test_what_is_written_down_afterwards_stands_where_it_happened(project: Project) -> None:
    now = timezone.now()
    hurt = {make_component(project): Health.DOWN}
    incident = make_incident(project, detected_at=now - timedelta(hours=3), hurt=hurt, at=now - timedelta(hours=2))
    assert incident.declared_at == now - timedelta(hours=2)
    incident_say(incident, "It is over.", state="resolved", at=now - timedelta(hours=1))
    impact = incident.impacts.get()
    assert (impact.since, impact.until) == (now - timedelta(hours=2), now - timedelta(hours=1))
    assert (incident.resolved_at, incident.ended_at) == (impact.until, impact.until)
    told = [(fact.text, fact.at) for fact in timeline(incident) if fact.kind == "state"]
    assert [at for _, at in told] == [now - timedelta(hours=1), now - timedelta(hours=2)]
    # The ledger itself says when it was written.
    assert all(event.at >= now for event in Event.objects.filter(subject=f"incident:{incident.key}"))


def test_nothing_is_over_before_it_began(project: Project) -> None:
    now = timezone.now()
    incident = make_incident(project, detected_at=now - timedelta(hours=1), hurt={make_component(project): Health.DOWN})
    incident_say(incident, "It is over.", state="resolved", at=now - timedelta(hours=2))
    impact = incident.impacts.get()
    assert impact.until == incident.ended_at
    assert impact.until >= impact.since >= incident.detected_at


def test_nothing_is_declared_in_the_future(project: Project) -> None:
    with pytest.raises(IncidentError, match="future"):
        make_incident(project, at=timezone.now() + timedelta(hours=1))


def test_what_goes_on_has_no_end_yet(project: Project) -> None:
    incident = make_incident(project)
    with pytest.raises(IncidentError, match="It is investigating, so it has not ended"):
        incident_time(incident, "ended_at", timezone.now(), "The graph.")
    incident_say(incident, "It works again.", state="monitoring")
    incident_time(incident, "ended_at", timezone.now(), "The graph.")
    assert incident.ended_at is not None
    incident_say(incident, "It goes on.", state="identified")
    assert (incident.ended_at, incident.times_why) == (None, {})
