"""Hotfixes on the overview: those in flight, waivers that end soon, what is to be re-applied, untracked work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from releases.hotfixes.listing import HotfixQuery, HotfixRow, hotfix_list, untracked
from releases.hotfixes.models import Debt
from releases.policies.models import Settlement
from releases.policies.settling import waivers_ending
from releases.projects.models import Project

from . import links, steps, words
from .steps import Step

FLYING = 5
"""Hotfixes that the timetable shows."""
WAITING = 4


@dataclass(slots=True)
class Flying:
    """One hotfix in the timetable."""

    row: HotfixRow

    @property
    def url(self) -> str:
        return links.hotfix(self.row.project_slug, self.row.key)

    @property
    def steps(self) -> list[Step]:
        return steps.timetable(self.row.stages, self.row.stage)

    @property
    def now(self) -> Step | None:
        stage = self.row.stage_now
        return steps.step(stage, current=True) if stage else None

    @property
    def waits(self) -> str:
        """How long it has been at its present step."""
        gap = steps.since(self.row.stages, self.row.stage, self.row.created_at)
        return words.duration(gap.total_seconds())


@dataclass(slots=True)
class Ending:
    """A waiver that ends soon, with what can be done about it."""

    row: Settlement

    @property
    def ends(self) -> str:
        return words.day(self.row.until)

    @property
    def url(self) -> str:
        return links.evidence(self.row.project.slug, self.row.fix.key, self.row.target.branch)

    @property
    def extend_url(self) -> str:
        return links.settle(self.row.project.slug, "waive", self.row.fix.key, self.row.target.branch)

    @property
    def end_url(self) -> str:
        return links.settle(self.row.project.slug, "withdraw", self.row.fix.key, self.row.target.branch)


@dataclass(slots=True)
class HotfixNews:
    """Everything about hotfixes on one overview."""

    flying: list[Flying]
    flying_total: int
    ending: list[Ending]
    debts: list[tuple[Debt, str]]
    """What was undone to clear the way and is not back, each with the address of its hotfix."""
    untracked: int
    url: str
    labels: list[str]

    @property
    def soon(self) -> int:
        """Things that want a decision before long."""
        return len(self.ending) + len(self.debts)


def hotfix_news(project: Project | None, user: Any, pks: Sequence[int]) -> HotfixNews:
    """For one project, or for all that this person may see. A constant number of queries."""
    found = hotfix_list(project, user, HotfixQuery())
    debts = Debt.objects.filter(project__in=pks, settled_at=None).select_related("hotfix__project")
    return HotfixNews(
        flying=[Flying(row) for row in found.rows[:FLYING]],
        flying_total=found.total,
        ending=[Ending(row) for row in waivers_ending(pks)[:WAITING]],
        debts=[(debt, links.hotfix(debt.hotfix.project.slug, debt.hotfix.key)) for debt in debts[:WAITING]],
        untracked=len(untracked(project, user)),
        url=links.hotfixes(project.slug if project else ""),
        labels=[key.label for key in steps.IN_FLIGHT],
    )
