"""What is in production: what its environments run where a pipeline tells of that, else what production's refs have.

Everything that speaks of production, steps, pages and commands alike, asks here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .models import Project, Release

PRODUCTION = "production"
"""The step of a hotfix that a pipeline tells of when it brings releases into production."""


@dataclass(frozen=True, slots=True)
class Running:
    """One release in one environment of production."""

    environment: str
    tag: str
    commit: str
    since: datetime

    def as_data(self) -> dict[str, str]:
        return {
            "environment": self.environment, "tag": self.tag, "commit": self.commit, "since": self.since.isoformat()
        }  # fmt: skip


def read_running(stages_told: Sequence[str], stored: Sequence[dict[str, Any]]) -> tuple[Running, ...]:
    """What is stored of a project, in the order of its environments; none where no pipeline tells of production."""
    if PRODUCTION not in stages_told:
        return ()
    return tuple(
        Running(str(row["environment"]), str(row["tag"]), str(row["commit"]), datetime.fromisoformat(row["since"]))
        for row in stored
    )


def running(project: Project) -> tuple[Running, ...]:
    """What the environments of production run; none where no pipeline tells, or nothing was brought there yet."""
    return read_running(project.stages_told, project.running)


def release_in_production(project: Project) -> Release | None:
    """The release that production runs: of its first environment, else the newest on a production ref."""
    for place in running(project):
        row = Release.objects.filter(project=project, tag=place.tag, commit=place.commit, deleted_at=None).first()
        if row is not None:
            return row
    return project.production_release


def commit_in_production(project: Project) -> str:
    """The commit that the first environment of production runs; empty where only refs tell."""
    return next((place.commit for place in running(project)), "")
