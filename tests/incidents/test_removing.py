"""A project can be removed with all that happened to it."""

from __future__ import annotations

import pytest

from incidents.announcements.channels import channel_save
from incidents.announcements.collecting import announcements_collect
from incidents.announcements.models import Channel, Message
from incidents.announcements.topics import USUAL
from incidents.postmortems.actions import action_add
from incidents.postmortems.models import PostMortem
from incidents.postmortems.opening import postmortem_open
from incidents.postmortems.timeline import entries, fact_hide
from incidents.postmortems.writing import section_write
from incidents.response.models import Incident
from incidents.response.services import incident_declare, incident_say, update_correct
from incidents.status.models import StatusPage
from incidents.status.services import page_save, subscriber_ask
from tests.factories import make_project, make_user
from tests.incidents.making import make_component, make_hotfix


@pytest.mark.django_db
def test_nothing_holds_a_project_back() -> None:
    project, mira = make_project("shop"), make_user("mira")
    channel = channel_save("team", "email", "team@example.com", USUAL)
    cards = make_component(project)
    incident = incident_declare(project, "Cards fail", hurt={cards: 3}, hotfix=make_hotfix(project), actor=mira)
    update_correct(incident_say(incident, "1 in 5"), "1 in 9")
    announcements_collect()
    page = page_save("shop", "Shop", "public", [project])
    subscriber_ask(page, "ada@example.com", incident=incident)
    document = postmortem_open(project, "Cards", severity=2, owner=mira, incident=incident)
    section_write(document, "summary", "It failed.", 0, mira)
    action_add(document, "Warn before", "detect", owner=mira)
    event = entries(document)[0].event
    assert event is not None
    fact_hide(document, event, True, mira)
    project.delete()
    assert not Incident.objects.exists()
    assert not PostMortem.objects.exists()
    assert not Message.objects.filter(channel=channel).exists()
    assert Channel.objects.filter(pk=channel.pk).exists()
    assert StatusPage.objects.exists()
