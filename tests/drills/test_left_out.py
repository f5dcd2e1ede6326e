"""Every figure, list, mail and public page is the same before a drill, in the middle of one, and after it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from incidents.announcements.channels import channel_save
from incidents.announcements.collecting import announcements_collect
from incidents.announcements.models import Message
from incidents.announcements.topics import BY_KEY
from incidents.drills.services import drill_end
from incidents.postmortems.library import postmortems_of
from incidents.postmortems.opening import postmortems_open_due
from incidents.postmortems.reviewing import postmortems_remind
from incidents.response.errors import IncidentError
from incidents.response.models import Incident
from incidents.response.reminders import incidents_remind
from incidents.response.selectors import incidents_of, open_count
from incidents.response.services import incident_declare, incident_edit, incident_say
from incidents.status.content import content_of
from incidents.status.services import page_save
from releases.deploys.inbox import glass_open, inbox
from releases.deploys.mailing import approvers_of
from releases.deploys.models import Run
from releases.deploys.selectors import board, runs_of
from releases.hotfixes.listing import hotfix_count, untracked
from releases.policies.overview import debt
from releases.policies.search import find
from releases.projects.models import Project
from tests.drills.playing import Player, Real, make_drill, make_real
from tests.factories import make_environment, make_user
from tests.incidents.making import make_component

pytestmark = pytest.mark.django_db


LISTING = (
    "/", "/projects/", "/hotfixes/", "/merge-back/", "/deploys/", "/deploys/history/", "/releases/", "/incidents/",
    "/waiting/", "/postmortems/", "/hotfixes/new/", "/incidents/new/", "/search/?q=shop",
)  # fmt: skip
"""Every page over all projects."""


@pytest.fixture
def lead() -> Any:
    return make_user("lea", "administrator", all_projects=True, email="lea@example.org")


@pytest.fixture
def other() -> Any:
    return make_user("rob", "release-manager", all_projects=True, email="rob@example.org", mail_approvals=True)


@pytest.fixture
def real(tmp_path: Path, lead: Any) -> Real:
    real = make_real(tmp_path, visibility=Project.Visibility.PUBLIC)
    make_environment(real.project, "staging")
    make_environment(real.project, "production", kind="production", approvals=1)
    make_component(real.project)
    channel_save("Team", "email", "team@example.org", list(BY_KEY), worst=4, internal=True, projects=[], actor=lead)
    return real


def figures(person: Any, page: Any) -> dict[str, Any]:
    """Whatever the dashboard counts and lists, for somebody who may see everything, and for the public."""
    seen = Project.objects.seen_by(person)
    owed, every = debt(seen), debt(list(seen.values_list("pk", flat=True)), everything=True)
    found = find("shop", seen)
    out = StringIO()
    call_command("project", "list", stdout=out)
    return {
        "projects": list(seen.values_list("slug", flat=True)),
        "owed": (owed.act, owed.unknown, owed.confirm, len(owed.targets)),
        "everything": (every.act, every.unknown, every.confirm, len(every.targets)),
        "hotfixes": hotfix_count(person),
        "untracked": len(untracked(None, person)),
        "waiting": len(inbox(person)),
        "glass": glass_open(person).count(),
        "runs": runs_of(person).count(),
        "board": {project.slug: len(places) for project, places in board(person).items()},
        "search": (found.total, len(find("Version", seen).releases)),
        "incidents": incidents_of(person).count(),
        "open incidents": open_count(person, fresh=True),
        "post-mortems": postmortems_of(person).count(),
        "messages": Message.objects.count(),
        "status page": told(page),
        "listed": [line.split("\t")[0] for line in out.getvalue().splitlines()],
        "public": list(Project.objects.seen_by(None).values_list("slug", flat=True)),
    }  # fmt: skip


def told(page: Any) -> list[str]:
    """What a status page says, without the moment at which it was drawn."""
    said = asdict(content_of(page))
    return sorted(f"{name}: {value}" for name, value in said.items() if name not in ("at", "days", "as_of"))


def pages(client: Client) -> dict[str, str]:
    """Every page that lists projects; without what differs from one moment to the next."""
    found = {}
    for path in LISTING:
        response = client.get(path, follow=True)
        assert response.status_code == 200, path
        found[path] = response.content.decode()
    return found


def test_nothing_of_a_drill_is_in_any_figure(
    tmp_path: Path, real: Real, lead: Any, other: Any, client: Client, mailoutbox: list[Any]
) -> None:
    page = page_save("shop", "Shop", "public", [real.project], actor=lead)
    announcements_collect()
    now = timezone.now()
    before = figures(lead, page)
    assert before["projects"] == ["shop"]

    drill = make_drill(real, "replay", lead)
    player = Player(drill, tmp_path / "ela", lead, other)
    player.write_fix()
    player.review()
    player.finish()
    for run in Run.objects.filter(project=player.copy, state="queued"):
        player.ship(1)
        assert run.pk
    player.ship(2)
    assert Run.objects.filter(project=player.copy, environment__isnull=False).exists()
    incident_declare(player.copy, "Everything is on fire", public=True, actor=lead)
    incident_say(drill.incidents.first(), "Told to colleagues.", public=False, actor=lead)
    later = now + timedelta(days=90)
    assert postmortems_open_due(now + timedelta(hours=1)) == 0
    assert postmortems_remind(later) == 0
    incidents_remind(later)
    announcements_collect()
    assert figures(lead, page) == before
    client.force_login(lead)
    assert drill.copy is not None
    for path, text in pages(client).items():
        assert drill.copy.slug not in text, path
        assert drill.copy.name not in text, path

    drill_end(drill, "Something.", lead)
    postmortems_remind(later)
    announcements_collect()
    assert figures(lead, page) == before
    assert not mailoutbox


@pytest.mark.long
def test_whoever_may_approve_is_not_written_to(tmp_path: Path, real: Real, lead: Any, other: Any) -> None:
    drill = make_drill(real, "replay", lead)
    player = Player(drill, tmp_path / "ela", lead, other)
    player.write_fix()
    player.review()
    player.finish()
    for _ in range(6):
        if Run.objects.filter(project=player.copy, state="asked").exists():
            break
        player.ship(1)
    run = Run.objects.select_related("project", "environment").get(project=player.copy, state="asked")
    assert approvers_of(run) == []
    assert inbox(other) == []
    # The very same request of the real project would be.
    Project.objects.filter(pk=player.copy.pk).update(drill_of=None)
    run = Run.objects.select_related("project", "environment").get(pk=run.pk)
    assert approvers_of(run) == [other]


def test_incidents_of_drills_leave_no_gap_in_the_numbers(real: Real, lead: Any) -> None:
    first = incident_declare(real.project, "The till is slow", actor=lead)
    drill = make_drill(real, "replay", lead)
    assert drill.copy is not None
    inside = incident_declare(drill.copy, "The till is slow again", public=True, actor=lead)
    second = incident_declare(real.project, "The till is slow once more", actor=lead)
    assert [first.key, second.key] == ["INC-1", "INC-2"]
    assert inside.key == "DRILL-2"
    assert (inside.drill, inside.public) == (drill, False)
    assert Incident.number_of(inside.key) == inside.number
    with pytest.raises(IncidentError, match="This is a drill"):
        incident_edit(inside, lead, public=True)


@pytest.mark.parametrize(
    "key", ["INC-0", "INC-", "DRILL-0", "DRILL-x", "INC-1\n", "inc-1", "INC-١", "INC-9999999999", ""]
)
def test_what_is_no_key_has_no_number(key: str) -> None:
    assert Incident.number_of(key) is None


def test_who_may_open_a_drill(real: Real, lead: Any) -> None:
    drill = make_drill(real, "replay", lead)
    assert drill.copy is not None
    member = make_user("mia", "viewer", projects=[real.project])
    stranger = make_user("sam", "viewer")
    Project.objects.filter(pk=real.project.pk).update(visibility=Project.Visibility.MEMBERS)

    def opens(person: Any) -> list[str]:
        return sorted(Project.objects.open_to(person).values_list("slug", flat=True))

    both = sorted(["shop", drill.copy.slug])
    assert (opens(lead), opens(member), opens(stranger), opens(None)) == (both, both, [], [])
    Project.objects.filter(pk=real.project.pk).update(visibility=Project.Visibility.SIGNED_IN)
    assert (opens(stranger), opens(None)) == (both, [])
    Project.objects.filter(pk=real.project.pk).update(visibility=Project.Visibility.PUBLIC)
    assert opens(None) == ["shop"]
    assert list(Project.objects.drills()) == [drill.copy]
    assert list(Project.objects.real()) == [real.project]
