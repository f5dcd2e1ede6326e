"""Incidents for pages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.cache import cache
from django.db.models import Count, Max, Q, QuerySet
from django.utils import timezone

from releases.hotfixes.models import Hotfix
from releases.projects.models import Project

from .facts import Exposure, Fact, Suggestion, exposure, suggestion, timeline, warnings
from .models import Component, Impact, Incident
from .services import OPEN
from .states import TIME_NAMES, TIMES, word_due

KEPT = 5
"""Seconds for which the counts of open incidents are kept; whoever changes one drops them."""


@dataclass(slots=True)
class IncidentPage:
    """Everything that the page of one incident shows."""

    incident: Incident
    hotfixes: list[Hotfix]
    impacts: list[Impact]
    timeline: list[Fact]
    suggestion: Suggestion | None
    warnings: list[str]
    exposure: list[Exposure]
    spoke_at: datetime | None
    word_due: datetime | None
    """Until when the next public word is due; None when it is over, or internal."""

    @property
    def overdue(self) -> bool:
        """The next public word should have been said."""
        return self.word_due is not None and self.word_due <= timezone.now()

    @property
    def times(self) -> list[tuple[str, datetime | None, str]]:
        """The four honest times, each with how it is known."""
        row = self.incident
        return [(TIME_NAMES[name].capitalize(), getattr(row, name), row.times_why.get(name, "")) for name in TIMES]

    @property
    def lasted(self) -> timedelta | None:
        """From its start, or from when it was noticed, to its end or now; None when no beginning is known."""
        began = self.incident.started_at or self.incident.detected_at
        return None if began is None else (self.incident.ended_at or timezone.now()) - began


def incidents_of(user: Any, project: Project | None = None) -> QuerySet[Incident]:
    """The incidents that this person may see, newest first; or of one project that they may see, drills included."""
    rows = Incident.objects.select_related("project", "lead")
    if project is not None:
        rows = rows.filter(project=project)
    else:
        rows = rows.filter(project__in=Project.objects.seen_by(user), drill=None)
    return rows.annotate(
        hotfix_total=Count("hotfixes", distinct=True),
        spoke_at=Max("updates__at", filter=Q(updates__public=True)),
    )


def open_by_project(*, fresh: bool = False) -> dict[int, int]:
    """How many incidents each project has open, by its key. Every page asks, so it is kept for a moment."""
    found: dict[int, int] | None = None if fresh else cache.get(OPEN)
    if found is None:
        rows = Incident.objects.exclude(state=Incident.State.RESOLVED).filter(drill=None)
        found = dict(rows.order_by().values_list("project").annotate(Count("pk")))
        cache.set(OPEN, found, KEPT)
    return found


def open_count(user: Any, project: Project | None = None, *, fresh: bool = False) -> int:
    """Open incidents among what this person may see, for the tab."""
    counts = open_by_project(fresh=fresh)
    if project is not None:
        return counts.get(project.pk, 0)
    if not counts:
        return 0
    return sum(counts[pk] for pk in Project.objects.seen_by(user).filter(pk__in=counts).values_list("pk", flat=True))


def incident_page(incident: Incident) -> IncidentPage:
    """All of one incident; a number of queries that grows with its hotfixes only."""
    hotfixes = list(incident.hotfixes.all())
    spoke_at = incident.updates.filter(public=True).aggregate(last=Max("at"))["last"]
    due = None
    if incident.is_open and incident.public:
        due = word_due(incident.severity, spoke_at, incident.declared_at)
    return IncidentPage(
        incident=incident, hotfixes=hotfixes, timeline=timeline(incident), spoke_at=spoke_at, word_due=due,
        impacts=list(incident.impacts.select_related("component").order_by("component__order", "since")),
        suggestion=suggestion(incident, hotfixes), warnings=warnings(incident, hotfixes),
        exposure=exposure(incident, hotfixes),
    )  # fmt: skip


def components_of(project: Project) -> list[Component]:
    """Those that are in use, in order."""
    return list(Component.objects.filter(project=project, retired_at=None))
