"""Drills for pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import Max, Q
from django.utils import timezone

from releases.projects.models import Project

from .copying import repository_folder
from .models import Drill
from .scoring import COMPARED


@dataclass(slots=True)
class Due:
    """When a project was drilled last, and when the next drill is due."""

    project: Project
    every_days: int
    """0: none is ever due."""
    last: datetime | None = None
    running: int | None = None
    """The key of the drill that is under way."""

    @property
    def next_at(self) -> datetime | None:
        """None when none is due at any time."""
        if not self.every_days:
            return None
        return (self.last or self.project.created_at) + timedelta(days=self.every_days)

    @property
    def overdue(self) -> bool:
        return self.running is None and self.next_at is not None and self.next_at <= timezone.now()


def dues(projects: Sequence[Project]) -> list[Due]:
    """One for each project, in the same order. One query."""
    ended = Q(drills__state=Drill.State.ENDED)
    open_ones = Q(drills__state__in=(Drill.State.PREPARING, Drill.State.RUNNING))
    rows = Project.objects.filter(pk__in=[project.pk for project in projects]).order_by().annotate(
        last=Max("drills__ended_at", filter=ended), drilling=Max("drills__pk", filter=open_ones)
    )  # fmt: skip
    known = {
        pk: (every, last, running)
        for pk, every, last, running in rows.values_list("pk", "drill_plan__every_days", "last", "drilling")
    }
    found = []
    for project in projects:
        every, last, running = known.get(project.pk, (None, None, None))
        found.append(Due(project, settings.DRILL_EVERY_DAYS if every is None else every, last, running))
    return found


def drills_of(project: Project) -> list[Drill]:
    """All that were begun, newest first."""
    rows = Drill.objects.filter(project=project).select_related("started_by", "copy")
    return list(rows.prefetch_related("postmortems"))


def past_scores(drill: Drill) -> list[dict[str, Any]]:
    """The scores of the drills of this project before this one, the latest first."""
    rows = Drill.objects.filter(project=drill.project_id, state=Drill.State.ENDED, pk__lt=drill.pk)
    return list(rows.order_by("-pk").values_list("score", flat=True)[:COMPARED])


def clone_url(drill: Drill) -> str:
    """What participants clone."""
    return str(settings.DRILL_CLONE_URL).replace("{path}", str(Path(repository_folder(drill))))
