"""Looking at many tickets costs a constant number of questions when nothing changed."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from releases.evidence.verdicts import Code
from releases.hotfixes.models import Hotfix
from releases.hotfixes.observing import hotfixes_observe
from releases.ledger.models import Event
from releases.projects.models import Project
from tests.factories import make_fix, make_project, make_target, make_verdict

pytestmark = pytest.mark.django_db


def shipped(project: Project, numbers: range) -> None:
    """Tickets whose fixes are live, every other one still owed."""
    target = project.targets.first() or make_target(project)
    for number in numbers:
        fix = make_fix(project, f"Mend {number}", ticket=f"TICKET-{number}")
        make_verdict(fix, target, Code.MISSING if number % 2 else Code.MERGED)
        Hotfix.objects.create(
            project=project, key=f"TICKET-{number}", title=f"Mend {number}", triaged_at=timezone.now()
        )


def questions(project: Project) -> int:
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert hotfixes_observe(project) == 0
    return len(asked)


def test_a_look_that_finds_nothing_new_asks_little() -> None:
    project = make_project()
    shipped(project, range(5))
    assert hotfixes_observe(project) == 5
    few = questions(project)
    shipped(project, range(5, 40))
    assert hotfixes_observe(project) == 35
    events = Event.objects.count()
    assert questions(project) == few < 25
    assert Event.objects.count() == events
    assert Hotfix.objects.filter(owed_count=1).count() == 20
